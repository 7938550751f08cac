"""Choices made of what somebody wrote: which of them are stored, and as which."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from courtesy.consent.laws import MARKETING
from courtesy.consent.words import Heard, Meaning
from courtesy.event.choice import ANY, Action, Basis

METHOD = "inbound message"


def choices_of(found: Heard, text: str, channel: str) -> list[dict[str, Any]]:
    """The choices that a message makes which came over a channel, as a client would tell them; none when it makes none.

    A refusal is of every purpose on that channel, and of marketing on all when it says so. In doubt it is a refusal
    too. Who wants messages again allows marketing on that channel, and nothing that they were not asked for.
    """
    if found.meaning in (Meaning.STOP, Meaning.UNSURE):
        here = _choice(text, action=Action.WITHDRAW, purpose=ANY, channel=channel)
        everywhere = _choice(text, action=Action.WITHDRAW, purpose=MARKETING)
        return [here, everywhere] if found.everything else [here]
    if found.meaning is Meaning.START:
        return [_choice(text, action=Action.GRANT, purpose=MARKETING, channel=channel, basis=Basis.CONSENT)]
    return []


def _choice(text: str, **fields: str) -> dict[str, Any]:
    digest = sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return {**fields, "method": METHOD, "evidence": {"message": digest, "affirmative": True}}
