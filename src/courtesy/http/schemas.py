"""The bodies of the tracking protocol, as OpenAPI describes them.

They say what clients should send. What is accepted is wider: a wrong item is answered with its cause, not with a 400.
"""

from __future__ import annotations

from typing import Any

_SCALAR: dict[str, Any] = {"type": ["string", "number", "boolean", "null"]}
_OBJECT: dict[str, Any] = {"type": ["object", "null"]}
_TIME: dict[str, Any] = {"type": ["string", "number", "null"], "description": "ISO 8601, or seconds or ms since 1970"}

CALL: dict[str, Any] = {
    "type": "object",
    "description": "One call of the tracking protocol, at most 32 KB.",
    "properties": {
        "type": {"type": "string", "enum": ["identify", "track", "page", "screen", "group", "alias"]},
        "messageId": {
            "type": "string",
            "description": "Up to 100 characters; recognised for 7 days.",
            "maxLength": 100,
        },
        "userId": {**_SCALAR, "description": "The id under which the person is known after logging in."},
        "anonymousId": {**_SCALAR, "description": "The id of a device or browser before that."},
        "previousId": {**_SCALAR, "description": "alias: the old id."},
        "groupId": {**_SCALAR, "description": "group: the group's id."},
        "event": {**_SCALAR, "description": "track: what happened, up to 200 characters."},
        "name": {**_SCALAR, "description": "page, screen: its name."},
        "category": {**_SCALAR, "description": "page, screen: its category."},
        "properties": {**_OBJECT, "description": "What is to be known of what happened."},
        "traits": {**_OBJECT, "description": "identify: of the person; group: of the group."},
        "context": {
            **_OBJECT,
            "description": "Circumstances. `device.id`, `externalIds` and `traits.email` identify; `consent` "
            "tells what they allow, and may keep an event out; `courtesy.overwrite` beats more trusted sources.",
        },
        "integrations": {**_OBJECT, "description": "`{Courtesy: false}` keeps the event out."},
        "timestamp": {**_TIME},
        "originalTimestamp": {**_TIME},
        "sentAt": {**_TIME},
        "writeKey": {"type": ["string", "null"], "description": "The key, for clients that send no header."},
    },
}

BATCH: dict[str, Any] = {
    "type": "object",
    "description": "Calls with what holds for all of them; at most 500 KB and 2,500 calls.",
    "properties": {
        "batch": {"type": "array", "items": {"$ref": "#/components/schemas/Call"}, "maxItems": 2500},
        "context": {**_OBJECT, "description": "Lies under the context of each call."},
        "integrations": {**_OBJECT, "description": "Lies under the integrations of each call."},
        "sentAt": {**_TIME},
        "writeKey": {"type": ["string", "null"]},
    },
    "required": ["batch"],
}

SCHEMAS: dict[str, Any] = {"Call": CALL, "Batch": BATCH}

_NOTE = "`Content-Type` is not looked at; gzip is recognised by its first bytes."


def _json_body(schema: dict[str, Any]) -> dict[str, Any]:
    return {"required": True, "description": _NOTE, "content": {"application/json": {"schema": schema}}}


CALL_BODY = _json_body({"$ref": "#/components/schemas/Call"})
BATCH_BODY = _json_body({"$ref": "#/components/schemas/Batch"})
ANY_BODY: dict[str, Any] = {"required": False, "content": {"application/json": {"schema": {}}}}
EVENTS_BODY: dict[str, Any] = {
    "required": True,
    "description": f"{_NOTE} Calls as an array, a single one, or one per line; at most 50 MB unpacked.",
    "content": {
        "application/json": {
            "schema": {
                "oneOf": [
                    {"type": "array", "items": {"$ref": "#/components/schemas/Call"}},
                    {"$ref": "#/components/schemas/Call"},
                ]
            }
        },
        "application/x-ndjson": {"schema": {"type": "string"}},
    },
}
GIF: dict[str, Any] = {"content": {"image/gif": {"schema": {"type": "string", "format": "binary"}}}}
PAGE_OF_TEXT: dict[str, Any] = {"content": {"text/plain": {"schema": {"type": "string"}}}}
