"""What becomes of templates with real people: names that nobody has, and texts that are empty or too long for some.

Findings count people and never tell of one: whoever edits content need not be somebody who may read them.
"""

from __future__ import annotations

import html as markup
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher
from typing import Any

from courtesy.base.errors import CourtesyError
from courtesy.content.findings import Check, Finding, Severity, error, note, warning
from courtesy.content.items import fallback
from courtesy.content.language.tree import Body, Place
from courtesy.content.limits import SmsTerms, check_mail_size
from courtesy.content.mail import tidied
from courtesy.content.names import CATALOGUE, Unknown, against_samples, uses
from courtesy.content.scope import Scope
from courtesy.content.templates import Language, Template

ALIKE_LEAST = 0.9
RENDERED_LEAST = 3
"""With how many people a text is tried that nobody of its locale was picked for."""

SMS = SmsTerms()

PlaceOf = Callable[[Place], str]
"""Says where a place of a template is, for whoever wrote it."""

SAMPLED = frozenset({"person", "event", "offer", CATALOGUE})
"""The roots of which samples are people's and the company's own. The others are as the product has them."""


@dataclass(frozen=True, slots=True)
class Expectations:
    """What a message is checked against.

    `hosts`: domains to which links may lead, with those below; empty for any. `marketing`: it must be possible to
    unsubscribe. `samples`: people as they are, more of them find more. `entries`: some of each catalogue. `seen`: paths
    as they are written that others have. `unsampled`: roots of which there is no sample, so that nothing is said of
    them. `similar`: roots whose samples are only like what messages will have, such as events of late: what some lack
    tells nothing, and what none has is an error only where another name was probably meant. `sms`: what text messages
    cost and may take. `locales`: in which it has to be said. `rendered`: with whom of the samples it is rendered,
    None for all; names are held against each of them.
    """

    hosts: Collection[str] = ()
    samples: Sequence[Scope] = ()
    marketing: bool = True
    language: Language | None = None
    entries: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    seen: Collection[str] = ()
    unsampled: Collection[str] = ()
    similar: Collection[str] = ()
    sms: SmsTerms = SMS
    locales: Collection[str] = ()
    rendered: Sequence[Scope] | None = None

    @property
    def tried(self) -> Sequence[Scope]:
        """The samples with whom it is rendered."""
        return self.samples if self.rendered is None else self.rendered


NOTHING = Expectations()
"""Of whom and of what nothing is known."""


# -- names


def check_names_of(body: Body, wanted: Expectations, place_of: PlaceOf) -> Iterator[Finding]:
    """Names that no sample has, or not every one, and nothing is written in their place."""
    if not wanted.samples:
        yield from _unchecked(body, {"person"} | set(wanted.unsampled))
        return
    samples = [_values(each, wanted) for each in wanted.samples]
    defaults = (wanted.language.defaults if wanted.language else None) or {}
    for each in against_samples(body, samples, wanted.seen):
        root, said, place = str(each.use.path[0]), each.use.said, place_of(each.use.at)
        if root in wanted.unsampled or (root == CATALOGUE and each.use.path[1] not in wanted.entries):
            continue
        if isinstance(each, Unknown):
            yield _unknown(said, place, each.hint, is_similar=root in wanted.similar)
        elif said not in defaults and root not in wanted.similar and root != CATALOGUE:
            message = f"{each.count} of {each.of} samples lack {said!r}, and nothing is written in its place"
            yield warning(Check.LACKING_NAME, message, place, "give it a default: | default('…')")
    yield from _unchecked(body, set(wanted.unsampled))


def _unknown(said: str, place: str, hint: str, *, is_similar: bool) -> Finding:
    if is_similar and not hint:
        message = f"nothing of late has {said!r}, and nothing is written in its place"
        return warning(Check.UNKNOWN_NAME, message, place, "try it with the data that whoever sends it will give")
    return error(Check.UNKNOWN_NAME, f"no sample has {said!r}", place, hint)


def _unchecked(body: Body, roots: Collection[str]) -> Iterator[Finding]:
    """That names of a root were not checked, for want of samples."""
    for root in sorted({str(each.path[0]) for each in uses(body) if len(each.path) > 1} & set(roots) & SAMPLED):
        message = f"there is no sample of {root!r} yet, so its names are not checked"
        yield note(Check.SAMPLES, message)


def _values(sample: Scope, wanted: Expectations) -> dict[str, Any]:
    return {**sample.values(), CATALOGUE: wanted.entries}


# -- rendered


def people_for(samples: Sequence[Scope], locale: str, own: Collection[str]) -> list[Scope]:
    """Of samples those who would get the text of a locale (empty: of everybody else), where there are texts for the
    locales `own`; filled up with others to a few, since a text must fit whoever comes."""
    getting = [each for each in samples if nearest_own(each.locale, own) == locale]
    others = [each for each in samples if nearest_own(each.locale, own) != locale]
    return [*getting, *others[: max(0, RENDERED_LEAST - len(getting))]]


def nearest_own(locale: str, own: Collection[str]) -> str:
    """Of the locales of an item the one in which somebody reads it; empty when that is the one for all others."""
    return next((each for each in fallback(locale) if each in own), "") if locale else ""


@dataclass(slots=True)
class Tally:
    """Findings about single people, gathered to one for each place that says of how many it is true. It keeps an item
    from being published only if it is an error for half of them: nobody shall do that by a name of 100 KB."""

    of: int
    _found: dict[tuple[Check, str], list[Finding]] = field(default_factory=dict)

    def add(self, found: Iterable[Finding]) -> None:
        """What was found for one more person."""
        met: set[tuple[Check, str]] = set()
        for each in found:
            key = each.code, each.place
            if key not in met:
                met.add(key)
                self._found.setdefault(key, []).append(each)

    def findings(self) -> Iterator[Finding]:
        """One for each check and place, the gravest that was told there."""
        for some in self._found.values():
            first = min(some, key=lambda each: list(Severity).index(each.severity))
            errors = Counter(each.severity for each in some)[Severity.ERROR]
            grave = first.severity
            if grave is Severity.ERROR and 2 * errors < self.of:
                grave = Severity.WARNING
            message = first.message if self.of == 1 else f"{first.message} ({len(some)} of {self.of} samples)"
            yield Finding(grave, first.code, message, first.place, first.hint)


def check_rendered_mail(templates: Mapping[str, Template], samples: Sequence[Scope]) -> Iterator[Finding]:
    """A mail as people get it: its size, its subject, and that text and HTML say the same. Without samples only sizes
    are looked at, as they are for somebody of whom nothing is known."""
    tally = Tally(len(samples) or 1)
    for number, sample in enumerate(samples or (Scope(),)):
        tally.add(_of_mail(templates, sample, is_first=number == 0, is_known=bool(samples)))
    yield from tally.findings()


def _of_mail(
    templates: Mapping[str, Template], sample: Scope, *, is_first: bool, is_known: bool
) -> Iterator[Finding]:  # fmt: skip
    rendered: dict[str, str] = {}
    for part, template in templates.items():
        try:
            rendered[part] = template.render_metered(sample).text
        except CourtesyError as problem:
            yield error(Check.SIZE, problem.message, f"/{part}", problem.hint)
            return
    yield from check_mail_size(rendered.get("html", ""), "/html")
    subject = rendered["subject"].strip()
    if is_known and (not subject or "\n" in subject):
        yield error(Check.SUBJECT, "the subject is empty or has several lines for somebody", "/subject")
    # Comparing takes some time, and who it is for makes little difference.
    alike = likeness(rendered["html"], tidied(rendered["text"])) if is_first and "html" in rendered else 1.0
    if alike < ALIKE_LEAST:
        message = f"the text part has {alike:.0%} of the words of the HTML"
        yield warning(Check.TEXT_PART, message, "/text", "give raw blocks a text of the same words")


_UNSEEN = re.compile(
    r"<(style|title|head|script)\b.*?</\1>|<!--.*?-->|display:none.*?</div>", re.DOTALL | re.IGNORECASE
)
_ALT = re.compile(r"""<img\b[^>]*?\balt=(?:"([^"]*)"|'([^']*)')[^>]*>""", re.IGNORECASE)


def likeness(html: str, text: str) -> float:
    """How alike the words of the two parts are, from 0 to 1; addresses and signs do not count."""
    seen = _ALT.sub(lambda found: f" {found[1] or found[2] or ''} ", _UNSEEN.sub(" ", html))
    words = [_words(markup.unescape(re.sub(r"<[^>]*>", " ", seen))), _words(text)]
    if not words[0] and not words[1]:
        return 1.0
    return float(SequenceMatcher(None, words[0], words[1], autojunk=False).ratio())


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", re.sub(r"https?://\S+|mailto:\S+", " ", text).casefold())[:2_000]


def as_told(sample: Scope, locale: str, item: Mapping[str, Any]) -> Scope:
    """A sample as a message in a locale speaks to them."""
    return replace(sample, locale=locale or sample.locale, content=item)
