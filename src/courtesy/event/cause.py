"""The closed list of reasons for which a received event is not stored, in order of precedence; and of the remarks with
which one is stored all the same."""

from __future__ import annotations

from enum import StrEnum


class Fate(StrEnum):
    """What became of a received event. For every source and hour `received` is the sum of the other four."""

    RECEIVED = "received"
    STORED = "stored"
    QUARANTINED = "quarantined"
    DUPLICATE = "duplicate"
    SUPPRESSED = "suppressed"


class Cause(StrEnum):
    """Why an event was not stored. The order here is the order in which the checks are made.

    The last three are remarks on events that are stored: they break a schema that only warns, or only counts, or have
    a consent string that can't be read.
    """

    UNREADABLE = "unreadable"
    TOO_LARGE = "too_large"
    WRONG_TYPE = "wrong_type"
    UNKNOWN_TYPE = "unknown_type"
    NOT_AN_OBJECT = "not_an_object"
    MESSAGE_ID_TOO_LONG = "message_id_too_long"
    NAME_MISSING = "name_missing"
    NAME_TOO_LONG = "name_too_long"
    GROUP_ID_MISSING = "group_id_missing"
    PREVIOUS_ID_MISSING = "previous_id_missing"
    TIME_UNREADABLE = "time_unreadable"
    TIME_IN_FUTURE = "time_in_future"
    CHOICES_MISSING = "choices_missing"
    CHOICE_UNREADABLE = "choice_unreadable"
    OPTED_OUT_OF_COURTESY = "opted_out_of_courtesy"
    CONSENT_ABSENT = "consent_absent"
    CONSENT_REFUSED = "consent_refused"
    SOURCE_PAUSED = "source_paused"
    NO_IDENTIFIER = "no_identifier"
    FORGOTTEN = "forgotten"
    SCHEMA_BROKEN = "schema_broken"
    DUPLICATE = "duplicate"
    UNSTORABLE = "unstorable"
    DISCARDED = "discarded"
    SCHEMA_WARNED = "schema_warned"
    SCHEMA_ALLOWED = "schema_allowed"
    CONSENT_UNREADABLE = "consent_unreadable"


FATE: dict[Cause, Fate] = {
    **dict.fromkeys(Cause, Fate.QUARANTINED),
    Cause.DUPLICATE: Fate.DUPLICATE,
    Cause.OPTED_OUT_OF_COURTESY: Fate.SUPPRESSED,
    Cause.CONSENT_ABSENT: Fate.SUPPRESSED,
    Cause.CONSENT_REFUSED: Fate.SUPPRESSED,
    Cause.SOURCE_PAUSED: Fate.SUPPRESSED,
    Cause.FORGOTTEN: Fate.SUPPRESSED,
    Cause.DISCARDED: Fate.SUPPRESSED,
    Cause.SCHEMA_WARNED: Fate.STORED,
    Cause.SCHEMA_ALLOWED: Fate.STORED,
    Cause.CONSENT_UNREADABLE: Fate.STORED,
}

MEANING: dict[Cause, str] = {
    Cause.UNREADABLE: "The body, or the item of a batch, is not JSON, or not a JSON object.",
    Cause.TOO_LARGE: "The event is over 32 KB, or its body over 500 KB or 2,500 events.",
    Cause.WRONG_TYPE: "A field of the protocol has a type that can't be read, such as a list for `userId`.",
    Cause.UNKNOWN_TYPE: "`type` is none of identify, track, page, screen, group, alias, consent.",
    Cause.NOT_AN_OBJECT: "`properties`, `traits` or `context` is neither an object nor null.",
    Cause.MESSAGE_ID_TOO_LONG: "`messageId` has more than 100 characters.",
    Cause.NAME_MISSING: "A track call without an `event` name.",
    Cause.NAME_TOO_LONG: "The event's name has more than 200 characters.",
    Cause.GROUP_ID_MISSING: "A group call without a usable `groupId`.",
    Cause.PREVIOUS_ID_MISSING: "An alias call without a usable `previousId`.",
    Cause.TIME_UNREADABLE: "`timestamp`, `originalTimestamp` or `sentAt` is not a date, or lies before 1970.",
    Cause.TIME_IN_FUTURE: "After clock correction the event lies more than a day ahead of its arrival.",
    Cause.CHOICES_MISSING: "A consent call without `choices`.",
    Cause.CHOICE_UNREADABLE: "A choice of a consent call can't be read, or makes no sense; it says which and why.",
    Cause.OPTED_OUT_OF_COURTESY: "The call says `integrations: {Courtesy: false}`.",
    Cause.CONSENT_ABSENT: "The source asks for a consent category that `context.consent` does not mention.",
    Cause.CONSENT_REFUSED: "`context.consent` refuses a category that the source asks for.",
    Cause.SOURCE_PAUSED: "The source is paused.",
    Cause.NO_IDENTIFIER: "No identifier is left: none was sent, or all are placeholders such as `null` or `0000`.",
    Cause.FORGOTTEN: "It carries an identifier of somebody who was erased and is not to be stored again.",
    Cause.SCHEMA_BROKEN: "The event breaks the schema of its name, and that schema says `quarantine`.",
    Cause.DUPLICATE: "The same source sent the same `messageId` before.",
    Cause.UNSTORABLE: "The store refused this very event; the others of its batch are stored.",
    Cause.DISCARDED: "It was in quarantine, and somebody decided that it is not worth mending.",
    Cause.SCHEMA_WARNED: "Stored, though it breaks the schema of its name, which says `warn`: the sender is told.",
    Cause.SCHEMA_ALLOWED: "Stored, though it breaks the schema of its name, which says `allow`: it is only counted.",
    Cause.CONSENT_UNREADABLE: "Stored, though a consent string in `context.consent` can't be read: nothing that "
    "it says is recorded, and the sender is told.",
}

TOLD_REMARKS = frozenset({Cause.SCHEMA_WARNED, Cause.CONSENT_UNREADABLE})
"""Remarks of which the sender is told."""


class Refusal(Exception):
    """How a step of accept says that the event is not stored; never leaves `event.accept`."""

    def __init__(self, cause: Cause, detail: str) -> None:
        super().__init__(detail)
        self.cause = cause
        self.detail = detail
