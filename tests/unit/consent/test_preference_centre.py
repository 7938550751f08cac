"""The definition of a preference centre: sensible without one, refused where it could not work."""

from __future__ import annotations

import base64

import msgspec
import pytest

from courtesy.base.errors import Code, CourtesyError
from courtesy.consent.preference_centre import Brand, PreferenceCentre, Topic, contrast_with_white

PNG = bytes.fromhex("89504e470d0a1a0a") + b"the rest of it"


def logo(content: bytes, kind: str = "png") -> str:
    """An image within a definition."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def test_a_brand_is_as_the_company_where_it_says_nothing_else() -> None:
    """With its own title; one that is not there any more has the name by which the ledger calls it."""
    company = PreferenceCentre(
        brand="Group",
        topics=(Topic("hats"),),
        privacy_url="https://group.example",
        brands=(Brand("shoes", "Shoes & More", colour="#5b2a6e", topics=(), logo=logo(PNG)),),
    ).checked()
    shoes = company.under("shoes")
    assert (shoes.brand, shoes.colour, shoes.topics) == ("Shoes & More", "#5b2a6e", ())
    assert (shoes.channels, shoes.privacy_url) == (company.channels, "https://group.example")
    assert company.under("*") is company
    assert (company.under("gone").brand, company.under("gone").topics) == ("gone", company.topics)
    assert company.titles == {"shoes": "Shoes & More"}


def test_without_a_definition_it_asks_for_marketing_over_four_channels() -> None:
    """And is sound."""
    centre = PreferenceCentre().checked()
    assert [each.name for each in centre.purposes] == ["marketing"]
    assert [each.name for each in centre.channels] == ["email", "sms", "push", "direct_mail"]


@pytest.mark.parametrize(
    ("content", "place"),
    [
        ('{"topics": [{"name": "hats", "purpose": "sale"}]}', "topics"),
        ('{"topics": [{"name": "hats"}, {"name": "hats"}]}', "topics"),
        ('{"likes": [{"name": "Medicine"}]}', "likes"),
        ('{"channels": [{"name": "*"}]}', "channels"),
        ('{"uses": [{"name": "marketing"}]}', "uses"),
        ('{"colour": "#ffcc00"}', "colour"),
        ('{"brands": [{"name": "a", "title": "A"}, {"name": "a", "title": "B"}]}', "brands"),
        ('{"brands": [{"name": "*", "title": "A"}]}', "brands"),
        ('{"brands": [{"name": "a", "title": "A", "colour": "#ffcc00"}]}', "colour"),
        ('{"brands": [{"name": "a", "title": "A", "topics": [{"name": "hats", "purpose": "sale"}]}]}', "topics"),
        (f'{{"logo": "{logo(b"<svg onload=alert(1)>")}"}}', "logo"),
        (f'{{"logo": "{logo(PNG, "gif")}"}}', "logo"),
        (f'{{"logo": "{logo(PNG + bytes(32 * 1024))}"}}', "logo"),
        ('{"logo": "data:image/png;base64,A"}', "logo"),
        (msgspec.json.encode({"topics": [{"name": f"t{number}"} for number in range(30)]}).decode(), "topics"),
        (
            msgspec.json.encode(
                {
                    "topics": [{"name": f"t{number}"} for number in range(9)],
                    "brands": [{"name": f"b{number}", "title": "B"} for number in range(3)],
                }
            ).decode(),
            "topics",
        ),
    ],
)
def test_what_could_not_work_is_refused(content: str, place: str) -> None:
    """Said twice, of health, about nothing, or not to be read."""
    with pytest.raises(CourtesyError) as told:
        msgspec.json.decode(content, type=PreferenceCentre).checked()
    assert (told.value.code, told.value.place) == (Code.INVALID, place)


@pytest.mark.parametrize(
    "content",
    [
        '{"purposes": []}',
        '{"colour": "red"}',
        '{"privacy_url": "javascript:alert(1)"}',
        '{"embedded_by": ["https://shop.example; script-src *"]}',
        '{"notice": {"English": "Hi"}}',
        '{"regions": 1}',
        '{"logo": "https://shop.example/logo.png"}',
        '{"logo": "data:image/svg+xml;base64,PHN2Zz4="}',
        '{"logo": "data:image/png;base64,AAAA\\" onerror=\\"x"}',
        '{"brands": [{"name": "a"}]}',
    ],
)
def test_what_is_no_definition_is_refused_as_it_is_read(content: str) -> None:
    """No address but of the web, no header hidden in an origin, no field that means nothing."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(content, type=PreferenceCentre)


def test_contrast_is_that_of_the_guidelines() -> None:
    """Black 21, white 1, and the grey #767676 just 4.54."""
    assert round(contrast_with_white("#000000"), 2) == 21.0
    assert round(contrast_with_white("#ffffff"), 2) == 1.0
    assert round(contrast_with_white("#767676"), 2) == 4.54
