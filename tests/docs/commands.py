"""The commands of the command line, as they are declared."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

import typer
from typer.models import ArgumentInfo, OptionInfo

from courtesy.cli.main import cli


@dataclass(frozen=True, slots=True)
class Parameter:
    """An argument, or an option (its name begins with `--`), in words."""

    name: str
    takes: str
    default: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Command:
    """A command that can be run. `summary` is its docstring."""

    name: str
    summary: str
    parameters: tuple[Parameter, ...]

    @property
    def names(self) -> list[str]:
        """The names of its options and arguments."""
        return [each.name for each in self.parameters]

    @property
    def arguments(self) -> list[Parameter]:
        """Those without a name on the command line."""
        return [each for each in self.parameters if not each.name.startswith("--")]


def commands() -> list[Command]:
    """All commands, sorted by name."""
    return sorted(_commands(cli, "courtesy"), key=lambda command: command.name)


def _commands(app: typer.Typer, name: str) -> Iterator[Command]:
    for command in app.registered_commands:
        function = command.callback
        assert function is not None
        own = command.name or function.__name__.replace("_", "-")
        yield Command(f"{name} {own}", inspect.getdoc(function) or "", tuple(_parameters(function)))
    for group in app.registered_groups:
        assert group.typer_instance is not None
        named = group.name if isinstance(group.name, str) else group.typer_instance.info.name
        assert named is not None
        yield from _commands(group.typer_instance, f"{name} {named}")


def _parameters(function: Callable[..., Any]) -> Iterator[Parameter]:
    hints = get_type_hints(function, include_extras=True)
    for name, parameter in inspect.signature(function).parameters.items():
        kind, info = get_args(hints[name])
        assert isinstance(info, ArgumentInfo | OptionInfo)
        shown = name if isinstance(info, ArgumentInfo) else _option_name(name, info)
        meaning = " ".join((info.help or "").split())
        yield Parameter(shown, _takes(kind), _default(parameter.default), meaning)


def _option_name(name: str, info: OptionInfo) -> str:
    # Within `Annotated` the first of its names stands where a default would.
    own = [info.default] if isinstance(info.default, str) and info.default.startswith("--") else []
    return (own + list(info.param_decls or []) + [f"--{name.strip('_').replace('_', '-')}"])[0]


def _takes(kind: Any) -> str:
    """What a parameter takes, in a word. Whether None is allowed is the default's to say."""
    kinds = [each for each in get_args(kind) or (kind,) if each is not NoneType]
    if get_origin(kind) is list or get_origin(kinds[0]) is list:
        return "text, any number"
    if kinds[0] is bool:
        return "nothing"
    if isinstance(kinds[0], type) and issubclass(kinds[0], StrEnum):
        return ", ".join(f"`{each}`" for each in kinds[0])
    names: dict[Any, str] = {int: "integer", float: "number", str: "text"}
    return names[kinds[0]]


def _default(value: Any) -> str:
    if value is inspect.Parameter.empty:
        return "required"
    return "" if value is None or value is False else f"`{value}`"
