"""Who has to say yes before something is published: rules by kind and locale, and what is still wanting by them.

Nobody approves what they wrote themselves. An approval is of one revision: an edit afterwards voids it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

from courtesy.content.findings import Check, Finding, error
from courtesy.content.items import Locale, Word

ALL_LOCALES = ""


class ApprovalRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Items of these `kinds` need so many `approvals` in each of these `locales`, of different people; where one of
    the two is empty it is for all. `by`: only of these people, by the names of their keys; empty for anybody's."""

    approvals: Annotated[int, Meta(ge=1, le=10)] = 1
    kinds: Annotated[tuple[Word, ...], Meta(max_length=50)] = ()
    locales: Annotated[tuple[Word, ...], Meta(max_length=200)] = ()
    by: Annotated[tuple[Word, ...], Meta(max_length=200)] = ()


class TranslationRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Items of these `kinds` (empty: of all) are published only when all that is localised in them is said in each of
    these `locales`."""

    locales: Annotated[tuple[Locale, ...], Meta(min_length=1, max_length=200)]
    kinds: Annotated[tuple[Word, ...], Meta(max_length=50)] = ()


class ContentWorkflow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All rules that fit an item and a locale have to be met. Without `rules` nobody is asked; without `translations`
    a locale that is missing is only warned of."""

    rules: Annotated[tuple[ApprovalRule, ...], Meta(max_length=200)] = ()
    translations: Annotated[tuple[TranslationRule, ...], Meta(max_length=200)] = ()


class Approval(msgspec.Struct, frozen=True):
    """Somebody's yes to a revision in a locale, or in all. `at_ms`: ms UTC."""

    revision: int
    locale: str
    by: str
    at_ms: int
    note: str = ""


def wanting(
    workflow: ContentWorkflow,
    kind: str,
    locales: Collection[str],
    revision: int,
    authors: Collection[str],
    approvals: Sequence[Approval],
) -> list[Finding]:
    """What is wanting before a revision may be published, an error for each rule and locale. `authors`: everybody who
    changed anything of it since it was last published."""
    counting = [each for each in approvals if each.revision == revision and each.by not in authors]
    return [
        _wanting(rule, locale, found)
        for rule in workflow.rules
        if not rule.kinds or kind in rule.kinds
        for locale in sorted(locales)
        if not rule.locales or locale in rule.locales
        if len(found := _said_yes(rule, locale, counting)) < rule.approvals
    ]


def _said_yes(rule: ApprovalRule, locale: str, counting: Sequence[Approval]) -> set[str]:
    return {
        each.by for each in counting if each.locale in (ALL_LOCALES, locale) and (not rule.by or each.by in rule.by)
    }


def _wanting(rule: ApprovalRule, locale: str, found: set[str]) -> Finding:
    whose = f" of {', '.join(rule.by)}" if rule.by else ""
    have = f"has {len(found)}" + (f" ({', '.join(sorted(found))})" if found else "")
    return error(
        Check.APPROVAL,
        f"expected {rule.approvals} approval{'s' if rule.approvals > 1 else ''}{whose} in {locale}, {have}",
        hint="of somebody who did not change it since it was last published",
    )


def asked_for(workflow: ContentWorkflow, kind: str) -> frozenset[str]:
    """The locales that items of a kind have to speak."""
    fitting = (each.locales for each in workflow.translations if not each.kinds or kind in each.kinds)
    return frozenset(locale for locales in fitting for locale in locales)


def approvers_named(workflow: ContentWorkflow) -> Iterator[str]:
    """Everybody whom some rule names."""
    for rule in workflow.rules:
        yield from rule.by
