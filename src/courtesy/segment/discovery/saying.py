"""What was discovered, in a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from courtesy.segment import tree
from courtesy.segment.printing import write
from courtesy.segment.tree import Expression, Segment, Sign

if TYPE_CHECKING:
    # Whoever says what was found need not be who found it, and NumPy is much to import for that.
    from courtesy.segment.discovery.discover import Discovery, Proposal, Rate

_SIGNS = {Sign.LESS: "under", Sign.AT_MOST: "at most", Sign.MORE: "over", Sign.AT_LEAST: "at least"}


def sentence(proposal: Proposal, discovery: Discovery, outcome: str) -> str:
    """A proposal as it is read aloud. `outcome`: what people did, as in "of whom 31 % did …"."""
    rate, held = proposal.all, proposal.held
    return (
        f"{people_who(proposal.expression)}: {rate.people:,} {'person' if rate.people == 1 else 'people'}, of whom"
        f" {_share(rate)} {outcome}, against {_percent(discovery.all.share)} of all;"
        f" of those not looked at before {_share(held)}"
    )


def people_who(expression: Expression) -> str:
    """Whom an expression of conditions joined by and selects."""
    nodes = expression.of if isinstance(expression, tree.All) else (expression,)
    return f"people {' and '.join(map(_phrase, nodes))}"


def _phrase(node: Expression) -> str:
    text = write(Segment(1, node))
    if isinstance(node, tree.Any):
        text = f"fit ({text})"
    if isinstance(node, tree.Amount | tree.Field) and isinstance(node.test, tree.Compare):
        before, _, number = text.rpartition(f" {node.test.sign} ")
        text = f"{before} is {_SIGNS[node.test.sign]} {number}"
    is_whose = isinstance(node, tree.Amount | tree.Field | tree.Occurrence)
    return f"{'whose' if is_whose else 'who'} {text}"


def _share(rate: Rate) -> str:
    return f"{_percent(rate.share)} ({_number(rate.low)} to {_number(rate.high)})"


def _percent(share: float) -> str:
    return f"{_number(share)} %"


def _number(share: float) -> str:
    """Per cent, in so many digits that a small share is not shown as none."""
    percent = 100 * share
    return f"{percent:.0f}" if percent >= 10 or percent == 0 else f"{percent:.1f}" if percent >= 1 else f"{percent:.2g}"
