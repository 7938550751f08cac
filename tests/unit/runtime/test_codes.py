"""Codes: to which address they go, what they are bound to, and what the settings for mail must say."""

from __future__ import annotations

from dataclasses import replace

import pytest

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.ids import PersonId, SourceId
from courtesy.base.time import ManualClock
from courtesy.channel.mail import Mail
from courtesy.engine.code import Tried
from courtesy.engine.contract import HeldIdentifier
from courtesy.engine_memory import MemoryEngine
from courtesy.runtime.codes import DIGITS, Ask, Codes, Purpose, address_of, mailer_of
from courtesy.runtime.links import Signer
from courtesy.runtime.settings import Settings
from tests.unit.channel.mailbox import mailbox

ANN = PersonId(7)
ASK = Ask("token", Purpose.DOWNLOAD, (ANN, PersonId(9)), "ann@shop.example")


def held(identifier: str, since_ms: int, *, shared: bool = False) -> HeldIdentifier:
    """An identifier of a person."""
    return HeldIdentifier(identifier, shared, SourceId(1), "m", since_ms)


def test_the_address_is_their_own_and_known_longest() -> None:
    """Neither one that they share with others, nor one that came later, nor anything that is no address."""
    known = [
        held("user_id:ann", 1),
        held("email:family@shop.example", 2, shared=True),
        held("email:new@shop.example", 4),
        held("email:ann@shop.example", 3),
    ]
    assert address_of(known) == "ann@shop.example"
    assert address_of(known[:2]) is None
    assert address_of([]) is None


async def test_a_code_is_bound_to_link_purpose_and_address() -> None:
    """Anything else than what it was sent for finds none, and takes no try of it."""
    with mailbox() as box:
        settings = Settings(
            link_key="k" * 32, mail_url=f"smtp://127.0.0.1:{box.port}?tls=none", mail_from="hello@shop.example"
        )
        clock = ManualClock()
        engine, signer = MemoryEngine(clock), Signer(settings)
        await engine.open()
        codes = Codes(engine, signer, clock, mailer_of(settings))
        sent: list[str] = []

        def composed(code: str) -> Mail:
            sent.append(code)
            return Mail(ASK.address, "Code", code, code, "en")

        assert await codes.send(ASK, composed)
        (code,) = sent
        assert (len(code), code.isdecimal(), box.code()) == (DIGITS, True, code)
        others = [
            replace(ASK, token="other"),
            replace(ASK, purpose=Purpose.DELETE),
            replace(ASK, address="new@shop.example"),
            replace(ASK, people=(PersonId(8),)),
        ]
        for other in others:
            assert await codes.enter(other, code) is Tried.OVER
        assert await codes.enter(replace(ASK, people=(PersonId(9), ANN)), code) is Tried.RIGHT
        pass_ = codes.pass_for(ASK, 3)
        assert codes.passed(ASK, pass_) == 3
        assert [codes.passed(other, pass_) for other in (others[0], others[1], others[3])] == [None] * 3
        assert codes.passed(ASK, signer.signed("form", b"[]")) is None
        await engine.close()


def test_without_a_mail_server_nothing_sends() -> None:
    """And nothing is wrong with that."""
    assert mailer_of(Settings()) is None
    assert mailer_of(Settings(mail_from="hello@shop.example")) is None


@pytest.mark.parametrize(
    ("mail_url", "mail_from", "place"),
    [
        ("smtp://mail.shop.example", None, "mail_from"),
        ("smtp://mail.shop.example", "Shop", "mail_from"),
        ("mail.shop.example", "hello@shop.example", "mail_url"),
    ],
)
def test_half_a_setting_is_refused(mail_url: str, mail_from: str | None, place: str) -> None:
    """Before anybody asks for a code in vain."""
    with pytest.raises(CourtesyError) as caught:
        mailer_of(Settings(mail_url=mail_url, mail_from=mail_from))
    assert (caught.value.code, caught.value.place) == (Code.SETUP, place)
