"""Recipients over HTTP: defined, listed, let go; and what is asked of them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from courtesy.http.recipients import ReceiptPage, RecipientsView, RecipientView, SummaryView, ToldRecipientsView
from tests.unit.http.test_consent import MAIL, tell
from tests.unit.http.world import World, serving

URL = "https://crm.example/courtesy"
CRM = "/v1/recipients/crm"


async def defined(world: World, **fields: Any) -> RecipientView:
    """The CRM as it is answered when it is defined."""
    answer = await world.change("PUT", CRM, {"url": URL, **fields})
    assert answer.status_code == 200, answer.text
    return msgspec.json.decode(answer.content, type=RecipientView)


async def test_a_recipient_gets_a_secret_that_is_shown_once() -> None:
    """It stays when the recipient is changed, and two can be in force."""
    async with serving() as world:
        made = await defined(world)
        assert (len(made.secrets), made.secret_count, made.tells) == (1, 1, ("consent", "rectification", "erasure"))
        changed = await defined(world, purposes=["marketing"], secrets=[])
        assert (changed.secrets, changed.secret_count, changed.purposes) == ((), 1, ("marketing",))
        assert (await defined(world, secrets=[*made.secrets, *made.secrets])).secret_count == 2
        listed = msgspec.json.decode((await world.get("/v1/recipients")).content, type=RecipientsView)
        assert [each.name for each in listed.recipients] == ["crm"]
        assert made.secrets[0] not in (await world.get(CRM)).text


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"url": "ftp://crm.example"}, "body.url"),
        ({"url": "https://crm.example/?a=b"}, "body.url"),
        ({"url": "http://10.0.0.1/"}, "body.url"),
        ({"secrets": ["short"]}, "body.secrets"),
        ({"tells": []}, "body.tells"),
        ({"tells": ["gossip"]}, "tells[0]"),
        ({"escalate_after_ms": 1}, "escalate_after_ms"),
        ({"purposes": [str(number) for number in range(51)]}, "purposes"),
    ],
)
async def test_what_can_t_work_is_refused(fields: dict[str, Any], place: str) -> None:
    """With the place; and nothing is defined."""
    async with serving() as world:
        answer = await world.change("PUT", CRM, {"url": URL, **fields})
        assert (answer.status_code, answer.json()["place"]) == (400, place)
        assert (await world.get(CRM)).status_code == 404


async def test_one_that_is_let_go_is_gone() -> None:
    """And asking for it says what there is instead."""
    async with serving() as world:
        await defined(world)
        assert (await world.change("DELETE", CRM)).json() == {"removed": "crm"}
        assert (await world.change("DELETE", CRM)).status_code == 404
        assert (await world.get(f"{CRM}/receipts")).status_code == 404
        await world.change("PUT", "/v1/recipients/crm2", {"url": URL})
        assert "crm2" in (await world.get(CRM)).json()["hint"]


async def test_what_was_to_be_told_is_listed_by_whom_it_is_about() -> None:
    """By number, request, state and recipient; and nobody is told before something was found."""
    async with serving() as world:
        await defined(world)
        await tell(world, "c1", {"action": "grant", **MAIL})
        told = await world.get("/v1/people/user_id/ann/recipients")
        view = msgspec.json.decode(told.content, type=ToldRecipientsView)
        assert view.recipients == []
        summary = msgspec.json.decode((await world.get(f"{CRM}/receipts")).content, type=SummaryView)
        assert (summary.queued, summary.oldest_waiting) == (0, None)
        for query in ("", f"?person={view.person}", "?recipient=crm&state=verified&request=R-1&before=5&limit=2"):
            page = msgspec.json.decode((await world.get(f"/v1/propagation{query}")).content, type=ReceiptPage)
            assert page == ReceiptPage([], None)
        again = await world.change("POST", "/v1/propagation/retry", {"recipient": "crm"})
        assert again.json() == {"retried": 0}
        assert (await world.change("POST", "/v1/propagation/retry", {"recipient": "other"})).status_code == 404
        assert (await world.get("/v1/propagation?person=99")).status_code == 404
        assert (await world.get("/v1/propagation?recipient=%00")).status_code == 400
