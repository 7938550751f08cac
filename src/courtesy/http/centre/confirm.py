"""The pages of a double opt-in: what somebody asked for, with a button to confirm it, and that it is done."""

from __future__ import annotations

from courtesy.event.choice import Scope
from courtesy.http.centre.markup import Markup, tag
from courtesy.http.centre.page import Frame, about
from courtesy.runtime.links import Link


def confirm_page(frame: Frame, link: Link) -> str:
    """What to press to confirm. Opening it changes nothing."""
    texts = frame.texts
    return frame.page(
        texts["confirm_title"],
        tag(
            "form",
            tag("p", texts["confirm_text"]),
            _asked_for(frame, link),
            tag("button", texts["confirm"], type="submit", name="confirm", value="yes"),
            tag("p", texts["confirm_otherwise"], class_="hint"),
            method="post",
            action=f"{frame.address}?lang={texts.locale}",
            class_="card",
        ),
    )


def confirmed_page(frame: Frame, link: Link) -> str:
    """That it is done."""
    texts = frame.texts
    return frame.page(
        texts["confirmed_title"],
        tag("section", tag("p", texts["confirmed_text"]), _asked_for(frame, link), class_="status", role="status"),
    )


def _asked_for(frame: Frame, link: Link) -> Markup:
    texts, centre = frame.texts, frame.centre
    told = [
        about(texts, centre, Scope(each.purpose, each.channel, each.topic, each.brand)) for each in link.unconfirmed
    ]
    return tag("ul", [tag("li", tag("strong", each)) for each in dict.fromkeys(told)])
