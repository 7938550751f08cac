"""What items of any kind look like, also those that no message says by themselves: for people who work on them."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from courtesy.content.findings import Finding
from courtesy.content.items import DEFAULT, FRAGMENT, Body, FieldType, ItemKey, values
from courtesy.content.kinds import TEMPLATE
from courtesy.content.release import Candidate
from courtesy.content.wording import Sheet, fragment_texts, make_sheets

PAGE = "web"
"""The channel of what is shown where no message goes."""

_WORDS = (FieldType.TEXT, FieldType.TEMPLATE)


def shown_sheets(candidate: Candidate, used: Mapping[ItemKey, Body]) -> tuple[list[Sheet], list[Finding]]:
    """What an item that is no message says in each locale on each channel, and what keeps it from saying more.

    A fragment is shown as the only thing in a message, anything else as the texts that it has.
    """
    if candidate.key.kind == FRAGMENT:
        made, findings = make_sheets(_alone(candidate), {**used, candidate.key: candidate.body})
        return [each.sheet for each in made], findings
    return _texts(candidate, used), []


def _alone(fragment: Candidate) -> Candidate:
    """A template that has nothing in it but a fragment."""
    name = fragment.key.name
    variants = {str(each.variant): each for each in values(fragment.kind, fragment.body)}
    fields = {
        "subject": {DEFAULT: fragment.body.title or name},
        "blocks": {each: [{"type": FRAGMENT, "name": name}] for each in {DEFAULT, *variants} if "@" not in each},
    }
    if "text" in fragment.body.fields:
        fields["text"] = dict.fromkeys({DEFAULT, *fragment.body.fields["text"]}, f"{{% include '{name}' %}}")
    body = Body(fields=fields, language=fragment.body.language)
    return Candidate(ItemKey(TEMPLATE.name, name), TEMPLATE, fragment.revision, body)


def _texts(candidate: Candidate, used: Mapping[ItemKey, Body]) -> list[Sheet]:
    """The texts of an item that is shown on pages."""
    from_fields = [each for each in values(candidate.kind, candidate.body) if each.field.type in _WORDS]
    found: dict[str, Sheet] = {}
    for value in from_fields:
        locale, channel = value.variant.locale or "", value.variant.channel or PAGE
        sheet = Sheet(locale, channel, {}, fragments=fragment_texts(used, locale, channel))
        known = found.setdefault(sheet.name, sheet)
        found[sheet.name] = replace(known, parts={**known.parts, value.field.name: value.content})
    return [found[name] for name in sorted(found)]
