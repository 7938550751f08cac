"""What can be read off a declaration: a JSON schema for forms and editors, and a page of the reference."""

from __future__ import annotations

import json
from typing import Any

from courtesy.component.declaration import Component, Field, FieldType, Value

_JSON_TYPES: dict[FieldType, dict[str, Any]] = {
    FieldType.STRING: {"type": "string"},
    FieldType.INTEGER: {"type": "integer"},
    FieldType.NUMBER: {"type": "number"},
    FieldType.BOOLEAN: {"type": "boolean"},
    FieldType.STRINGS: {"type": "array", "items": {"type": "string"}},
}


def json_schema(component: Component) -> dict[str, Any]:
    """A JSON Schema (2020-12) of the component's configuration.

    It knows names, types, defaults and what is required. The finer checks run on the server only, so
    what passes the schema may still be refused by `validated`, never the other way round.
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": component.name,
        "description": component.summary,
        "type": "object",
        "properties": {field.name: _property(field) for field in component.fields},
        "required": [field.name for field in component.fields if field.required],
        "additionalProperties": False,
    }


def _property(field: Field) -> dict[str, Any]:
    schema = {**_JSON_TYPES[field.type], "description": field.doc, "examples": [_plain(field.example)]}
    if field.default is not None:
        schema["default"] = _plain(field.default)
    if field.secret:
        schema["writeOnly"] = True
    return schema


def _plain(value: Value) -> object:
    """`value` in the types that a JSON decoder would give."""
    return list(value) if isinstance(value, tuple) else value


def reference_markdown(component: Component) -> str:
    """The component's section in the reference: what it does, its fields, a configuration to start from."""
    rows = [_row(field) for field in component.fields]
    example = json.dumps(component.example, indent=2, ensure_ascii=False)
    table = ["| field | type | default | meaning |", "| --- | --- | --- | --- |", *rows]
    parts = [
        f"## {component.name}",
        f"*{component.kind.capitalize()}.* {component.summary}",
        component.doc.strip(),
        "\n".join(table),
        f"```json\n{example}\n```",
    ]
    return "\n\n".join(parts) + "\n"


def _row(field: Field) -> str:
    default = "required" if field.required else f"`{json.dumps(field.default, ensure_ascii=False)}`"
    doc = " ".join(field.doc.split()) + (" Kept secret." if field.secret else "")
    cells = (f"`{field.name}`", field.type, default, doc)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
