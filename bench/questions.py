"""What asking one question at a time is good for: preferences learnt by each question shown, against a form.

No time is measured. A simulated population with known tastes is asked both ways, with the same chances
(`sim/asked.py` says what is assumed of them); the form is shown to as many as it takes to show as many questions. That
people tire of a form is what the figure rests on most, so it is also told for people who never do.
"""

from __future__ import annotations

from bench.results import Figure
from sim.asked import STAYING, by_form, one_at_a_time, respondents
from sim.config import WorldConfig

DAY_COUNT = 182


def questions(people_count: int) -> list[Figure]:
    """Half a year of visits, asked one at a time with the caps that hold unless others are set, and by a form."""
    config = WorldConfig(shopper_count=people_count, day_count=DAY_COUNT)
    people = respondents(config)
    ours = one_at_a_time(config, people)
    form = by_form(config, people, ours.shown_count)
    untiring = by_form(config, people, ours.shown_count, staying=1.0)
    everybody = by_form(config, people, None)
    assumed = f"{people_count} people, half a year; each question of a form keeps {STAYING} of the answers"
    return [
        Figure(
            "questions_filled_per_shown_ratio",
            ours.filled_per_shown / form.filled_per_shown,
            "times",
            ours.shown_count,
            f"{ours.filled_per_shown:.3f} by each question shown, {form.filled_per_shown:.3f} by a form; {assumed}",
        ),
        Figure(
            "questions_filled_per_shown_ratio_untiring",
            ours.filled_per_shown / untiring.filled_per_shown,
            "times",
            ours.shown_count,
            "the same, should people never tire of a form",
        ),
        Figure(
            "questions_coverage_share",
            ours.coverage,
            "share",
            ours.wanted_count,
            f"of all preferences; the form shown to everybody: {everybody.coverage:.3f} with"
            f" {everybody.shown_count / max(1, ours.shown_count):.1f} times as many questions shown",
        ),
    ]
