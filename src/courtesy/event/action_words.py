"""Words with which lists of subscribers say what somebody chose, and network addresses as evidence keeps them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from typing import Any

from courtesy.event.accept import text_of
from courtesy.event.casting import Unread
from courtesy.event.cause import Cause
from courtesy.event.choice import Action

CHOICES: Mapping[str, Action] = {
    **dict.fromkeys("subscribed opted_in opt_in optin consented confirmed granted grant".split(), Action.GRANT),
    **dict.fromkeys(
        "unsubscribed opted_out opt_out optout withdrawn withdraw withdrew revoked refused declined complained".split(),
        Action.WITHDRAW,
    ),
    **dict.fromkeys(("objected", "object"), Action.OBJECT),
    **dict.fromkeys(("expired", "expire"), Action.EXPIRE),
}
"""Words that tell a choice wherever they stand."""

ANSWERS: Mapping[str, Action] = {
    **dict.fromkeys("yes true t y 1 on accepted active".split(), Action.GRANT),
    **dict.fromkeys("no false f n 0 off denied inactive".split(), Action.WITHDRAW),
}
"""Words that tell one where it was asked for."""

SILENT = frozenset(
    "pending unconfirmed never_subscribed non_subscribed nonsubscribed not_subscribed not_set unknown none null "
    "bounced hard_bounced soft_bounced hard_bounce soft_bounce bounce cleaned transactional archived".split()
)
"""Words that tell none: a bounce is no choice, and who never confirmed has not chosen."""

PREFIX_V4, PREFIX_V6 = 16, 32


def word_in(value: Any) -> str:
    """A value as the words above are written: `Opted In` and `OPTED_IN` are `opted_in`."""
    return re.sub(r"[\s_-]+", "_", text_of(value) or "").lower()


def to_action(value: Any) -> Any:
    """What somebody chose, by such a word; None for blank text and for words that tell nothing."""
    word = word_in(value)
    if not word or word in SILENT:
        return None
    action = CHOICES.get(word) or ANSWERS.get(word)
    return (
        str(action) if action is not None else Unread(value, Cause.WRONG_TYPE, "subscribed, unsubscribed or the like")
    )


def to_network(value: Any) -> Any:
    """The first part of a network address: 16 bits of version 4, 32 of version 6. None for blank text."""
    text = str(text_of(value) or "")
    if not text:
        return None
    try:
        address = ip_address(text)
    except ValueError:
        # Never what was there: it may be an address that is written in some other way.
        return Unread("…", Cause.WRONG_TYPE, "a network address")
    return str(ip_network(f"{address}/{PREFIX_V4 if address.version == 4 else PREFIX_V6}", strict=False))
