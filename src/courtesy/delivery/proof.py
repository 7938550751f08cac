"""To whom proofs may go: a list of addresses of one's own people. A proof is no way around what customers refuse."""

from __future__ import annotations

import re
from typing import Annotated

import msgspec
from msgspec import Meta

from courtesy.base.errors import Code, CourtesyError

ADDRESSES_MAX = 200
_ADDRESS = re.compile(r"[^\s@,<>\"\x00-\x1f]{1,64}@[^\s@,<>\"\x00-\x1f]{1,255}")

Address = Annotated[str, Meta(min_length=3, max_length=320)]


class ProofAddresses(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The addresses to which proofs may be sent; none without one."""

    addresses: Annotated[tuple[Address, ...], Meta(max_length=ADDRESSES_MAX)] = ()

    def checked(self) -> ProofAddresses:
        """The same in small letters, each once and in order. Raises CourtesyError(INVALID) for what is no address."""
        for number, each in enumerate(self.addresses):
            if not _ADDRESS.fullmatch(each):
                raise CourtesyError(
                    Code.INVALID, f"expected an address, got {each!r:.60}", place=f"addresses[{number}]"
                )
        return ProofAddresses(tuple(sorted({each.lower() for each in self.addresses})))

    def permits(self, address: str) -> bool:
        """Whether a proof may go there."""
        return address.lower() in self.addresses
