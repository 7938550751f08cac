"""What is kept of a rejected item beside its bytes: all that its request said of it, so that it can be judged again."""

from __future__ import annotations

from hashlib import blake2b

import msgspec

from courtesy.event.call import EMPTY, Scalar
from courtesy.event.event import EventType


class Circumstances(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the request said for the item: its type by the path, and what the batch says for all its items.

    `live` is false for what came as history. `gpc`: the browser sent Global Privacy Control along.
    """

    type: EventType | None = None
    sent_at: Scalar = None
    context: msgspec.Raw = EMPTY
    integrations: msgspec.Raw = EMPTY
    live: bool = True
    gpc: bool = False


PLAIN = Circumstances()
"""Of an item that came on its own."""

_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Circumstances)


def encode_circumstances(circumstances: Circumstances) -> bytes:
    """The form in which they are kept; empty when there is nothing to say. What no longer reads as JSON is left out."""
    if circumstances == PLAIN:
        return b""
    try:
        content = _ENCODER.encode(circumstances)
        _DECODER.decode(content)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        bare = msgspec.structs.replace(circumstances, context=EMPTY, integrations=EMPTY)
        return _ENCODER.encode(bare)
    return content


def decode_circumstances(content: bytes) -> Circumstances:
    """The inverse. Raises msgspec.DecodeError for what `encode_circumstances` did not make."""
    return _DECODER.decode(content) if content else PLAIN


def same_id(item: bytes) -> str | None:
    """A message id made from the bytes of an item that tells its time, so that sending it again does not count it
    twice. None for one without a time: two that are equal are two events."""
    return f"same-{blake2b(item, digest_size=16).hexdigest()}" if b'imestamp"' in item else None
