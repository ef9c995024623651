"""JSON Schemas of classes that `muxd.structuring` can make: what an editor may offer and refuse."""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, time, timedelta
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import attrs

from muxd import readers
from muxd.attributedocs import attribute_docs
from muxd.classfields import fields_of, is_class
from muxd.jsontypes import JOB_FIELDS, Schema, duration, limited, list_of

if TYPE_CHECKING:
    from muxd.classfields import Field

__all__ = ["Definitions"]

_PLAIN: Mapping[Any, Schema] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    Path: {"type": "string", "minLength": 1},
    datetime: {"type": "string", "format": "date-time"},
    date: {"type": "string", "format": "date"},
    time: {"type": "string", "format": "time"},
    timedelta: duration(),
}
_TEXT: Schema = {"type": "string"}
_READERS: Mapping[Callable[[object], Any], Schema] = {
    readers.page_url: _TEXT,
    readers.page_urls: {"anyOf": [_TEXT, list_of(_TEXT)]},
    readers.texts: {"anyOf": [_TEXT, list_of(_TEXT)]},
}
_BOUNDS = {">=": "minimum", ">": "exclusiveMinimum", "<=": "maximum", "<": "exclusiveMaximum"}


@final
class Definitions:
    """The schemas of classes, each once, under ``$defs``.

    They refuse nothing that would be accepted. A field with a converter of its own takes anything.
    """

    def __init__(self) -> None:
        self.made: dict[str, Schema] = {}
        """By name."""
        self._names: dict[type, str] = {}

    def of_class(self, kind: type) -> Schema:
        """A reference to the schema of a class. Raises TypeError: its annotations can't be read."""
        if kind not in self._names:
            fields = fields_of(kind)
            plain = re.sub(r"\W+", "_", kind.__qualname__.rpartition("<locals>.")[2])
            name, number = plain, 1
            while name in self.made:
                number += 1
                name = f"{plain}_{number}"
            self._names[kind], self.made[name] = name, {}
            self.made[name] |= self._table(kind, fields)
        return {"$ref": f"#/$defs/{self._names[kind]}"}

    def properties(self, kind: type) -> dict[str, Schema]:
        """Those of a class: key to schema. Raises TypeError: its annotations can't be read."""
        docs = attribute_docs(kind)
        return {key: self._field(one, docs.get(key)) for key, one in fields_of(kind).items()}

    def _table(self, kind: type, fields: Mapping[str, Field]) -> Schema:
        table: Schema = {
            "type": "object",
            "properties": self.properties(kind),
            "additionalProperties": False,
        }
        if needed := [key for key, field in fields.items() if field.is_needed]:
            table["required"] = needed
        return table

    def _field(self, field: Field, text: str | None) -> Schema:
        schema = dict(self._given(field))
        if text:
            schema["description"] = text
        # NOTHING is of an enumeration, with a value.
        default = None if field.default is attrs.NOTHING else _as_json(field.default)
        if default is not None and not field.is_secret:
            schema["default"] = default
        return schema

    def _given(self, field: Field) -> Schema:
        if field.how is not None:
            if field.how.job_key is not None:
                return JOB_FIELDS[field.how.job_key]
            return _READERS.get(field.how.read) or limited(field.how.read)
        convert = field.attribute.converter if field.attribute is not None else None
        if convert not in (None, list, tuple, set, frozenset, dict):
            return {}
        schema = dict(self.of_type(field.type))
        if field.attribute is not None and field.attribute.validator is not None:
            schema |= _limits(field.attribute.validator)
        return schema

    def of_type(self, kind: Any) -> Schema:
        """The schema of a type; of one that is not known, anything."""
        origin, inner = typing.get_origin(kind) or kind, typing.get_args(kind)
        if origin is typing.Annotated:
            return self.of_type(inner[0])
        if origin is typing.Literal:
            return {"enum": list(inner)}
        if origin in (typing.Union, types.UnionType):
            some = [self.of_type(each) for each in inner if each is not type(None)]
            return some[0] if len(some) == 1 else {"anyOf": some}
        if isinstance(kind, typing.NewType):
            return self.of_type(kind.__supertype__)
        if not isinstance(origin, type):
            return {}
        if issubclass(origin, Enum):
            return {"enum": [one.value for one in origin]}
        if origin in _PLAIN:
            return _PLAIN[origin]
        if origin is re.Pattern:
            return {"type": "string", "format": "regex"}
        if is_class(origin):
            return self.of_class(origin)
        if issubclass(origin, Mapping):
            values = self.of_type(inner[1]) if len(inner) == 2 else {}
            return {"type": "object", "additionalProperties": values}
        if issubclass(origin, tuple) and inner and inner[-1] is not ...:
            parts = [self.of_type(each) for each in inner]
            return list_of({}) | {
                "prefixItems": parts,
                "minItems": len(parts),
                "maxItems": len(parts),
            }
        if issubclass(origin, Iterable):
            return list_of(self.of_type(inner[0]) if inner else {})
        return {}


def _limits(validator: Any) -> Schema:
    """What the usual validators of attrs ask for; of others nothing is known."""
    found: Schema = {}
    for one in getattr(validator, "_validators", (validator,)):
        bound, compare = getattr(one, "bound", None), getattr(one, "compare_op", None)
        if compare in _BOUNDS and isinstance(bound, int | float):
            found[_BOUNDS[compare]] = bound
    return found


def _as_json(value: Any) -> Any:
    """The value if JSON has it as it is; else None."""
    if isinstance(value, Enum):
        return _as_json(value.value)
    if isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        items = [_as_json(each) for each in value]
        return None if None in items else items
    return None
