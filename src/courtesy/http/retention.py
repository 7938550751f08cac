"""Retention rules: how long events are kept, by source and name."""

from __future__ import annotations

import msgspec

from courtesy.base.errors import Code
from courtesy.http.definitions import Removed
from courtesy.http.operation import Asked, NoQuery, Operation
from courtesy.runtime.catalog import Scope
from courtesy.runtime.retention import Retention


class RetentionView(msgspec.Struct, frozen=True):
    """A rule. Its name is `<source>/<event name>`, `*` for any."""

    name: str
    keep_days: int


class RetentionRules(msgspec.Struct, frozen=True):
    """By name."""

    rules: list[RetentionView]


async def list_retention(asked: Asked[NoQuery, None]) -> RetentionRules:
    """Every rule."""
    await asked.app.catalog.refresh()
    rules = asked.app.catalog.now.retention
    return RetentionRules([RetentionView(name, rule.keep_days) for name, rule in sorted(rules.items())])


async def define_retention(asked: Asked[NoQuery, Retention]) -> RetentionView:
    """A rule, new or changed."""
    name = asked.path["name"]
    await asked.app.catalog.define_retention(name, asked.body, asked.by)
    return RetentionView(name, asked.body.keep_days)


async def remove_retention(asked: Asked[NoQuery, None]) -> Removed:
    """One rule less."""
    await asked.app.catalog.remove_retention(asked.path["name"], asked.by)
    return Removed(asked.path["name"])


_NAME = {"name": "`<source>/<event name>`, percent-encoded; either may be `*`, for any."}

OPERATIONS = (
    Operation(
        "GET",
        "/v1/retention",
        "retention",
        "List the rules of how long events are kept.",
        list_retention,
        scope=Scope.ADMIN,
        answer=RetentionRules,
    ),
    Operation(
        "PUT",
        "/v1/retention/{name}",
        "retention",
        "Say how long events of a source and a name are kept.",
        define_retention,
        doc="What is older goes from log and lake within a day; states stay. Of several rules the shortest holds.",
        scope=Scope.ADMIN,
        body=Retention,
        answer=RetentionView,
        codes=(Code.NOT_FOUND,),
        path_docs=_NAME,
    ),
    Operation(
        "DELETE",
        "/v1/retention/{name}",
        "retention",
        "Remove a rule; what it let go of stays gone.",
        remove_retention,
        scope=Scope.ADMIN,
        answer=Removed,
        codes=(Code.NOT_FOUND,),
        path_docs=_NAME,
    ),
)
