"""Handing out what requests for access and portability are answered with; each time is in the request's log."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Any

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.time import Clock
from courtesy.consent.request import RequestKind, RequestState, name_of
from courtesy.engine.contract import Engine
from courtesy.engine.request import Request, RequestLine
from courtesy.identity.rules import split_identifier
from courtesy.runtime.catalog import CatalogCache
from courtesy.runtime.export import Exports
from courtesy.runtime.package import Document, access, portability, recipients_of, shown_digests
from courtesy.runtime.package_files import json_file, zip_file
from courtesy.runtime.package_page import page
from courtesy.runtime.quarantine_view import as_text
from courtesy.runtime.request_view import log_view, request_view
from courtesy.runtime.requests import Requests

READY = frozenset({RequestState.OPEN, RequestState.FULFILLED})


class PackageForm(StrEnum):
    """In which form: JSON for programs, a page for people, or all files in one ZIP."""

    JSON = "json"
    HTML = "html"
    ZIP = "zip"


MEDIA_TYPES = {
    PackageForm.JSON: "application/json",
    PackageForm.HTML: "text/html; charset=utf-8",
    PackageForm.ZIP: "application/zip",
}


@dataclass(frozen=True, slots=True)
class Package:
    """A file to hand out."""

    content: bytes
    media_type: str
    name: str


class Packages:
    """Makes packages, in one process."""

    def __init__(
        self, engine: Engine, catalog: CatalogCache, requests: Requests, exports: Exports, clock: Clock
    ) -> None:
        self._engine = engine
        self._catalog = catalog
        self._requests = requests
        self._exports = exports
        self._clock = clock

    async def hand_out(self, number: int, by: str, form: PackageForm) -> Package:
        """The package of a request, of what is held now; its log tells to whom it was given, and its SHA-256.

        Raises CourtesyError: NOT_FOUND, and CONFLICT for a request that is not answered with one, is not confirmed, was
        refused, or whose person is forgotten.
        """
        request = await self._requests.get(number)
        document = await self.document(request)
        if form is PackageForm.HTML and request.kind is not RequestKind.ACCESS:
            raise CourtesyError(Code.CONFLICT, f"{name_of(number)} is one of {request.kind}, which has no page")
        content = await asyncio.to_thread(_FORMS[form], document)
        note = f"{form}, {len(content)} bytes, sha256 {sha256(content).hexdigest()}"
        await self._engine.add_request_line(number, RequestLine(self._clock.now_ms(), by, "handed out", note))
        return Package(content, MEDIA_TYPES[form], f"{name_of(number)}-{request.kind}.{form}")

    async def document(self, request: Request) -> Document:
        """What a request is answered with. Raises as `hand_out`."""
        if request.kind not in (RequestKind.ACCESS, RequestKind.PORTABILITY):
            raise CourtesyError(
                Code.CONFLICT, f"{name_of(request.number)} is one of {request.kind}, which has no package"
            )
        if request.identifier is None or request.state not in READY:
            now = "of somebody who is forgotten" if request.identifier is None else str(request.state)
            raise CourtesyError(Code.CONFLICT, f"{name_of(request.number)} is {now}, there is nothing to hand out")
        held = await self._exports.of(*split_identifier(request.identifier))
        log = log_view(await self._engine.request_log(request.number))
        asked = {**request_view(request, self._clock.now_ms()), "log": log}
        if request.kind is RequestKind.PORTABILITY:
            parties = {name: source.party for name, (_, source) in self._catalog.now.sources.items()}
            return portability(asked, held, parties)
        controller = self._catalog.now.controller
        wordings = await self._wordings(shown_digests(held))
        return access(asked, held, controller, wordings, recipients_of(held, controller))

    async def _wordings(self, digests: Iterable[str]) -> dict[str, str]:
        """Those of the wordings that are kept."""
        kept = [(digest, await self._engine.shown(bytes.fromhex(digest))) for digest in digests]
        return {digest: as_text(content)[0] for digest, content in kept if content is not None}


def _page_file(document: dict[str, Any]) -> bytes:
    return page(document).encode()


_FORMS = {PackageForm.JSON: json_file, PackageForm.HTML: _page_file, PackageForm.ZIP: zip_file}
