"""Content as files: one JSON file an item, `<kind>/<name>.json`, and long texts in files of their own beside it.

In place of a long text stands `{"$file": "<name>.<field>.<variant>.txt"}`. The same items always make the same files,
byte for byte, and those make the same items.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from courtesy.base.errors import Code, CourtesyError
from courtesy.content.items import Body, Field, FieldType, ItemKey, checked, key_of
from courtesy.content.kinds import KINDS, kind_of

INLINE_CHARS_MAX = 120
FILE = "$file"
ITEM_END, TEXT_END = ".json", ".txt"
_TEXTS = frozenset({FieldType.TEXT, FieldType.TEMPLATE})

_encode = msgspec.json.Encoder(order="sorted").encode


def files_of(items: Iterable[tuple[ItemKey, Body]]) -> dict[str, bytes]:
    """The files of some items, by their paths."""
    files: dict[str, bytes] = {}
    for key, body in items:
        texts: dict[str, bytes] = {}
        fields = {name: _put_out(key, name, given, texts) for name, given in body.fields.items()}
        written = msgspec.to_builtins(body) | ({"fields": fields} if fields else {})
        files[f"{key}{ITEM_END}"] = msgspec.json.format(_encode(written), indent=2) + b"\n"
        files |= texts
    return dict(sorted(files.items()))


def _put_out(key: ItemKey, name: str, given: Any, texts: dict[str, bytes]) -> Any:
    """A field with its long texts in files, which are added to `texts`."""
    field = kind_of(key.kind).field(name)
    if field is None or not _is_text(field):
        return given
    if not field.has_variants:
        return _text_or_file(key, name, given, texts)
    return {variant: _text_or_file(key, f"{name}.{variant}", each, texts) for variant, each in given.items()}


def _is_text(field: Field) -> bool:
    return field.type in _TEXTS and not field.many


def _text_or_file(key: ItemKey, place: str, text: str, texts: dict[str, bytes]) -> Any:
    if len(text) <= INLINE_CHARS_MAX and "\n" not in text:
        return text
    name = f"{key.name}.{place}{TEXT_END}"
    texts[f"{key.kind}/{name}"] = text.encode()
    return {FILE: name}


def items_in(files: Mapping[str, bytes]) -> dict[ItemKey, Body]:
    """The items that some files make, by key; what lies in no folder of a kind is no concern of theirs.

    Raises CourtesyError, with the file as place: UNREADABLE for what is not JSON, INVALID for what is no item of its
    kind, for a text that is missing, and for one that no item refers to.
    """
    named = {path: content for path, content in files.items() if path.partition("/")[0] in KINDS}
    read: set[str] = set()
    items = {}
    for path in sorted(named):
        if path.endswith(ITEM_END):
            key = key_of(path.removesuffix(ITEM_END), path)
            items[key] = _item_in(key, path, named, read)
    stray = sorted(path for path in named if path.endswith(TEXT_END) and path not in read)
    if stray:
        raise CourtesyError(
            Code.INVALID, "no item refers to this text", hint="remove it, or name it in its item", place=stray[0]
        )
    return items


def _item_in(key: ItemKey, path: str, files: Mapping[str, bytes], read: set[str]) -> Body:
    try:
        body = msgspec.json.decode(files[path], type=Body)
        fields = {name: _taken_in(key, name, given, files, read) for name, given in body.fields.items()}
        return checked(kind_of(key.kind), msgspec.structs.replace(body, fields=fields))
    except msgspec.ValidationError as error:
        raise CourtesyError(Code.INVALID, str(error), place=path) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CourtesyError(Code.UNREADABLE, f"expected JSON: {error}", place=path) from None
    except CourtesyError as error:
        place = path if path in error.place or not error.place else f"{path}: {error.place}"
        raise CourtesyError(error.code, error.message, hint=error.hint, place=place) from None


def _taken_in(key: ItemKey, name: str, given: Any, files: Mapping[str, bytes], read: set[str]) -> Any:
    field = kind_of(key.kind).field(name)
    if field is None or not _is_text(field) or not isinstance(given, dict):
        return given
    if field.has_variants:
        return {variant: _text_of(key, each, files, read) for variant, each in given.items()}
    return _text_of(key, given, files, read)


def _text_of(key: ItemKey, given: Any, files: Mapping[str, bytes], read: set[str]) -> Any:
    if not isinstance(given, dict) or list(given) != [FILE]:
        return given
    path = f"{key.kind}/{given[FILE]}"
    if path not in files or not path.endswith(TEXT_END):
        raise CourtesyError(Code.INVALID, f"there is no file {path!r:.200}", hint="it lies beside its item")
    read.add(path)
    try:
        return files[path].decode()
    except UnicodeDecodeError:
        raise CourtesyError(Code.INVALID, "expected UTF-8", place=path) from None


def outdated(files: Mapping[str, bytes], present: Iterable[str]) -> Iterator[str]:
    """Of the paths that are present, those of texts that the items of `files` had once and have no more."""
    own = {path.removesuffix(ITEM_END) for path in files if path.endswith(ITEM_END)}
    for path in present:
        if path.endswith(TEXT_END) and path not in files and path.partition(".")[0] in own:
            yield path
