"""Webhooks from a running server to receivers of all kinds: well, slow, dead, choosy and private."""

from __future__ import annotations

import socket
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from courtesy.base.time import from_iso
from sim.server import Server
from tests.e2e.asking import ask, events_of, person_of, tell, until
from tests.e2e.hooks import SECRET, receiver, subscribe, wait_known
from tests.e2e.processes import running

DELAY_MS = 1_500
OTHER_SECRET = "whsec_" + "b3RoZXIgc2VjcmV0IG9mIHRoZSBzYW1lIHNob3A="


def track(who: str, event: str, **properties: object) -> dict[str, object]:
    """A call whose message id says whose and what it is."""
    return {"type": "track", "event": event, "userId": who, "messageId": f"{who}-{event}", "properties": properties}


def effects_of(server: Server, target: str) -> list[dict[str, object]]:
    """The latest effects for a subscription."""
    return [each for each in server.get("/v1/effects?limit=500")["effects"] if each["target"] == target]


def outcomes_of(server: Server, who: str) -> list[tuple[str, object]]:
    """What a person's events say became of webhooks: name and properties."""
    return [
        (event["name"], event["properties"]) for event in events_of(server, "user_id", who) if event["type"] == "system"
    ]


def test_a_call_is_signed_as_standard_webhooks_says(server: Server) -> None:
    """The specification's own library accepts what arrives, by either of two secrets, and nothing else."""
    who, event = str(uuid.uuid4()), "Signed"
    with receiver() as got:
        subscribe(server, "signed", url=got.url, events=[event], secrets=[OTHER_SECRET, SECRET])
        wait_known(server, event, got.told)
        tell(server, [track(who, event, total=12.5, note="Größe ✓", items=[{"sku": "A"}])])
        until(lambda: f"{who}-{event}" in got.told(), "the call")
        call = next(call for call in got.calls if call.message_id == f"{who}-{event}")
    for secret in (SECRET, OTHER_SECRET):
        said = Webhook(secret).verify(call.body, call.headers)
        assert said["type"] == "event.occurred"
        assert said["data"]["person"] == person_of(server, "user_id", who)["person"]
        assert said["data"]["event"]["identifiers"] == [f"user_id:{who}"]
        assert said["data"]["event"]["properties"] == {"total": 12.5, "note": "Größe ✓", "items": [{"sku": "A"}]}
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + "c29tZWJvZHkgZWxzZSdzIHNlY3JldCwgbm90IG91cnM=").verify(call.body, call.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(call.body.replace(b"12.5", b"99.5"), call.headers)
    (effect,) = [each for each in effects_of(server, "signed") if each["person"] == said["data"]["person"]]
    assert (effect["state"], effect["attempts"]) == ("delivered", 1)
    until(lambda: bool(outcomes_of(server, who)), "the outcome as an event")
    assert outcomes_of(server, who) == [("Webhook Delivered", {"target": "signed", "attempts": 1, "cause": ""})]


def test_a_delayed_call_waits_and_can_be_called_off(server: Server) -> None:
    """Who added and left is told of after the delay; who paid meanwhile is not."""
    left, paid, last = (f"{name}-{uuid.uuid4()}" for name in ("left", "paid", "last"))
    with receiver() as got, receiver() as probes:
        subscribe(server, "cart", url=got.url, events=["Added"], delay_ms=DELAY_MS, unless=["Paid"])
        subscribe(server, "cart-probe", url=probes.url, events=["Cart Probe"])
        wait_known(server, "Cart Probe", probes.told)
        tell(server, [track(left, "Added"), track(paid, "Added")])
        until(lambda: waits_of(server, left) == ["cart"], "what waits for who left")
        tell(server, [track(paid, "Paid"), track(last, "Added")])
        until(lambda: waits_of(server, paid) == [], "what waited for who paid to be called off")
        # The last one to begin is the last one due: whoever was to be told of has been told of by then.
        until(lambda: f"{last}-Added" in got.told(), "the last call")
    assert got.told() == {f"{left}-Added", f"{last}-Added"}
    assert len(got.calls) == 2
    for call in got.calls:
        who = call.message_id.removesuffix("-Added")
        (happened,) = [event for event in events_of(server, "user_id", who) if event["name"] == "Added"]
        assert call.at_ms - ms_of(happened["at"]) >= DELAY_MS
        assert waits_of(server, who) == []


def waits_of(server: Server, who: str) -> list[str]:
    """The subscriptions that wait for a person."""
    return [each["subscription"] for each in person_of(server, "user_id", who)["waiting"]]


def ms_of(text: str) -> int:
    """ms UTC of a time as the server tells it."""
    at = from_iso(text)
    assert at is not None
    return at


def closed_port() -> int:
    """A port of this machine where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_dead_and_a_slow_receiver_hold_up_nobody_else(
    server: Server, record_property: Callable[[str, object], None]
) -> None:
    """While many calls to them are stuck, everything for a third arrives; then the slow one gets all of its own."""
    count = 60
    event, people = "Ordered", [f"order-{uuid.uuid4()}" for _ in range(count)]
    told = {f"{who}-{event}" for who in people}
    with receiver() as well, receiver(answering=False) as slow:
        subscribe(server, "dead", url=f"http://127.0.0.1:{closed_port()}/", events=["Ordered"])
        subscribe(server, "slow", url=slow.url, events=["Ordered"])
        subscribe(server, "well", url=well.url, events=["Ordered", "Well Probe"])
        wait_known(server, "Well Probe", well.told)
        began = time.monotonic()
        tell(server, [track(who, event) for who in people])
        until(lambda: well.told() >= told, "every call to the one that is well")
        record_property(
            "advice", f"{count} calls beside a dead and a slow target took {time.monotonic() - began:.2f} s"
        )
        states = {name: Counter(each["state"] for each in effects_of(server, name)) for name in ("dead", "slow")}
        assert states["slow"]["delivered"] == states["dead"]["delivered"] == 0
        assert states["slow"].total() == states["dead"].total() == count
        slow.open.set()
        until(lambda: slow.told() >= told, "every call to the slow one, once it answers")
        until(
            lambda: all(each["state"] == "waiting" for each in effects_of(server, "dead")), "attempts at the dead one"
        )
        assert {each["cause"] for each in effects_of(server, "dead")} == {"connection"}
        for name in ("dead", "slow", "well"):
            path = f"/v1/subscriptions/{name}"
            assert ask(server.port, "DELETE", path, key=server.admin_key).status == 200


def test_a_failed_attempt_is_made_again_under_the_same_id(server: Server) -> None:
    """A receiver that has a bad moment gets the message a second time, recognisable, signed anew; and no third time."""
    who, event = str(uuid.uuid4()), "Retried"
    with receiver() as got:
        subscribe(server, "retried", url=got.url, events=[event])
        wait_known(server, event, got.told)
        got.statuses.append(503)
        tell(server, [track(who, event)])
        until(lambda: len([call for call in got.calls if call.message_id == f"{who}-{event}"]) == 2, "a second attempt")
        until(lambda: bool(outcomes_of(server, who)), "the outcome as an event")
    first, second = [call for call in got.calls if call.message_id == f"{who}-{event}"]
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.headers["webhook-timestamp"] != second.headers["webhook-timestamp"]
    assert first.body == second.body
    Webhook(SECRET).verify(second.body, second.headers)
    assert outcomes_of(server, who) == [("Webhook Delivered", {"target": "retried", "attempts": 2, "cause": ""})]


def test_a_receiver_that_wants_no_more_is_left_alone(server: Server) -> None:
    """410 is final: one attempt, and the failure is among the person's events and in the list of effects."""
    who, event = str(uuid.uuid4()), "Unwanted"
    with receiver() as got:
        subscribe(server, "gone", url=got.url, events=[event])
        wait_known(server, event, got.told)
        got.statuses.append(410)
        tell(server, [track(who, event)])
        until(lambda: bool(outcomes_of(server, who)), "the outcome as an event")
    assert outcomes_of(server, who) == [("Webhook Failed", {"target": "gone", "attempts": 1, "cause": "gone"})]
    person = person_of(server, "user_id", who)
    assert person["events"]["Webhook Failed"]["count"] == 1
    (effect,) = server.get(f"/v1/effects?person={person['person']}")["effects"]
    assert (effect["state"], effect["cause"], effect["attempts"]) == ("failed", "gone", 1)
    assert str(effect["detail"]).startswith("410")


def test_a_subscription_whose_receiver_is_gone_is_off_until_it_is_defined_again(server: Server) -> None:
    """Its definition says so, and why; defined again it is called for what comes then."""
    who, event = str(uuid.uuid4()), "Left"
    with receiver() as got:
        subscribe(server, "left", url=got.url, events=[event])
        wait_known(server, event, got.told)
        got.statuses.append(410)
        tell(server, [track(who, event)])
        until(lambda: "switched_off" in server.get("/v1/subscriptions/left"), "the subscription to be off")
        assert str(server.get("/v1/subscriptions/left")["switched_off"]["why"]).startswith("410")
        until(lambda: bool(outcomes_of(server, who)), "the outcome as an event")
        subscribe(server, "left", url=got.url, events=[event])
        assert "switched_off" not in server.get("/v1/subscriptions/left")
        before = got.told()

        def is_called_again() -> bool:
            tell(server, [track(str(uuid.uuid4()), event)])
            return got.told() > before

        until(is_called_again, "a call")


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server as installed: webhooks go to public addresses only."""
    with running(tmp_path_factory.mktemp("guarded") / "data") as process:
        yield process.with_keys("shop")


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "10.1.2.3", "169.254.169.254", "[::1]", "[::ffff:192.168.0.1]", "0.0.0.0"]
)
def test_a_private_address_is_refused_when_it_is_defined(guarded: Server, host: str) -> None:
    """The answer says why, and how the operator can permit it."""
    body = {"url": f"http://{host}:80/hook", "events": ["Seen"]}
    answer = ask(guarded.port, "PUT", "/v1/subscriptions/inside", key=guarded.admin_key, body=body)
    assert (answer.status, answer.json()["code"], answer.json()["place"]) == (400, "invalid", "body.url")
    assert "--allow-private-webhooks" in answer.json()["hint"]
    assert ask(guarded.port, "GET", "/v1/subscriptions/inside", key=guarded.admin_key).status == 404


def test_a_name_that_leads_to_a_private_address_is_refused_when_it_is_called(guarded: Server) -> None:
    """Nobody is connected to; the refusal is the effect's outcome, and among the person's events."""
    with receiver() as got:
        url = got.url.replace("127.0.0.1", "localhost")
        subscribe(guarded, "inside", url=url, events=["Seen"])

        def refused() -> set[str]:
            return {str(each["person"]) for each in effects_of(guarded, "inside") if each["state"] == "failed"}

        who = str(uuid.uuid4())

        def seen_too() -> bool:
            tell(guarded, [{"type": "track", "event": "Seen", "userId": who}])
            return person_of(guarded, "user_id", who)["person"] in refused()

        until(seen_too, "a refused call")
        assert got.calls == []
    effect = next(each for each in effects_of(guarded, "inside") if each["state"] == "failed")
    assert (effect["cause"], effect["attempts"]) == ("blocked_address", 1)
    until(lambda: bool(outcomes_of(guarded, who)), "the outcome as an event")
    assert outcomes_of(guarded, who)[0] == (
        "Webhook Failed",
        {"target": "inside", "attempts": 1, "cause": "blocked_address"},
    )
