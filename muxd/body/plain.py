"""Items as bodies have them, made plain: what can be kept and given back as it was."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import inspect
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, time
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import TYPE_CHECKING, Any
from uuid import UUID

import attrs

from muxd.errors import ItemError
from muxd.hints import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["COLUMNS", "OURS", "Plain", "key_of", "plain_value"]

OURS = ("first_seen", "last_seen", "run", "gone_at")
"""The columns that muxd adds to those of the items."""
COLUMNS = 500
"""How many columns a table may have."""
_AT_ONCE = 1000
_DEEP = 50
"""How deep lists and mappings may be nested."""
_AS_TEXT = (Decimal, UUID, PurePath)
_as_json = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode
_MOMENTS = (date, time)  # a datetime is a date


class Plain:
    """Makes items plain, one after another: what was found of the columns of one holds for the next."""

    def __init__(self) -> None:
        self._names: dict[tuple[object, ...], list[str]] = {}  # {names as they came: as kept}

    def item(self, item: object, number: int) -> dict[str, Any]:
        """The columns of an item with plain values; `number` says which it is, for messages.

        Raises:
          ItemError: it, or something in it, can't be kept.
        """
        if type(item) is not dict:
            item = dict(_pairs(item, f"items[{number}]"))
        given = tuple(item)
        names = self._names.get(given)
        if names is None:
            if len(self._names) > _AT_ONCE:
                self._names.clear()  # each item has others: they are to take no memory
            names = self._names[given] = _columns(given, f"items[{number}]")
        row = {}
        for name, value in zip(names, tuple(item.values()), strict=True):
            kind = type(value)
            if (kind is str and value.isascii()) or value is None or kind is bool:
                row[name] = value
            else:
                row[name] = plain_value(value, f"items[{number}][{name!r}]")
        return row


def _columns(given: Sequence[object], place: str) -> list[str]:
    if not given:
        raise ItemError(f"{place} is empty: it has no columns to save")
    folded: dict[str, str] = {}
    names = []
    for column in given:
        name = _column(column, place)
        other = folded.setdefault(name.lower(), name)
        if other != name or name in names:
            raise ItemError(
                f"{place} has {other!r} and {name!r}: the names of columns are the same in capitals "
                "and in small letters; rename one"
            )
        names.append(name)
    return names


def _pairs(item: object, place: str) -> Iterator[tuple[object, object]]:
    if isinstance(item, Mapping):
        yield from list(item.items())
    elif attrs.has(kind := type(item)):
        for field in attrs.fields(kind):
            yield field.name, getattr(item, field.name)
    elif dataclasses.is_dataclass(item) and not isinstance(item, type):
        for each in dataclasses.fields(item):
            yield each.name, getattr(item, each.name)
    elif isinstance(item, tuple) and hasattr(item, "_asdict"):
        yield from item._asdict().items()
    else:
        raise ItemError(
            f"{place} is {_kind(item)}: give a mapping of columns to values "
            "({'url': ..., 'price': ...}), or an attrs object"
        )


def _column(name: object, place: str) -> str:
    if not isinstance(name, str):
        raise ItemError(
            f"{place} has a column {shown(name, at_most=60)}: the name of a column is a str"
        )
    name = _text(name)
    if not name or "\0" in name or len(name) > 200:
        raise ItemError(f"{place} has a column {name[:60]!r}: give it 1 to 200 characters")
    if name.lower() in OURS or name.startswith("_muxd"):
        raise ItemError(
            f"{place} has {name!r}: that column is muxd's own ({', '.join(OURS)}); rename it"
        )
    return name


def plain_value(value: object, place: str, *, depth: int = 0) -> Any:
    """None, a bool, int, float, str or bytes, or (nested) a list or dict of them but bytes.

    Moments become ISO 8601 text. Half a surrogate pair, as pages have them, is no text: it becomes
    ``\\ud83d``.

    Raises:
      ItemError: it can't be kept; it says why, and what to give instead.
    """
    if depth > _DEEP:
        raise ItemError(f"{place} is nested more than {_DEEP} deep: keep the part that you need")
    match value:
        case None | bool():
            return value
        case Enum():
            return plain_value(value.value, place, depth=depth + 1)
        case str():
            return _text(str(value))
        case int():
            if not -(2**63) <= value < 2**63:
                raise ItemError(
                    f"{place} is an integer of more than 64 bits: give it as str, or as float"
                )
            return int(value)
        case float():
            if not math.isfinite(value):
                raise ItemError(f"{place} is {float(value)}, which is no value to keep: give None")
            return float(value)
        case bytes() | bytearray() | memoryview():
            if depth:
                raise ItemError(f"{place} is bytes within a list or mapping: decode it to str")
            return bytes(value)
    if isinstance(value, _MOMENTS):
        return value.isoformat()
    if isinstance(value, _AS_TEXT):
        return _text(str(value))
    return _nested(value, place, depth)


def _nested(value: object, place: str, depth: int) -> Any:
    if isinstance(value, Mapping):
        nested: dict[str, Any] = {}
        for key, inner in list(value.items()):
            if not isinstance(key, str):
                raise ItemError(
                    f"{place} has the key {shown(key, at_most=60)}: keys within a value are str"
                )
            nested[_text(key)] = plain_value(inner, f"{place}[{key[:60]!r}]", depth=depth + 1)
        return nested
    if attrs.has(type(value)) or (dataclasses.is_dataclass(value) and not isinstance(value, type)):
        return _nested(dict(_pairs(value, place)), place, depth)
    if isinstance(value, (set, frozenset)):
        value = sorted(value, key=repr)  # or it would be another one each time
    if isinstance(value, (list, tuple)):
        return [
            plain_value(each, f"{place}[{at}]", depth=depth + 1) for at, each in enumerate(value)
        ]
    raise ItemError(
        f"{place} is {_kind(value)}, which can't be kept: give None, bool, int, float, str, bytes, "
        "a date or time, or a list or mapping of them"
    )


def _kind(value: object) -> str:
    if inspect.isawaitable(value):
        if inspect.iscoroutine(value):
            value.close()  # it would be warned of a second time
        return f"{type(value).__name__} (is an `await` missing?)"
    if isinstance(value, (list, set, frozenset)) or (
        isinstance(value, Iterable) and not isinstance(value, (str, bytes))
    ):
        return f"a {type(value).__name__}"
    return f"{type(value).__name__} {shown(value, at_most=60)}"


def _text(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")


def key_of(row: Mapping[str, Any], columns: Sequence[str]) -> bytes:
    """What tells a row apart from others: 16 bytes; equal for equal values of these columns.

    Without columns, of all that have a value. Numbers are equal as they are in Python.
    """
    values: Any
    if len(columns) == 1 and type(value := row.get(columns[0])) is str:
        return _digest(f"text {value}")
    if columns:
        values = [_comparable(row.get(column)) for column in columns]
    else:
        values = {name: _comparable(value) for name, value in row.items() if value is not None}
    return _digest(_as_json(values))


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def _comparable(value: Any) -> Any:
    if isinstance(value, (bool, int)):
        return int(value)
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    if isinstance(value, bytes):
        return {"bytes": base64.b64encode(value).decode()}
    if isinstance(value, list):
        return [_comparable(each) for each in value]
    if isinstance(value, dict):
        return {"of": {name: _comparable(each) for name, each in value.items()}}
    return value
