"""The definition of a preference centre: sensible without one, refused where it could not work."""

from __future__ import annotations

import msgspec
import pytest

from courtesy.base.errors import Code, CourtesyError
from courtesy.consent.preference_centre import PreferenceCentre, contrast_with_white


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
        (msgspec.json.encode({"topics": [{"name": f"t{number}"} for number in range(30)]}).decode(), "topics"),
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
        '{"brands": 1}',
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
