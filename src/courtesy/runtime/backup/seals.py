"""Sealing rows: by the keys of all whom a row tells of, bound to its place in one backup.

A sealed row is the number of keys (one byte), their ids, and the ciphertext (AES-256-GCM, with its tag). The key comes
from the keys of all of them and the header of the backup (HMAC-SHA256), so that no two backups share one; the nonce is
the place: which section, which part of the row, which row. A row that is moved, or a part that is missing of one who
was erased, can't be opened.
"""

from __future__ import annotations

import hmac
import struct
from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from courtesy.engine_postgres.backup import KEY_ID_BYTES
from courtesy.engine_postgres.restoring import key_parts

CIPHERS_KEPT = 16_384
_NONCE = struct.Struct(">HHQ")


class Place(NamedTuple):
    """Where something sealed is: the section, which part of its row, and the number of the row in the section."""

    section: int
    part: int
    row: int


class Seals:
    """The seals of one backup. `header` is the frame that it begins with."""

    def __init__(self, header: bytes) -> None:
        self._salt = sha256(header).digest()
        self._cipher = lru_cache(CIPHERS_KEPT)(self._made)

    def _made(self, keys: bytes) -> AESGCM:
        return AESGCM(hmac.digest(self._salt, keys, "sha256"))

    def seal(self, keys: bytes, place: Place, content: bytes) -> bytes:
        """Seal by keys, given as ids and keys one after the other."""
        ids = [key_id for key_id, _ in key_parts(keys)]
        head = bytes([len(ids)]) + b"".join(ids)
        return head + self._cipher(keys).encrypt(_NONCE.pack(*place), content, head)

    def opened(self, sealed: bytes, place: Place, known: Mapping[bytes, bytes]) -> bytes | None:
        """What is sealed; None when one of its keys is not among the known. Raises InvalidTag for anything else."""
        ids = ids_of(sealed)
        if not all(each in known for each in ids):
            return None
        keys = b"".join(each + known[each] for each in ids)
        start = _head_bytes(sealed)
        return self._cipher(keys).decrypt(_NONCE.pack(*place), sealed[start:], sealed[:start])


def ids_of(sealed: bytes) -> list[bytes]:
    """The ids of the keys that something is sealed by. Raises InvalidTag when it is no such thing."""
    end = _head_bytes(sealed)
    return [sealed[at : at + KEY_ID_BYTES] for at in range(1, end, KEY_ID_BYTES)]


def _head_bytes(sealed: bytes) -> int:
    end = 1 + sealed[0] * KEY_ID_BYTES if sealed else 0
    if not 1 < end <= len(sealed):
        raise InvalidTag
    return end
