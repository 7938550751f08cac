"""Proofs of the ledger: the last signed checkpoint, and what shows that an entry is under it and that it only ever
grew.

They tell nothing of anybody, so they are there for everybody. The verifier that reads them is
`courtesy/consent/verifier.py`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from courtesy.base.errors import Code, CourtesyError
from courtesy.http.operation import JSON, Answer, Asked, NoQuery, Operation
from courtesy.http.schemas import PAGE_OF_TEXT
from courtesy.runtime.catalog import Scope
from courtesy.runtime.sealer import public_key

TEXT = "text/plain; charset=utf-8"
SIZE_MAX = 2**53
Size = Annotated[int, Meta(ge=0, le=SIZE_MAX)]


class ConsistencyQuery(msgspec.Struct, frozen=True):
    """`older` and `newer`: the numbers of entries of two checkpoints."""

    older: Size
    newer: Size


async def read_checkpoint(asked: Asked[NoQuery, None]) -> Answer:
    """The last one, as a signed note."""
    note = await asked.app.proofs.latest()
    return Answer(note.text().encode(), media_type=TEXT)


async def read_key(asked: Asked[NoQuery, None]) -> Answer:
    """The public key."""
    key = public_key(Path(asked.app.settings.data))
    if key is None:
        raise CourtesyError(Code.NOT_FOUND, "the ledger has no key yet", hint="it has one within a minute")
    return Answer(key.text().encode() + b"\n", media_type=TEXT)


async def prove_entry(asked: Asked[NoQuery, None]) -> Answer:
    """That an entry is in the ledger."""
    index = asked.path["index"]
    if not (index.isascii() and index.isdigit() and len(index) < len(str(SIZE_MAX))):
        raise CourtesyError(Code.INVALID, f"expected the index of an entry, got {index!r:.40}", place="index")
    return Answer(await asked.app.proofs.inclusion(int(index)))


async def prove_growth(asked: Asked[ConsistencyQuery, None]) -> Answer:
    """That one checkpoint goes on from another."""
    return Answer(await asked.app.proofs.consistency(asked.query.older, asked.query.newer))


PROOF = {JSON: {"schema": {"type": "object"}}}
"""As the verifier reads it."""

OPERATIONS = (
    Operation(
        "GET",
        "/v1/ledger/checkpoint",
        "ledger",
        "Read the last signed checkpoint of the ledger.",
        read_checkpoint,
        doc="A signed note (C2SP): how many entries there are, and the root of the Merkle tree over them.",
        codes=(Code.NOT_FOUND,),
        answered=PAGE_OF_TEXT["content"],
    ),
    Operation(
        "GET",
        "/v1/ledger/key",
        "ledger",
        "Read the public key of the ledger.",
        read_key,
        doc="With it the verifier checks an export of the ledger, or a proof.",
        codes=(Code.NOT_FOUND,),
        answered=PAGE_OF_TEXT["content"],
    ),
    Operation(
        "GET",
        "/v1/ledger/entries/{index}/proof",
        "ledger",
        "Prove that an entry is in the ledger.",
        prove_entry,
        doc="By the last checkpoint, for `verifier.py --inclusion`. Entries are sealed: it says nothing of anybody.",
        scope=Scope.READ,
        codes=(Code.NOT_FOUND,),
        answered=PROOF,
        path_docs={"index": "The place of the entry in the ledger, from 0."},
    ),
    Operation(
        "GET",
        "/v1/ledger/consistency",
        "ledger",
        "Prove that the ledger only grew from one checkpoint to another.",
        prove_growth,
        doc="For `verifier.py --consistency`, for whoever was given two checkpoints.",
        query=ConsistencyQuery,
        codes=(Code.NOT_FOUND,),
        answered=PROOF,
    ),
)
