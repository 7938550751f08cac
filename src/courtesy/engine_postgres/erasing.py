"""Erasing: everything that the store has of somebody, in one transaction, and what keeps them forgotten."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from courtesy.base.ids import PersonId, Position
from courtesy.engine_postgres.catalogues import FORGET_IN_CATALOGUES
from courtesy.engine_postgres.codes import FORGET_CODES
from courtesy.engine_postgres.connection import Connected, Connection
from courtesy.engine_postgres.delivery import FORGET_IN_DELIVERY
from courtesy.engine_postgres.offers import FORGET_IN_OFFERS
from courtesy.engine_postgres.permits import FORGET_IN_PERMITS
from courtesy.engine_postgres.propagation import erase_at_recipients
from courtesy.engine_postgres.requests import FORGET_IN_REQUESTS
from courtesy.engine_postgres.segments import FORGET_IN_SEGMENTS
from courtesy.identity.repair import Erasure, PendingErasure

FORGET_ALL = ""
"""In the list of identifiers whose owner changed: forget every owner. To name those who are erased would keep them."""

UNNAME_MERGES = """
UPDATE merge SET a = CASE WHEN a = ANY(%(identifiers)s::text[]) THEN '' ELSE a END,
    b = CASE WHEN b = ANY(%(identifiers)s::text[]) THEN '' ELSE b END
WHERE a = ANY(%(identifiers)s::text[]) OR b = ANY(%(identifiers)s::text[])
"""
"""That people became one stays known, or they could not be told as of then: but not by what, where that is gone."""

# Each takes the same parameters. What was appended for them and belongs to somebody else stays.
_ERASE = (
    "DELETE FROM log WHERE person_id = ANY(%(people)s::bigint[]) AND position <> ALL(%(kept)s::bigint[])",
    "DELETE FROM log USING unnest(%(others)s::bigint[], %(appended_for)s::bigint[]) AS other (position, person_id)"
    " WHERE log.position = other.position AND log.person_id = other.person_id",
    "UPDATE log SET payload = other.payload"
    " FROM unnest(%(emptied)s::bigint[], %(emptied_of)s::bigint[], %(payloads)s::bytea[])"
    " AS other (position, person_id, payload)"
    " WHERE log.position = other.position AND log.person_id = other.person_id",
    # After the log, from which a record may just have gone into a chapter. One that has what stays is torn.
    "DELETE FROM chapter WHERE person_id = ANY(%(people)s::bigint[]) AND NOT EXISTS"
    " (SELECT FROM unnest(%(kept)s::bigint[]) AS own WHERE own BETWEEN first AND last)",
    "UPDATE chapter SET state = NULL, message_ids = '' WHERE person_id = ANY(%(people)s::bigint[])",
    "UPDATE chapter SET state = NULL, message_ids = ''"
    " FROM unnest(%(others)s::bigint[], %(appended_for)s::bigint[]) AS other (position, person_id)"
    " WHERE chapter.person_id = other.person_id AND other.position BETWEEN first AND last",
    "DELETE FROM poisoned WHERE person_id = ANY(%(people)s::bigint[]) OR position = ANY(%(others)s::bigint[])",
    "DELETE FROM person_state WHERE person_id = ANY(%(people)s::bigint[])",
    "DELETE FROM timer WHERE person_id = ANY(%(people)s::bigint[])",
    *(
        f"UPDATE {table} SET person_id = other.person_id"
        " FROM unnest(%(kept_effects)s::bytea[], %(kept_for)s::bigint[]) AS other (key, person_id)"
        f" WHERE {table}.key = other.key"
        for table in ("effect", "effect_ended")
    ),
    "DELETE FROM effect WHERE person_id = ANY(%(people)s::bigint[]) OR key = ANY(%(effects)s::bytea[])",
    "DELETE FROM effect_ended WHERE person_id = ANY(%(people)s::bigint[]) OR key = ANY(%(effects)s::bytea[])",
    "DELETE FROM identifier WHERE person_id = ANY(%(people)s::bigint[]) OR identifier = ANY(%(identifiers)s::text[])",
    "DELETE FROM owner_before WHERE person_id = ANY(%(people)s::bigint[]) OR identifier = ANY(%(identifiers)s::text[])",
    "DELETE FROM link WHERE a = ANY(%(identifiers)s::text[]) OR b = ANY(%(identifiers)s::text[])",
    "DELETE FROM cut_link WHERE a = ANY(%(identifiers)s::text[]) OR b = ANY(%(identifiers)s::text[])",
    "DELETE FROM ban WHERE a = ANY(%(identifiers)s::text[]) OR b = ANY(%(identifiers)s::text[])",
    "DELETE FROM merge WHERE loser = ANY(%(people)s::bigint[]) OR survivor = ANY(%(people)s::bigint[])",
    UNNAME_MERGES,
    "DELETE FROM merged_person WHERE person_id = ANY(%(people)s::bigint[]) OR root = ANY(%(people)s::bigint[])",
    "DELETE FROM link_refusal WHERE person_id = ANY(%(people)s::bigint[]) OR identifier = ANY(%(identifiers)s::text[])",
    "DELETE FROM identity_change WHERE identifier = ANY(%(identifiers)s::text[])",
    "DELETE FROM moved WHERE person_id = ANY(%(people)s::bigint[])",
    "DELETE FROM repair WHERE person_id = ANY(%(people)s::bigint[])",
    "DELETE FROM quarantine WHERE number = ANY(%(quarantined)s::bigint[])",
    # What the ledger has of them is nobody's from now on, and there is no key to it.
    "UPDATE ledger SET person_id = NULL"
    " FROM unnest(%(others)s::bigint[], %(appended_for)s::bigint[]) AS other (position, person_id)"
    " WHERE ledger.position = other.position AND ledger.person_id = other.person_id",
    "UPDATE ledger SET person_id = NULL"
    " WHERE person_id = ANY(%(people)s::bigint[]) AND position <> ALL(%(kept)s::bigint[])",
    "INSERT INTO ledger_key SELECT * FROM unnest(%(entries)s::bigint[], %(commitment)s::bytea[],"
    " %(encryption)s::bytea[]) ON CONFLICT DO NOTHING",
    "DELETE FROM ledger_key USING ledger WHERE ledger.index = ledger_key.index AND person_id IS NULL",
    "DELETE FROM person_key WHERE person_id = ANY(%(people)s::bigint[]) OR person_id = ANY(%(rekeyed)s::bigint[])",
    # The one that seals them in backups is gone; what is written under their number from now on tells nothing of them.
    "UPDATE backup_key SET id = uuid_send(gen_random_uuid()),"
    " key = uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) WHERE person_id = ANY(%(people)s::bigint[])",
    *FORGET_IN_PERMITS,
    *FORGET_IN_OFFERS,
    FORGET_CODES,
    *FORGET_IN_REQUESTS,
    FORGET_IN_SEGMENTS,
    FORGET_IN_DELIVERY,
    *FORGET_IN_CATALOGUES,
)
_SUPPRESS = """
WITH fresh AS (
    INSERT INTO suppression (hash, at)
    SELECT sha256(salt || convert_to(identifier, 'UTF8')), %(at)s
    FROM suppression_salt, unnest(%(identifiers)s::text[]) AS identifier
    UNION SELECT hash, %(at)s FROM unnest(%(hashes)s::bytea[]) AS hash
    ON CONFLICT DO NOTHING RETURNING 1
)
UPDATE log_head SET suppressed = suppressed + (SELECT count(*) FROM fresh)
"""
_SUPPRESSED = """
SELECT identifier FROM suppression_salt, unnest(%b::text[]) AS identifier
WHERE sha256(salt || convert_to(identifier, 'UTF8')) IN (SELECT hash FROM suppression)
"""
_HASHES = """
SELECT sha256(salt || convert_to(identifier, 'UTF8')) FROM suppression_salt,
    unnest(%b::text[]) WITH ORDINALITY AS given (identifier, number) ORDER BY number
"""
_KNOWN_AS = """
SELECT identifier FROM suppression_salt, (
    SELECT identifier FROM identifier UNION SELECT a FROM merge UNION SELECT b FROM merge
) AS known
WHERE sha256(salt || convert_to(identifier, 'UTF8')) = ANY(%b::bytea[]) ORDER BY identifier
"""
_NOTE = "INSERT INTO repair (kind, person_id, made_by, reason, at) VALUES (%s, %s, %s, %s, %s)"


async def erase(connection: Connection, erasure: Erasure) -> None:
    """Erase, within the transaction of an append. The identity epoch is moved by the caller."""
    given: dict[str, Any] = {
        "people": list(erasure.people),
        "identifiers": list(erasure.identifiers),
        "others": [position for position, _ in erasure.others],
        "appended_for": [person for _, person in erasure.others],
        "kept": list(erasure.kept),
        "emptied": [position for position, _ in erasure.emptied],
        "emptied_of": [person for _, person in erasure.emptied],
        "payloads": list(erasure.emptied.values()),
        "effects": list(erasure.effects),
        "kept_effects": list(erasure.kept_effects),
        "kept_for": list(erasure.kept_effects.values()),
        "quarantined": list(erasure.quarantined),
        "entries": list(erasure.entry_keys),
        "commitment": [commitment for commitment, _ in erasure.entry_keys.values()],
        "encryption": [encryption for _, encryption in erasure.entry_keys.values()],
        "rekeyed": list(erasure.rekeyed),
        "choices": list(erasure.choices),
        "at": erasure.note.at_ms,
        "hashes": list(erasure.hashes),
        "mark": erasure.mark or None,
    }
    await erase_at_recipients(connection, erasure)
    for text in _ERASE:
        await connection.execute(text, given)
    if erasure.suppress:
        await connection.execute(_SUPPRESS, given)
    await connection.execute(
        "INSERT INTO erasure (people, others, kept, at, mark)"
        " VALUES (%(people)s::bigint[], %(others)s::bigint[], %(kept)s::bigint[], %(at)s, %(mark)s::bytea)",
        given,
    )
    await connection.execute(_NOTE, tuple(erasure.note))


async def suppressed_of(connection: Connection, identifiers: Collection[str]) -> set[str]:
    """Those of the identifiers whose hash is kept."""
    cursor = await connection.execute(_SUPPRESSED, (list(identifiers),), binary=True)
    return {row[0] for row in await cursor.fetchall()}


class Erasing(Connected):
    """The engine's side of what is still to be forgotten elsewhere."""

    async def suppression_hashes(self, identifiers: Collection[str]) -> list[bytes]:
        return [row[0] for row in await self._rows(_HASHES, list(identifiers))]

    async def known_as(self, hashes: Collection[bytes]) -> list[str]:
        return [row[0] for row in await self._rows(_KNOWN_AS, list(hashes))]

    async def pending_erasures(self) -> list[PendingErasure]:
        rows = await self._rows(
            "SELECT number, people, others, kept FROM erasure WHERE archived IS NULL ORDER BY number"
        )
        return [
            PendingErasure(number, [*map(PersonId, people)], [*map(Position, others)], [*map(Position, kept)])
            for number, people, others, kept in rows
        ]

    async def erasure_marks(self) -> set[bytes]:
        return {row[0] for row in await self._rows("SELECT mark FROM erasure WHERE mark IS NOT NULL")}

    async def archive_erased(self, number: int, at_ms: int) -> None:
        await self._rows("UPDATE erasure SET archived = %s WHERE number = %s RETURNING 1", at_ms, number)
