"""Whom a call names that nobody accepted: its identifiers as far as they can be told, however broken the rest is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from courtesy.event.accept import NO_HINTS
from courtesy.identity.rules import IdentityRules, normalise

_FIELDS = (
    ("userId", ("user_id",)),
    ("anonymousId", ("anonymous_id",)),
    ("previousId", ("user_id", "anonymous_id")),
    ("groupId", ("group",)),
)
_TRAITS = ("email", "phone")


def named_in(rules: IdentityRules, content: bytes, hints: Iterable[tuple[str, str]] = NO_HINTS) -> set[str]:
    """The identifiers that a call, or what came beside it, names in any of the places where accept looks for them.

    Whether its type lets it use them does not matter: it is about whom they name. Empty for what is no JSON object.
    """
    call = _object(_decoded(content))
    scalars = ((kind, value) for kind, value in _claims(call) if isinstance(value, str | int | float))
    found = (normalise(rules, kind, value, hints if kind == "phone" else NO_HINTS) for kind, value in scalars)
    return {key for key in found if key is not None}


def _claims(call: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, kinds in _FIELDS:
        for kind in kinds:
            yield kind, call.get(name)
    context = _object(call.get("context"))
    for traits in (call.get("traits"), context.get("traits")):
        for kind in _TRAITS:
            yield kind, _object(traits).get(kind)
    yield "device_id", _object(context.get("device")).get("id")
    yield "group", context.get("groupId")
    external = context.get("externalIds")
    for each in external if isinstance(external, list) else ():
        named = _object(each).get("type")
        if isinstance(named, str):
            yield named, _object(each).get("id")


def _decoded(content: bytes) -> Any:
    try:
        return msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
