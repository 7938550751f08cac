"""How long functions and files are. `python -m tests.tidy.sizes` prints the figures and the longest functions.

The length of a function is its lines from `def` to the end, without decorators and without its docstring:
a contract is welcome to be long. Bodies that are only `...` are promises and are not counted.
"""

from __future__ import annotations

import ast
import statistics
from collections.abc import Iterator
from dataclasses import dataclass

from tests.tidy.checkout import place, python_files

LONG_FUNCTION_LINES = 70
SHORT_FUNCTION_LINES = 30
LONG_FILE_LINES = 800

_Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class FunctionSize:
    """One function. `name` is its place and its dotted name: `src/courtesy/base/ids.py:tie_break`."""

    name: str
    lines: int


@dataclass(frozen=True, slots=True)
class Sizes:
    """The sizes of a set of files."""

    functions: list[FunctionSize]
    files: dict[str, int]

    @property
    def long_functions(self) -> list[str]:
        """Functions of more than 70 lines, sorted by name."""
        return sorted(function.name for function in self.functions if function.lines > LONG_FUNCTION_LINES)

    @property
    def long_files(self) -> list[str]:
        """Files of more than 800 lines, sorted by name."""
        return sorted(name for name, lines in self.files.items() if lines > LONG_FILE_LINES)

    @property
    def short_share(self) -> float:
        """The share of functions under 30 lines; 1 when there is no function."""
        if not self.functions:
            return 1.0
        return sum(function.lines < SHORT_FUNCTION_LINES for function in self.functions) / len(self.functions)

    @property
    def median_lines(self) -> float:
        """The median length of a function; 0 when there is none."""
        return statistics.median([function.lines for function in self.functions] or [0])


def measure(sources: dict[str, str]) -> Sizes:
    """The sizes of Python sources, given as name to text."""
    functions = [size for name, text in sources.items() for size in functions_in(name, text)]
    return Sizes(functions, {name: text.count("\n") for name, text in sources.items()})


def measure_checkout() -> Sizes:
    """The sizes of all Python files of this checkout."""
    return measure({place(path): path.read_text(encoding="utf-8") for path in python_files()})


def functions_in(name: str, text: str) -> Iterator[FunctionSize]:
    """All functions of one source, nested ones too."""
    for dotted, node in _functions(ast.parse(text), ""):
        docstring_lines = _docstring_lines(node)
        if not _is_promise(node):
            yield FunctionSize(f"{name}:{dotted}", (node.end_lineno or 0) - node.lineno + 1 - docstring_lines)


def _functions(parent: ast.AST, prefix: str) -> Iterator[tuple[str, _Function]]:
    for node in ast.iter_child_nodes(parent):
        inner = f"{prefix}{node.name}." if isinstance(node, _Function | ast.ClassDef) else prefix
        if isinstance(node, _Function):
            yield inner.rstrip("."), node
        yield from _functions(node, inner)


def _docstring_lines(node: _Function) -> int:
    if ast.get_docstring(node) is None:
        return 0
    first = node.body[0]
    return (first.end_lineno or 0) - first.lineno + 1


def _is_promise(node: _Function) -> bool:
    last = node.body[-1]
    return isinstance(last, ast.Expr) and isinstance(last.value, ast.Constant) and last.value.value is ...


def _report(sizes: Sizes) -> str:
    longest = sorted(sizes.functions, key=lambda function: -function.lines)[:10]
    return "\n".join(
        [
            f"{len(sizes.functions)} functions in {len(sizes.files)} files",
            f"share under {SHORT_FUNCTION_LINES} lines: {sizes.short_share:.3f}; median: {sizes.median_lines:g} lines",
            *(f"{function.lines:5} {function.name}" for function in longest),
        ]
    )


if __name__ == "__main__":
    print(_report(measure_checkout()))
