"""A person as others see it: nested traits, where each came from, what they did. Plain values, ready for JSON."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from courtesy.base.ids import SourceId
from courtesy.base.time import DAY_MS, to_iso
from courtesy.consent.standing import Standing, scope_of
from courtesy.offer.standing import Mark, What, standings
from courtesy.person.asking import Asking
from courtesy.person.fold import MICROS
from courtesy.person.standards import standard_traits
from courtesy.person.state import Behaviour, PersonState, Trait


def split_path(path: str) -> list[str]:
    """The names of a dotted path, with escapes undone."""
    names = [""]
    escaped = False
    for char in path:
        if escaped:
            names[-1] += char
            escaped = False
        elif char == "\\":
            escaped = True
        elif char == ".":
            names.append("")
        else:
            names[-1] += char
    return names


def leaves(traits: Mapping[str, Any], origins: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The values of nested traits that have an origin of their own, by the paths under which origins are told."""
    for name, value in traits.items():
        path = prefix + name.replace("\\", "\\\\").replace(".", "\\.")
        if isinstance(value, Mapping) and value and path not in origins:
            yield from leaves(value, origins, f"{path}.")
        else:
            yield path, value


def nested_traits(traits: Mapping[str, Trait]) -> dict[str, Any]:
    """The traits as one nested object. Where a value and an object claim the same name, the later fact wins.

    What was unset is left out, and so is an object all of whose names were.
    """
    root: dict[str, Any] = {}
    for path, trait in sorted(traits.items(), key=lambda item: (item[1].rank, item[1].at, item[1].tie, item[0])):
        if trait.value is None:
            _unset(root, split_path(path))
        else:
            _set(root, split_path(path), trait.value)
    return root


def _set(root: dict[str, Any], path: list[str], value: Any) -> None:
    *parents, leaf = path
    node = root
    for name in parents:
        child = node.get(name)
        if not isinstance(child, dict):
            child = node[name] = {}
        node = child
    # An empty object claims the name, but nothing in it.
    if not (isinstance(value, dict) and isinstance(node.get(leaf), dict)):
        node[leaf] = value


def _unset(root: dict[str, Any], path: list[str]) -> None:
    """Take away what older facts put at a path, and values that older facts put where it says that an object is."""
    nodes = [root]
    for name in path[:-1]:
        child = nodes[-1].get(name)
        if not isinstance(child, dict):
            break
        nodes.append(child)
    for name, node in zip(path[len(nodes) - 1 :: -1], reversed(nodes), strict=True):
        if name not in node:
            return
        del node[name]
        if node:
            return


def sources_of(state: PersonState) -> set[SourceId]:
    """The sources that a state names."""
    return {
        *(each.source for each in state.traits.values()),
        *(each.source for each in state.identifiers.values()),
        *(each.source for each in state.recent),
    }


def trait_origins(traits: Mapping[str, Trait], source_names: Mapping[SourceId, str]) -> dict[str, Any]:
    """Where the value of each path came from."""
    return {
        path: {
            "source": source_names.get(trait.source, str(trait.source)),
            "party": str(trait.party),
            "rank": trait.rank,
            "at": to_iso(trait.at),
        }
        for path, trait in sorted(traits.items())
        if trait.value is not None
    }


def _behaviour_view(behaviour: Behaviour) -> dict[str, Any]:
    return {
        "count": behaviour.count,
        "first": to_iso(behaviour.first.at),
        "last": to_iso(behaviour.last.at),
        "sums": {name: units + micros / MICROS for name, (units, micros) in sorted(behaviour.sums.items())},
        "recent": [to_iso(stamp.at) for stamp in behaviour.recent],
        "days": {to_iso(day * DAY_MS)[:10]: count for day, count in behaviour.days},
    }


def choices_view(standing: Standing | None, only: Collection[str] | None = None) -> list[dict[str, Any]]:
    """What somebody allows, refuses and likes, the latest first; without what was corrected. `only`: those with these
    ids, None for all."""
    if standing is None:
        return []
    kept = [
        (scope_of(key), each)
        for key, choices in standing.scopes.items()
        for each in choices
        if each.id not in standing.voids and (only is None or each.id in only)
    ]
    return [
        {
            "id": each.id,
            "action": str(each.action),
            **scope._asdict(),
            "value": each.value,
            "basis": None if each.basis is None else str(each.basis),
            "held_from": to_iso(each.held_from),
            "held_to": None if each.held_to is None else to_iso(each.held_to),
            "recorded": to_iso(each.recorded),
        }
        for scope, each in sorted(kept, key=lambda pair: (-pair[1].held_from, pair[1].id, pair[0]))
    ]


def questions_view(asking: Asking | None) -> list[dict[str, Any]]:
    """What somebody was asked, by the name of the question."""
    if asking is None:
        return []
    return [
        {
            "question": name,
            "asked_count": past.asked_count,
            **{
                word: to_iso(at) if at else None
                for word, at in (("asked", past.asked), ("answered", past.answered), ("declined", past.declined))
            },
        }
        for name, past in sorted(asking.questions.items())
    ]


_INSTANTS = (What.CHOSEN, What.GRANTED, What.SENT, What.SEEN, What.CLICKED, What.REDEEMED, What.DECLINED, What.EXPIRED)


def offers_view(marks: Mapping[str, Mark]) -> list[dict[str, Any]]:
    """Where somebody stands on offers, by name: `code` and `expires` are those of the grant that they hold."""
    return [
        {
            "offer": name,
            "stage": each.stage.name.lower(),
            "code": each.held.code or None if each.held is not None else None,
            "expires": to_iso(each.held.until) if each.held is not None and each.held.until else None,
            "redeemed_count": each.redeemed_count,
            "channel": each.latest.channel if each.latest is not None else "",
            "placement": each.latest.placement if each.latest is not None else "",
            **{what.name.lower(): to_iso(each.last[what]) if what in each.last else None for what in _INSTANTS},
        }
        for name, each in standings(marks).items()
    ]


def person_view(state: PersonState, source_names: Mapping[SourceId, str]) -> dict[str, Any]:
    """Everything in the state, for people to read."""
    traits = nested_traits(state.traits)
    return {
        "person": str(state.person),
        "traits": traits,
        "standard": standard_traits(traits),
        "trait_origins": trait_origins(state.traits, source_names),
        "event_count": state.event_count,
        "event_types": dict(sorted(state.type_counts.items())),
        "first_seen": None if state.first is None else to_iso(state.first.at),
        "last_seen": None if state.last is None else to_iso(state.last.at),
        "events": {name: _behaviour_view(each) for name, each in sorted(state.behaviours.items())},
        "recent": [
            {
                "at": to_iso(each.at),
                "type": each.type,
                "name": each.name,
                "source": source_names.get(each.source, str(each.source)),
                "message_id": each.message_id,
            }
            for each in state.recent
        ],
        "groups": [
            {"group": group, "first": to_iso(each.first.at), "last": to_iso(each.last.at)}
            for group, each in sorted(state.groups.items())
        ],
        "choices": choices_view(state.standing),
        "questions": questions_view(state.asking),
        "offers": offers_view(state.offers),
        "waiting": [
            {"timer": timer, "subscription": each.subscription, "due": to_iso(each.due)}
            for timer, each in sorted(state.timers.items())
        ],
    }
