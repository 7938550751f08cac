"""`python -m bench [PART ...] [--quick]`: measure, write `bench/results.json`, print a table."""

from __future__ import annotations

import argparse

from bench import as_of, erase, importing, lake, quarantine, spine, unmerge
from bench.results import Figure, write

PARTS = ("accept", "fold", "read", "people", "quarantine", "lake", "as_of", "unmerge", "erase", "import")


def main() -> None:
    """Run the parts asked for, all unless some are named."""
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="which parts (all)")
    parser.add_argument("--quick", action="store_true", help="a tenth of the size, to try it out; writes nothing")
    options = parser.parse_args()
    scale = 10 if options.quick else 1
    figures: list[Figure] = []
    for part in options.parts or PARTS:
        print(f"measuring: {part}", flush=True)
        if part == "accept":
            figures += spine.accept(300_000 // scale, http_workers=2)
        elif part == "fold":
            figures += spine.sustained(300_000 // scale, http_workers=2, fold_workers=1)
        elif part == "read":
            figures += spine.reading(20 // scale or 2)
        elif part == "quarantine":
            figures += quarantine.replay(100_000 // scale)
        elif part == "lake":
            figures += lake.appending(600_000 // scale)
        elif part == "as_of":
            figures += as_of.as_of(40 // scale)
        elif part == "erase":
            figures += erase.erase(1_000 // scale)
        elif part == "import":
            figures += importing.importing(5_000_000 // scale)
        elif part == "unmerge":
            figures += unmerge.unmerge(50 // scale)
        else:
            figures += spine.footprint(1_000_000 // scale)
    if options.quick:
        for figure in figures:
            print(f"{figure.name:28} {figure.value:14,.2f} {figure.unit}  {figure.note}")
    else:
        write(figures)


if __name__ == "__main__":
    main()
