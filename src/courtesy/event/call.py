"""What a client sends: one call of the tracking protocol, decoded leniently and only as deep as needed."""

from __future__ import annotations

from typing import Any

import msgspec

Scalar = str | int | float | bool | None

EMPTY = msgspec.Raw()


class Call(msgspec.Struct, frozen=True, rename="camel"):
    """One call as sent. Nested objects stay raw bytes: they are stored as they came, and read only when asked for."""

    type: str | None = None
    message_id: Scalar = None
    user_id: Scalar = None
    anonymous_id: Scalar = None
    previous_id: Scalar = None
    group_id: Scalar = None
    event: Scalar = None
    name: Scalar = None
    category: Scalar = None
    timestamp: Scalar = None
    original_timestamp: Scalar = None
    sent_at: Scalar = None
    write_key: str | None = None
    properties: msgspec.Raw = EMPTY
    traits: msgspec.Raw = EMPTY
    context: msgspec.Raw = EMPTY
    integrations: msgspec.Raw = EMPTY
    choices: msgspec.Raw = EMPTY


class Batch(msgspec.Struct, frozen=True, rename="camel"):
    """A body with several calls; its context and integrations lie under those of each item."""

    batch: list[msgspec.Raw]
    sent_at: Scalar = None
    write_key: str | None = None
    context: msgspec.Raw = EMPTY
    integrations: msgspec.Raw = EMPTY


class Device(msgspec.Struct, frozen=True, rename="camel"):
    """The part of `context.device` that identifies."""

    id: Scalar = None


class ExternalId(msgspec.Struct, frozen=True, rename="camel"):
    """One entry of `context.externalIds`."""

    id: Scalar = None
    type: str | None = None
    collection: str | None = None
    encoding: str | None = None


class Consent(msgspec.Struct, frozen=True, rename="camel"):
    """`context.consent` of the protocol: categories that the person allowed or refused; and consent strings, with the
    vendor for which they are to be read."""

    category_preferences: dict[str, Any] | None = None
    tcf: Any = None
    gpp: Any = None
    vendor: Any = None


class Courtesy(msgspec.Struct, frozen=True, rename="camel"):
    """`context.courtesy`: what a sender may ask of Courtesy itself."""

    overwrite: bool = False


class Context(msgspec.Struct, frozen=True, rename="camel"):
    """The part of `context` that accept looks at; everything else is kept unread."""

    traits: msgspec.Raw = EMPTY
    device: Device | None = None
    external_ids: list[ExternalId] | None = None
    consent: Consent | None = None
    courtesy: Courtesy | None = None
    group_id: Scalar = None


class KnownTraits(msgspec.Struct, frozen=True, rename="camel"):
    """The traits that can identify; read apart so that the rest needs no decoding."""

    email: Any = None
    phone: Any = None


NO_CONTEXT = Context()
