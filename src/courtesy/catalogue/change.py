"""What is news when an entry changes, for those who are interested in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from courtesy.catalogue.definition import CatalogueDefinition, EntryField, FieldType
from courtesy.catalogue.entry import Entry, Was, encode_body
from courtesy.catalogue.values import field_of, has_stock, money_of

PRICE_DROPPED, PRICE_ROSE = "Item Price Dropped", "Item Price Rose"
OUT_OF_STOCK, BACK_IN_STOCK = "Item Out Of Stock", "Item Back In Stock"
RETIRED, RETURNED = "Item Retired", "Item Returned"
CHANGED = "Item Changed"

EVENTS = frozenset({PRICE_DROPPED, PRICE_ROSE, OUT_OF_STOCK, BACK_IN_STOCK, RETIRED, RETURNED, CHANGED})
"""Names under which it is told, by events of the type `system`."""


class News(NamedTuple):
    """Something that changed: what it is called, the field, and its values; no field when all of the entry is meant."""

    name: str
    field: str = ""
    before: Any = None
    after: Any = None


class Edited(NamedTuple):
    """An entry after a change, and what of that is news. When nothing changed, the same entry and no news."""

    entry: Entry
    news: list[News]


def edited(
    definition: CatalogueDefinition,
    before: Entry | None,
    id_: str,
    values: Mapping[str, Any] | None,
    by: str,
    now_ms: int,
) -> Edited:
    """An entry that is to have these fields, or with None to be retired, which must be there then.

    Raises CourtesyError(INVALID) for fields that can't be kept.
    """
    if values is None:
        assert before is not None, "what is not there can't be retired"
        if before.retired_ms is not None:
            return Edited(before, [])
        gone = Entry(id_, before.body, before.version + 1, now_ms, by, now_ms, before.was)
        return Edited(gone, [News(RETIRED)])
    body = encode_body(values)
    if before is None:
        return Edited(Entry(id_, body, 1, now_ms, by), [])
    if before.body == body and before.retired_ms is None:
        return Edited(before, [])
    old = before.values
    after = Entry(id_, body, before.version + 1, now_ms, by, None, _was(definition, before, old, values, now_ms))
    if before.retired_ms is not None:
        return Edited(after, [News(RETURNED)])
    return Edited(after, list(_news(definition, old, values)))


def _telling(definition: CatalogueDefinition, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """Names of the fields that changed and of which that is to be told."""
    for name in sorted(old.keys() | new.keys()):
        before, after = old.get(name), new.get(name)
        if before != after and field_of(definition, name, before, after).is_telling:
            yield name


def _was(
    definition: CatalogueDefinition, before: Entry, old: Mapping[str, Any], new: Mapping[str, Any], now_ms: int
) -> dict[str, Was]:
    changed = {name: Was(old[name], now_ms) for name in _telling(definition, old, new) if old.get(name) is not None}
    return {**before.was, **changed}


def _news(definition: CatalogueDefinition, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[News]:
    for name in _telling(definition, old, new):
        before, after = old.get(name), new.get(name)
        field = field_of(definition, name, before, after)
        if field.type is FieldType.MONEY:
            called = _of_price(field, before, after)
        elif field.type is FieldType.STOCK:
            called = _of_stock(before, after)
        else:
            called = CHANGED
        if called:
            yield News(called, name, before, after)


def _of_price(field: EntryField, before: Any, after: Any) -> str:
    """What a change of a price is called: in one currency it drops or rises, else it just changes."""
    old, new = money_of(field, before), money_of(field, after)
    if old is None or new is None or old.currency != new.currency:
        return CHANGED
    if new.amount == old.amount:
        return ""
    return PRICE_DROPPED if new.amount < old.amount else PRICE_ROSE


def _of_stock(before: Any, after: Any) -> str:
    """Only that something comes or goes is news, not how much there is of it."""
    had, has = has_stock(before), has_stock(after)
    if had is None or has is None or had == has:
        return ""
    return BACK_IN_STOCK if has else OUT_OF_STOCK


def properties_of(catalogue: str, id_: str, news: News, named: str) -> dict[str, Any]:
    """The properties of the event that tells of news; the id also under `named`, as in the events of interest."""
    told: dict[str, Any] = {named: id_} if named else {}
    told |= {"catalogue": catalogue, "item": id_}
    if news.field:
        told |= {"field": news.field, "from": news.before, "to": news.after}
    return told
