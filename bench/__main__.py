"""`python -m bench [PART ...] [--quick | --share N]`: measure, write `bench/results.json`, print a table."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from bench import (
    as_of,
    audit,
    campaign,
    erase,
    importing,
    lake,
    ledger,
    mail,
    offers,
    outbox,
    preferences,
    propagation,
    quarantine,
    questions,
    screen,
    segments_entry,
    segments_live,
    segments_sql,
    spine,
    unmerge,
    words,
)
from bench.results import Figure, write

PARTS: dict[str, Callable[[int], list[Figure]]] = {
    "accept": lambda share: spine.accept(300_000 // share, http_workers=2),
    "fold": lambda share: spine.sustained(300_000 // share, http_workers=2, fold_workers=1),
    "read": lambda share: spine.reading(20 // share),
    "people": lambda share: spine.footprint(1_000_000 // share),
    "quarantine": lambda share: quarantine.replay(100_000 // share),
    "lake": lambda share: lake.appending(600_000 // share),
    "as_of": lambda share: as_of.as_of(40 // share),
    "unmerge": lambda share: unmerge.unmerge(50 // share),
    "erase": lambda share: erase.erase(1_000 // share),
    "preferences": lambda share: preferences.preferences(3_000 // share),
    "audit": lambda share: audit.audit(10_000_000 // share),
    "propagation": lambda share: propagation.propagation(1_000_000 // share),
    "questions": lambda share: questions.questions(1_000 // share),
    "screen": lambda share: screen.screen(200 // share),
    "segments_sql": lambda share: segments_sql.segments_sql(20_000_000 // share),
    "mail": lambda share: mail.mail(20_000 // share),
    "offers": lambda share: offers.offers(100_000 // share),
    "outbox": lambda share: outbox.outbox(100_000 // share),
    "campaign": lambda share: campaign.campaign(1_000_000 // share),
    "ledger": lambda share: ledger.ledger(10_000_000 // share),
    "words": lambda _: words.words(),
    "segments_live": lambda share: segments_live.segments_live(200_000 // share),
    "segments_entry": lambda share: segments_entry.entry(max(20 // share, 2)),
    "timers": lambda share: segments_entry.timers(5_000_000 // share),
    "import": lambda share: importing.importing(5_000_000 // share),
}
"""What measures each part, given that one of so many is enough."""


def main() -> None:
    """Run the parts asked for, all unless some are named."""
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="which parts (all)")
    parser.add_argument("--quick", action="store_true", help="a tenth of the size, to try it out; writes nothing")
    parser.add_argument("--share", type=int, default=1, help="one of so many is enough; writes nothing unless 1")
    options = parser.parse_args()
    share = 10 if options.quick else options.share
    for part in options.parts or PARTS:
        print(f"measuring: {part}", flush=True)
        figures = PARTS[part](share)
        if share == 1:
            write(figures)
        for figure in figures:
            print(f"{figure.name:28} {figure.value:14,.2f} {figure.unit}  {figure.note}", flush=True)


if __name__ == "__main__":
    main()
