"""What the clients are told to send: all that JSON can hold, in all the scripts that people write."""

from __future__ import annotations

from typing import Any

WHOLE: dict[str, Any] = {
    "text": "",
    "german": "Größe 44½, „weiß“",
    "greek": "Καλημέρα κόσμε",
    "arabic": "مرحبا بالعالم",
    "hindi": "नमस्ते दुनिया",
    "chinese": "你好，世界",
    "emoji": "👩🏽‍🚀🏳️‍🌈 \U0001f9ff",
    "combined": "e\u0301 is not é",
    "signs": '"quotes", \\back\\slashes/, \ttabs,\nlines\r\n, \u2028, \u0001 and \x7f',
    "markup": "<script>alert('&amp;')</script>",
    "long": "lorem ipsum " * 1_000,
    "whole": 42,
    "negative": -17,
    "largest": 2**53 - 1,
    "smallest": -(2**53) + 1,
    "price": 19.99,
    "tiny": 1.5e-9,
    "huge": 1e21,
    "zero": 0,
    "yes": True,
    "no": False,
    "nothing": None,
    "empty list": [],
    "empty object": {},
    "dotted.name": {"with.dots": 1},
    "": "a name of no characters",
    "ключ": "名前",
    "products": [
        {"sku": "A-1", "price": 5, "tags": ["new", None, "naïve"], "sizes": {"eu": 44, "uk": 9.5}},
        {"sku": "B-2", "price": 0.1, "tags": [], "nested": [[1, [2, [3, [None]]]]]},
    ],
    "deep": {"a": {"b": {"c": {"d": {"e": {"f": [{"g": "bottom"}]}}}}}},
}
"""Plain values that come out of every client as they went in. Dates are each language's own, so they are not here."""

TRAITS: dict[str, Any] = {
    "name": "Zoë Ångström-Nguyễn",
    "age": 37,
    "score": 0.25,
    "subscribed": False,
    "address": {"street": "Straße des 17. Juni 135", "city": "Berlin", "geo": {"lat": 52.51, "lon": 13.32}},
    "favourites": ["čaj", {"kind": "książka", "count": 3}],
}
"""Traits as a person holds them afterwards, nulls left out: a null unsets a trait."""
