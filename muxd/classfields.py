"""The fields of classes that `muxd.toml` is made into: of attrs, or dataclasses."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import types
import typing
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from enum import Enum
from pathlib import Path
from typing import Any

import attrs

from muxd.fields import FIELD
from muxd.units import DURATION_HELP

__all__ = ["LISTS", "Field", "fields_of", "is_class", "words_of"]

_KEPT = "__muxd_fields__"
LISTS = (list, tuple, set, frozenset)
_WORDS: Mapping[Any, str] = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    Path: "a path, as a text",
    timedelta: DURATION_HELP,
    datetime: "a date and a time, such as 2030-01-31T12:00:00",
    date: "a date, such as 2030-01-31",
    time: "a time, such as 12:00:00",
}


@attrs.frozen
class Field:
    """A field of such a class."""

    key: str
    type: Any
    default: Any
    """The default itself; a factory's product is not known. NOTHING: it has to be given."""
    is_needed: bool
    is_secret: bool
    """Its value is never shown: the field has ``repr=False``."""
    attribute: Any
    """Of attrs; None for a dataclass."""

    @property
    def how(self) -> Any:
        """The `muxd.fields.Read`, if it has one."""
        return self.attribute.metadata.get(FIELD) if self.attribute is not None else None

    @property
    def words(self) -> str:
        """What to give, in words."""
        return self.how.words if self.how is not None else words_of(self.type)


def is_class(value: object) -> bool:
    """Whether values can be structured into it."""
    return isinstance(value, type) and (attrs.has(value) or dataclasses.is_dataclass(value))


def fields_of(kind: type) -> dict[str, Field]:
    """The fields that can be given, by key, in their order.

    Raises:
      TypeError: an annotation is of a name that isn't there when the program runs.
    """
    known: dict[str, Field] | None = vars(kind).get(_KEPT)
    if known is None:  # to read annotations takes a millisecond, and there may be a thousand tables
        known = _fields_of(kind)
        with contextlib.suppress(Exception):  # there may be classes that can't be written to
            setattr(kind, _KEPT, known)
    return known


def _fields_of(kind: type) -> dict[str, Field]:
    try:
        hints = typing.get_type_hints(kind, include_extras=True)
    except Exception as error:
        raise TypeError(
            f"the annotations of {kind.__qualname__} can't be read: {error} "
            "(names that only type checkers import are not there when it runs)"
        ) from error
    found: dict[str, Field] = {}
    if attrs.has(kind):
        for one in attrs.fields(kind):
            if one.init:
                default = one.default
                needed = default is attrs.NOTHING
                found[one.alias] = Field(
                    one.alias, hints.get(one.name, Any), default, needed, one.repr is False, one
                )
        return found
    for each in dataclasses.fields(kind):
        if each.init:
            made = each.default_factory is not dataclasses.MISSING
            needed = each.default is dataclasses.MISSING and not made
            default = attrs.NOTHING if needed or made else each.default
            found[each.name] = Field(
                each.name, hints.get(each.name, Any), default, needed, not each.repr, None
            )
    return found


def words_of(kind: Any) -> str:
    """What to give for a field of this type, in words."""
    origin = typing.get_origin(kind) or kind
    if origin is typing.Literal:
        return "one of " + ", ".join(map(str, typing.get_args(kind)))
    if origin is typing.Annotated:
        return words_of(typing.get_args(kind)[0])
    if origin in (typing.Union, types.UnionType):
        parts = [each for each in typing.get_args(kind) if each is not type(None)]
        return " or ".join(dict.fromkeys(map(words_of, parts)))
    if isinstance(origin, type):
        if issubclass(origin, Enum):
            return "one of " + ", ".join(str(one.value) for one in origin)
        if origin in _WORDS:
            return _WORDS[origin]
        if origin is re.Pattern:
            return "a regular expression"
        if is_class(origin) or issubclass(origin, Mapping):
            return "a table"
        if issubclass(origin, LISTS) or issubclass(origin, Iterable):
            inner = [each for each in typing.get_args(kind) if each is not ...]
            return "a list" if len(inner) != 1 else f"a list, each {words_of(inner[0])}"
    return "something else"
