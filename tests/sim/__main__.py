"""`python -m tests.sim --seeds 1000`: run seeds, tell which failed and of what; `--seed 7 --verbose` replays one."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable

from tests.sim.run import Outcome, simulate


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.sim", description="The whole system under faults.")
    parser.add_argument("--seeds", type=int, default=200, help="how many seeds (200)")
    parser.add_argument("--from", type=int, default=0, dest="first", help="the first of them (0)")
    parser.add_argument("--seed", type=int, help="this one alone")
    parser.add_argument("--verbose", action="store_true", help="every step of the way")
    return parser.parse_args(arguments)


def _tell(outcome: Outcome) -> None:
    for violation in outcome.violations[:5]:
        print(f"seed {outcome.seed}: {violation}", flush=True)
    if len(outcome.violations) > 5:
        print(f"seed {outcome.seed}: and {len(outcome.violations) - 5} more")


def _sums(title: str, sums: Counter[str]) -> None:
    print(f"{title}: " + ", ".join(f"{count:,} {name}" for name, count in sums.most_common()))


def main(arguments: list[str] | None = None, run: Callable[..., Outcome] = simulate) -> int:
    """Run what the arguments ask for; exit status 1 when a seed failed."""
    options = _parse(arguments)
    seeds = range(options.first, options.first + options.seeds) if options.seed is None else [options.seed]
    failed: list[int] = []
    faults: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    for seed in seeds:
        outcome = run(seed, verbose=options.verbose)
        faults += outcome.faults
        sizes += outcome.sizes
        if outcome.violations:
            failed.append(seed)
            _tell(outcome)
    _sums("Happened", sizes)
    _sums("Went wrong", faults)
    print(f"{len(seeds) - len(failed)} of {len(seeds)} seeds passed." + (f" Failed: {failed}" if failed else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
