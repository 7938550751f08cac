"""The controller: who answers for what is done with people's data, as records and receipts of consent name them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import msgspec
from msgspec import Meta

from courtesy.base.errors import Code, CourtesyError

Line = Annotated[str, Meta(min_length=1, max_length=200)]
Optional = Annotated[str, Meta(max_length=200)]
Url = Annotated[str, Meta(max_length=500, pattern=r"^(https?://[^\s\x00]+)?$")]
Country = Annotated[str, Meta(pattern="^[A-Z]{2}$")]
Language = Annotated[str, Meta(pattern="^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$", max_length=35)]
Period = Annotated[str, Meta(pattern=r"^(P(\d+Y)?(\d+M)?(\d+W)?(\d+D)?)?$", max_length=20)]


class PostalAddress(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Where the controller is. `country`: ISO 3166-1 alpha-2."""

    country: Country
    street: Line
    city: Line
    postal_code: Optional = ""
    region: Optional = ""


class Controller(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Who decides what data is used for, and how to reach them.

    `contact`: the person or office that answers. `privacy_url`: the privacy policy. `choices_url`: where somebody
    changes or withdraws what they allowed. `rights_url`: where the other rights are exercised, `privacy_url` if empty.
    `storage_countries`: where data is kept, as ISO 3166-1 alpha-2 or `EU`; `retention`: for how long, as an ISO 8601
    duration like P2Y. `recipients`: third parties that get the data. `service`: what it is used for, in their words.
    `language`: of the texts that people see, where a choice does not say. Each format needs some of these.
    """

    name: Line
    contact: Line
    email: Line
    address: PostalAddress
    privacy_url: Annotated[str, Meta(max_length=500, pattern=r"^https?://[^\s\x00]+$")]
    phone: Optional = ""
    url: Url = ""
    choices_url: Url = ""
    rights_url: Url = ""
    language: Language = "en"
    storage_countries: Annotated[tuple[Country, ...], Meta(max_length=50)] = ()
    retention: Period = ""
    recipients: Annotated[tuple[Line, ...], Meta(max_length=200)] = ()
    service: Optional = ""


def controller_for(what: str, controller: Controller | None, needed: Iterable[str] = ()) -> Controller:
    """The controller, if all is known of it that a format needs. Raises CourtesyError(CONFLICT) that says what is
    missing."""
    hint = "an admin says who it is with PUT /v1/controller"
    if controller is None:
        raise CourtesyError(Code.CONFLICT, f"{what} names the controller, and none is defined", hint=hint)
    missing = [name for name in needed if not getattr(controller, name)]
    if missing:
        raise CourtesyError(Code.CONFLICT, f"{what} needs of the controller: {', '.join(missing)}", hint=hint)
    return controller
