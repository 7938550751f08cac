"""Who is in a segment: pages and samples, sizes now and before, overlaps, files, and the segments of a person."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.ids import PersonId
from courtesy.base.time import HOUR_MS, to_iso
from courtesy.http.operation import Answer, Asked, NoQuery
from courtesy.http.people import PERSON_PATH, PositionNumber, past_instant
from courtesy.http.segments import NAME, Draft, operation
from courtesy.runtime.catalog import Scope
from courtesy.runtime.member_export import MEDIA_TYPE, FileFormat, file_of
from courtesy.runtime.memberships import HOURS_MAX, OVERLAP_MAX, PAGE_MAX, Named, value_key, value_of
from courtesy.runtime.segment_preview import DRAFT
from courtesy.runtime.segment_reason import MembershipReason
from courtesy.segment.each import One
from courtesy.segment.tree import NAME_CHARS_MAX

VALUES_MAX = 1_000
Limit = Annotated[int, Meta(ge=1, le=PAGE_MAX)]
ValueText = Annotated[str, Meta(max_length=1_000)]


class MembersQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`value`: only for this one, in a segment for each value; `"12"` in quotes is text, 12 without is a number.
    `after` (and `after_value`): from the `next_after` of the last answer. `entered_since`: who entered since an
    instant (ISO 8601) and is in, the latest first. `sample`: so many from all over instead of a page."""

    value: ValueText | None = None
    after: PositionNumber | None = None
    after_value: ValueText | None = None
    entered_since: str | None = None
    sample: Limit | None = None
    limit: Limit = 100


class NamedIdentifier(msgspec.Struct, frozen=True):
    """An identifier of a person."""

    kind: str
    value: str


class MemberView(msgspec.Struct, frozen=True):
    """A person in a segment, since when, and how they are known. `value` is null in a segment that is not for each."""

    person: str
    value: One | None
    entered: str
    identifiers: list[NamedIdentifier]


class MembersView(msgspec.Struct, frozen=True):
    """Members by value and person. `next_after` and `next_after_value` lead to more; null at the end."""

    members: list[MemberView]
    next_after: str | None
    next_after_value: str | None


class SizesQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`hours`: how many to look back, the present one included."""

    hours: Annotated[int, Meta(ge=1, le=HOURS_MAX)] = 24


class HourView(msgspec.Struct, frozen=True):
    """An hour (UTC): how many members when it began, and who came and went in it."""

    hour: str
    members: int
    entered: int
    left: int


class SizesView(msgspec.Struct, frozen=True):
    """How many people are in a segment now, and for how many values all together; `entered_last_hour` of them in the
    last 60 minutes, as far as they still are. `hours` is its past, oldest first."""

    people: int
    members: int
    entered_last_hour: int
    hours: list[HourView]


class ValuesQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many at most."""

    limit: Annotated[int, Meta(ge=1, le=VALUES_MAX)] = 100


class ValueView(msgspec.Struct, frozen=True):
    """A value for which people are in a segment, and how many."""

    value: One | None
    people: int


class ValuesView(msgspec.Struct, frozen=True):
    """Those of most people first."""

    values: list[ValueView]


class OverlapRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which segments."""

    segments: Annotated[
        list[Annotated[str, Meta(min_length=1, max_length=NAME_CHARS_MAX)]], Meta(min_length=2, max_length=OVERLAP_MAX)
    ]


class SizeView(msgspec.Struct, frozen=True):
    """How many people are in a segment."""

    segment: str
    people: int


class PairView(msgspec.Struct, frozen=True):
    """How many people are in both; `share` of those who are in either."""

    a: str
    b: str
    people: int
    share: float


class OverlapView(msgspec.Struct, frozen=True):
    """How many people are in each, in both of each two, in all, and in any."""

    segments: list[SizeView]
    pairs: list[PairView]
    all: int
    any: int


class FileQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`kinds`: of identifiers, separated by commas; all that are declared without, but external ones, which go by their
    type. `value`: as for members."""

    format: FileFormat = FileFormat.CSV
    kinds: str | None = None
    value: ValueText | None = None


class BelongingView(msgspec.Struct, frozen=True):
    """A segment that somebody is in, since when, and for which value if it is for each."""

    segment: str
    value: One | None
    entered: str


class BelongingsView(msgspec.Struct, frozen=True):
    """By name."""

    segments: list[BelongingView]


class SampledView(msgspec.Struct, frozen=True):
    """A person who would be in it, and how they are known."""

    person: str
    value: One | None
    identifiers: list[NamedIdentifier]


class SegmentPreview(msgspec.Struct, frozen=True):
    """How many people a segment would have, by everything up to `position`; it took `took_ms`.

    `people` is exact when `one_of` is 1. Else one of so many was looked at, and 95 times of 100 the truth lies from
    `people_low` to `people_high`. `values`: of a segment for each those with most people, of `value_count`.
    """

    position: str
    people: int
    people_low: int
    people_high: int
    one_of: int
    sample: list[SampledView]
    values: list[ValueView]
    value_count: int
    took_ms: int


class WhyQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`at`: at an instant (ISO 8601), now without. `known`: by what was known at an instant, and who was who then; by
    all that is known today without. `for_value`: of a segment for each, which value is asked about. `version`: by which
    revision of the segment; without, by the one that was in force at the instant."""

    at: str | None = None
    known: str | None = None
    for_value: ValueText | None = None
    version: Annotated[int, Meta(ge=1)] | None = None


def _member(each: Named) -> MemberView:
    identifiers = [NamedIdentifier(kind, value) for kind, value in each.identifiers]
    return MemberView(str(each.person), each.value, to_iso(each.entered_ms), identifiers)


async def list_members(asked: Asked[MembersQuery, None]) -> MembersView:
    """Some of those who are in it."""
    query, name, members = asked.query, asked.path["name"], asked.app.memberships
    ways = [each for each in ("after", "entered_since", "sample") if getattr(query, each) is not None]
    if len(ways) > 1:
        raise CourtesyError(Code.INVALID, f"expected one of `{ways[0]}` and `{ways[1]}`, got both", place="query")
    value = None if query.value is None else value_key(query.value)
    if query.entered_since is not None:
        from_ms = past_instant(query.entered_since, "query.entered_since")
        return MembersView([_member(each) for each in await members.latest(name, from_ms, query.limit)], None, None)
    if query.sample is not None:
        return MembersView([_member(each) for each in await members.sample(name, value, query.sample)], None, None)
    after = None
    if query.after is not None:
        after = ("" if query.after_value is None else value_key(query.after_value)), PersonId(query.after)
    return _page(await members.page(name, value, after, query.limit), query.limit)


def _page(found: Sequence[Named], limit: int) -> MembersView:
    members = [_member(each) for each in found]
    if len(found) < limit:
        return MembersView(members, None, None)
    last = found[-1]
    value = None if last.value is None else msgspec.json.encode(last.value).decode()
    return MembersView(members, str(last.person), value)


async def list_values(asked: Asked[ValuesQuery, None]) -> ValuesView:
    """The values of a segment for each."""
    found = await asked.app.memberships.values(asked.path["name"], asked.query.limit)
    return ValuesView([ValueView(value_of(each.value), each.people_count) for each in found])


async def read_sizes(asked: Asked[SizesQuery, None]) -> SizesView:
    """Its size now and before."""
    members, name = asked.app.memberships, asked.path["name"]
    size = await members.size(name)
    recent = await members.entered_count(name, asked.app.clock.now_ms() - HOUR_MS)
    hours = [
        HourView(to_iso(each.hour_ms), each.member_count, each.entered_count, each.left_count)
        for each in await members.sizes(name, asked.query.hours)
    ]
    return SizesView(size.people_count, size.member_count, recent, hours)


async def compare_segments(asked: Asked[NoQuery, OverlapRequest]) -> OverlapView:
    """How far they have the same people in them."""
    names = list(dict.fromkeys(asked.body.segments))
    found = await asked.app.memberships.overlap(names)

    def share(a: str, b: str, both: int) -> float:
        either = found.sizes[a] + found.sizes[b] - both
        return round(both / either, 4) if either else 0.0

    return OverlapView(
        [SizeView(name, found.sizes[name]) for name in names],
        [PairView(a, b, both, share(a, b, both)) for (a, b), both in found.pairs.items()],
        found.all_count,
        found.any_count,
    )


async def export_members(asked: Asked[FileQuery, None]) -> Answer:
    """All of those who are in it, as a file."""
    query, app, name = asked.query, asked.app, asked.path["name"]
    await app.memberships.size(name)  # so that what is wrong is told before the file begins
    kinds = app.memberships.kinds() if query.kinds is None else query.kinds.split(",")
    pages = app.memberships.everybody(name, None if query.value is None else value_key(query.value))
    disposition = f'attachment; filename="members.{query.format}"'
    return Answer(
        b"",
        media_type=MEDIA_TYPE[query.format],
        headers=(("content-disposition", disposition),),
        pieces=file_of(pages, kinds, query.format),
    )


async def list_segments_of(asked: Asked[NoQuery, None]) -> BelongingsView:
    """The segments that somebody is in."""
    found = await asked.app.memberships.of_person(asked.path["kind"], asked.path["value"])
    return BelongingsView([BelongingView(each.name, each.value, to_iso(each.entered_ms)) for each in found])


async def explain_membership(asked: Asked[WhyQuery, None]) -> MembershipReason:
    """Why somebody is in a segment or not."""
    path, query = asked.path, asked.query
    return await asked.app.reasons.why(
        path["kind"],
        path["value"],
        path["name"],
        None if query.at is None else past_instant(query.at, "query.at"),
        None if query.known is None else past_instant(query.known, "query.known"),
        None if query.for_value is None else value_key(query.for_value),
        query.version,
    )


async def preview_segment(asked: Asked[NoQuery, Draft]) -> SegmentPreview:
    """How many it would have now."""
    read = await asked.app.segments.read(asked.body.text, asked.body.segment)
    asked.app.segments.check_mentions(DRAFT, read.parsed.segment)
    found = await asked.app.previews.preview(read.parsed.segment)
    sample = [
        SampledView(str(each.person), each.value, [NamedIdentifier(*known) for known in each.identifiers])
        for each in found.sample
    ]
    return SegmentPreview(
        str(found.position),
        found.count,
        found.count_low,
        found.count_high,
        found.one_of,
        sample,
        [ValueView(*each) for each in found.values],
        found.value_count,
        found.took_ms,
    )


_CLOSED = (Code.NOT_FOUND, Code.CONFLICT)
_BINARY = {"schema": {"type": "string", "format": "binary"}}

OPERATIONS = (
    operation(
        "GET",
        "/v1/segments/{name}/members",
        "List who is in a segment: a page, a sample, or the latest.",
        list_members,
        MembersView,
        query=MembersQuery,
        codes=_CLOSED,
    ),
    operation(
        "GET",
        "/v1/segments/{name}/values",
        "The values of a segment for each, with how many people.",
        list_values,
        ValuesView,
        query=ValuesQuery,
        codes=_CLOSED,
    ),
    operation(
        "GET",
        "/v1/segments/{name}/sizes",
        "How many are in a segment, now and hour by hour before.",
        read_sizes,
        SizesView,
        query=SizesQuery,
        codes=_CLOSED,
    ),
    operation(
        "POST",
        "/v1/segments/overlap",
        "How far segments have the same people in them.",
        compare_segments,
        OverlapView,
        body=OverlapRequest,
        codes=_CLOSED,
    ),
    operation(
        "POST",
        "/v1/segments/preview",
        "How many a segment would have now, and some of them; nothing is kept.",
        preview_segment,
        SegmentPreview,
        body=Draft,
        codes=(),
    ),
    operation(
        "GET",
        "/v1/segments/{name}/export",
        "Everybody in a segment, as a CSV or Parquet file.",
        export_members,
        None,
        Scope.ADMIN,
        query=FileQuery,
        codes=_CLOSED,
        answered=dict.fromkeys(MEDIA_TYPE.values(), _BINARY),
        doc="With a column for each kind of identifier: in CSV separated by semicolons, in Parquet as lists.",
    ),
    operation(
        "GET",
        "/v1/people/{kind}/{value}/segments",
        "The segments that somebody is in.",
        list_segments_of,
        BelongingsView,
        path_docs={**NAME, **PERSON_PATH},
    ),
    operation(
        "GET",
        "/v1/people/{kind}/{value}/segments/{name}",
        "Why somebody is in a segment or not, at any instant, and what would change it.",
        explain_membership,
        MembershipReason,
        query=WhyQuery,
        path_docs={**NAME, **PERSON_PATH},
        doc="Judged by their whole history, with the facts that decide. Each change that is named was tried.",
    ),
)
