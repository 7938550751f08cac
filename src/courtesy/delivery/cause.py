"""Why a message did not arrive, or is not wanted; and what follows for the next one. A closed list, for all
channels."""

from __future__ import annotations

from enum import StrEnum


class Worded(StrEnum):
    """A choice from a closed list that carries its documentation."""

    doc: str

    def __new__(cls, value: str, doc: str = "") -> Worded:
        member = str.__new__(cls, value)
        member._value_ = value
        member.doc = doc
        return member


class Reaction(Worded):
    """What is done about a cause. It says nothing of the message at hand, which was or was not delivered."""

    SUPPRESS = "suppress", "Send nothing to this address again, until somebody says that it is alive."
    SUPPRESS_MARKETING = "suppress_marketing", "Send this person nothing but what they ordered or must know."
    COUNT = "count", "Suppress the address if it goes on for so many times in so many days."
    BRAKE = "brake", "It is the sender who is refused, not the address: slow the domain down, or stop the campaign."
    RETRY = "retry", "Try again later, ever more rarely, for three days."
    MEND = "mend", "Our own set-up is wrong: nothing can be sent by it until somebody mends it."
    IGNORE = "ignore", "Nothing follows."


class DeliveryCause(Worded):
    """Why a message did not arrive, or is not wanted. What follows is in `REACTION`."""

    DEAD_ADDRESS = "dead_address", "There is no such mailbox."
    BAD_DOMAIN = "bad_domain", "The domain does not exist, or takes no mail."
    INACTIVE = "inactive", "The mailbox was there once; it is closed, or nobody uses it."
    FULL = "full", "The mailbox has no room. That passes, or nobody empties it."
    POLICY = "policy", "Refused for who sends or what is said: reputation, block lists, content."
    AUTHENTICATION = "authentication", "Refused because SPF, DKIM or DMARC did not hold, or encryption was missing."
    TOO_LARGE = "too_large", "The message is larger than the other side takes."
    NOT_UNDERSTOOD = "not_understood", "The other side can't take this form of message or address."
    THROTTLED = "throttled", "Too much at once for the other side; the same message may arrive later."
    TEMPORARY = "temporary", "The other side says that it may work later."
    NO_ANSWER = "no_answer", "Nobody answered: no connection, no route, no name server."
    COMPLAINT = "complaint", "The person called it spam."
    UNSUBSCRIBED = "unsubscribed", "The person wants no more of it, and told the provider so."
    SUPPRESSED = "suppressed", "The provider sends nothing to this address any more, by its own list."
    AUTO_REPLY = "auto_reply", "A machine answered for the person, who may be away. The message arrived."
    SET_UP = "set_up", "Credentials, quota or settings of the sending account are wrong."
    UNKNOWN = "unknown", "It was refused, and nothing says why."


REACTION: dict[DeliveryCause, Reaction] = {
    DeliveryCause.DEAD_ADDRESS: Reaction.SUPPRESS,
    DeliveryCause.BAD_DOMAIN: Reaction.SUPPRESS,
    DeliveryCause.INACTIVE: Reaction.SUPPRESS,
    DeliveryCause.FULL: Reaction.COUNT,
    DeliveryCause.POLICY: Reaction.BRAKE,
    DeliveryCause.AUTHENTICATION: Reaction.BRAKE,
    DeliveryCause.TOO_LARGE: Reaction.BRAKE,
    DeliveryCause.NOT_UNDERSTOOD: Reaction.BRAKE,
    DeliveryCause.THROTTLED: Reaction.BRAKE,
    DeliveryCause.TEMPORARY: Reaction.RETRY,
    DeliveryCause.NO_ANSWER: Reaction.RETRY,
    DeliveryCause.COMPLAINT: Reaction.SUPPRESS_MARKETING,
    DeliveryCause.UNSUBSCRIBED: Reaction.SUPPRESS_MARKETING,
    DeliveryCause.SUPPRESSED: Reaction.SUPPRESS,
    DeliveryCause.AUTO_REPLY: Reaction.IGNORE,
    DeliveryCause.SET_UP: Reaction.MEND,
    DeliveryCause.UNKNOWN: Reaction.COUNT,
}
"""What follows from each cause."""
