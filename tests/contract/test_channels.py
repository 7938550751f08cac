"""What holds for every channel and every carrier of e-mail. One joins by standing in CHANNELS or CARRIERS; nothing here
knows any of them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import httpcore
import msgspec
import pytest

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.time import ManualClock
from courtesy.channel import CHANNELS
from courtesy.channel.contract import Attempt, Channel, FailCause, Failed, Outside, Parcel, Retry
from courtesy.channel.email import CARRIERS
from courtesy.channel.email.carrier import Carrier
from courtesy.channel.email.letter import Letter
from courtesy.channel.guard import SocketOption
from courtesy.channel.message import Answer, Later, Refused
from courtesy.component.declaration import Component, FieldType, Kind, flaws
from courtesy.component.reference import json_schema, reference_markdown
from courtesy.component.validation import validated
from courtesy.delivery.cause import DeliveryCause

COMPONENTS = [*(channel.component for channel in CHANNELS), *(carrier.component for carrier in CARRIERS)]
TELLTALE = ("secret", "token", "password", "key", "credential")
OTHER_TYPE: dict[FieldType, object] = {
    FieldType.STRING: ["hush"],
    FieldType.INTEGER: "hush",
    FieldType.NUMBER: "hush",
    FieldType.BOOLEAN: "hush",
    FieldType.STRINGS: "hush",
}

each_channel = pytest.mark.parametrize("channel", CHANNELS, ids=lambda channel: channel.component.name)
each_carrier = pytest.mark.parametrize("carrier", CARRIERS, ids=lambda carrier: carrier.component.name)
each_component = pytest.mark.parametrize("component", COMPONENTS, ids=lambda component: component.name)


class DeadNetwork(httpcore.AsyncNetworkBackend):
    """A network on which every connection is refused; it counts how many were tried."""

    def __init__(self) -> None:
        self.tried = 0

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature is httpcore's
        local_address: str | None = None,
        socket_options: Iterable[SocketOption] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        self.tried += 1
        raise httpcore.ConnectError("refused")


def attempt(channel: type[Channel], config: dict[str, Any]) -> tuple[Attempt, int]:
    """What one attempt comes to on a dead network, and how many connections it tried."""

    async def scenario() -> tuple[Attempt, int]:
        network = DeadNetwork()
        opened = channel(Outside(ManualClock(1_793_448_000_000), network))
        made = await opened.deliver(Parcel(bytes(16), channel.component.name, 0, config, b"{}"))
        await opened.aclose()
        await opened.aclose()
        return made, network.tried

    return asyncio.run(scenario())


def test_names_are_unique() -> None:
    """A parcel's kind leads to one channel."""
    names = [component.name for component in COMPONENTS]
    assert len(set(names)) == len(names)


@each_component
def test_the_declaration_is_sound(component: Component) -> None:
    """Named, documented, every example and default valid."""
    assert component.kind is Kind.CHANNEL
    assert flaws(component) == []


@each_component
def test_the_example_is_a_valid_configuration(component: Component) -> None:
    """What the documentation shows can be pasted and works, also after a trip through JSON."""
    pasted = msgspec.json.decode(msgspec.json.encode(component.example))
    assert validated(component, pasted) == component.example


@each_component
def test_fields_that_sound_secret_are_marked_secret(component: Component) -> None:
    """Nobody forgets to hide a credential."""
    open_names = [field.name for field in component.fields if not field.secret]
    assert [name for name in open_names if any(word in name for word in TELLTALE)] == []


@each_component
def test_a_misspelt_field_is_refused_with_the_right_spelling(component: Component) -> None:
    """The nearest field is suggested, and the place is the component."""
    name = component.fields[0].name
    with pytest.raises(CourtesyError) as caught:
        validated(component, {**component.example, f"{name}x": 1})
    assert caught.value.code is Code.INVALID
    assert caught.value.hint == f"did you mean {name!r}?"


@each_component
def test_every_required_field_is_missed(component: Component) -> None:
    """Leaving one out is told at its place."""
    for field in component.fields:
        rest = {name: value for name, value in component.example.items() if name != field.name}
        if not field.required:
            assert validated(component, rest)[field.name] == field.default
            continue
        with pytest.raises(CourtesyError) as caught:
            validated(component, rest)
        assert caught.value.place == f"{component.name}.{field.name}"


@each_component
def test_a_wrong_type_is_told_without_telling_secrets(component: Component) -> None:
    """The expected type is named; what came is shown unless the field is secret."""
    for field in component.fields:
        with pytest.raises(CourtesyError) as caught:
            validated(component, {**component.example, field.name: OTHER_TYPE[field.type]})
        assert field.type in caught.value.message
        assert ("hush" in caught.value.message) is not field.secret


@each_component
def test_the_reference_and_the_schema_hold_every_field(component: Component) -> None:
    """What can be configured is documented, and forms can be made for it."""
    page = reference_markdown(component)
    assert all(f"| `{field.name}` |" in page for field in component.fields)
    assert set(json_schema(component)["properties"]) == {field.name for field in component.fields}


@each_channel
def test_a_broken_configuration_fails_without_touching_the_network(channel: type[Channel]) -> None:
    """A configuration that went bad in storage ends in a value, and for good."""
    made, tried = attempt(channel, {"nonsense": 1})
    assert isinstance(made, Failed)
    assert made.cause is FailCause.BAD_CONFIG
    assert tried == 0


@each_channel
def test_a_dead_network_is_worth_another_attempt(channel: type[Channel]) -> None:
    """Nothing is raised, and nothing is lost, because a provider is down."""
    made, tried = attempt(channel, dict(channel.component.example))
    assert isinstance(made, Retry)
    assert tried >= 1


LETTER = Letter(
    from_address="hello@shop.example",
    to="ann@shop.example",
    subject="Hello",
    text="Hello",
    message_id="1@shop.example",
    date_ms=1_793_448_000_000,
)


def carried(carrier: type[Carrier], letter: Letter, config: dict[str, Any]) -> tuple[Answer, int]:
    """What one attempt comes to on a dead network, and how many connections it tried."""

    async def scenario() -> tuple[Answer, int]:
        network = DeadNetwork()
        opened = carrier(Outside(ManualClock(1_793_448_000_000), network))
        made = await opened.carry(letter, config)
        await opened.aclose()
        await opened.aclose()
        return made, network.tried

    return asyncio.run(scenario())


@each_carrier
def test_a_carrier_that_is_set_up_wrongly_blames_no_letter(carrier: type[Carrier]) -> None:
    """The letter is kept until somebody mends the configuration; nothing touched the network."""
    made, tried = carried(carrier, LETTER, {"nonsense": 1})
    assert isinstance(made, Later)
    assert made.cause is DeliveryCause.SET_UP
    assert tried == 0


@each_carrier
def test_a_letter_on_a_dead_network_may_leave_later(carrier: type[Carrier]) -> None:
    """Nobody is unsure about a letter that never left."""
    made, tried = carried(carrier, LETTER, dict(carrier.component.example))
    assert isinstance(made, Later)
    assert made.cause is DeliveryCause.NO_ANSWER
    assert tried >= 1


@each_carrier
def test_a_letter_that_is_none_is_refused_for_good(carrier: type[Carrier]) -> None:
    """An address that can't be one is not tried; the answer does not repeat it."""
    made, tried = carried(carrier, msgspec.structs.replace(LETTER, to="ann, eve"), dict(carrier.component.example))
    assert isinstance(made, Refused)
    assert made.cause is DeliveryCause.NOT_UNDERSTOOD
    assert "eve" not in made.words
    assert tried == 0
