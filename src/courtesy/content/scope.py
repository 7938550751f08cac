"""What templates can speak of: the names in scope, the functions, and the tests. The docs list them from here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

SCOPE: dict[str, str] = {
    "person": "Who is written to: `person.traits`, `person.identifiers`, `person.groups`, as far as they allow it.",
    "event": "The event that the message answers, such as an order: `event.name`, `event.properties`.",
    "offer": "The offer that was chosen for them: `offer.title`, `offer.terms`, `offer.code`, `offer.valid_until`.",
    "decision": "How that was decided: `decision.placement`, `decision.reason`.",
    "message": "The message itself: `message.subject`, `message.unsubscribe_url`, `message.web_url`.",
    "placements": "What was chosen for each placement of the message: `placements.hero.title`.",
    "content": "The content item in which the template stands, with its other fields.",
    "now": "This instant, for `date` and `relative`.",
    "locale": "The locale of the message, such as `de-CH`.",
    "zone": "The time zone of the person.",
}
"""The names that every template knows, with their meaning."""

HIDDEN = frozenset({"loop", "self", "super", "caller", "range", "varargs", "kwargs"})
"""Names that a template can't give, since the engine uses them."""


class DeclaredFunction(NamedTuple):
    """A function that templates may call, with so many values."""

    least: int
    most: int
    meaning: str


FUNCTIONS: dict[str, DeclaredFunction] = {
    "catalogue": DeclaredFunction(
        2, 2, "`catalogue('products', sku)`: an entry of a catalogue, nothing if there is none."
    ),
    "range": DeclaredFunction(1, 2, "`range(5)`: the numbers from 0 to 4; `range(1, 6)`: from 1 to 5. At most 1,000."),
    "link": DeclaredFunction(
        1, 20, "The tracked address of a slot of this message. Publishing writes it; authors don't."
    ),
}

TESTS: dict[str, str] = {
    "defined": "There is such a name, and it is not null.",
    "undefined": "There is none, or it is null.",
    "none": "The same as `undefined`.",
    "number": "It is a number.",
    "string": "It is text.",
    "sequence": "It is a list.",
    "mapping": "It is an object.",
    "true": "It is true itself.",
    "false": "It is false itself.",
    "empty": "It is missing, null, or an empty text, list or object.",
    "even": "It is an even number.",
    "odd": "It is an odd number.",
    "divisible_by": "It is a multiple of a number: `n is divisible_by(3)`.",
    "containing": "It is text or a list with something in it: `email is containing('@')`.",
    "starting_with": "It is text that begins so.",
    "ending_with": "It is text that ends so.",
}


@dataclass(frozen=True, slots=True)
class Scope:
    """The facts for one rendering, plain values as JSON has them. The caller gives of the person only what may be used.

    `names`: what else is in scope, for templates that were compiled to know it. `functions`: raise nothing but
    LookupError, TypeError and ValueError, which make nothing of the call and are reported.
    """

    person: Mapping[str, Any] = field(default_factory=dict)
    event: Mapping[str, Any] = field(default_factory=dict)
    offer: Mapping[str, Any] = field(default_factory=dict)
    decision: Mapping[str, Any] = field(default_factory=dict)
    message: Mapping[str, Any] = field(default_factory=dict)
    placements: Mapping[str, Any] = field(default_factory=dict)
    content: Mapping[str, Any] = field(default_factory=dict)
    locale: str = "en"
    zone: str = "UTC"
    now_ms: int = 0
    currency: str = "EUR"
    names: Mapping[str, Any] = field(default_factory=dict)
    functions: Mapping[str, Callable[..., Any]] = field(default_factory=dict)

    def values(self) -> dict[str, Any]:
        """Everything by the name under which a template finds it."""
        return {
            **self.names,
            "person": self.person,
            "event": self.event,
            "offer": self.offer,
            "decision": self.decision,
            "message": self.message,
            "placements": self.placements,
            "content": self.content,
            "now": self.now_ms,
            "locale": self.locale,
            "zone": self.zone,
        }
