"""Whose key it is: where clients put it, and what it allows."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterable
from functools import lru_cache

from courtesy.base.errors import Code, CourtesyError
from courtesy.event.accept import SourcePolicy
from courtesy.runtime.catalog import CatalogCache, Grant, Scope

LOOK_EVERY_S = 0.1
KEY_CHARS_MAX = 512
HEADER_BYTES_MAX = 4_096
HEADERS_CACHED_MAX = 1_024

Headers = dict[bytes, bytes]


def keys_of(text: str) -> tuple[str, ...]:
    """`key`, `key:` or `id:secret`: the secret first, then the id."""
    first, _, second = text.partition(":")
    return tuple(part for part in (second.strip(), first.strip()) if part and len(part) <= KEY_CHARS_MAX)


def _of_basic(text: str) -> tuple[str, ...]:
    try:
        pair = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_" if set(text) & set("-_") else None)
    except ValueError:
        return ()
    return keys_of(pair.decode("utf-8", "replace"))


def write_keys_in(headers: Headers) -> tuple[str, ...]:
    """The write keys that the headers may mean, most likely first."""
    authorization, own = headers.get(b"authorization", b""), headers.get(b"x-write-key", b"")
    if len(authorization) + len(own) > HEADER_BYTES_MAX:
        return ()
    return _write_keys(authorization, own)


# A client sends the same each time.
@lru_cache(maxsize=HEADERS_CACHED_MAX)
def _write_keys(authorization: bytes, x_write_key: bytes) -> tuple[str, ...]:
    scheme, _, rest = authorization.decode("latin-1").strip().partition(" ")
    own = keys_of(x_write_key.decode("latin-1"))
    if scheme.lower() == "basic":
        return (*_of_basic(rest.strip()), *own)
    if scheme.lower() == "bearer":
        return (*keys_of(rest), *own)
    return own


def bearer_in(headers: Headers) -> str:
    """The key after `Bearer`; empty when there is none.

    For reading and changing no other way will do: browsers send remembered Basic credentials along with requests that
    a foreign page makes.
    """
    scheme, _, rest = headers.get(b"authorization", b"").decode("latin-1").strip().partition(" ")
    return rest.strip() if scheme.lower() == "bearer" else ""


class Doorkeeper:
    """Tells what a key allows. Before it turns one away it makes sure that the key is not a new one.

    Clients drop their events for good when a key is refused, and this process hears of a new key only up to a second
    after it was made. So an unknown key waits for a look at the store that began after it came; there are at most ten
    looks a second, which also slows down whoever tries keys out.
    """

    def __init__(self, catalog: CatalogCache) -> None:
        self._catalog = catalog
        self._looked_at_s = 0.0
        self._look: asyncio.Task[None] | None = None

    def known(self, secrets: Iterable[str], scopes: tuple[Scope, ...]) -> Grant | None:
        """The grant of the first key that has one of the scopes, or else of any that is valid, by what is known now."""
        grants = [grant for secret in secrets if (grant := self._catalog.grant(secret)) is not None]
        return next((grant for grant in grants if grant.scope in scopes), grants[0] if grants else None)

    async def grant(self, secrets: Iterable[str], scopes: tuple[Scope, ...]) -> Grant | None:
        """As `known`, but sure of a no. Raises Unavailable when the store can't be asked."""
        keys = tuple(secrets)
        found = self.known(keys, scopes)
        if not keys or (found is not None and found.scope in scopes):
            return found
        if self._look is None:
            self._look = asyncio.create_task(self._look_again())
            self._look.add_done_callback(_heed)
        await asyncio.shield(self._look)
        return self.known(keys, scopes)

    async def _look_again(self) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(max(0.0, self._looked_at_s + LOOK_EVERY_S - loop.time()))
        self._looked_at_s = loop.time()
        # Who comes from here on may know of a key that this look does not see.
        self._look = None
        await self._catalog.refresh()

    async def allow(self, headers: Headers, scope: Scope) -> Grant:
        """The grant of a Bearer key with this scope or `admin`. Raises UNAUTHENTICATED or FORBIDDEN."""
        key = bearer_in(headers)
        grant = await self.grant((key,) if key else (), (scope, Scope.ADMIN))
        if grant is None:
            raise CourtesyError(
                Code.UNAUTHENTICATED,
                "expected a valid key" if key else "expected a key, got none",
                hint="send `Authorization: Bearer <key>`; `courtesy keys create` makes keys",
            )
        if grant.scope not in (scope, Scope.ADMIN):
            raise CourtesyError(
                Code.FORBIDDEN, f"expected a key with the scope {scope} or admin, got one with {grant.scope}"
            )
        return grant

    async def writer(self, secrets: Iterable[str], source: str | None = None) -> SourcePolicy:
        """The source that one of the keys writes to; for an admin key the source named.

        Raises UNAUTHENTICATED or FORBIDDEN, and for an admin key INVALID or NOT_FOUND.
        """
        grant = await self.grant(secrets, (Scope.WRITE, Scope.ADMIN))
        if grant is None:
            raise _unknown()
        return self.policy(grant, source)

    def policy(self, grant: Grant, source: str | None = None) -> SourcePolicy:
        """What accept needs to know of the source that a grant writes to."""
        if grant.scope is Scope.ADMIN:
            if not source:
                hint = "say which source with ?source=, or use a write key"
                raise CourtesyError(Code.INVALID, "an admin key belongs to no source", hint=hint, place="query.source")
            return self._catalog.policy(source)
        if grant.scope is not Scope.WRITE:
            raise CourtesyError(Code.FORBIDDEN, f"expected a key with the scope write, got one with {grant.scope}")
        if source and source != grant.source:
            raise CourtesyError(Code.FORBIDDEN, "the key belongs to another source", place="query.source")
        try:
            return self._catalog.policy(grant.source or "")
        except CourtesyError:
            raise _unknown() from None


def _heed(look: asyncio.Task[None]) -> None:
    """Take note of a failure even when everybody who waited for it has gone."""
    if not look.cancelled():
        look.exception()


def _unknown() -> CourtesyError:
    return CourtesyError(
        Code.UNAUTHENTICATED,
        "expected a valid write key",
        hint="send it as `Authorization: Basic base64(key:)`, as `X-Write-Key`, or as `writeKey` in the body",
    )
