"""Guessing what the columns of a list of subscribers say of consent: exports of mail systems, and tables of our own.

Three kinds of columns tell it: times at which somebody subscribed, confirmed or unsubscribed; a status for each channel
or for each list; and one status or action for each row, of which a person may have several. Only what is sure is taken:
a bounce or a subscription that was never confirmed is no choice.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from courtesy.event.action_words import ANSWERS, CHOICES, SILENT, word_in
from courtesy.event.choice import Action
from courtesy.source.column_names import Columns
from courtesy.source.mapping import CallType, Cast, Condition, Given, Output, Value

DateOf = Callable[[str], Given | None]
"""The time that a column tells, with its format; None for one that tells none."""

TELLING_SHARE_MIN = 2 / 3
"""The rows with other words wait in the quarantine."""

MARKETING = "marketing"

_SUBSCRIBED_AT = "confirm_time confirmed_at confirmation_time optin_time opt_in_time opt_in_date subscribed_at".split()
_UNSUBSCRIBED_AT = "unsub_time unsubscribed_at unsubscribe_time unsubscribe_date opt_out_time opt_out_date".split()
_SUBSCRIBED_FROM = ("confirm_ip", "optin_ip", "opt_in_ip")

_CHANNELS: Mapping[str, str] = {
    "email": "email",
    "e_mail": "email",
    "mail": "email",
    "sms": "sms",
    "text": "sms",
    "push": "push",
    "whatsapp": "whatsapp",
    "phone": "phone",
    "direct_mail": "direct_mail",
}
_ENDINGS = "consent|status|opt_in|optin|subscription|subscribed|subscription_status|consent_status"
_OF_CHANNEL = re.compile(
    rf"(?P<a>accepts_)?(?P<channel>{'|'.join(_CHANNELS)})(?P<m>_marketing)?(?P<e>_(?:{_ENDINGS}))?"
)
_OPTED_OUT = re.compile(r"(?:has_)?(?:opted_out_of|unsubscribed_from)_(?:all_)?(?P<channel>email|sms)(?P<list>_.+)?")
_STATUSES = (
    "consent_status subscription_status opt_in_status marketing_consent consent_action consent opt_in optin opted_in "
    "subscribed subscription status action"
).split()

_TIMES = (
    "consent_timestamp consent_time consent_date consented_at consent_at chosen_at timestamp updated_at changed_at "
    "last_changed status_date date time"
).split()
_PLAIN: Mapping[str, tuple[str, ...]] = {
    "purpose": ("purpose", "consent_purpose"),
    "channel": ("channel", "medium"),
    "topic": ("topic", "list", "list_name", "newsletter", "subscription_type"),
    "brand": ("brand",),
    "jurisdiction": ("jurisdiction",),
    "method": ("method", "consent_method", "opt_in_method", "signup_method"),
    "actor": ("source_system", "consent_source", "source", "system", "origin"),
    "policy": ("policy", "policy_version", "privacy_policy"),
    "wording": ("wording", "consent_text", "disclosure", "consent_wording"),
    "evidence.locale": ("locale", "language"),
}
_ADDRESSES = ("ip", "ip_address", "consent_ip", "signup_ip")


class ConsentGuess:
    """A guess in the making. `is_sure`: the rows are about consent, so that plain answers count as well."""

    def __init__(self, columns: Columns, date_of: DateOf, *, is_sure: bool) -> None:
        self._columns = columns
        self._date_of = date_of
        self._is_sure = is_sure
        self.notes: list[str] = []

    def outputs(self, kinds: set[str]) -> tuple[Output, ...]:
        """The choices that a row is; none when it tells none. `kinds`: of identifiers that a row has."""
        found = [*self._of_times(kinds), *self._of_channels(), *self._of_opt_outs()]
        if not found:
            found = list(self._of_status(kinds))
        if found:
            self.notes.append("Only what people chose is taken, and of network addresses the first half.")
        return tuple(found)

    def _of_times(self, kinds: set[str]) -> Iterator[Output]:
        subscribed, unsubscribed = (
            self._columns.first(names, lambda column: self._date_of(column) is not None)
            for names in (_SUBSCRIBED_AT, _UNSUBSCRIBED_AT)
        )
        if subscribed is None and unsubscribed is None:
            return
        about = {"purpose": _constant(MARKETING), **self._scope(kinds), **self._evidence(), "method": _method()}
        if subscribed is not None:
            network = self._network(_SUBSCRIBED_FROM)
            yield self._at(subscribed, {"action": _constant(Action.GRANT), **about, **network})
        if unsubscribed is not None:
            yield self._at(unsubscribed, {"action": _constant(Action.WITHDRAW), **about})

    def _at(self, column: str, choice: dict[str, Given]) -> Output:
        when = Condition(column=column, empty=False)
        return Output(type=CallType.CONSENT, choice=choice, time=self._date_of(column), when=when)

    def _of_channels(self) -> Iterator[Output]:
        for column, word in self._columns.words.items():
            found = _OF_CHANNEL.fullmatch(word)
            if found is None or not (found["a"] or found["m"] or found["e"]) or not self._tells(column, asks=True):
                continue
            self._columns.used.add(column)
            times = [f"{word}_{ending}" for ending in ("timestamp", "time", "date", "updated_at", "at")]
            about = {"purpose": _constant(MARKETING), "channel": _constant(_CHANNELS[found["channel"]])}
            yield self._output(column, {**about, "method": _method()}, self._time((*times, *_TIMES)))

    def _of_opt_outs(self) -> Iterator[Output]:
        for column, word in self._columns.words.items():
            found = _OPTED_OUT.fullmatch(word)
            values = {word_in(value) for value in self._columns.samples[column]}
            if found is None or column in self._columns.used or not values <= ANSWERS.keys():
                continue
            self._columns.used.add(column)
            choice: dict[str, Given] = {
                "action": _constant(Action.WITHDRAW),
                "purpose": _constant(MARKETING),
                "channel": _constant(found["channel"]),
                "method": _method(),
            }
            if found["list"]:
                choice["topic"] = _constant(found["list"].strip("_"))
            when = Condition(column=column, matches="(?i:true|yes|1)")
            yield Output(type=CallType.CONSENT, choice=choice, when=when)

    def _of_status(self, kinds: set[str]) -> Iterator[Output]:
        column = self._columns.first(_STATUSES, lambda each: self._tells(each, asks=self._is_sure))
        if column is None:
            return
        plain = {
            name: found
            for name, names in _PLAIN.items()
            if (found := self._columns.first(names, self._columns.has_values)) is not None
        }
        choice: dict[str, Given] = {"purpose": _constant(MARKETING), **self._scope(kinds), "method": _method(), **plain}
        choice |= self._network((*_ADDRESSES, *_SUBSCRIBED_FROM))
        if "purpose" not in plain:
            self.notes.append("No column says what for: taken as marketing.")
        yield self._output(column, choice, self._time(_TIMES))

    def _output(self, column: str, choice: dict[str, Given], time: Given | None) -> Output:
        """What a column with a status tells."""
        action = Value(column=column, cast=Cast.CONSENT)
        return Output(type=CallType.CONSENT, choice={"action": action, **choice}, time=time)

    def _tells(self, column: str, *, asks: bool) -> bool:
        """Whether most values of a column are words for what somebody chose, or say nothing; with `asks`, also plain
        answers."""
        words = Counter(word_in(value) for value in self._columns.samples[column])
        known = CHOICES.keys() | (ANSWERS.keys() if asks else frozenset())
        telling = sum(words[word] for word in known)
        silent = sum(words[word] for word in SILENT)
        return telling > 0 and telling + silent >= TELLING_SHARE_MIN * words.total()

    def _time(self, names: tuple[str, ...] | list[str]) -> Given | None:
        column = self._columns.first(names, lambda each: self._date_of(each) is not None)
        return None if column is None else self._date_of(column)

    def _scope(self, kinds: set[str]) -> dict[str, Given]:
        channel = "sms" if kinds == {"phone"} else "email"
        if "phone" in kinds and len(kinds) > 1:
            self.notes.append("No column says over which channel: taken as email.")
        return {"channel": _constant(channel)}

    def _evidence(self) -> dict[str, Given]:
        column = self._columns.first(_PLAIN["evidence.locale"], self._columns.has_values)
        return {} if column is None else {"evidence.locale": column}

    def _network(self, names: tuple[str, ...]) -> dict[str, Given]:
        column = self._columns.first(names, self._columns.has_values)
        return {} if column is None else {"evidence.network": Value(column=column, cast=Cast.NETWORK)}


def _constant(value: Any) -> Value:
    return Value(constant=str(value))


def _method() -> Value:
    return _constant("imported list")
