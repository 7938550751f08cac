"""A bundle for an auditor: who received what with the basis of each, and proofs that the choices behind it are in the
ledger as they are told.

| file | what |
|---|---|
| `recipients.jsonl` | one JSON object a line, as `recipient_view` gives it |
| `proofs/N.json` | of each entry N of the ledger that decided: that it is under the last checkpoint, and what it says |
| `README.txt` | what this is, and how to check it |
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from courtesy.base.errors import Code, CourtesyError
from courtesy.consent.checkpoint import PublicKey
from courtesy.engine.permit import SendFault, SendFilter, SendPlace
from courtesy.runtime.audit import Audit, Finding, Recipient
from courtesy.runtime.permit_view import recipient_view
from courtesy.runtime.sealer import Proofs

PAGE = 1_000
RECIPIENTS, PROOFS, README = "recipients.jsonl", "proofs", "README.txt"


@dataclass(slots=True)
class Tally:
    """How many received something: of them with which finding or fault, and who of them are forgotten."""

    send_count: int = 0
    forgotten_count: int = 0
    by_finding: Counter[str] = field(default_factory=Counter)

    @property
    def faulty_count(self) -> int:
        """How many had no permit of their own, or one that the ledger does not bear out."""
        return sum(self.by_finding[name] for name in (*SendFault, Finding.DIFFERS))

    def add(self, each: Recipient) -> None:
        """One more."""
        send = each.received.send
        self.send_count += 1
        self.forgotten_count += send.person is None
        self.by_finding[str(each.finding or send.fault)] += 1

    def __str__(self) -> str:
        found = "".join(f", {count} {name}" for name, count in sorted(self.by_finding.items()))
        return f"{self.send_count} sends{found}; {self.forgotten_count} to who is forgotten"


async def pages(audit: Audit, which: SendFilter) -> AsyncIterator[list[Recipient]]:
    """All who received something, in order, page by page."""
    after: SendPlace | None = None
    while page := await audit.recipients(which, after, PAGE):
        yield page
        after = page[-1].received.place


async def write_bundle(folder: Path, audit: Audit, proofs: Proofs, which: SendFilter, key: PublicKey) -> Tally:
    """Write a bundle into a new or empty folder.

    The ledger must have been signed since the last of these permits was issued. Raises CourtesyError(INVALID) when the
    folder has something in it, or can't be written.
    """
    try:
        _prepare(folder)
        return await _write(folder, audit, proofs, which, key)
    except OSError as error:
        raise CourtesyError(Code.INVALID, f"can't write there: {error.strerror}", place=str(folder)) from error


def _prepare(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise CourtesyError(Code.INVALID, "expected an empty folder", place=str(folder))
    (folder / PROOFS).mkdir()


async def _write(folder: Path, audit: Audit, proofs: Proofs, which: SendFilter, key: PublicKey) -> Tally:
    tally, proven = Tally(), set[int]()
    with (folder / RECIPIENTS).open("w", encoding="utf-8") as lines:
        async for page in pages(audit, which):
            for each in page:
                tally.add(each)
                lines.write(json.dumps(recipient_view(each), ensure_ascii=False) + "\n")
            await _prove(folder / PROOFS, page, proofs, proven)
    (folder / README).write_text(_readme(tally, key), encoding="utf-8")
    return tally


async def _prove(folder: Path, page: Sequence[Recipient], proofs: Proofs, proven: set[int]) -> None:
    """The proofs of all entries that decided for a page and are not there yet."""
    shown = {one.entry: one for each in page for one in (*each.choices, *each.later) if one.entry is not None}
    entries = sorted(shown.keys() - proven)
    if not entries:
        return
    people = {one.person for one in shown.values() if one.person is not None}
    opened = await proofs.shown(sorted(people), (await proofs.latest()).checkpoint.size)
    for index in entries:
        (folder / f"{index}.json").write_bytes(await proofs.inclusion(index, opened.get(index)))
    proven.update(entries)


def _readme(tally: Tally, key: PublicKey) -> str:
    return f"""Who received what, on what basis
{tally}

recipients.jsonl  a message that left on each line: its permit with the rule, the policy and the ids of the choices that
                  decided; of each choice its entry in the ledger and the SHA-256 of the wording that was shown.
                  finding: lawful; lawful_then (by what was known; what came in since says otherwise); differs (the
                  ledger does not bear the permit out); forgotten (somebody was erased). Without a permit of its own it
                  has a fault instead: no_permit, other_message, expired.
proofs/N.json     that entry N is in the ledger as it was signed, and what it says

Check each proof with verifier.py, a script for Python 3.11 or later that needs nothing else. Take it from the source of
Courtesy (src/courtesy/consent/verifier.py), not from whoever gave you this folder, and the key of the ledger from where
it is published. It should be

    {key.text()}

    for proof in proofs/*.json; do python verifier.py --inclusion "$proof" '{key.text()}' || echo "$proof"; done

Exit status 0 of each means: the choice is in the ledger, unaltered since it was signed, and says what it is told to
say.
"""
