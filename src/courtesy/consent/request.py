"""A request of a person about their data: what kinds there are, what each needs to be told, and what it chooses."""

from __future__ import annotations

from enum import StrEnum
from hashlib import sha256
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from courtesy.base.errors import Code, CourtesyError
from courtesy.consent.laws import MARKETING
from courtesy.event.choice import HEALTH, RESTRICTION, Action, Word

REQUEST_OVERDUE = "Request Overdue"
"""Name of the event that tells, once, that a request was not answered in time."""

METHOD = "request of the person"
PURPOSES_MAX = 20
DETAILS_BYTES_MAX = 16 * 1024
NUMBER_CHARS_MAX = 18


class RequestKind(StrEnum):
    """What somebody asks for. ACCESS: all that is held of them. PORTABILITY: what they provided, to take elsewhere.
    RECTIFICATION: that something wrong is put right. ERASURE: to be forgotten. RESTRICTION: that nothing is done with
    their data but keeping it. OBJECTION: that they are not used for some purposes."""

    ACCESS = "access"
    RECTIFICATION = "rectification"
    ERASURE = "erasure"
    PORTABILITY = "portability"
    RESTRICTION = "restriction"
    OBJECTION = "objection"


class RequestState(StrEnum):
    """Where a request stands. CONFIRMING: it is not sure yet that they asked it. OPEN: it is to be answered. The others
    are final."""

    CONFIRMING = "confirming"
    OPEN = "open"
    FULFILLED = "fulfilled"
    REFUSED = "refused"


PENDING = frozenset({RequestState.CONFIRMING, RequestState.OPEN})
"""The states in which the deadline runs."""


class Details(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What a request says beside its kind; what is not told is None.

    `traits`: what a rectification puts right, null to remove. `suppress`: whether an erasure keeps salted hashes, so
    that they do not come back with the next import; it does unless it says otherwise. `restricted`: whether a
    restriction begins or ends; it begins unless it says otherwise. `purposes`: to what an objection objects, direct
    marketing unless it says so. `note`: what they wrote, for whoever answers.
    """

    traits: dict[str, Any] | None = None
    suppress: bool | None = None
    restricted: bool | None = None
    purposes: Annotated[tuple[Word, ...], Meta(min_length=1, max_length=PURPOSES_MAX)] | None = None
    note: Annotated[str, Meta(max_length=2_000, pattern=r"^[^\x00]*$")] = ""


NO_DETAILS = Details()

_FOR: dict[str, RequestKind] = {
    "traits": RequestKind.RECTIFICATION,
    "suppress": RequestKind.ERASURE,
    "restricted": RequestKind.RESTRICTION,
    "purposes": RequestKind.OBJECTION,
}


def check(kind: RequestKind, details: Details) -> None:
    """Raises CourtesyError(INVALID) for details that a request of that kind does not have, or lacks."""
    for name, own in _FOR.items():
        if getattr(details, name) is not None and kind is not own:
            raise CourtesyError(
                Code.INVALID, f"`{name}` is for a request of {own}, this is one of {kind}", place=f"details.{name}"
            )
    if kind is RequestKind.RECTIFICATION and not details.traits:
        raise CourtesyError(
            Code.INVALID,
            "expected the traits that are to be put right",
            hint='like {"traits": {"name": "Ana Lima", "city": null}}; null removes one',
            place="details.traits",
        )
    for purpose in details.purposes or ():
        if purpose.casefold() in HEALTH:
            raise CourtesyError(Code.INVALID, "health is no purpose here", place="details.purposes")
        if purpose == RESTRICTION:
            raise CourtesyError(Code.INVALID, "to be restricted is a request of its own", place="details.purposes")
    size = len(encode_details(details))
    if size > DETAILS_BYTES_MAX:
        raise CourtesyError(
            Code.INVALID, f"expected details of at most {DETAILS_BYTES_MAX} bytes, got {size}", place="details"
        )


_DETAILS = msgspec.json.Decoder(Details)


def encode_details(details: Details) -> bytes:
    """As they are kept."""
    return msgspec.json.encode(details, order="deterministic")


def decode_details(content: bytes) -> Details:
    """The inverse of `encode_details`."""
    return _DETAILS.decode(content)


def sameness(kind: RequestKind, details: Details) -> bytes:
    """What two requests of one person have in common that ask for the same, whatever words came with them."""
    asks = msgspec.structs.replace(details, note="")
    return sha256(kind.encode() + b"\0" + encode_details(asks)).digest()


def name_of(number: int) -> str:
    """What a request is called in the ledger and in letters."""
    return f"R-{number}"


def number_of(text: str) -> int:
    """The number of a request by what it is called, `R-7` or `7`. Raises CourtesyError(INVALID)."""
    digits = text.removeprefix("R-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= NUMBER_CHARS_MAX):
        raise CourtesyError(Code.INVALID, f"expected a request like R-7, got {text!r:.60}", place="number")
    return int(digits)


def choices_of(kind: RequestKind, details: Details, number: int, by: str) -> list[dict[str, Any]]:
    """What a restriction or an objection chooses, as a client would tell it; none for the other kinds."""
    beside = {"method": METHOD, "actor": by, "request": name_of(number)}
    if kind is RequestKind.RESTRICTION:
        is_restricted = details.restricted is not False
        return [{"action": Action.SET, "purpose": RESTRICTION, "value": is_restricted, **beside}]
    if kind is RequestKind.OBJECTION:
        purposes = dict.fromkeys(details.purposes or (MARKETING,))
        return [{"action": Action.OBJECT, "purpose": purpose, **beside} for purpose in purposes]
    return []
