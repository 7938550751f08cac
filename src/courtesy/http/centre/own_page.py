"""The pages on which somebody downloads or deletes what is held of them, and the message with the code for it."""

from __future__ import annotations

from collections.abc import Iterable

from courtesy.base.time import MINUTE_MS
from courtesy.channel.mail import Mail
from courtesy.http.centre.markup import Markup, markup, tag
from courtesy.http.centre.masked import masked_email
from courtesy.http.centre.page import Frame
from courtesy.runtime.codes import DIGITS, LIFE_MS, Purpose

MINUTES = str(LIFE_MS // MINUTE_MS)

DONE = ("sent", "wrong", "over", "limit")
"""What the page may say of a code: it was sent, it is not this one, it does not count any more, there were enough."""


def ask_page(frame: Frame, purpose: Purpose, address: str | None, done: str | None, home: str) -> str:
    """What will be done, and the way to a code: to have one sent, and to enter it. `home`: the preference centre."""
    texts = frame.texts
    return frame.page(
        texts[f"{purpose}_title"],
        tag("p", texts[f"{purpose}_text"]),
        tag("p", texts["code_nowhere"], class_="card") if address is None else _ways(frame, address, done),
        _home(frame, home),
    )


def _ways(frame: Frame, address: str, done: str | None) -> list[Markup]:
    texts = frame.texts
    about = {"address": masked_email(address), "minutes": MINUTES}
    if done not in DONE:
        return [_form(frame, tag("p", texts.say("code_why", **about)), _button(texts["code_send"], "send"))]
    said = texts.say(f"code_{done}", **about)
    entry = tag(
        "input", type="text", id="code", name="code", inputmode="numeric", autocomplete="one-time-code",
        maxlength=str(2 * DIGITS), required=True, class_="code", dir="ltr", aria_describedby="said",
    )  # fmt: skip
    label = tag("label", texts["code_label"], for_="code")
    return [
        tag("p", said, id="said", class_=f"card {'status' if done == 'sent' else 'warning'}", role="status"),
        _form(frame, tag("p", label), tag("p", entry), _button(texts["code_enter"], "enter")),
        _form(frame, _button(texts["code_again"], "send", class_="plain")),
    ]


def passed_page(frame: Frame, purpose: Purpose, number: str, pass_: str, home: str) -> str:
    """What whoever entered the right code may do now, and the number of their request."""
    texts = frame.texts
    hidden = tag("input", type="hidden", name="pass", value=pass_)
    if purpose is Purpose.DOWNLOAD:
        buttons = [
            _button(texts["download_html"], "get", "html"),
            _button(texts["download_zip"], "get", "zip", class_="plain"),
            _button(texts["download_json"], "get", "json", class_="plain"),
        ]
    else:
        buttons = [_button(texts["delete_now"], "get", "delete", class_="danger")]
    return frame.page(
        texts[f"{purpose}_title"],
        tag(
            "p",
            f"{texts['code_right']} {texts.say('request_number', number=number)}",
            class_="card status",
            role="status",
        ),
        _form(frame, hidden, tag("p", texts[f"{purpose}_passed"]), tag("div", buttons, class_="buttons")),
        _home(frame, home),
    )


def _form(frame: Frame, *content: object) -> Markup:
    address = f"{frame.address}?lang={frame.texts.locale}"
    return tag("form", *content, method="post", action=address, class_="card", autocomplete="off")


def _button(label: str, name: str, value: str = "yes", **more: object) -> Markup:
    return tag("button", label, type="submit", name=name, value=value, **more)


def _home(frame: Frame, home: str) -> Markup:
    return tag("p", tag("a", frame.texts["home"], href=f"{home}?lang={frame.texts.locale}"))


def code_mail(frame: Frame, purpose: Purpose, address: str, code: str) -> Mail:
    """The message with a code, in the language and under the brand of the page."""
    texts, brand = frame.texts, frame.centre.brand
    subject = f"{brand}: {texts['mail_subject']}" if brand else texts["mail_subject"]
    above, below = texts[f"mail_{purpose}"], texts.say("mail_note", minutes=MINUTES)
    text = "\n\n".join((above, f"    {code}", below, *filter(None, (brand,)))) + "\n"
    return Mail(address, subject, text, _mail_page(frame, subject, (above, code, below)), texts.locale)


def _mail_page(frame: Frame, subject: str, parts: tuple[str, str, str]) -> str:
    above, code, below = parts
    large = "font-size:2rem;font-weight:700;letter-spacing:.3rem;margin:1rem 0"
    body: Iterable[object] = (
        tag("p", above),
        tag("p", tag("bdi", code, dir="ltr"), style=large),
        tag("p", below),
        tag("p", frame.centre.brand) if frame.centre.brand else None,
    )
    head = tag("head", tag("meta", charset="utf-8"), tag("title", subject))
    style = "font:16px/1.5 system-ui,sans-serif;color:#1b1b1f"
    page = tag("html", head, tag("body", markup(body), style=style), lang=frame.texts.locale, dir=frame.texts.direction)
    return f"<!doctype html>\n{page}\n"
