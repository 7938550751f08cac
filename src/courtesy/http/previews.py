"""Previews over HTTP: what would leave for a person, before anything does."""

from __future__ import annotations

import asyncio
from typing import Annotated

import msgspec
from msgspec import Meta

from courtesy.base.errors import Code
from courtesy.http.operation import HTML, Answer, Asked, Operation
from courtesy.runtime.catalog import Scope
from courtesy.runtime.preview_page import page
from courtesy.runtime.previewed import Preview, PreviewAsk


class PreviewQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`format=html`: as a page that needs nothing else, for people to look at."""

    format: Annotated[str, Meta(pattern="^(json|html)$")] = "json"


async def preview_content(asked: Asked[PreviewQuery, PreviewAsk]) -> Preview | Answer:
    """What would leave for somebody."""
    await asked.app.catalog.refresh()
    found = await asked.app.post.previews.preview(asked.body)
    if asked.query.format == "json":
        return found
    content = await asyncio.to_thread(lambda: page(found).encode())
    return Answer(content, media_type=f"{HTML}; charset=utf-8")


OPERATIONS = (
    Operation(
        "POST",
        "/v1/previews",
        "content",
        "What would leave for a person, in every channel and locale, and whether it would leave now.",
        preview_content,
        doc="Nothing is changed by it: nobody is granted anything, no permit is issued, and links tell nobody who"
        " followed them. `format=html` answers with a page to look at.",
        scope=Scope.ADMIN,
        query=PreviewQuery,
        body=PreviewAsk,
        answer=Preview,
        codes=(Code.NOT_FOUND,),
        page=True,
    ),
)
