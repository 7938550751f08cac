"""Which table goes into a backup, and whose keys seal its rows: a closed list, so that none is forgotten."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

_NULL = bytes.fromhex("ffffffff")
_NO_TEXTS = bytes.fromhex("0000000c 00000000 00000000 00000019")
_EMPTY = bytes.fromhex("00000000")
_EMPTY_OBJECT = bytes.fromhex("00000002 7b7d")
"""A null, an empty `text[]`, empty text or bytes, and `{}`, as fields of PostgreSQL's binary COPY: length and
content."""


def owner_in_log(record: str) -> str:
    """Whose a record is: it may belong to another person by now than the one for whom it was appended."""
    return (
        f"coalesce((SELECT moved.person_id FROM moved WHERE moved.position = {record}.position"
        f" AND moved.appended_for = {record}.person_id ORDER BY moved.number DESC LIMIT 1), {record}.person_id)"
    )


def _owner_of(identifier: str) -> str:
    return f"(SELECT known.person_id FROM identifier AS known WHERE known.identifier = {identifier})"


@dataclass(frozen=True, slots=True)
class Table:
    """A table of which a backup has every row.

    `owners`: SQL for the numbers of the people of whom a row (`own`) tells; none for what tells of nobody. All their
    keys are needed to open it: a row goes with the first of them who is erased. `held`: SQL for the number of the held
    event that it is. What has no owner is sealed by the store's key.

    `forgotten`: the columns that only the owners' keys open, where the rest of the row outlives them, each with the
    field that stands there afterwards. Empty: no row is left without its owners.
    """

    name: str
    owners: tuple[str, ...] = ()
    held: str | None = None
    forgotten: Mapping[str, bytes] = field(default_factory=dict)


_TOLD_OF = (
    "(SELECT told.person_id FROM propagation_subject AS told"
    " WHERE told.recipient = own.recipient AND told.subject = own.subject)"
)
_ASKED = "(SELECT asked.person_id FROM request AS asked WHERE asked.number = own.request)"

RECORD = Table("log", (owner_in_log("own"),))
"""Also whose the events in the lake are."""

TABLES = (
    Table("log_head"),
    RECORD,
    Table("seen"),
    Table("partition_state"),
    Table("person_state", ("own.person_id",)),
    Table("timer", ("own.person_id",)),
    Table("effect", ("own.person_id",)),
    Table("effect_ended", ("own.person_id",)),
    Table("effect_past"),
    Table("poisoned", (owner_in_log("own"),)),
    Table("person_counter"),
    Table("identifier", ("own.person_id",)),
    Table("merged_person", ("own.person_id", "own.root")),
    Table("link", (_owner_of("own.a"), _owner_of("own.b"))),
    Table("cut_link", (_owner_of("own.a"), _owner_of("own.b"))),
    Table("ban", (_owner_of("own.a"), _owner_of("own.b"))),
    Table("merge", ("own.loser", "own.survivor")),
    Table("link_refusal", ("own.person_id", _owner_of("own.identifier"))),
    Table("owner_before", ("own.person_id", _owner_of("own.identifier"))),
    Table("moved", ("own.person_id",)),
    Table("repair", ("own.person_id",)),
    Table("accept_count"),
    Table("quarantine", held="own.number"),
    Table("catalog"),
    Table("definition"),
    Table("definition_history"),
    Table("import_file"),
    Table("import_span"),
    Table("import_count"),
    Table("quality_day"),
    Table("suppression"),
    Table("suppression_salt"),
    Table("erasure"),
    Table("log_trimmed"),
    Table("chapter", ("own.person_id",)),
    Table("person_key", ("own.person_id",)),
    # Chain and tree need every entry; what it says is sealed by a key of its own person already.
    Table("ledger", (owner_in_log("own"),), forgotten={"person_id": _NULL}),
    Table("ledger_key", (f"(SELECT {owner_in_log('entry')} FROM ledger AS entry WHERE entry.index = own.index)",)),
    Table("ledger_chain"),
    Table("ledger_frontier"),
    Table("ledger_node"),
    Table("ledger_checkpoint"),
    Table("permit", ("own.person_id",), forgotten={"person_id": _NULL, "others": _NULL, "choices": _NO_TEXTS}),
    Table("sent", ("own.person_id",), forgotten={"person_id": _NULL}),
    Table("shown"),
    Table("propagation_cursor"),
    Table("propagation_subject", ("own.person_id",), forgotten={"person_id": _NULL, "find_by": _NO_TEXTS}),
    Table("propagation", (_TOLD_OF,), forgotten={"error": _EMPTY, "read_back": _EMPTY}),
    Table(
        "request",
        ("own.person_id", _owner_of("own.identifier")),
        forgotten={"person_id": _NULL, "identifier": _NULL, "sameness": _EMPTY, "details": _EMPTY_OBJECT},
    ),
    Table("request_log", (_ASKED,), forgotten={"note": _EMPTY}),
    Table("answer_count"),
    Table(
        "offer_grant",
        (owner_in_log("own"),),
        forgotten={"person_id": _NULL, "identifier": _EMPTY, "request": _NULL},
    ),
    Table(
        "offer_redemption",
        (owner_in_log("own"),),
        forgotten={
            "person_id": _NULL,
            "identifier": _EMPTY,
            "request": _NULL,
            "order_id": _EMPTY,
            "made_by": _EMPTY,
            "made_where": _EMPTY,
        },
    ),
    Table("offer_tally"),
    Table("offer_pool"),
    Table("offer_code"),
    Table("segment_member", ("own.person_id",)),
    Table("segment_hour"),
    Table("segment_state"),
    Table("content_head"),
    Table("content_item"),
    Table("content_revision"),
    Table("content_version"),
    Table("content_approval"),
    Table("content_note"),
    Table("content_release"),
    Table("content_use"),
    Table("campaign_run"),
    Table("message_count"),
    Table("warm_up_day"),
    Table("dead_address"),
    Table("inbox", ("own.person_id",)),
    Table("catalogue"),
    Table("catalogue_entry"),
    Table("catalogue_version"),
    Table("catalogue_change"),
    Table("catalogue_interest", (owner_in_log("own"),)),
)

LEFT_OUT = {
    "backup_key": "the keys are in a file of their own, or no backup would forget anybody",
    "code": "they run out within minutes",
    "fold_worker": "who works on the store now; nobody does when it is restored",
    "iceberg_namespace_properties": "the restored lake has a catalogue of its own",
    "iceberg_tables": "the restored lake has a catalogue of its own",
    "identity_change": "what running processes still have to learn; none runs when it is restored",
    "lake_position": "the restored lake tells",
    "migration": "the header of a backup tells, and the tables are made by the same migrations",
    "restoring": "is there while a store is restored",
    "store": "the header of a backup tells",
}
"""Tables of which a backup has nothing, and why."""

SPARE = {
    "chapter": "INSERT INTO chapter SELECT spare.* FROM spare ON CONFLICT DO NOTHING",
    "ledger_key": "INSERT INTO ledger_key SELECT spare.* FROM spare JOIN ledger USING (index)"
    " WHERE NOT EXISTS (SELECT FROM person_key WHERE person_key.person_id = ledger.person_id) ON CONFLICT DO NOTHING",
}
"""Tables of which a backup has rows to spare, sealed by others than the rows themselves, and how those are put where a
row is missing. When somebody is erased, something of what lies under their number may belong to another: that a
chapter was there, without what it says, and the keys of single entries of the ledger. An erasure leaves it, and so must
this."""

TORN_CHAPTERS = """
SELECT DISTINCT {keys}, own.person_id, own.first, own.last, own.event_count, own.first_at, own.last_at,
    own.first_received, own.last_received, own.days, own.sources, NULL::bytea, ''::bytea
FROM chapter AS own JOIN moved ON moved.appended_for = own.person_id AND moved.position BETWEEN own.first AND own.last
"""
"""Chapters with records of others in them: torn ones, for each of those others."""

MOVED_ENTRIES = """
SELECT {keys}, own.index, own.sealed, person_key.key
FROM ledger AS own JOIN person_key USING (person_id)
JOIN moved ON moved.appended_for = own.person_id AND moved.position = own.position
WHERE NOT EXISTS (SELECT FROM ledger_key WHERE ledger_key.index = own.index)
"""
"""Entries of the ledger that others than their owners have the key to."""
