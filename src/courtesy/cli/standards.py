"""`courtesy standard`: what would be made of a value. Needs neither a server nor a store."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from courtesy.standard.hints import Hints
from courtesy.standard.kinds import standard
from courtesy.standard.value import MARKS, REASONS, Kind, as_plain


def show_standard(
    kind: Annotated[Kind, typer.Argument(help="What the value is")],
    value: Annotated[str, typer.Argument(help="The value as it was written")],
    country: Annotated[str, typer.Option(help="Country of the value, by code or name")] = "",
    locale: Annotated[str, typer.Option(help="Language and region of whoever wrote it, such as de-AT")] = "",
) -> None:
    """Show what would be made of a value: standard form, parts, marks with their meaning, or why there is none."""
    made = standard(kind, value, Hints(country=country, locale=locale))
    shown = as_plain(made)
    shown["marks"] = {str(mark): MARKS[mark] for mark in made.marks}
    shown["reason"] = None if made.reason is None else {str(made.reason): REASONS[made.reason]}
    print(json.dumps(shown, indent=2, ensure_ascii=False))
