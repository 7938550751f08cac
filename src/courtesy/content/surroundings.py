"""What a template is rendered in, besides the facts: locale, time zone, now, and where faults are reported."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple


class Report(NamedTuple):
    """Something that was not as the template expects. `spot`: the number of its place in the template."""

    spot: int
    problem: str


REPORTS_MAX = 100


@dataclass(slots=True)
class Surroundings:
    """Of one rendering. `locale` as `de-CH`; `zone` a name of the tz database; `now_ms` since the epoch, UTC;
    `currency` of amounts that name none. Unknown locales and zones fall back to English and UTC."""

    locale: str = "en"
    zone: str = "UTC"
    now_ms: int = 0
    currency: str = "EUR"
    reports: list[Report] = field(default_factory=list)

    def report(self, spot: int, problem: str) -> None:
        """Notes what was not as expected, once for each place, at most `REPORTS_MAX` in all."""
        if len(self.reports) < REPORTS_MAX and all(each.spot != spot for each in self.reports):
            self.reports.append(Report(spot, problem))
