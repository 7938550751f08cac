"""Each letter ends in one true answer, whatever the server says and wherever the connection breaks."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from courtesy.base.time import SystemClock
from courtesy.channel.contract import Outside
from courtesy.channel.email.smtp import Smtp
from courtesy.channel.email.smtp_session import stuffed, xtext
from courtesy.channel.guard import GuardedNetwork, SystemResolver
from courtesy.channel.message import Accepted, Answer, Later, Refused, Unsure
from courtesy.delivery.cause import DeliveryCause
from tests.unit.channel.email.letters import ed25519_pem, letter, loopback, rsa_pem
from tests.unit.channel.email.mail_server import HANG_UP, SILENCE, MailServer, Script, mail_server
from tests.unit.channel.mailbox import mailbox


def config(port: int, **more: Any) -> dict[str, Any]:
    """For a server on loopback, one connection, in the open."""
    return {"host": "127.0.0.1", "port": port, "security": "none", "connections": 1, "timeout_ms": 2_000, **more}


def scripted(script: Script | None, count: int = 1, **more: Any) -> tuple[list[Answer], MailServer]:
    """The answers to letters that are carried at once, and the server."""

    async def scenario() -> tuple[list[Answer], MailServer]:
        features = more.pop("features", None)
        async with mail_server(script, **({"features": features} if features is not None else {})) as server:
            carrier = Smtp(loopback())
            letters = [letter(message_id=f"{number}@shop.example") for number in range(1, count + 1)]
            made = [carrier.carry(each, config(server.port, **more)) for each in letters]
            answers = await asyncio.gather(*made)
            await carrier.aclose()
            return list(answers), server

    return asyncio.run(scenario())


def only(word: str, number: int, answer: str) -> Script:
    """The answer to one command of one message; the usual one to all others."""
    return lambda said, at: answer if (said, at) == (word, number) else None


def test_letters_go_over_one_connection_each_offered_with_the_end_of_the_last() -> None:
    """Pipelining: the commands of the next message arrive together with the final dot."""
    answers, server = scripted(None, count=5)
    assert answers == [Accepted("250 2.0.0 taken")] * 5
    assert server.connections == 1
    assert [bytes_with_dot > 0 for bytes_with_dot in server.together] == [True] * 4 + [False]
    assert [b"<%d@shop.example>" % (at + 1) in each for at, each in enumerate(server.messages)] == [True] * 5


def test_without_pipelining_each_command_waits_for_its_answer() -> None:
    """A server that does not offer it gets nothing early."""
    answers, server = scripted(None, count=3, features=())
    assert answers == [Accepted("250 2.0.0 taken")] * 3
    assert server.together == [0, 0, 0]
    assert [each for each in server.commands if "SIZE" in each or "NOTIFY" in each] == []


def test_extensions_are_used_where_they_are_offered() -> None:
    """The size is told, and bounces are asked for with what finds the letter again."""
    _, server = scripted(None)
    mail, rcpt = server.commands[1:3]
    assert mail.startswith("MAIL FROM:<b-abc@bounce.shop.example> SIZE=")
    assert mail.endswith(" RET=HDRS ENVID=abc")
    assert rcpt == "RCPT TO:<ann@home.example> NOTIFY=FAILURE ORCPT=rfc822;ann@home.example"


REFUSALS = [
    ("MAIL", "550 5.7.1 sender blocked", Refused, DeliveryCause.POLICY),
    ("MAIL", "550 5.1.8 sender address does not exist", Later, DeliveryCause.SET_UP),
    ("MAIL", "530 5.7.0 authentication required", Later, DeliveryCause.SET_UP),
    ("MAIL", "451 4.3.0 try again later", Later, DeliveryCause.TEMPORARY),
    ("RCPT", "550 5.1.1 no such user", Refused, DeliveryCause.DEAD_ADDRESS),
    ("RCPT", "452 4.2.2 mailbox full", Later, DeliveryCause.FULL),
    ("RCPT", "450 4.7.1 greylisted, try again in 300 seconds", Later, DeliveryCause.TEMPORARY),
    ("RCPT", "421 4.7.0 too many connections", Later, DeliveryCause.THROTTLED),
    ("DATA", "554 5.5.1 no valid recipients", Refused, DeliveryCause.DEAD_ADDRESS),
    (".", "554 5.7.1 message looks like spam", Refused, DeliveryCause.POLICY),
    (".", "550 5.7.26 unauthenticated mail is not accepted", Refused, DeliveryCause.AUTHENTICATION),
    (".", "552 5.3.4 message too big", Refused, DeliveryCause.TOO_LARGE),
    (".", "421 4.3.2 shutting down", Later, DeliveryCause.TEMPORARY),
    (".", "451 4.7.28 unusual rate of mail", Later, DeliveryCause.THROTTLED),
]


@pytest.mark.parametrize(("word", "said", "kind", "cause"), REFUSALS)
def test_a_refusal_is_of_one_letter_and_has_its_cause(
    word: str, said: str, kind: type[Answer], cause: DeliveryCause
) -> None:
    """The letters after it go out all the same."""
    answers, server = scripted(only(word, 1, said), count=3)
    refused = answers[0]
    assert isinstance(refused, Later | Refused)
    assert (type(refused), refused.cause) == (kind, cause)
    assert said[:3] in refused.words
    assert answers[1:] == [Accepted("250 2.0.0 taken")] * 2
    assert len(server.messages) == 2


@pytest.mark.parametrize("word", ["GREETING", "EHLO", "MAIL", "RCPT", "DATA"])
def test_a_connection_that_breaks_before_the_end_of_a_letter_has_sent_nothing(word: str) -> None:
    """It is certain that the letter may be sent again."""
    (answer,), server = scripted(lambda said, number: HANG_UP if said == word else None)
    assert isinstance(answer, Later)
    assert answer.cause is DeliveryCause.NO_ANSWER
    assert server.messages == []


def test_a_connection_that_breaks_after_the_end_of_a_letter_leaves_it_unsure() -> None:
    """The server may have taken it, and nobody will know; the one offered behind it certainly did not go out."""
    answers, server = scripted(only(".", 2, HANG_UP), count=3)
    assert [type(each) for each in answers] == [Accepted, Unsure, Accepted]
    assert server.connections == 2


@pytest.mark.parametrize(("word", "kind"), [("RCPT", Later), (".", Unsure)])
def test_silence_is_as_good_as_a_broken_connection(word: str, kind: type[Answer]) -> None:
    """After the time allowed, and ten times that for a whole letter."""
    (answer,), _ = scripted(lambda said, number: SILENCE if said == word else None, timeout_ms=100)
    assert isinstance(answer, kind)
    assert "time allowed" in answer.words


@pytest.mark.parametrize("word", ["MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize("said", [HANG_UP, "421 4.7.0 enough for this connection"])
def test_a_server_that_hangs_up_after_some_letters_costs_no_letter(word: str, said: str) -> None:
    """Many limit a connection without saying how: the letters go on over a new one at once."""
    answers, server = scripted(only(word, 3, said), count=4)
    assert answers == [Accepted("250 2.0.0 taken")] * 4
    assert len(server.messages) == 4
    assert server.connections == 2


def test_a_connection_is_left_after_as_many_letters_as_are_allowed() -> None:
    """With a good-bye."""
    answers, server = scripted(None, count=5, messages_per_connection=2)
    assert answers == [Accepted("250 2.0.0 taken")] * 5
    assert server.connections == 3
    assert server.commands.count("QUIT") == 3


def test_what_is_no_smtp_is_not_understood() -> None:
    """Garbage, and lines without end."""
    for said in ("hello", "999 what", "250" + "x" * 100_000, "2 5 0"):
        (answer,), _ = scripted(lambda word, number, said=said: said if word == "MAIL" else None)  # type: ignore[misc]
        assert isinstance(answer, Later)
        assert "no SMTP" in answer.words


def test_a_refused_recipient_gets_no_content_even_if_the_server_waits_for_it() -> None:
    """As RFC 2920 allows a server to: it is sent an empty message, and nothing of the letter."""

    def script(word: str, number: int) -> str | None:
        return {"RCPT": "550 5.1.1 no such user", "DATA": "354 go ahead"}.get(word) if number == 1 else None

    answers, server = scripted(script, count=2)
    assert [type(each) for each in answers] == [Refused, Accepted]
    assert all(b"<1@shop.example>" not in each for each in server.messages)


async def test_the_letter_after_a_refused_one_is_taken_whenever_it_comes() -> None:
    """Also on a connection that was idle in between: the sender of the refused one is not left standing."""
    script = only("RCPT", 1, "550 5.1.1 no such user")
    async with mail_server(script) as server:
        carrier = Smtp(loopback())
        answers = [
            await carrier.carry(letter(message_id=f"{number}@shop.example"), config(server.port)) for number in range(3)
        ]
        await carrier.aclose()
    assert [type(each) for each in answers] == [Refused, Accepted, Accepted]
    assert server.connections == 1


def test_a_server_that_lost_the_thread_is_asked_another_time() -> None:
    """What is out of turn is so on this connection alone."""
    answers, _ = scripted(only("MAIL", 1, "503 5.5.1 nested MAIL command"))
    assert answers == [Later(DeliveryCause.TEMPORARY, "503 5.5.1 nested MAIL command", "5.5.1")]


def test_a_letter_that_is_too_large_is_not_offered() -> None:
    """By what the server says it takes."""
    (answer,), server = scripted(None, features=("SIZE 100",))
    assert isinstance(answer, Refused)
    assert answer.cause is DeliveryCause.TOO_LARGE
    assert [each for each in server.commands if each.startswith("MAIL")] == []


def test_an_international_address_needs_a_server_that_takes_it() -> None:
    """Its name before the @ goes as UTF-8, where SMTPUTF8 is offered."""

    async def carried(features: tuple[str, ...]) -> tuple[Answer, MailServer]:
        async with mail_server(features=features) as server:
            carrier = Smtp(loopback())
            answer = await carrier.carry(letter(to="jörg@bücher.example"), config(server.port))
            await carrier.aclose()
            return answer, server

    taken, server = asyncio.run(carried(("PIPELINING", "8BITMIME", "SMTPUTF8")))
    assert isinstance(taken, Accepted)
    assert "RCPT TO:<jörg@xn--bcher-kva.example>" in server.commands
    refused, server = asyncio.run(carried(("PIPELINING",)))
    assert isinstance(refused, Refused)
    assert refused.cause is DeliveryCause.NOT_UNDERSTOOD


def authority() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """What a server at 127.0.0.1 shows, and what believes it."""
    own = trustme.CA()
    shown, trusted = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    own.issue_cert("127.0.0.1").configure_cert(shown)
    own.configure_trust(trusted)
    return shown, trusted


async def test_a_real_server_takes_letters_encrypted_and_from_who_logged_in() -> None:
    """STARTTLS and a login, and TLS from the beginning, signed by both keys."""
    shown, trusted = authority()
    outside = Outside(SystemClock(), loopback().network, trusted)
    keys = [f"r1:{rsa_pem()}", f"e1:{ed25519_pem()}"]
    login = {"user": "courtesy", "password": "pä ss", "dkim_domain": "shop.example", "dkim_keys": keys}
    carrier = Smtp(outside)
    with mailbox(starttls=shown) as box:
        given_ = {**config(box.port), **login, "security": "starttls"}
        assert isinstance(await carrier.carry(letter(), given_), Accepted)
        wrong = await carrier.carry(letter(), {**given_, "user": "somebody"})
        await carrier.aclose()
    assert isinstance(wrong, Later)
    assert (wrong.cause, wrong.words[:3]) == (DeliveryCause.SET_UP, "535")
    assert (box.encrypted, box.logins[0]) == ([True], (b"courtesy", "pä ss".encode()))
    (message,) = box.messages()
    assert len(message.get_all("dkim-signature", [])) == 2
    with mailbox(tls=shown) as box:
        carrier = Smtp(outside)
        assert isinstance(await carrier.carry(letter(), {**config(box.port), "security": "tls"}), Accepted)
        await carrier.aclose()


async def test_nothing_is_said_to_a_server_that_does_not_prove_who_it_is() -> None:
    """Nor to one that offers no encryption, or that somebody in between made silent about it."""
    shown, _ = authority()
    carrier = Smtp(loopback())
    with mailbox(starttls=shown) as box:
        answer = await carrier.carry(letter(), {**config(box.port), "security": "starttls"})
    assert isinstance(answer, Later)
    assert answer.cause is DeliveryCause.SET_UP
    assert "CERTIFICATE_VERIFY_FAILED" in answer.words
    with mailbox() as box:
        answer = await carrier.carry(letter(), {**config(box.port), "security": "starttls"})
        assert box.envelopes == []
    assert isinstance(answer, Later)
    assert "STARTTLS" in answer.words
    await carrier.aclose()


def test_words_before_the_encryption_are_not_believed_after_it() -> None:
    """Somebody in between could have put them there."""

    def script(word: str, number: int) -> str | None:
        return "220 go ahead\r\n250-mail.test\r\n250 AUTH PLAIN" if word == "STARTTLS" else None

    (answer,), server = scripted(script, security="starttls", features=("STARTTLS",))
    assert isinstance(answer, Later)
    assert answer.cause is DeliveryCause.SET_UP
    assert server.commands == ["EHLO localhost", "STARTTLS"]


async def test_a_login_never_goes_in_the_open_nor_a_letter_to_a_private_address() -> None:
    """The first is refused as configured, the second by the guard, unless the operator permits it."""
    carrier = Smtp(loopback())
    answer = await carrier.carry(letter(), {**config(25), "user": "courtesy", "password": "secret"})
    assert isinstance(answer, Later)
    assert answer.cause is DeliveryCause.SET_UP
    guarded = Smtp(Outside(SystemClock(), GuardedNetwork(SystemResolver())))
    answer = await guarded.carry(letter(), config(25))
    assert isinstance(answer, Later)
    assert (answer.cause, "127.0.0.1 is loopback" in answer.words) == (DeliveryCause.SET_UP, True)


async def test_who_stops_waiting_holds_nothing_up() -> None:
    """A cancelled letter is not sent if its turn had not come, and the others go out."""
    async with mail_server() as server:
        carrier = Smtp(loopback())
        made = [asyncio.create_task(carrier.carry(letter(), config(server.port))) for _ in range(5)]
        await asyncio.sleep(0)
        made[3].cancel()
        answers = await asyncio.gather(*made, return_exceptions=True)
        await carrier.aclose()
    assert [isinstance(each, Accepted) for each in answers] == [True, True, True, False, True]
    assert len(server.messages) == 4


async def test_closing_answers_everybody_who_waits() -> None:
    """Who was not handed over may be sent again; nobody waits for ever."""
    async with mail_server(lambda word, number: SILENCE if word == "." else None) as server:
        carrier = Smtp(loopback())
        made = [asyncio.create_task(carrier.carry(letter(), config(server.port))) for _ in range(3)]
        while not server.together:
            await asyncio.sleep(0.01)
        await carrier.aclose()
        answers = await asyncio.gather(*made)
    assert [type(each) for each in answers] == [Unsure, Later, Later]


@given(st.binary(max_size=200))
def test_a_dot_at_the_beginning_of_a_line_survives(content: bytes) -> None:
    """A server that takes one away from each such line, as RFC 5321 says, has what was there."""
    lines = stuffed(content).split(b"\r\n")
    assert b"\r\n".join(line[1:] if line.startswith(b".") else line for line in lines) == content
    assert b"." not in lines


@given(st.text(st.characters(codec="ascii"), max_size=60))
def test_parameters_are_visible_ascii_without_equals_signs(text: str) -> None:
    """And a decoder of RFC 3461 reads them back."""
    told = xtext(text)
    assert all("!" <= char <= "~" and char != "=" for char in told)
    pieces = told.split("+")
    assert pieces[0] + "".join(chr(int(piece[:2], 16)) + piece[2:] for piece in pieces[1:]) == text
