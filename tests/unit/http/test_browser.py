"""For web pages: settings, pixel, and who may call from where."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest

from courtesy.event.cause import Cause
from courtesy.http.browser import PIXEL
from tests.unit.http.world import serving, track


def in_base64(value: object, **more: bool) -> str:
    """A call as a pixel carries it."""
    return base64.b64encode(json.dumps(value).encode()).decode()


async def test_settings_lead_the_browser_library_back_to_us() -> None:
    """The same host and port, the same protocol, the same key."""
    async with serving() as world:
        response = await world.get(f"/v1/projects/{world.write}/settings", "")
        assert response.status_code == 200
        segment = response.json()["integrations"]["Segment.io"]
        assert segment["apiKey"] == world.write
        assert (segment["apiHost"], segment["protocol"]) == ("courtesy.test:8080/v1", "http")
        assert response.json()["plan"]["track"]["__default"]["enabled"]
        assert response.headers["access-control-allow-origin"] == "*"


async def test_settings_behind_a_proxy_keep_its_protocol() -> None:
    """Or a page over https could not send."""
    async with serving() as world:
        for said, protocol in (("https", "https"), ("https,http", "https"), ("gopher", "http")):
            headers = {"x-forwarded-proto": said, "host": "events.shop.example"}
            response = await world.get(f"/v1/projects/{world.write}/settings/", "", headers=headers)
            segment = response.json()["integrations"]["Segment.io"]
            assert (segment["apiHost"], segment["protocol"]) == ("events.shop.example/v1", protocol)


async def test_settings_are_for_write_keys_only() -> None:
    """Anything else is not found."""
    async with serving() as world:
        for key in ("unknown", world.read, world.admin, "%ff", "a%2Fb"):
            response = await world.get(f"/v1/projects/{key}/settings", "")
            assert response.status_code in (400, 404)
            assert response.json()["code"] in ("not_found", "invalid")


@pytest.mark.parametrize("path", ["track", "t", "track/"])
async def test_a_pixel_stores_one_call(path: str) -> None:
    """In base64, with or without padding, or as plain JSON; escaped or not."""
    async with serving() as world:
        call = {**track(), "type": None, "writeKey": world.write, "properties": {"text": "~~~???>>>"}}
        forms = [
            in_base64({**call, "messageId": "a"}),
            quote(in_base64({**call, "messageId": "bb"})),
            in_base64({**call, "messageId": "ccc"}).rstrip("="),
            in_base64({**call, "messageId": "d"}).replace("+", "-").replace("/", "_"),
            quote(json.dumps({**call, "messageId": "e"})),
        ]
        for number, form in enumerate(forms, 1):
            response = await world.get(f"/v1/pixel/{path}?data={form}", "")
            assert (response.status_code, response.content) == (200, PIXEL)
            assert response.headers["content-type"] == "image/gif"
            assert await world.fates() == {"received": number, "stored": number}


async def test_a_pixels_key_may_stand_beside_its_data() -> None:
    """As a parameter or a header."""
    async with serving() as world:
        await world.get(f"/v1/pixel/track?writeKey={world.write}&data={in_base64(track('a'))}", "")
        headers = {"x-write-key": world.write}
        await world.get(f"/v1/pixel/track?data={in_base64(track('b'))}", "", headers=headers)
        assert await world.fates() == {"received": 2, "stored": 2}


@pytest.mark.parametrize("data", ["", "!!!", "e30", "{", "%ff%fe", "AAAA", "%7B%22x%22%3ANaN%7D"])
@pytest.mark.parametrize("path", ["track", "nonsense", "a%2Fb"])
async def test_garbage_gets_its_pixel_and_is_kept_when_the_key_is_known(data: str, path: str) -> None:
    """The image must not break on the page; what was sent is in quarantine."""
    async with serving() as world:
        response = await world.get(f"/v1/pixel/{path}?data={data}&writeKey={world.write}", "")
        assert (response.status_code, response.content) == (200, PIXEL)
        assert await world.fates() == {"received": 1, "quarantined": 1}


async def test_a_pixel_without_a_good_key_leaves_no_trace() -> None:
    """200 all the same."""
    async with serving() as world:
        for query in ("", f"?data={in_base64(track())}", "?writeKey=nobody&data=x", f"?writeKey={world.read}"):
            response = await world.get(f"/v1/pixel/track{query}", "")
            assert (response.status_code, response.content) == (200, PIXEL)
        assert await world.fates() == {}


async def test_a_pixel_that_could_not_be_stored_says_so() -> None:
    """With the image, but not with 200: that would be an acknowledgement."""
    async with serving() as world:
        await world.app.engine.close()
        response = await world.get(f"/v1/pixel/track?writeKey={world.write}&data={in_base64(track())}", "")
        assert (response.status_code, response.content) == (503, PIXEL)
        assert response.headers["retry-after"]
        await world.app.engine.open()


async def test_what_a_pixel_brings_is_kept_as_it_came() -> None:
    """Neither base64 nor JSON: the text itself."""
    async with serving() as world:
        await world.get(f"/v1/pixel/track?writeKey={world.write}&data=hello!", "")
        assert await world.quarantined() == [(Cause.UNREADABLE, b"hello!")]


OPEN_PATHS = ["/v1/batch", "/v1/t", "/v1/m", "/v1/import", "/v1/projects/k/settings", "/v1/pixel/track", "/v1/b/"]


@pytest.mark.parametrize("path", OPEN_PATHS)
async def test_any_page_may_send(path: str) -> None:
    """A preflight is answered for a day, with all headers that clients send."""
    async with serving() as world:
        headers = {
            "origin": "https://shop.example",
            "access-control-request-method": "POST",
            "access-control-request-headers": "authorization,content-type",
        }
        response = await world.client.options(path, headers=headers)
        assert response.status_code == 204
        assert response.headers["access-control-allow-origin"] == "*"
        assert response.headers["access-control-max-age"] == "86400"
        allowed = {name.strip() for name in response.headers["access-control-allow-headers"].split(",")}
        assert {"authorization", "content-type", "x-retry-count", "x-write-key", "anonymousid"} <= allowed
        assert "POST" in response.headers["access-control-allow-methods"]


async def test_a_page_can_read_why_it_was_refused() -> None:
    """Errors carry the permission too, and the time to wait is readable."""
    async with serving() as world:
        response = await world.post("/v1/batch", b"x", headers={"origin": "https://shop.example"})
        assert response.status_code == 400
        assert response.headers["access-control-allow-origin"] == "*"
        assert "retry-after" in response.headers["access-control-expose-headers"]


@pytest.mark.parametrize("path", ["/v1/people/user_id/ann", "/v1/keys", "/v1/status", "/v1/sources/x", "/v1/events"])
async def test_no_page_may_read_or_change(path: str) -> None:
    """Neither the preflight nor the answer gives permission."""
    async with serving() as world:
        preflight = await world.client.options(path, headers={"origin": "x", "access-control-request-method": "GET"})
        answer = await world.get(path, headers={"origin": "https://evil.example"})
        for response in (preflight, answer):
            assert not [name for name in response.headers if name.startswith("access-control")]
