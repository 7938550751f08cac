"""Packing: what is encrypted of an entry's content, a third as long as the content, whose words are ever the same.

The first byte of packed bytes says how they are packed:

| byte | what follows |
|---|---|
| 1 | the content, compressed as raw deflate (RFC 1951) with `WORDS_1` as its preset dictionary |
| `{` | the rest of the content, which was not packed: JSON objects begin with it, so older entries read as they are |

A dictionary is part of the format for ever: another one takes another first byte. The ledger is committed to the
content itself, so nobody needs this to verify it.
"""

from __future__ import annotations

import zlib

WORDS_1 = (
    b'"false"corrects":"","request":"","actor":"retracts":"unsubscribe","one_click","double_opt_in":"own_sale":'
    b'"similar_goods":"refusal_offered":"agent":""network":""form":""message":""held_to":17"value":"likes"'
    b'"jurisdiction":"US-CA"brand":"legitimate_interest""legal_obligation""soft_opt_in""purchase""inquiry""contract"'
    b'"expire""correct""signal""object""set""withdraw""topic":"*""web""webhook""phone""push""sms""sharing""service"'
    b'"profiling""api"{"id":"","source":1,"message":"","at":17,"received":17,"choice":{"action":"grant",'
    b'"purpose":"marketing","channel":"email","topic":"newsletter","held_from":17,"basis":"consent","policy":"privacy-1"'
    b',"method":"preference_centre","evidence":{"notice":"","locale":"en","affirmative":true}},"known_as":[]}'
)
"""The words of contents, the most frequent last, where deflate refers to them in the fewest bits."""

_PACKED = b"\x01"
_AS_IT_IS = b"{"
_RAW, _MEMORY, _LEVEL = -12, 5, 6
"""A window of 4 KB holds the words and a content; what is larger takes longer to set up than to use."""


def packed(content: bytes) -> bytes:
    """What `unpacked` gives back as it was."""
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _RAW, _MEMORY, zlib.Z_DEFAULT_STRATEGY, WORDS_1)
    return _PACKED + packer.compress(content) + packer.flush()


def unpacked(packed: bytes) -> bytes:
    """The content. Raises ValueError for bytes that are no packed content."""
    if packed[:1] == _AS_IT_IS:
        return packed
    if packed[:1] != _PACKED:
        raise ValueError(f"expected packed content, got bytes that begin with {packed[:1]!r}")
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS, WORDS_1)
    try:
        content = unpacker.decompress(packed[1:])
    except zlib.error as error:
        raise ValueError(f"expected packed content: {error}") from error
    if not unpacker.eof or unpacker.unused_data:
        raise ValueError("expected packed content, got a part of it, or more")
    return content
