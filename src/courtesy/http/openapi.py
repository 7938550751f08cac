"""The OpenAPI document, made from the operations: what is declared is what is checked, so it can't be out of date."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

import msgspec

from courtesy import __version__
from courtesy.base.errors import Code
from courtesy.content.kinds import content_schemas
from courtesy.http.errors import Problem, status_of
from courtesy.http.operation import HTML, JSON, NoQuery, Operation
from courtesy.http.schemas import SCHEMAS
from courtesy.runtime.catalog import Scope

REF = "#/components/schemas/{name}"
BUG_STATUS = 500

_SECURITY_SCHEMES = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "A key made by `courtesy keys create` or `POST /v1/keys`, with the scope that is asked for.",
    },
    "writeKeyBasic": {
        "type": "http",
        "scheme": "basic",
        "description": "A write key as the user name, with an empty password. It may also be `writeKey` in the body.",
    },
    "writeKeyHeader": {"type": "apiKey", "in": "header", "name": "X-Write-Key", "description": "A write key."},
}

_TAGS = {
    "tracking": "The tracking API: what clients of the Segment protocol send. Change their host, nothing else.",
    "events": "The native way in, for servers and for history.",
    "consent": "What people allow and refuse, and whether they may be used for something.",
    "ledger": "What shows to strangers that no choice was altered, added or dropped.",
    "permits": "Asking before a message leaves, and showing afterwards that it was asked.",
    "questions": "Asking people the one question that is worth it, and taking the answer.",
    "offers": "What is of value to customers: granted, redeemed once, and never more of it than there is.",
    "sending": "What is sent to people: over which connections, how often, in which campaigns, and what became of it.",
    "in_app": "What waits to be shown to a visitor of a page or an application, and offers at its places.",
    "recipients": "Other systems that are told what people allow, what was put right, and whom to erase.",
    "people": "People and groups, as of everything acknowledged before the call.",
    "repair": "Corrections: merging, unmerging and splitting people by hand.",
    "requests": "What people ask about their data: by when it is due, doing it, and showing that it was done.",
    "imports": "Files that were imported, and taking them back.",
    "sources": "Where events come from.",
    "controller": "Who answers for what is done with people's data.",
    "keys": "API keys.",
    "identity": "Who is who.",
    "retention": "How long events are kept.",
    "schemas": "What events should look like.",
    "segments": "People for whom an expression holds now.",
    "assets": "Pictures and documents that content shows.",
    "catalogues": "Products, stores, articles: what messages speak of, and what people hear of when it changes.",
    "content": "What people are shown: written, approved, published and released.",
    "subscriptions": "Webhooks that are called when a person does something.",
    "quarantine": "Rejected events: what is wrong with them, mending, replaying, discarding.",
    "operations": "For those who run it.",
}


def document(all_: Iterable[Operation]) -> dict[str, Any]:
    """The document, as plain values."""
    operations = list(all_)
    schemas = _schemas(operations)
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _described(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Courtesy",
            "version": __version__,
            "description": "Events in, one live person out. All times are UTC; positions are numbers in strings.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "tags": [{"name": name, "description": said} for name, said in _TAGS.items()],
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": _SECURITY_SCHEMES},
    }


def _schemas(operations: list[Operation]) -> dict[str, Any]:
    types: dict[Any, None] = {Problem: None}
    for each in operations:
        types.update((type_, None) for type_ in (each.answer, each.body, each.problem) if type_ is not None)
    _, components = msgspec.json.schema_components(types, ref_template=REF)
    return {**components, **SCHEMAS, **content_schemas(REF)}


def _ref(type_: Any) -> dict[str, Any]:
    (schema,), _ = msgspec.json.schema_components((type_,), ref_template=REF)
    return schema


def _described(operation: Operation) -> dict[str, Any]:
    body: dict[str, Any] = {
        "operationId": operation.handle.__name__ if not operation.tracking else _own_name(operation),
        "tags": [operation.tag],
        "summary": operation.summary,
        "parameters": [*_path_parameters(operation), *_query_parameters(operation)],
        "responses": _responses(operation),
    }
    if operation.doc:
        body["description"] = operation.doc
    if operation.request is not None:
        body["requestBody"] = operation.request
    elif operation.body is not None:
        body["requestBody"] = {"required": True, "content": {JSON: {"schema": _ref(operation.body)}}}
    if operation.scope is not None:
        body["security"] = _security(operation.scope)
    return body


def _own_name(operation: Operation) -> str:
    """A name for one of the operations that share a function."""
    words = operation.path.replace("{", "").replace("}", "").strip("/").split("/")[1:]
    return "_".join((operation.method.lower(), *words))


def _security(scope: Scope) -> list[dict[str, list[str]]]:
    if scope is Scope.WRITE:
        return [{"writeKeyBasic": []}, {"writeKeyHeader": []}, {"bearer": []}]
    return [{"bearer": []}]


def _path_parameters(operation: Operation) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": operation.path_docs.get(name, ""),
            "schema": {"type": "string", "minLength": 1},
        }
        for name in operation.path_names
    ]


def _query_parameters(operation: Operation) -> list[dict[str, Any]]:
    if operation.query is NoQuery:
        return []
    _, components = msgspec.json.schema_components((operation.query,), ref_template=REF)
    declared = components.pop(operation.query.__name__)
    return [
        {"name": name, "in": "query", "required": False, "schema": _query_schema(schema, components)}
        for name, schema in declared["properties"].items()
    ]


def _query_schema(schema: Mapping[str, Any], components: Mapping[str, Any]) -> dict[str, Any]:
    """A parameter's schema, with what it refers to written out; null is for JSON, a parameter is left out instead."""
    choices = [each for each in schema.get("anyOf", [schema]) if each.get("type") != "null"]
    plain = dict(choices[0])
    if "$ref" in plain:
        plain = {**components[plain.pop("$ref").rpartition("/")[2]], **plain}
    if schema.get("default") is not None:
        plain["default"] = schema["default"]
    plain.pop("title", None)
    return plain


def _responses(operation: Operation) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    if operation.response is not None:
        for status, content in operation.response.items():
            responses[status] = {"description": HTTPStatus(int(status)).phrase, **content}
    elif operation.answered is not None:
        phrase = HTTPStatus(operation.status).phrase
        responses[str(operation.status)] = {"description": phrase, "content": dict(operation.answered)}
    else:
        schema = _ref(operation.answer)
        phrase = HTTPStatus(operation.status).phrase
        told = {JSON: {"schema": schema}, **({HTML: {"schema": {"type": "string"}}} if operation.page else {})}
        responses[str(operation.status)] = {"description": phrase, "content": told}
    problem = {JSON: {"schema": _ref(operation.problem or Problem)}}
    for number, codes in sorted(_errors(operation).items()):
        described: dict[str, Any] = {"description": ", ".join(sorted(codes)), "content": problem}
        if number in (429, 503):
            described["headers"] = {"Retry-After": {"schema": {"type": "string"}, "description": "Seconds"}}
        responses.setdefault(str(number), described)
    return responses


def _errors(operation: Operation) -> dict[int, set[str]]:
    """The codes that an operation may answer with, by status."""
    if operation.response is not None:
        return {}
    codes = {Code.UNAVAILABLE, *operation.codes}
    if operation.scope is not None:
        codes |= {Code.UNAUTHENTICATED, Code.FORBIDDEN, Code.STORAGE_FULL}
    if operation.body is not None:
        codes |= {Code.UNREADABLE, Code.TOO_LARGE}
    # A query or a path that can't be read is told by all who read one; so is a connection cut short.
    if not operation.tracking or operation.scope is not None:
        codes.add(Code.INVALID)
    found: dict[int, set[str]] = {}
    for code in codes:
        found.setdefault(status_of(code, operation), set()).add(code)
    if operation.scope is not Scope.WRITE:
        found.setdefault(BUG_STATUS, set()).add("internal")
    return found
