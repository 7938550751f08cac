"""What a request for access or portability is answered with: documents, made of the export of the person.

Access is everything that is held, with the wording behind each choice and with who got it. Portability is what the
person provided, themselves or by what they did; what others told of them, and what was worked out, is not in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from courtesy.consent.controller import Controller
from courtesy.event.choice import Scope
from courtesy.event.event import EventType, Party
from courtesy.person.view import leaves

ACCESS_FORMAT, PORTABILITY_FORMAT = "courtesy.access/1", "courtesy.portability/1"
"""What the documents call their form. The number rises when a program that reads it would have to change."""

PROVIDED = frozenset({Party.ZERO, Party.FIRST})

Document = dict[str, Any]


def access(
    request: Document,
    held: Document,
    controller: Controller | None,
    wordings: Mapping[str, str],
    recipients: Iterable[Document],
) -> Document:
    """All that GDPR 15 asks for. `held`: of `Exports.of`; `wordings`: texts as they were shown, by their SHA-256."""
    return {
        "format": ACCESS_FORMAT,
        "request": request,
        "controller": None if controller is None else _controller_view(controller),
        "recipients": list(recipients),
        "wordings": dict(wordings),
        "held": held,
    }


def _controller_view(controller: Controller) -> Document:
    address = controller.address
    lines = (address.street, f"{address.postal_code} {address.city}".strip(), address.region, address.country)
    return {
        "name": controller.name,
        "contact": controller.contact,
        "email": controller.email,
        "phone": controller.phone,
        "address": ", ".join(line for line in lines if line),
        "privacy_url": controller.privacy_url,
        "rights_url": controller.rights_url,
        "service": controller.service,
        "storage_countries": list(controller.storage_countries),
        "retention": controller.retention,
    }


def recipients_of(held: Document, controller: Controller | None) -> list[Document]:
    """Who got data of a person: receivers of webhooks that were called because of them, by the outbox, and third
    parties whom the controller names."""
    calls: dict[str, list[str]] = {}
    for each in held["effects"]:
        if each["state"] == "delivered":
            calls.setdefault(each["target"], []).append(each["settled"] or each["created"])
    named = () if controller is None else controller.recipients
    return [
        *(_recipient(name, "webhook", sorted(told)) for name, told in sorted(calls.items())),
        *(_recipient(name, "named by the controller", []) for name in named),
    ]


def _recipient(name: str, how: str, told: list[str]) -> Document:
    first, last = (told[0], told[-1]) if told else (None, None)
    return {"name": name, "how": how, "times": len(told), "first": first, "last": last}


def shown_digests(held: Document) -> list[str]:
    """The SHA-256 (hex) of each wording and form that a choice names."""
    evidence = [each["evidence"] or {} for each in held["choices"]]
    return sorted({shown[name] for shown in evidence for name in ("notice", "form") if shown.get(name)})


def portability(request: Document, held: Document, parties: Mapping[str, Party]) -> Document:
    """What GDPR 20 asks for. `held`: of `Exports.of`; `parties`: how far each source is from the person, by its name;
    one that is not known is taken for our own."""

    def is_provided(told: Document) -> bool:
        return parties.get(told["source"], Party.FIRST) in PROVIDED

    person = held["person"]
    return {
        "format": PORTABILITY_FORMAT,
        "request": request,
        "identifiers": [_only(each, "kind", "value", "since") for each in person["identifiers"] if is_provided(each)],
        "traits": [
            {"name": path, "value": value, "at": origin["at"]}
            for path, value in leaves(person["traits"], person["trait_origins"])
            for origin in [person["trait_origins"].get(path)]
            if origin is not None and origin["party"] in PROVIDED
        ],
        "choices": [_only(each, *_CHOICE) for each in held["choices"] if is_provided(each)],
        "events": [
            _only(each, *_EVENT) for each in held["events"] if is_provided(each) and each["type"] != EventType.SYSTEM
        ],
    }


_CHOICE = ("id", "held_from", "held_to", "action", *Scope._fields, "value", "basis", "corrects", "method")
_EVENT = ("at", "type", "name", "group", "identifiers", "properties", "traits")


def _only(told: Document, *names: str) -> Document:
    return {name: told[name] for name in names}
