"""Mail over a real server: encrypted or not at all, as text and HTML, with headers that no value can break."""

from __future__ import annotations

import ssl

import pytest
import trustme

from courtesy.base.errors import Code, CourtesyError
from courtesy.channel.mail import Mail, Mailer, Security, Server, sender_of, server_of
from tests.unit.channel.mailbox import mailbox, text_of

NOW_MS = 1_763_780_645_000
MAIL = Mail("ann@shop.example", "Your code", "The code is 123456.\n", "<p>The code is 123456.</p>", "en")
FROM = sender_of("Shoes & More <hello@shop.example>")


def authority() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """What a server at 127.0.0.1 shows, and what believes it."""
    own = trustme.CA()
    shown, trusted = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    own.issue_cert("127.0.0.1").configure_cert(shown)
    own.configure_trust(trusted)
    return shown, trusted


async def test_a_message_arrives_as_text_and_as_html() -> None:
    """With what a mail needs so that nobody takes it for spam, and so that no answering machine answers."""
    with mailbox() as box:
        await Mailer(server_of(f"smtp://127.0.0.1:{box.port}?tls=none"), FROM).send(MAIL, NOW_MS)
    (message,), (envelope,) = box.messages(), box.envelopes
    assert (envelope.mail_from, envelope.rcpt_tos) == ("hello@shop.example", ["ann@shop.example"])
    assert message["from"] == "Shoes & More <hello@shop.example>"
    assert (message["to"], message["subject"]) == ("ann@shop.example", "Your code")
    assert message["date"] == "Sat, 22 Nov 2025 03:04:05 +0000"
    assert message["message-id"].endswith("@shop.example>")
    assert (message["auto-submitted"], message["content-language"]) == ("auto-generated", "en")
    assert not [name for name in message if name.lower().startswith("list-")]
    assert "123456" in text_of(message)
    assert "<p>The code is 123456.</p>" in text_of(message, "html")


async def test_other_scripts_arrive_as_they_are() -> None:
    """In the subject, the name of the sender and the text."""
    with mailbox() as box:
        mailer = Mailer(server_of(f"smtp://127.0.0.1:{box.port}?tls=none"), sender_of("Հայերեն <a@shop.example>"))
        await mailer.send(Mail("ann@shop.example", "तुमचा कोड", "รหัส 123456", "<p>კოდი</p>", "mr"), NOW_MS)
        await mailer.send(Mail("jörg@shop.example", "Code", "text", "<p>text</p>", "de"), NOW_MS)
    message, _ = box.messages()
    assert message["subject"] == "तुमचा कोड"
    assert message["from"].addresses[0].display_name == "Հայերեն"
    assert box.envelopes[1].rcpt_tos == ["jörg@shop.example"]
    assert text_of(message).strip() == "รหัส 123456"


async def test_it_is_encrypted_before_anything_is_said() -> None:
    """By STARTTLS with a login, and by TLS from the beginning; only to a server that proves who it is."""
    shown, trusted = authority()
    with mailbox(starttls=shown) as box:
        server = server_of(f"smtp://courtesy:p%40ss@127.0.0.1:{box.port}")
        with pytest.raises(CourtesyError, match="CERTIFICATE_VERIFY_FAILED"):
            await Mailer(server, FROM).send(MAIL, NOW_MS)
        assert box.messages() == []
        await Mailer(server, FROM, trusted).send(MAIL, NOW_MS)
    assert (box.encrypted, box.logins) == ([True], [(b"courtesy", b"p@ss")])
    with mailbox(tls=shown) as box:
        await Mailer(server_of(f"smtps://127.0.0.1:{box.port}"), FROM, trusted).send(MAIL, NOW_MS)
    assert len(box.messages()) == 1


async def test_nothing_is_said_in_the_open_unless_told_so() -> None:
    """A server without STARTTLS, or somebody who hides it, gets no message."""
    with mailbox() as box, pytest.raises(CourtesyError, match="STARTTLS") as caught:
        await Mailer(server_of(f"smtp://127.0.0.1:{box.port}"), FROM).send(MAIL, NOW_MS)
    assert caught.value.code is Code.UNAVAILABLE
    assert box.envelopes == []


async def test_who_says_no_is_told_without_the_address() -> None:
    """A refusal, a wrong password, and nobody there: what to look at, and nothing of a person."""
    with mailbox() as box:
        box.refusal = "550 5.1.1 <{address}> is unknown"
        with pytest.raises(CourtesyError, match="refused with 550") as refused:
            await Mailer(server_of(f"smtp://127.0.0.1:{box.port}?tls=none"), FROM).send(MAIL, NOW_MS)
    with pytest.raises(CourtesyError, match="did not take") as gone:
        await Mailer(server_of(f"smtp://127.0.0.1:{box.port}?tls=none"), FROM).send(MAIL, NOW_MS)
    shown, trusted = authority()
    with mailbox(starttls=shown) as box, pytest.raises(CourtesyError, match="535") as unknown:
        await Mailer(server_of(f"smtp://somebody:secret@127.0.0.1:{box.port}"), FROM, trusted).send(MAIL, NOW_MS)
    for each in (refused, gone, unknown):
        assert each.value.code is Code.UNAVAILABLE
        assert "ann@" not in each.value.message
        assert "secret" not in each.value.message


@pytest.mark.parametrize(
    "to",
    [
        "ann@shop.example\r\nBcc: eve@shop.example",
        "ann@shop.example\nX: y",
        "ann@shop.example, eve@shop.example",
        "ann shop.example",
        "Ann <ann@shop.example>",
        "ann@",
        "",
    ],
)
def test_an_address_is_one_plain_address(to: str) -> None:
    """Nothing in it becomes a header or a second recipient."""
    mailer = Mailer(Server("127.0.0.1", 25, Security.NONE), FROM)
    with pytest.raises(CourtesyError) as caught:
        mailer.composed(Mail(to, "s", "t", "h", "en"), NOW_MS)
    assert caught.value.code is Code.INVALID


def test_a_subject_stays_a_subject() -> None:
    """Line breaks in it are spaces."""
    mail = Mail("ann@shop.example", "Shop\r\nBcc: eve@shop.example\r\n\r\nHello", "t", "h", "en")
    content = Mailer(Server("127.0.0.1", 25, Security.NONE), FROM).composed(mail, NOW_MS).as_bytes()
    head = content.partition(b"\r\n\r\n")[0]
    assert b"Subject: Shop Bcc: eve@shop.example Hello" in head
    assert not [line for line in head.split(b"\r\n") if line.startswith(b"Bcc")]


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://mail.shop.example", Server("mail.shop.example", 587, Security.STARTTLS)),
        ("smtp://mail.shop.example:2525/", Server("mail.shop.example", 2525, Security.STARTTLS)),
        ("smtps://a%40b:c%3Ad@mail.shop.example", Server("mail.shop.example", 465, Security.TLS, "a@b", "c:d")),
        ("smtp://localhost?tls=none", Server("localhost", 25, Security.NONE)),
        ("smtp://[::1]:26?tls=none", Server("::1", 26, Security.NONE)),
    ],
)
def test_a_server_is_named_by_an_url(url: str, server: Server) -> None:
    """With STARTTLS unless it says otherwise, and the port that goes with that."""
    assert server_of(url) == server


@pytest.mark.parametrize(
    "url",
    [
        "http://user:hush@mail.shop.example",
        "smtp://",
        "smtp://user:hush@mail.shop.example:port",
        "smtp://user:hush@mail.shop.example?tls=maybe",
        "smtps://user:hush@mail.shop.example?tls=none",
        "smtp://user:hush@mail.shop.example/path",
        "smtp://user:hush@[::1",
        "mail.shop.example",
    ],
)
def test_what_names_no_server_is_refused_without_its_password(url: str) -> None:
    """The message says what was expected, and does not repeat a secret."""
    with pytest.raises(CourtesyError, match="expected smtp://") as caught:
        server_of(url)
    assert (caught.value.code, caught.value.place) == (Code.SETUP, "mail_url")
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "Shop", "a@b\r\nBcc: c@d", "Shop <shop>", "a@", "@b", "a b@c"])
def test_who_mail_is_from_has_an_address(text: str) -> None:
    """And no line break."""
    with pytest.raises(CourtesyError) as caught:
        sender_of(text)
    assert (caught.value.code, caught.value.place) == (Code.SETUP, "mail_from")
