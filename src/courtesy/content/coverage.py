"""Which locales an item speaks, and where it does not: what is missing for some, and what had to be there."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from courtesy.content.findings import Check, Finding, error, warning
from courtesy.content.items import Body, Kind, fallback, values
from courtesy.content.locales import Localized, coverage


def uncovered(kind: Kind, body: Body, wanted: Collection[str]) -> Iterator[Finding]:
    """The fields that lack a locale of the item, each a warning, and those that lack one of `wanted`, each an error.
    A text of the same language stands in for one of a region."""
    fields = _localised(kind, body)
    spoken = {locale for each in fields.values() for locale in each.values} - {body.language}
    for locale, others in sorted(coverage(fields, spoken | set(wanted), body.language).items()):
        for name, other in sorted(others.items()):
            if other and other in fallback(locale):
                continue
            said = f"{name} is not said in {locale}" + (f"; who reads that gets it in {other}" if other else "")
            hint = f"add {locale} to it"
            if locale in wanted:
                yield error(Check.LOCALE, said, f"fields.{name}", hint)
            else:
                yield warning(Check.LOCALE, said, f"fields.{name}", hint)


def _localised(kind: Kind, body: Body) -> Mapping[str, Localized]:
    """Every localised field that has values, with one for each locale."""
    found: dict[str, dict[str, Any]] = {}
    for each in values(kind, body):
        if each.field.localised:
            locale = each.variant.locale or body.language
            found.setdefault(each.field.name, {}).setdefault(locale, str(each.content) or "")
    return {name: Localized(given) for name, given in found.items()}
