"""Several brands in one preference centre: each looks and asks its own way, and what is chosen counts for it alone."""

from __future__ import annotations

from typing import Any

from tests.unit.http.centre.test_centre import ANN, KEY, choices, define, known, link, look, send
from tests.unit.http.world import World, serving

DOT = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///ywAAAAAAQABAAACAUwAOw=="
BRANDS: list[dict[str, Any]] = [
    {"name": "boots", "title": "Boots & Co", "colour": "#5b2a6e", "logo": DOT, "notice": {"en": "Boots want to know."}},
    {
        "name": "hats",
        "title": "Hats",
        "topics": [],
        "purposes": [{"name": "marketing"}, {"name": "research"}],
        "channels": [{"name": "email"}],
    },
]


async def may(world: World, brand: str, purpose: str = "marketing") -> bool:
    """Whether Ann may be written to by a brand."""
    path = f"{ANN}/allowed?purpose={purpose}&channel=email&brand={brand}&local_time=12:00"
    return bool((await world.get(path)).json()["allowed"])


async def opened(world: World, **traits: Any) -> tuple[str, str]:
    """Ann's links for both brands."""
    await known(world, **traits)
    await define(world, brands=BRANDS)
    return await link(world, brand="boots"), await link(world, brand="hats")


async def test_each_brand_looks_and_asks_its_own_way() -> None:
    """Its logo, colour, wording, channels and topics; what it leaves out is the company's."""
    async with serving(link_key=KEY) as world:
        boots, hats = await opened(world)
        page = await look(world, boots)
        (image,) = [own for name, own in page.elements if name == "img"]
        assert image == {"src": DOT, "alt": "Boots & Co"}
        assert "Boots want to know. What you choose here counts for Boots & Co alone." in page.text
        answer = await world.get(boots, "")
        assert "#5b2a6e" in answer.text
        assert "img-src data:;" in answer.headers["content-security-policy"]
        assert {"c0.0", "t0"} <= set(page.forms[0].boxes)
        page = await look(world, hats)
        assert set(page.forms[0].boxes) == {"c0.0", "c1.0", "u0"}
        assert "img-src 'none';" in (await world.get(hats, "")).headers["content-security-policy"]
        assert "counts for Hats alone" in page.text
        assert "alone" not in (await look(world, await link(world))).text


async def test_what_is_chosen_counts_for_the_brand_alone() -> None:
    """Allowed for one, it is not for the other; withdrawn from one, it stays allowed for the other."""
    async with serving(link_key=KEY) as world:
        boots, hats = await opened(world)
        for each in (boots, hats):
            await send(world, (await look(world, each)).forms[0], c0__0="on", frequency="weekly")
            assert (await look(world, each)).forms[0].boxes["c0.0"]
        assert [await may(world, brand) for brand in ("boots", "hats", "other", "*")] == [True, True, False, False]
        assert {each["brand"] for each in await choices(world)} == {"boots", "hats"}
        await send(world, (await look(world, boots)).forms[0], untick=("c0.0",))
        assert [await may(world, brand) for brand in ("boots", "hats")] == [False, True]
        assert [(await look(world, each)).forms[0].boxes["c0.0"] for each in (boots, hats)] == [False, True]
        await send(world, (await look(world, hats)).forms[0], press="refuse_all")
        assert [await may(world, brand) for brand in ("boots", "hats")] == [False, False]


async def test_all_brands_are_refused_with_one_button() -> None:
    """Every purpose of any brand, whichever page has the button; each may be allowed again by itself."""
    async with serving(link_key=KEY) as world:
        boots, hats = await opened(world, country="US")
        assert [await may(world, brand) for brand in ("boots", "hats")] == [True, True]
        answer = await send(world, (await look(world, boots)).forms[0], press="refuse_everywhere")
        assert answer.headers["location"].endswith("done=saved")
        told = sorted((each["action"], each["purpose"], each["brand"]) for each in await choices(world))
        assert told == [
            ("object", "marketing", "*"),
            ("object", "research", "*"),
        ]
        assert [await may(world, brand) for brand in ("boots", "hats", "*")] == [False, False, False]
        assert not await may(world, "hats", "research")
        await send(world, (await look(world, hats)).forms[0], c0__0="on")
        assert [await may(world, brand) for brand in ("boots", "hats")] == [False, True]
        assert "refuse_everywhere" not in (await look(world, await link(world))).forms[0].buttons


async def test_a_pause_and_a_taste_are_of_the_brand() -> None:
    """The other's page knows nothing of them; what was said for all is shown on each."""
    async with serving(link_key=KEY) as world:
        boots, hats = await opened(world, country="US")
        await send(world, (await look(world, boots)).forms[0], pause="week", l0="like", t0="on")
        assert [await may(world, brand) for brand in ("boots", "hats")] == [False, True]
        assert "Keep the break until" in (await look(world, boots)).text
        assert "Keep the break until" not in (await look(world, hats)).text
        await send(world, (await look(world, boots)).forms[0], pause="end")
        assert await may(world, "boots")
        await send(world, (await look(world, await link(world))).forms[0], l0="dislike", frequency="monthly")
        tastes = [dict((await look(world, each)).forms[0].fields) for each in (boots, hats)]
        assert [each["l0"] for each in tastes] == ["dislike", "dislike"]
        assert [each["frequency"] for each in tastes] == ["monthly", "monthly"]


async def test_unsubscribing_from_a_brand_leaves_the_others() -> None:
    """With one click; the page says from which."""
    async with serving(link_key=KEY) as world:
        await opened(world, country="US")
        path = await link(world, kind="unsubscribe", purpose="marketing", channel="email", brand="boots")
        assert "News and offers · E-mail · Boots & Co" in (await look(world, path)).text
        answer = await world.client.post(path, data={"List-Unsubscribe": "One-Click"})
        assert answer.status_code == 200
        assert [await may(world, brand) for brand in ("boots", "hats")] == [False, True]


async def test_a_link_names_a_brand_that_there_is() -> None:
    """The nearest is told. One that is taken out later keeps its links, under the company's looks."""
    async with serving(link_key=KEY) as world:
        boots, _ = await opened(world)
        answer = await world.change("POST", f"{ANN}/links", {"brand": "boot"})
        assert (answer.status_code, answer.json()["place"]) == (400, "brand")
        assert "boots" in answer.json()["hint"]
        await define(world)
        page = await look(world, boots)
        assert "counts for boots alone" in page.text
        await send(world, page.forms[0], c0__0="on")
        assert [await may(world, brand) for brand in ("boots", "hats")] == [True, False]
