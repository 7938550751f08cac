"""From what a mail server says to a cause: by what its words mean, then by its enhanced code, then by its plain code.

Words come first since codes mislead: large providers say 5.7.1 of unknown users, 5.2.1 of rates, 5.0.0 of everything.
Codes are those of RFC 5321 and RFC 3463 with the registry that keeps them; words are those that real servers use.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from courtesy.delivery.cause import DeliveryCause as Cause

WORDS_CHARS_MAX = 4_000
"""What is longer than any server's words is not searched: anybody may send us some."""

_ENHANCED = re.compile(r"(?<![\d.])([45])\.(\d{1,3})\.(\d{1,3})(?![\d.]\d|\d)")
_CODE = re.compile(r"(?<![\d.])([245]\d\d)(?=[\s\-,;:#)\]]|$)")
# An address or a link in the words may contain any word; it says nothing of the cause.
_QUOTED = re.compile(r"https?://\S+|<?[\w.!#$%&'*+/=?^`{|}~-]+@[\w.-]+>?")

_WORDS: tuple[tuple[Cause, str], ...] = (
    (
        Cause.AUTHENTICATION,
        r"dmarc|\bspf\b|sender policy framework|\bdkim\b|unauthenticated|not authenticated"
        r"|authentication (checks|results|requirements)"
        r"|starttls (command )?first|requires? (tls|encryption)|reverse dns|\bptr\b|sender id\b|sender verify failed"
        r"|from address (is )?not (verified|authorized)|sender address rejected: domain not found",
    ),
    (
        Cause.THROTTLED,
        r"rate.?limit|(daily|hourly|sending|message) quota|too many (messages|connections|recipients|sessions"
        r"|concurrent|emails|mails|errors)|too quickly"
        r"|too fast|throttl|unusual rate|at a rate that|temporarily deferred due to|unexpected volume"
        r"|(connection|message|sending|hourly|daily) (rate|limit|frequency)|exceeded .{0,30}(rate|connections"
        r"|per hour)",
    ),
    (Cause.TEMPORARY, r"gr[ae]y.?list|host not found, try again|temporary lookup failure|temporarily unavailable"),
    (
        Cause.TOO_LARGE,
        r"message (is |was )?too (large|big|long)|message size|size limit for|too large (for|to)"
        r"|(size|length) (of .{0,20})?(exceeds|exceeded)|exceeds .{0,40}(message|maximum|size) (size|limit)",
    ),
    (
        Cause.FULL,
        r"(mailbox|inbox|mail ?box|mail ?folder|account|quota|disk) .{0,30}\b(full|over ?quota)|\bfull mailbox"
        r"|over.?quota"
        r"|\bquota\b|(out of|not enough|insufficient"
        r"|no) .{0,20}(storage|space)"
        r"|mailbox.{0,20}(exceeded|size limit|limit)|storage (limit|quota|allocation)|mailboxfull|quotaexceeded"
        r"|postfach.{0,20}voll|bo[iî]te.{0,30}pleine|buz[oó]n.{0,30}lleno|casella.{0,30}piena",
    ),
    (
        Cause.INACTIVE,
        r"(account|mailbox|user|recipient|address|email).{0,40}\b(disabled|deactivated|inactive|suspended|closed"
        r"|terminated|expired|not active|discontinued|dormant)|no longer (active|in use|available|with|accept"
        r"|works|valid)"
        r"|(disabled|inactive|suspended|closed|deactivated) (user|account|mailbox|recipient)|left the company",
    ),
    (
        Cause.POLICY,
        r"spamhaus|spamcop|barracuda|\bs3140\b|\bs3150\b|black.?list|block.?list|deny.?list|\brbl\b|dnsbl|reputation"
        r"|unsolicited|(looks|identified|detected|classified|rejected|flagged|likely|considered|marked)[^.]{0,40}\bspam"
        r"|spam (message|content|detected|score|filter)|\b(is|are|been|was) (blocked|banned)|blocked (by|using|for|due)"
        r"|virus|malware|phish|suspicious",
    ),
    (
        Cause.BAD_DOMAIN,
        r"domain.{0,60}(not found|does not exist|doesn.t exist|unknown|not exist|is invalid|not valid)|unknown domain"
        r"|(host|domain) name not found|host (unknown|not found)|unknown host|nxdomain|null ?mx|no mx\b|no mail hosts"
        r"|couldn.t find any host|unrouteable mail domain|no such (domain|host)|(does not|doesn.t) (accept"
        r"|receive) mail"
        r"|bad destination system|illegal host|invalid domain|not a valid domain|no valid mx|all relevant mx records",
    ),
    (
        Cause.DEAD_ADDRESS,
        r"(user|recipient|mailbox|address|account|addressee|local.?part|customer|member)s?\b.{0,60}"
        r"\b(unknown|not found|not exist|doesn.t exist|invalid|not known|unavailable|not recogni[sz]ed|nonexistent"
        r"|not listed|not valid|not local|undeliverable)"
        r"|(unknown|invalid|no such|nonexistent|non-existent|unrecogni[sz]ed|bad|incorrect|undefined|illegal) "
        r"(\w+ )?(user|recipient|mailbox|address|account|local.?part|person|addressee|alias|name)"
        r"|(invalid|unknown) .{0,20}user ?id|did not recogni[sz]e|no (mailbox|account|user|one) (here )?(by"
        r"|with|under|of|at) |does not exist|doesn.t exist|recipnotfound"
        r"|doesn.t have an? \S+ account|unrouteable address|not our customer|isn.t in .{0,30}list|is not a known user"
        r"|recipient address rejected: (access denied|undeliverable)|couldn.t be found|wasn.t found"
        r"|no valid recipients?"
        r"|unbekannt|inconnu|desconocid|no existe|n.existe pas|sconosciut",
    ),
    (
        Cause.POLICY,
        r"\bspam\b|polic(y|ies)|relay|access denied|not (allowed|authorized|permitted) to send|\bblocked\b|junk"
        r"|content (rejected|filter|restriction)|message (refused|rejected|content)|prohibited|mail refused"
        r"|not accepting",
    ),
    (
        Cause.NO_ANSWER,
        r"timed? ?out|connection (refused|reset|lost|closed|dropped)|no route|unreachable|network|could ?n.t connect"
        r"|unable to connect|did not respond|no (answer|response)|name service error|dns (error|failure)|host is down",
    ),
    (Cause.NOT_UNDERSTOOD, r"smtputf8|bare (lf|cr)|malformed|syntax error|line (too long|length)|8bit|not rfc"),
    (Cause.TEMPORARY, r"try (again|later)|temporar|queued too long|retry (time|timeout)|too old|undeliverable for"),
)
_MEANING = tuple((cause, re.compile(words, re.IGNORECASE)) for cause, words in _WORDS)

# Subject and detail of an enhanced code (RFC 3463). The first digit says whether it may pass, not why.
_BY_STATUS: dict[tuple[int, int], Cause] = {
    (1, 1): Cause.DEAD_ADDRESS,
    (1, 2): Cause.BAD_DOMAIN,
    (1, 3): Cause.DEAD_ADDRESS,
    (1, 4): Cause.DEAD_ADDRESS,
    (1, 6): Cause.DEAD_ADDRESS,
    (1, 7): Cause.AUTHENTICATION,
    (1, 8): Cause.AUTHENTICATION,
    (1, 10): Cause.BAD_DOMAIN,
    (2, 1): Cause.INACTIVE,
    (2, 2): Cause.FULL,
    (2, 3): Cause.FULL,
    (3, 1): Cause.FULL,
    (3, 4): Cause.TOO_LARGE,
    (4, 1): Cause.NO_ANSWER,
    (4, 2): Cause.NO_ANSWER,
    (4, 3): Cause.NO_ANSWER,
    (4, 4): Cause.BAD_DOMAIN,
    (4, 5): Cause.THROTTLED,
    (4, 7): Cause.TEMPORARY,
    (7, 5): Cause.AUTHENTICATION,
    (7, 7): Cause.AUTHENTICATION,
    (7, 8): Cause.SET_UP,
    (7, 10): Cause.AUTHENTICATION,
    (7, 13): Cause.INACTIVE,
    **{(7, detail): Cause.AUTHENTICATION for detail in (*range(20, 28), 29, 30, 31, 32, 509, 515)},
    (7, 28): Cause.THROTTLED,
}
_BY_SUBJECT = {5: Cause.NOT_UNDERSTOOD, 6: Cause.NOT_UNDERSTOOD, 7: Cause.POLICY}
_BY_CODE = {
    551: Cause.DEAD_ADDRESS,
    552: Cause.FULL,
    553: Cause.DEAD_ADDRESS,
    556: Cause.BAD_DOMAIN,
}
# Said of whoever hands over, not of the letter (RFC 4954, 6).
_OF_LOGIN = (530, 534, 535, 538)
# A refusal that may pass says nothing final of an address, whatever the words are.
_ONLY_FOR_GOOD = {Cause.DEAD_ADDRESS, Cause.BAD_DOMAIN, Cause.INACTIVE, Cause.UNKNOWN}


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What a refusal comes to. `status` is the enhanced code, empty if there was none; `code` the plain one, or 0."""

    cause: Cause
    is_permanent: bool
    status: str = ""
    code: int = 0


def diagnosed(words: str, status: str = "", code: int = 0, *, is_final: bool = False) -> Diagnosis:
    """The cause behind a refusal; `status` and `code` are looked for in the words unless they are given.

    It is permanent when the codes say so; without codes, unless the words say that it may pass. `is_final` says that
    somebody gave up all the same: then an address may be found dead by words beside a code that would let it pass.
    """
    enhanced = _ENHANCED.search(status) or _ENHANCED.search(words)
    code = code or _plain_code(words)
    is_permanent = _is_permanent(enhanced, code)
    cause = _meant(words) or (Cause.SET_UP if code in _OF_LOGIN else _by_status(enhanced)) or _BY_CODE.get(code)
    if is_permanent is None:
        is_permanent = cause not in (Cause.TEMPORARY, Cause.NO_ANSWER, Cause.THROTTLED)
    if cause is None:
        cause = Cause.UNKNOWN if is_permanent else Cause.TEMPORARY
    if not is_permanent and not is_final and cause in _ONLY_FOR_GOOD:
        cause = Cause.TEMPORARY
    return Diagnosis(cause, is_permanent, enhanced[0] if enhanced else "", code)


def _meant(words: str) -> Cause | None:
    plain = " ".join(_QUOTED.sub(" ", words[:WORDS_CHARS_MAX]).split())
    return next((cause for cause, pattern in _MEANING if pattern.search(plain)), None)


def _by_status(enhanced: re.Match[str] | None) -> Cause | None:
    if enhanced is None:
        return None
    subject, detail = int(enhanced[2]), int(enhanced[3])
    if enhanced[1] == "4" and subject == 7 and detail not in range(20, 33):
        return Cause.THROTTLED
    return _BY_STATUS.get((subject, detail)) or _BY_SUBJECT.get(subject)


def _plain_code(words: str) -> int:
    found = _CODE.search(words)
    return int(found[1]) if found else 0


def _is_permanent(enhanced: re.Match[str] | None, code: int) -> bool | None:
    """By the first digits; the plain code is what clients act on, so it counts when the two differ."""
    if code:
        return code >= 500
    return None if enhanced is None else enhanced[1] == "5"
