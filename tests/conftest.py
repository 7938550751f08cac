"""What holds for all tests: coroutines run on a fresh loop, and Hypothesis is steady where it must be."""

from __future__ import annotations

import asyncio
import functools
import inspect
import os
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from hypothesis import settings

# No deadline: how fast an example runs says nothing about whether it is right. In CI the examples are
# the same each time, so that a red run accuses the change at hand; elsewhere they keep exploring.
settings.register_profile("courtesy", deadline=None, derandomize=bool(os.environ.get("CI")), print_blob=True)
settings.load_profile("courtesy")


# Filters of this machine would take seconds for each mail that is published; tests of them ask for one by name.
os.environ.setdefault("COURTESY_SPAM_FILTER", "off")


def on_a_fresh_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """The coroutine function as a plain one that runs it to its end on an event loop of its own."""

    @functools.wraps(test)
    def run(*args: object, **kwargs: object) -> None:
        asyncio.run(test(*args, **kwargs))

    return run


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let `async def` tests run, those under Hypothesis' `@given` too."""
    for item in items:
        if not isinstance(item, pytest.Function):
            continue
        property_test = getattr(item.obj, "hypothesis", None)
        if property_test is not None and inspect.iscoroutinefunction(property_test.inner_test):
            property_test.inner_test = on_a_fresh_loop(property_test.inner_test)
        elif inspect.iscoroutinefunction(item.obj):
            item.obj = on_a_fresh_loop(item.obj)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what passing tests advise: `record_property("advice", text)`."""
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            if name == "advice":
                terminalreporter.write_line(f"Advice: {value}")
