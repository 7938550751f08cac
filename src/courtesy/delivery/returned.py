"""Mail that comes back about mail: delivery reports (RFC 3464), complaints (RFC 5965), answering machines (RFC 3834),
and bounces of servers that write prose. Each becomes outcomes in the normal form; a letter that a person wrote
becomes none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import Message

from courtesy.delivery.cause import DeliveryCause
from courtesy.delivery.diagnosis import diagnosed
from courtesy.delivery.outcome import Outcome, OutcomeKind, shortened
from courtesy.delivery.prose import Failure, bounced_in_prose, said
from courtesy.delivery.return_path import message_of, tokens_in

MAIL_BYTES_MAX = 1024 * 1024
"""What is longer is not read to its end: what came back stands at the beginning."""

HEADER_CHARS_MAX = 4_000
REPORTER = "mail"

_ADDRESS = re.compile(r"[^\s<>;,\"()]+@[^\s<>;,\"()]+")
_MESSAGE_ID = re.compile(r"<([^<>\s]+)>")
_COMPLAINTS = frozenset("abuse fraud virus other not-spam".split())
_AUTOMATIC_SUBJECT = re.compile(
    r"\s*(re: *)?(out of (the )?office|automatic reply|auto.?(matic )?(reply|response|responder)|autoreply|vacation"
    r"|away from (the |my )?(office|desk|mail)|abwesen|automatische antwort|r[ée]ponse automatique|absence du bureau"
    r"|respuesta autom[aá]tica|risposta automatica|automatisch antwoord|fuori ufficio|autosvar)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Returned:
    """A mail as it came in: to which address of ours, as the envelope says (empty if nobody kept it), and when."""

    content: bytes
    envelope_to: str
    at_ms: int


def outcomes_of(returned: Returned, key: bytes) -> tuple[Outcome, ...]:
    """What a returned mail tells. Empty for what is neither a report nor automatic.

    The token is that of the envelope, of a header, or of the returned letter, the first that was made with `key`. Never
    raises: what can't be read tells nothing.
    """
    mail = message_from_bytes(returned.content[:MAIL_BYTES_MAX], policy=policy.compat32)
    told = _complaints(mail, returned) or _delivery_reports(mail, returned)
    if not told and not _is_automatic_reply(mail):
        told = _in_prose(mail, returned)
    if not told and _is_automatic_reply(mail):
        told = [_automatic_reply(mail, returned)]
    # Some list a recipient once for each try.
    return tuple(dict.fromkeys(_known(mail, each, returned, key) for each in told))


def _known(mail: Message, outcome: Outcome, returned: Returned, key: bytes) -> Outcome:
    """The outcome with our token and the message's id, where they can be found."""
    original = _original_headers(mail)
    text = returned.content[:MAIL_BYTES_MAX].decode("utf-8", "replace")
    places = (returned.envelope_to, _text(mail, "to"), _text(mail, "delivered-to"), text)
    found = (token for place in places for token in tokens_in(place))
    token = next((token for token in (*found, _envelope_id(mail)) if message_of(token, key) is not None), "")
    named = _MESSAGE_ID.search(_text(original, "message-id")) if original is not None else None
    recipient = outcome.recipient or (_first_address(_text(original, "to")) if original is not None else "")
    return _replaced(outcome, token, recipient, named[1] if named else outcome.message_id)


def _envelope_id(mail: Message) -> str:
    """What a server was told to bring back with its report (RFC 3464, 2.2.1): our token, in lower case."""
    blocks = (block for part in _parts(mail, "message/delivery-status") for block in _blocks(part))
    return next((found for block in blocks if (found := _text(block, "original-envelope-id").lower())), "")


def _replaced(outcome: Outcome, token: str, recipient: str, message_id: str) -> Outcome:
    return Outcome(
        kind=outcome.kind,
        at_ms=outcome.at_ms,
        reporter=outcome.reporter,
        recipient=recipient.lower(),
        cause=outcome.cause,
        token=token,
        message_id=message_id,
        status=outcome.status,
        detail=outcome.detail,
        ip=outcome.ip,
        user_agent=outcome.user_agent,
    )


def _parts(mail: Message, kind: str) -> Iterator[Message]:
    return (part for part in mail.walk() if part.get_content_type() == kind)


def _blocks(part: Message) -> list[Message]:
    """The groups of fields in a report; the parser makes a message of each, or leaves them as text."""
    payload = part.get_payload()
    if isinstance(payload, list):
        return [each for each in payload if isinstance(each, Message)]
    groups = re.split(r"\r?\n[ \t]*\r?\n", str(payload).strip())
    return [message_from_bytes(group.encode("utf-8", "replace"), policy=policy.compat32) for group in groups]


def _text(mail: Message, name: str) -> str:
    """A header, decoded, on one line; empty when there is none."""
    raw = str(mail.get(name, ""))[:HEADER_CHARS_MAX]
    try:
        return " ".join(str(make_header(decode_header(raw))).split())
    except (LookupError, ValueError):
        return " ".join(raw.split())


def _first_address(text: str) -> str:
    found = _ADDRESS.search(text)
    return found[0].lower() if found else ""


def _original_headers(mail: Message) -> Message | None:
    """The headers of the letter that came back."""
    for kind in ("message/rfc822", "text/rfc822-headers", "message/rfc822-headers", "message/global-headers"):
        for part in _parts(mail, kind):
            blocks = _blocks(part)
            if blocks:
                return blocks[0]
    return None


# Complaints


def _complaints(mail: Message, returned: Returned) -> list[Outcome]:
    for part in _parts(mail, "message/feedback-report"):
        fields = _blocks(part)[0] if _blocks(part) else part
        kind = _text(fields, "feedback-type").lower()
        if kind in _COMPLAINTS - {"not-spam"}:
            recipients = fields.get_all("original-rcpt-to") or fields.get_all("removal-recipient") or [""]
            return [
                _complaint(fields, kind, _first_address(str(each)[:HEADER_CHARS_MAX]), returned) for each in recipients
            ]
    return []


def _complaint(fields: Message, kind: str, recipient: str, returned: Returned) -> Outcome:
    return Outcome(
        kind=OutcomeKind.COMPLAINED,
        cause=DeliveryCause.COMPLAINT,
        at_ms=returned.at_ms,
        reporter=REPORTER,
        recipient=recipient,
        detail=shortened(kind),
        user_agent=shortened(_text(fields, "user-agent")),
        ip=shortened(_text(fields, "source-ip")),
    )


# Delivery reports

_ACTIONS = {
    "failed": OutcomeKind.BOUNCED,
    "delayed": OutcomeKind.DEFERRED,
    "delivered": OutcomeKind.DELIVERED,
    "relayed": OutcomeKind.DELIVERED,
    "expanded": OutcomeKind.DELIVERED,
}


def _delivery_reports(mail: Message, returned: Returned) -> list[Outcome]:
    found = []
    for kind in ("message/delivery-status", "message/global-delivery-status"):
        for part in _parts(mail, kind):
            blocks = [block for block in _blocks(part) if "action" in block or "final-recipient" in block]
            found += [_delivery_report(mail, block, returned) for block in blocks]
    return found


def _delivery_report(mail: Message, block: Message, returned: Returned) -> Outcome:
    """One recipient's group of fields. The words for people count too where the fields say nothing of a cause."""
    kind = _ACTIONS.get(_text(block, "action").lower().split(" ")[0], OutcomeKind.BOUNCED)
    words = _diagnostic(block)
    status = _text(block, "status")
    found = diagnosed(words, status, is_final=kind is OutcomeKind.BOUNCED)
    if found.cause in (DeliveryCause.UNKNOWN, DeliveryCause.TEMPORARY) and kind is OutcomeKind.BOUNCED:
        by_prose = diagnosed(f"{words} {_for_people(mail)}", status, is_final=True)
        found = by_prose if by_prose.cause is not DeliveryCause.TEMPORARY else found
    recipient = _text(block, "original-recipient") or _text(block, "final-recipient")
    is_failure = kind in (OutcomeKind.BOUNCED, OutcomeKind.DEFERRED)
    return Outcome(
        kind=kind,
        cause=found.cause if is_failure else None,
        at_ms=returned.at_ms,
        reporter=REPORTER,
        recipient=_first_address(recipient.rpartition(";")[2]),
        status=found.status,
        detail=shortened(words or status),
    )


def _diagnostic(block: Message) -> str:
    kind, separator, words = _text(block, "diagnostic-code").partition(";")
    return words.strip() if separator and " " not in kind.strip() else f"{kind}{separator}{words}".strip()


def _for_people(mail: Message) -> str:
    """The first text for people, without what it quotes of the letter."""
    for part in _parts(mail, "text/plain"):
        return _decoded(part)
    return ""


def _decoded(part: Message) -> str:
    payload = part.get_payload(decode=True)
    if not isinstance(payload, bytes):
        return ""
    try:
        return payload.decode(part.get_content_charset() or "utf-8", "replace")
    except LookupError:
        return payload.decode("latin-1")


# Prose, and answering machines


def _in_prose(mail: Message, returned: Returned) -> list[Outcome]:
    bodies = [_decoded(part) for kind in ("text/plain", "text/html") for part in _parts(mail, kind)]
    found = bounced_in_prose(_text(mail, "from"), _text(mail, "subject"), _failed_recipients(mail), bodies)
    return [
        Outcome(
            kind=OutcomeKind.BOUNCED if each.is_final else OutcomeKind.DEFERRED,
            cause=_cause(each, bodies),
            at_ms=returned.at_ms,
            reporter=REPORTER,
            recipient=each.recipient,
            status=diagnosed(each.words).status,
            detail=shortened(each.words),
        )
        for each in found
    ]


def _cause(failure: Failure, bodies: Sequence[str]) -> DeliveryCause:
    """By the words at the address, or else by all that the server says."""
    vague = (DeliveryCause.UNKNOWN, DeliveryCause.TEMPORARY)
    causes = [diagnosed(words, is_final=failure.is_final).cause for words in (failure.words, said(bodies))]
    usual = causes[0] if failure.is_final else DeliveryCause.TEMPORARY
    return next((cause for cause in causes if cause not in vague), usual)


def _failed_recipients(mail: Message) -> Sequence[str]:
    """Those that Exim and some others put into a header."""
    return [
        found.lower()
        for each in mail.get_all("x-failed-recipients", [])
        for found in _ADDRESS.findall(str(each)[:HEADER_CHARS_MAX])
    ]


def _is_automatic_reply(mail: Message) -> bool:
    """By RFC 3834, by the headers that machines used before it, or by a subject that only they write."""
    if _text(mail, "auto-submitted").lower().startswith("auto-replied"):
        return not re.match(r"mailer-daemon|postmaster", _first_address(_text(mail, "from")))
    if any(name in mail for name in ("x-autoreply", "x-autorespond", "x-auto-response-suppress", "x-autogenerated")):
        return _AUTOMATIC_SUBJECT.match(_text(mail, "subject")) is not None or "x-autoreply" in mail
    if _text(mail, "precedence").lower() in ("auto_reply", "auto-reply"):
        return True
    return _AUTOMATIC_SUBJECT.match(_text(mail, "subject")) is not None


def _automatic_reply(mail: Message, returned: Returned) -> Outcome:
    return Outcome(
        kind=OutcomeKind.AUTOREPLIED,
        cause=DeliveryCause.AUTO_REPLY,
        at_ms=returned.at_ms,
        reporter=REPORTER,
        recipient=_first_address(_text(mail, "from")),
        detail=shortened(_text(mail, "subject")),
    )
