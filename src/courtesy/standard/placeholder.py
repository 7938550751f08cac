"""What people and programs write where they know nothing: it is nobody's name, number or address."""

from __future__ import annotations

import re
import unicodedata

# What programs write where they know nothing; the names of the fields themselves, as left in by somebody who copied an
# example; and accounts that every installation has and that are nobody's. Names that a customer might have picked or
# been given (abc, foo, bar, nobody) are not here: two who share one are kept apart by the caps and raise an alarm,
# but who is blocked by accident is never heard of again.
COMMON_PLACEHOLDERS = (
    *(
        "null (null) <null> nil <nil> none undefined nan n/a na #n/a \\n true false unknown empty string object"
        " notset not_set not-set unset anonymous anon guest not_authenticated unauthenticated"
        " id uid uuid userid user_id user-id anonymousid anonymous_id anonymous-id deviceid device_id device-id"
        " customerid customer_id customer-id distinctid distinct_id your_user_id email phone"
        " user visitor customer default test tester admin root changeme xxx"
        # The nil and the all-ones UUID; the advertising id of who refuses to be tracked is the nil one, too.
        " 00000000-0000-0000-0000-000000000000 ffffffff-ffff-ffff-ffff-ffffffffffff"
        # The ANDROID_ID that a faulty Android 2.2 build gave to every device, and the MAC address that iOS 7 and
        # Android 6 began to tell to everybody.
        " 9774d56d682e549c 02:00:00:00:00:00"
    ).split(),
    "not set",
    "(not set)",
    "[object object]",
)

# Nothing but zeros and signs: 0, 0000, -, 00:00:00:00:00:00. Minus one. One sign or letter six times or more: xxxxxx.
# One digit eight times or more, after a country code seven: below that it is also the number of a real customer,
# one in each range of numbers given out in order (the 111,111th is one), and he must not be lost. A slot of a
# template that nobody filled in: {{user.id}}, ${userId}, %%EMAIL%%, *|EMAIL|*, <% id %>; but {a GUID} is none.
COMMON_PATTERN = (
    r"[0\s!-/:-@\[-`{-~]*|-1|(\D)\1{5,}|(\d)\2{7,}|\+\d{1,3}(\d)\3{6,}"
    r"|\{\{.*\}\}|\$\{.*\}|%%.*%%|\*\|.*\|\*|<%.*%>"
)
PLACEHOLDER_EMAILS = tuple(
    "test@test.com a@a.com a@b.com none@none.com no@no.com na@na.com null@null.com noreply@noreply.com"
    " no@email.com noemail@noemail.com email@email.com test@example.com email@example.com"
    " user@example.com".split()
)
PLACEHOLDER_PHONES = ("+12345678901", "+15551234567", "+491234567890")


def plain_form(value: str) -> str:
    """The form in which values are compared with blocked ones: case, width and script of digits make no difference."""
    if value.isascii():
        return value.casefold()
    folded = unicodedata.normalize("NFKC", value).casefold()
    return "".join(char if (digit := unicodedata.decimal(char, -1)) < 0 else str(digit) for char in folded)


_COMMON = frozenset(map(plain_form, (*COMMON_PLACEHOLDERS, *PLACEHOLDER_EMAILS, *PLACEHOLDER_PHONES)))
_PATTERN = re.compile(COMMON_PATTERN)


def is_placeholder(text: str) -> bool:
    """True for what is commonly written where nothing is known. A company's own list is part of its identity rules."""
    compared = plain_form(text)
    return compared in _COMMON or _PATTERN.fullmatch(compared) is not None
