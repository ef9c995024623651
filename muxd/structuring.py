"""From a table of `muxd.toml` to an instance of a class: all that is wrong, each with its key.

A class is one of attrs (or a dataclass). Unknown keys are mistakes, and so is a value of another
type than the field's: a text that looks like a number is none. A `Path` is relative to the file, a
`timedelta` is given as muxd's durations are.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import re
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from enum import Enum
from pathlib import Path
from typing import Any

import attrs

from muxd.classfields import LISTS, Field, fields_of, is_class, words_of
from muxd.errors import ConfigError, ConfigProblem
from muxd.hints import did_you_mean, shown
from muxd.keys import Step, dotted
from muxd.secrets import MASK, is_telling
from muxd.units import DURATION_HELP, parse_duration

__all__ = ["structured"]


class _Wrong(Exception):
    """What is wrong within a value: for each, the way to it, and what to say."""

    def __init__(self, problems: Iterable[tuple[tuple[Step, ...], str]]) -> None:
        self.problems = list(problems)


def structured(
    kind: type,
    values: object,
    *,
    key: str,
    source: str,
    base: Path | None = None,
    instead: object = None,
) -> Any:
    """An instance of `kind` with these values.

    Args:
      kind: a class of attrs, or a dataclass.
      values: a table, as TOML has it.
      key: where it stands, dotted.
      source: the file.
      base: what relative paths are relative to; None: they stay as they are.
      instead: an instance that has the values which are not given.

    Raises:
      ConfigError: with all that is wrong.
      TypeError: the class itself is.
    """
    try:
        return _Reader(base).table(kind, values, instead)
    except _Wrong as wrong:
        raise ConfigError(
            *(ConfigProblem(source, dotted(key, way, values), text) for way, text in wrong.problems)
        ) from None


def _reason(error: BaseException) -> str:
    """What a converter or validator says: that of attrs has more arguments than its message."""
    told = error.args[0] if error.args and isinstance(error.args[0], str) else str(error)
    return told or type(error).__name__


def _below(
    step: Step, error: BaseException, value: object, *, secret: bool = False
) -> Iterator[Any]:
    """What is wrong with the value at this step."""
    if isinstance(error, _Wrong):
        for way, text in error.problems:
            yield (step, *way), text
    else:
        yield (step,), f"{MASK if secret else shown(value)} is not possible: {_reason(error)}"


class _Reader:
    """Structures values; paths are relative to `base`."""

    def __init__(self, base: Path | None) -> None:
        self._base = base

    def table(self, kind: type, value: object, instead: object = None) -> Any:
        """An instance of a class."""
        if not isinstance(value, Mapping):
            raise _Wrong([((), f"{shown(value)} is not possible: give a table")])
        fields = fields_of(kind)
        problems: list[tuple[tuple[Step, ...], str]] = [
            ((str(extra),), f"no such key; {did_you_mean(extra, fields)}")
            for extra in value
            if extra not in fields
        ]
        found: dict[str, Any] = {}
        for key, field in fields.items():
            if key not in value:
                if field.is_needed and instead is None:
                    problems.append(((key,), f"it is missing: give {field.words}"))
                continue
            try:
                found[key] = self._field(field, value[key])
            except (ValueError, TypeError, ArithmeticError, LookupError, _Wrong) as error:
                problems += _below(key, error, value[key], secret=_is_secret(field, value[key]))
        problems += _refused(kind, fields, found, value)
        if problems:
            raise _Wrong(problems)
        try:
            if instead is None:
                return kind(**found)
            evolve: Any = attrs.evolve if attrs.has(kind) else dataclasses.replace
            return evolve(instead, **found)
        except ValueError as error:
            raise _Wrong([((), _reason(error))]) from error

    def _field(self, field: Field, value: object) -> Any:
        """What to make the instance with: its own converter is called once more then."""
        if field.how is not None:
            field.attribute.converter(value)
            return value
        convert = field.attribute.converter if field.attribute is not None else None
        if convert in (None, *LISTS, dict) or isinstance(convert, attrs.Converter):
            return self.value(field.type, value)
        try:
            found = self.value(field.type, value)
        except (ValueError, _Wrong) as error:
            try:
                convert(value)  # the annotation may be of what it gives
            except (ValueError, TypeError):
                if isinstance(error, _Wrong):
                    raise error from None  # it says where
                raise
            return value
        convert(found)
        return found

    def value(self, kind: Any, value: object) -> Any:
        """`value` as one of this type."""
        return _converter(self._base).structure(value, kind)

    # Hooks for cattrs: each gets the value and the type

    def plain(self, value: Any, kind: Any) -> Any:
        """A text, a number, a truth value, a path or a duration."""
        if isinstance(kind, type) and issubclass(kind, Enum):
            return self.word(value, kind)
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            return float(value)
        if isinstance(value, bool) is not (kind is bool):
            raise ValueError(f"give {words_of(kind)}")
        if kind is float and isinstance(value, float) and math.isnan(value):
            raise ValueError("give a number")
        if kind is date and isinstance(value, datetime):
            raise ValueError(f"give {words_of(kind)}")
        if isinstance(value, kind):
            return value
        raise ValueError(f"give {words_of(kind)}")

    def path(self, value: Any, kind: Any) -> Path:
        """A path, relative to the file."""
        if not isinstance(value, str | Path) or not str(value).strip() or "\0" in str(value):
            raise ValueError("give a path, as a text")
        try:
            path = Path(value).expanduser()
        except RuntimeError:
            raise ValueError("there is no such home directory: give a path") from None
        return path if self._base is None else self._base / path

    def duration(self, value: Any, kind: Any) -> timedelta:
        """A duration."""
        try:
            return timedelta(seconds=parse_duration(value))
        except (ValueError, OverflowError):
            raise ValueError(f"give {DURATION_HELP}") from None

    def pattern(self, value: Any, kind: Any) -> re.Pattern[str]:
        """A regular expression."""
        if not isinstance(value, str):
            raise ValueError("give a regular expression")
        try:
            return re.compile(value)
        except re.error as error:
            raise ValueError(f"give a regular expression: {error}") from None

    def word(self, value: Any, kind: Any) -> Any:
        """One of an enumeration."""
        for one in kind:
            if type(one.value) is type(value) and one.value == value:
                return one
            if isinstance(one.value, type(value)) and one.value == value and value is not True:
                return one
        raise ValueError(f"give {words_of(kind)}")

    def literal(self, value: Any, kind: Any) -> Any:
        """One of some values."""
        for one in typing.get_args(kind):
            if type(one) is type(value) and one == value:
                return one
        raise ValueError(f"give {words_of(kind)}")

    def items(self, value: Any, kind: Any) -> Any:
        """A list, a tuple or a set."""
        if not isinstance(value, LISTS):
            brackets = ", with [[...]] above it" if isinstance(value, Mapping) else ""
            raise ValueError(f"give {words_of(kind)}{brackets}")
        origin, inner = typing.get_origin(kind) or kind, typing.get_args(kind)
        values = list(value)
        kinds = [inner[0] if inner else Any] * len(values)
        if issubclass(origin, tuple) and inner and inner[-1] is not ...:
            if len(inner) != len(values):
                raise ValueError(f"give a list of {len(inner)}")
            kinds = list(inner)
        found, problems = [], list[Any]()
        for number, (each, of) in enumerate(zip(values, kinds, strict=True)):
            try:
                found.append(self.value(of, each))
            except (ValueError, _Wrong) as error:
                problems += _below(number, error, each)
        if problems:
            raise _Wrong(problems)
        made: Any = origin if origin in LISTS else list
        return made(found)

    def pairs(self, value: Any, kind: Any) -> dict[str, Any]:
        """A table with keys of the user's own."""
        if not isinstance(value, Mapping):
            raise ValueError("give a table")
        inner = typing.get_args(kind)
        found, problems = {}, list[Any]()
        for name, each in value.items():
            try:
                found[self.value(inner[0], name) if inner else name] = (
                    self.value(inner[1], each) if inner else each
                )
            except (ValueError, _Wrong) as error:
                problems += _below(name, error, each)
        if problems:
            raise _Wrong(problems)
        return found

    def either(self, value: Any, kind: Any) -> Any:
        """Of some types the first that it fits; else what is wrong with the one that it is nearest to."""
        if value is None and type(None) in typing.get_args(kind):
            return None
        wrong: list[_Wrong] = []
        for each in typing.get_args(kind):
            if each is type(None):
                continue
            try:
                return self.value(each, value)
            except _Wrong as error:
                wrong.append(error)
            except ValueError:
                pass
        if wrong:  # a table, or a list, that it might be
            raise min(wrong, key=lambda error: len(error.problems))
        raise ValueError(f"give {words_of(kind)}")


def _refused(
    kind: type, fields: Mapping[str, Field], found: Mapping[str, Any], given: Mapping[str, Any]
) -> Iterator[tuple[tuple[Step, ...], str]]:
    """What the validators of a class of attrs say of each field."""
    like: Any = object.__new__(kind)
    for key, field in fields.items():
        if key not in given and field.attribute is not None:
            _take_default(like, field.attribute)
    values: dict[str, Any] = {}
    for key, value in found.items():
        one = fields[key].attribute
        if one is not None:
            convert = one.converter
            plain = convert is not None and not isinstance(convert, attrs.Converter)
            values[key] = convert(value) if plain else value
            object.__setattr__(like, one.name, values[key])
    for key, value in values.items():
        one = fields[key].attribute
        if one.validator is not None:
            try:
                one.validator(like, one, value)
            except (ValueError, TypeError, ArithmeticError, LookupError) as error:
                yield from _below(
                    key, error, given[key], secret=_is_secret(fields[key], given[key])
                )
            except AttributeError:
                pass  # it looks at a field that is wrong


def _take_default(like: object, one: Any) -> None:
    """Give it what the field is if nothing is given, so that validators of others can look at it."""
    value = one.default
    if isinstance(value, attrs.Factory):  # type: ignore[arg-type]
        if value.takes_self:
            return
        value = value.factory()
    if value is attrs.NOTHING:
        return
    if one.converter is not None and not isinstance(one.converter, attrs.Converter):
        value = one.converter(value)
    object.__setattr__(like, one.name, value)


def _is_secret(field: Field, value: object) -> bool:
    return field.is_secret or is_telling(field.key, value)


def _is_list(kind: Any) -> bool:
    origin = typing.get_origin(kind) or kind
    if not isinstance(origin, type) or issubclass(origin, str | bytes | Mapping):
        return False
    return issubclass(origin, LISTS) or origin.__module__ == "collections.abc"


def _is_pairs(kind: Any) -> bool:
    origin = typing.get_origin(kind) or kind
    return isinstance(origin, type) and issubclass(origin, Mapping)


@functools.lru_cache(maxsize=8)
def _converter(base: Path | None) -> Any:
    import cattrs

    reader = _Reader(base)
    converter = cattrs.Converter(forbid_extra_keys=True, detailed_validation=False)
    by_type: dict[Any, Callable[[Any, Any], Any]] = dict.fromkeys(
        (str, int, float, bool, datetime, date, time), reader.plain
    )
    by_type |= {Path: reader.path, timedelta: reader.duration}
    for kind, hook in by_type.items():
        converter.register_structure_hook(kind, hook)
    by_kind: dict[Callable[[Any], bool], Callable[[Any, Any], Any]] = {
        _is_pairs: reader.pairs,
        _is_list: reader.items,
        lambda kind: typing.get_origin(kind) is typing.Literal: reader.literal,
        lambda kind: typing.get_origin(kind) in (typing.Union, types.UnionType): reader.either,
        lambda kind: (typing.get_origin(kind) or kind) is re.Pattern: reader.pattern,
        lambda kind: isinstance(kind, type) and issubclass(kind, Enum): reader.word,
        is_class: lambda value, kind: reader.table(kind, value),
    }
    for fits, hook in by_kind.items():
        converter.register_structure_hook_func(fits, hook)
    return converter
