"""The description of the API: complete, sound, and made from what is served."""

from __future__ import annotations

from typing import Any

from courtesy.base.errors import Code
from courtesy.http.app import OPERATIONS, create
from courtesy.http.openapi import document
from courtesy.http.operation import Operation
from courtesy.runtime.catalog import Scope
from tests.unit.http.world import serving


async def described() -> dict[str, Any]:
    """The document as it is served."""
    async with serving() as world:
        response = await world.get("/openapi.json", "")
        assert response.status_code == 200
        content: dict[str, Any] = response.json()
        return content


def operations_of(content: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    """Each operation by method and path."""
    return {
        (method.upper(), path): operation
        for path, methods in content["paths"].items()
        for method, operation in methods.items()
    }


async def test_every_operation_is_described_once() -> None:
    """With a summary, a tag that is explained, and a name of its own."""
    content = await described()
    found = operations_of(content)
    assert set(found) == {(each.method, each.path) for each in OPERATIONS}
    names = [each["operationId"] for each in found.values()]
    assert len(set(names)) == len(names)
    tags = {each["name"] for each in content["tags"]}
    for operation in found.values():
        assert operation["summary"].endswith(".")
        assert set(operation["tags"]) <= tags


async def test_every_path_that_is_served_is_described() -> None:
    """Nothing answers in secret: each route of the app belongs to an operation."""
    async with serving() as world:
        routes = {route.path.partition("{")[0].rstrip("/") for route in create(world.app).routes}
    described_paths = {each.path.partition("{")[0].rstrip("/") for each in OPERATIONS}
    assert routes == described_paths


def references(node: Any) -> list[str]:
    """Every `$ref` in a document."""
    if isinstance(node, dict):
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + [each for value in node.values() for each in references(value)]
    if isinstance(node, list):
        return [each for value in node for each in references(value)]
    return []


async def test_everything_referred_to_is_there() -> None:
    """No reference leads nowhere, and no schema is left over."""
    content = await described()
    schemas = {f"#/components/schemas/{name}" for name in content["components"]["schemas"]}
    assert set(references(content)) == schemas


async def test_operations_that_need_a_key_say_so() -> None:
    """And document what they answer without one."""
    found = operations_of(await described())
    for each in OPERATIONS:
        operation = found[each.method, each.path]
        assert ("security" in operation) == (each.scope is not None)
        if each.scope is not None and each.response is None:
            assert {"401", "403", "503"} <= set(operation["responses"])
        if each.scope is Scope.WRITE and each.tag != "in_app":
            assert {"400", "429"} <= set(operation["responses"])
            assert operation["requestBody"]


async def test_the_tracking_api_knows_no_status_that_loses_events() -> None:
    """No 413, no 500, no 3xx is promised to its clients."""
    found = operations_of(await described())
    for each in OPERATIONS:
        if each.tracking and each.scope is Scope.WRITE:
            assert not {"413", "500", "302"} & set(found[each.method, each.path]["responses"])


async def test_query_parameters_are_described_with_type_and_bounds() -> None:
    """As they are checked."""
    found = operations_of(await described())
    parameters = {each["name"]: each for each in found["GET", "/v1/people/{kind}/{value}/events"]["parameters"]}
    assert parameters["kind"]["required"]
    assert parameters["limit"]["schema"] == {"type": "integer", "minimum": 1, "maximum": 500, "default": 50}
    assert parameters["before"]["schema"]["type"] == "integer"
    causes = {each["name"]: each for each in found["GET", "/v1/quarantine"]["parameters"]}["cause"]
    assert "unreadable" in causes["schema"]["enum"]


async def test_an_operation_of_later_is_described_by_its_declaration() -> None:
    """Whoever adds one writes it once."""

    async def handle(asked: Any) -> None:
        """Do nothing."""

    more = Operation("GET", "/v1/x/{id}", "operations", "Do it.", handle, answer=dict[str, int], codes=(Code.CONFLICT,))
    (operation,) = operations_of(document([more])).values()
    assert set(operation["responses"]) == {"200", "400", "409", "500", "503"}
    assert [each["name"] for each in operation["parameters"]] == ["id"]
