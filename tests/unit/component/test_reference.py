"""What is derived from a declaration: the schema that editors use and the page that people read."""

from __future__ import annotations

import jsonschema_rs
import pytest

from courtesy.component.declaration import Component, Field, FieldType, Kind
from courtesy.component.reference import json_schema, reference_markdown

PIGEON = Component(
    "pigeon",
    Kind.SOURCE,
    "Carries a letter.",
    "Only by day.\n",
    (
        Field("loft", FieldType.STRING, "Where it\nlives: roof|cellar.", example="Dächer", required=True),
        Field("speed", FieldType.NUMBER, "In m/s.", example=20.5, default=18),
        Field("tame", FieldType.BOOLEAN, "Whether it sits on a hand.", example=True, default=False),
        Field("eggs", FieldType.INTEGER, "How many.", example=2, default=0),
        Field("rings", FieldType.STRINGS, "On its legs.", example=("red",), default=(), secret=True),
    ),
)

PAGE = """\
## pigeon

*Source.* Carries a letter.

Only by day.

| field | type | default | meaning |
| --- | --- | --- | --- |
| `loft` | string | required | Where it lives: roof\\|cellar. |
| `speed` | number | `18` | In m/s. |
| `tame` | boolean | `false` | Whether it sits on a hand. |
| `eggs` | integer | `0` | How many. |
| `rings` | list of strings | `[]` | On its legs. Kept secret. |

```json
{
  "loft": "Dächer",
  "speed": 20.5,
  "tame": true,
  "eggs": 2,
  "rings": [
    "red"
  ]
}
```
"""


def test_the_reference_shows_every_field_and_an_example() -> None:
    """The whole section, as it stands in the documentation."""
    assert reference_markdown(PIGEON) == PAGE


@pytest.mark.parametrize(
    ("config", "fits"),
    [
        ({"loft": "a"}, True),
        ({"loft": "a", "speed": 1, "tame": True, "eggs": 1, "rings": ["x"]}, True),
        ({}, False),
        ({"loft": 1}, False),
        ({"loft": "a", "rings": "x"}, False),
        ({"loft": "a", "rings": [1]}, False),
        ({"loft": "a", "tame": 1}, False),
        ({"loft": "a", "unknown": 1}, False),
    ],
)
def test_an_independent_validator_agrees_with_the_schema(config: object, fits: bool) -> None:
    """The schema means what JSON Schema says it means."""
    assert jsonschema_rs.validator_for(json_schema(PIGEON)).is_valid(config) is fits


def test_the_schema_tells_defaults_and_secrets() -> None:
    """A form made from the schema can prefill a field and hide a secret."""
    properties = json_schema(PIGEON)["properties"]
    assert properties["rings"] == {
        "type": "array",
        "items": {"type": "string"},
        "description": "On its legs.",
        "examples": [["red"]],
        "default": [],
        "writeOnly": True,
    }
    assert "default" not in properties["loft"]
