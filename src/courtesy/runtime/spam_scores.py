"""What a spam filter makes of mails that are to be published, as somebody would get them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from email.utils import parseaddr

import msgspec

from courtesy.base.errors import CourtesyError
from courtesy.base.time import Clock
from courtesy.channel.email.composing import composed
from courtesy.channel.email.letter import Letter
from courtesy.channel.email.spam_filter import SpamFilter, SpamScore
from courtesy.content.findings import Check, Finding, note, warning
from courtesy.content.items import DEFAULT
from courtesy.content.release import Trouble
from courtesy.content.scope import Scope
from courtesy.content.wording import EMAIL, SAID, Sheet, Wording, sheets_of
from courtesy.engine.content import Version
from courtesy.runtime.connection import ConnectionBody

MAILS_MAX = 5
"""Of all that is published together; a filter takes a second for each, or some."""

WITHIN_S = 10.0
"""For all of them."""

RULES_MAX = 10
SENDER = "Shop <hello@shop.example>"
_TOKEN = "x" * 160


class SpamScores:
    """Has mails scored by the filter that there is."""

    def __init__(
        self, spam_filter: SpamFilter, connections: Callable[[], Mapping[str, ConnectionBody]], clock: Clock
    ) -> None:
        self._filter = spam_filter
        self._connections = connections
        self._clock = clock

    async def of(self, versions: Sequence[Version], people: Sequence[Scope]) -> list[Trouble]:
        """A finding for each mail of some versions, up to `MAILS_MAX`; for all of them together when none could be
        scored. Nothing when filters are off."""
        mails = [(each, sheet) for each in versions for sheet in _mails(each)]
        if not mails or self._filter.is_off:
            return []
        found: list[Trouble] = []
        until_s = self._clock.now_ms() / 1_000 + WITHIN_S
        for version, sheet in mails[:MAILS_MAX]:
            try:
                left_s = max(0.1, until_s - self._clock.now_ms() / 1_000)
                score = await self._filter.score(self._letter(sheet, people), left_s)
            except CourtesyError as error:
                return [*found, Trouble(version.key, note(Check.SPAM, f"not scored: {error.message}"))]
            if score is None:
                return [Trouble(version.key, _absent())]
            found.append(Trouble(version.key, _told(score, sheet)))
        if len(mails) > MAILS_MAX:
            message = f"{len(mails) - MAILS_MAX} more mails were not scored"
            found.append(Trouble(mails[0][0].key, note(Check.SPAM, message)))
        return found

    def _letter(self, sheet: Sheet, people: Sequence[Scope]) -> bytes:
        """The mail as the first of `people` would get it. Raises CourtesyError for one that can't be written."""
        name, address = parseaddr(self._sender())
        domain = address.rpartition("@")[2]
        way = f"https://mail.{domain}/u/{_TOKEN}"

        def link(*_: object) -> str:
            return f"https://mail.{domain}/l/{_TOKEN}"

        some = people[0] if people else Scope()
        told = {"unsubscribe_url": way, "preferences_url": way, "web_url": way, "pixel_url": f"{way}.gif"}
        scope = replace(some, functions={**some.functions, "link": link}, message={**some.message, **told})
        parts, _ = Wording(sheet).render(replace(scope, content=sheet.item))
        now_ms = self._clock.now_ms()
        return composed(
            Letter(
                from_name=name,
                from_address=address,
                to="ann@home.example",
                subject=parts["subject"].strip() or "-",
                text=parts.get("text", "") or "-",
                html=parts.get("html", ""),
                message_id=f"{now_ms}.sample@{domain}",
                date_ms=now_ms,
                list_id=f"news.{domain}",
                unsubscribe_url=way,
                locale=sheet.locale,
            )
        ).content

    def _sender(self) -> str:
        """Who mails are from."""
        senders = (body.config.get("sender") for _, body in sorted(self._connections().items()))
        return next((each for each in senders if isinstance(each, str) and "@" in parseaddr(each)[1]), SENDER)


def _mails(version: Version) -> list[Sheet]:
    sheets = sheets_of(msgspec.json.decode(version.artefacts, type=dict[str, str])) if version.key.kind in SAID else {}
    return [each for (_, channel), each in sorted(sheets.items()) if channel == EMAIL]


def _absent() -> Finding:
    message = "no spam filter is installed here, so the mail is not scored"
    return note(Check.SPAM, message, hint="install rspamd or SpamAssassin, or set spam_filter")


def _told(score: SpamScore, sheet: Sheet) -> Finding:
    rules = ", ".join(f"{each.name} {each.points:g}" for each in score.rules[:RULES_MAX])
    message = f"{score.filter} gives {score.points:.1f} points, of {score.limit:g} at most"
    message += f", for {rules}" if rules else ""
    about = "; ".join(f"{each.name}: {each.about}" for each in score.rules[:3] if each.about)
    made = warning if score.is_spam else note
    found = made(Check.SPAM, message, "", about if score.is_spam else "")
    return msgspec.structs.replace(found, locale=sheet.locale or DEFAULT, channel=EMAIL)
