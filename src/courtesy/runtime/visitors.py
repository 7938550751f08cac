"""Visitors of pages: who may be shown what waits for whom.

A write key is in every page of its site, so it proves nothing of who asks. Whoever says a `userId` shows a signature of
it that only the site's own server can make. An `anonymousId` is as good as a secret, for nobody else knows it; but what
it leads to is shown only while that person is known by such ids alone. For anybody can say, with the write key, that
their browser is somebody's: that makes their anonymous id one of that person's, and must not open what is theirs.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.ids import PersonId
from courtesy.engine.contract import PersonReading
from courtesy.identity.rules import split_identifier
from courtesy.runtime.catalog import CatalogCache, InboxIdentity, Source
from courtesy.runtime.links import Signer
from courtesy.runtime.offer_desk import Named
from courtesy.runtime.people import People

USER, ANONYMOUS = "user_id", "anonymous_id"


@dataclass(frozen=True, slots=True)
class Claimed:
    """Who a page says that its visitor is; empty for what it does not say. `proof`: HMAC-SHA256 of the user id under
    the secret of the source, as hexadecimal digits."""

    anonymous_id: str = ""
    user_id: str = ""
    proof: str = ""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who may be told what is theirs: by which identifier, and all who are known to be one with them."""

    named: Named
    people: tuple[PersonId, ...]


class Visitors:
    """Finds visitors, in one process."""

    def __init__(self, catalog: CatalogCache, people: People, signer: Signer) -> None:
        self._catalog = catalog
        self._people = people
        self._signer = signer

    def secret(self, source: str) -> str:
        """What the site of a source signs user ids with, 64 hexadecimal digits. Raises CourtesyError(NOT_FOUND)."""
        turn = self._source(source).identity_secret
        return self._signer.hashed("user ids of a source", f"{turn} {source}".encode()).hex()

    async def find(self, source: str, claimed: Claimed) -> Visitor | None:
        """The visitor; None for one whom nothing is known of yet.

        Raises CourtesyError: INVALID without any identifier, FORBIDDEN when they don't prove who they are.
        """
        is_signed = self._source(source).inbox_identity is InboxIdentity.SIGNED
        if claimed.user_id:
            if is_signed:
                self._check(source, claimed)
            return await self._known(USER, claimed.user_id)
        if not claimed.anonymous_id:
            raise CourtesyError(Code.INVALID, "expected `anonymousId` or `userId`", place="query")
        return await self._known(ANONYMOUS, claimed.anonymous_id, is_unknown_by_name=is_signed)

    def _source(self, name: str) -> Source:
        found = self._catalog.now.sources.get(name)
        if found is None:
            raise CourtesyError(Code.NOT_FOUND, f"no source named {name!r:.120}")
        return found[1]

    def _check(self, source: str, claimed: Claimed) -> None:
        key = self.secret(source).encode()
        expected = hmac.digest(key, claimed.user_id.encode("utf-8", "surrogatepass"), "sha256").hex()
        if not hmac.compare_digest(expected.encode(), claimed.proof.lower().encode("utf-8", "surrogatepass")):
            raise CourtesyError(
                Code.FORBIDDEN,
                "expected `userHash` to be the signature of `userId`",
                hint="HMAC-SHA256 of the user id with the source's identity secret as key, in hexadecimal digits",
                place="userHash",
            )

    async def _known(self, kind: str, value: str, *, is_unknown_by_name: bool = False) -> Visitor | None:
        try:
            reading = await self._people.reading(kind, value)
        except CourtesyError as error:
            if error.code is Code.NOT_FOUND:
                return None
            raise
        if is_unknown_by_name and not _is_anonymous(reading):
            raise CourtesyError(
                Code.FORBIDDEN,
                "this visitor is known by more than anonymous ids",
                hint="ask by `userId` and `userHash`",
                place="anonymousId",
            )
        return Visitor(Named(kind, value), (reading.person, *reading.merged))


def _is_anonymous(reading: PersonReading) -> bool:
    return all(split_identifier(each.identifier)[0] == ANONYMOUS for each in reading.identifiers)
