"""What must hold of offers, told by their events alone: a plain reckoning that knows nothing of how they are
decided."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple


class Happened(NamedTuple):
    """An event of an offer: its name, of whom (None: nobody who is known), when, and what it says."""

    name: str
    person: int | None
    at_ms: int
    told: Mapping[str, Any]


class Joined(NamedTuple):
    """Two people turn out to be one."""

    loser: int
    survivor: int


class Bounds(NamedTuple):
    """What an offer may come to: None where there is no end. `bound`: what one redemption costs at most."""

    stock: int | None = None
    budget: float | None = None
    per_person: int | None = 1
    bound: float = 0.0


@dataclass
class Reckoning:
    """Goes through what happened in order, and notes in `wrong` what must not be."""

    bounds: Mapping[str, Bounds]
    wrong: list[str] = field(default_factory=list)
    root: dict[int, int] = field(default_factory=dict)
    held: dict[int, str] = field(default_factory=dict)
    kept: dict[int, float] = field(default_factory=dict)
    until: dict[int, int] = field(default_factory=dict)
    over: set[int] = field(default_factory=set)
    used: dict[int, int] = field(default_factory=dict)
    codes: set[str] = field(default_factory=set)
    redeemed: dict[int, tuple[str, int | None, float, int]] = field(default_factory=dict)
    given_back: set[int] = field(default_factory=set)

    def go(self, events: Iterable[Happened | Joined]) -> list[str]:
        """Everything that is wrong."""
        for each in events:
            if isinstance(each, Joined):
                self.root[each.loser] = each.survivor
                continue
            step = getattr(self, each.name.lower().replace(" ", "_"), None)
            if step is not None:
                step(each)
        return self.wrong

    def one(self, person: int | None) -> int | None:
        """Of whom somebody is part by now."""
        while person in self.root:
            person = self.root[person]
        return person

    def holding(self, offer: str) -> int:
        """How many pieces are kept for grants."""
        return sum(each == offer for each in self.held.values())

    def reserved(self, offer: str) -> float:
        """How much of its budget is kept for grants."""
        return sum(self.kept[number] for number, each in self.held.items() if each == offer)

    def standing(self, offer: str) -> list[tuple[str, int | None, float, int]]:
        """The redemptions that hold."""
        return [each for number, each in self.redeemed.items() if number not in self.given_back and each[0] == offer]

    def check_room(self, offer: str, why: str) -> None:
        """Note what there is more of than may be."""
        bounds, standing = self.bounds[offer], self.standing(offer)
        if bounds.stock is not None and self.holding(offer) + len(standing) > bounds.stock:
            self.wrong.append(f"{why}: {offer} is oversold")
        cost = sum(value for _, _, value, _ in standing) + self.reserved(offer)
        if bounds.budget is not None and cost > bounds.budget + 1e-6:
            self.wrong.append(f"{why}: {offer} costs {cost} of {bounds.budget}")

    def offer_granted(self, each: Happened) -> None:
        """A piece is kept for somebody."""
        number, offer, code = each.told["grant"], each.told["offer"], each.told["code"]
        if number in self.until:
            self.wrong.append(f"grant {number} twice")
        if code and code in self.codes:
            self.wrong.append(f"code {code} twice")
        self.codes.add(code)
        self.held[number], self.until[number], self.used[number] = offer, each.told["until"], 0
        self.kept[number] = self.bounds[offer].bound
        self.check_room(offer, f"grant {number}")

    def end(self, each: Happened) -> None:
        """What was kept is free again."""
        number = each.told.get("grant", 0)
        if not number:
            return
        if number not in self.held:
            self.wrong.append(f"{each.name} of grant {number}, for which nothing is kept")
        self.held.pop(number, None)
        self.over.add(number)

    offer_declined = end

    def offer_expired(self, each: Happened) -> None:
        """Its time is over, or its person has no more use for it."""
        if each.told["reason"] == "expired" and each.at_ms < self.until[each.told["grant"]]:
            self.wrong.append(f"grant {each.told['grant']} expired early")
        self.end(each)

    def offer_redeemed(self, each: Happened) -> None:
        """It is used, by a grant that holds or by nobody's."""
        number, offer, grant = each.told["redemption"], each.told["offer"], each.told["grant"]
        if number in self.redeemed:
            self.wrong.append(f"redemption {number} twice")
        if grant:
            if grant in self.over or (self.until[grant] and each.at_ms >= self.until[grant]):
                self.wrong.append(f"redemption {number} by a grant that is over")
            self.held.pop(grant, None)
            self.used[grant] += 1
        person, limit = self.one(each.person), self.bounds[offer].per_person
        before = [1 for _, other, _, _ in self.standing(offer) if self.one(other) == person]
        if limit is not None and person is not None and len(before) >= limit:
            self.wrong.append(f"redemption {number}: {person} has redeemed {offer} {len(before)} times already")
        self.redeemed[number] = (offer, each.person, each.told.get("value", 0.0), grant)
        self.check_room(offer, f"redemption {number}")

    def offer_given_back(self, each: Happened) -> None:
        """It is as if it had not been used."""
        number = each.told["redemption"]
        if number in self.given_back or number not in self.redeemed:
            self.wrong.append(f"redemption {number} given back though there is none")
        self.given_back.add(number)
        grant = self.redeemed[number][3]
        if grant:
            self.used[grant] -= 1
            if not self.used[grant] and grant not in self.over:
                offer = self.redeemed[number][0]
                bounds, spent = self.bounds[offer], sum(value for _, _, value, _ in self.standing(offer))
                left = bounds.bound if bounds.budget is None else bounds.budget - spent - self.reserved(offer)
                self.held[grant], self.kept[grant] = offer, min(bounds.bound, left)
