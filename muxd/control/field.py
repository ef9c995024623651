"""What a request may give: each value as it is checked, and as it is described."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

import attrs

from muxd.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Field", "read_fields"]

_TYPES = {"text": "string", "count": "integer", "number": "number", "flag": "boolean"}


@attrs.frozen
class Field:
    """One value of a request's query or body."""

    name: str
    kind: Literal["text", "count", "number", "flag"]
    about: str
    """What it means, for people."""
    default: Any = None
    """What holds if it is not given, or null."""
    least: float = 0
    most: float = 1e9
    """From where to where a number may be; of a text, its length."""
    choices: Sequence[str] = ()
    """The texts that it may be; none named: any."""

    def read(self, given: object) -> Any:
        """The value that was given. Raises `UserError` unless it can be one."""
        if given is None:
            return self.default
        problem = self._problem(given)
        if problem:
            shown = given if isinstance(given, str) else repr(given)
            raise UserError(f"{self.name}={str(shown)[:100]} is not possible: give {problem}")
        return given

    def read_text(self, text: str) -> Any:
        """The value as it stands in a query. Raises `UserError` unless it can be one."""
        value: object = text
        if self.kind == "flag":
            value = {"1": True, "true": True, "0": False, "false": False}.get(text, text)
        elif self.kind == "count":
            value = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else text
        elif self.kind == "number":
            try:
                value = float(text)
            except ValueError:
                value = text
        return self.read(value)

    def _problem(self, value: object) -> str:
        """What is to be given instead; empty if this will do."""
        if self.kind == "flag":
            return "" if isinstance(value, bool) else "true or false"
        if self.kind == "text":
            if self.choices and value not in self.choices:
                return "one of " + ", ".join(self.choices)
            good = isinstance(value, str) and self.least <= len(value) <= self.most
            return "" if good else f"a text of {self.least:g} to {self.most:g} characters"
        kinds = (int,) if self.kind == "count" else (int, float)
        good = isinstance(value, kinds) and not isinstance(value, bool)
        if good and math.isfinite(value) and self.least <= value <= self.most:  # type: ignore[arg-type,operator]
            return ""
        words = "a number" if self.kind == "count" else "a number of seconds"
        return f"{words} from {self.least:.0f} to {self.most:.0f}"

    @property
    def schema(self) -> dict[str, Any]:
        """As JSON Schema."""
        kind = _TYPES[self.kind]
        found: dict[str, Any] = {"type": kind, "description": self.about}
        if self.kind in ("count", "number"):
            found |= {"minimum": self.least, "maximum": self.most}
        if self.kind == "text":
            found |= {"minLength": self.least, "maxLength": self.most}
        if self.choices:
            found["enum"] = list(self.choices)
        if self.default is not None:
            found["default"] = self.default
        return found


def read_fields(
    fields: Sequence[Field], given: Mapping[str, Any], *, as_text: bool
) -> dict[str, Any]:
    """All values of a query or a body, those that were not given too.

    Raises:
      UserError: one can't be, or is none of these: a misspelt one is not passed over.
    """
    known = {field.name: field for field in fields}
    for name in given:
        if name not in known:
            hint = ", ".join(known) or "nothing"
            raise UserError(f"{name[:100]!r} is not known here: give {hint}")
    found = {}
    for name, field in known.items():
        value = given.get(name)
        found[name] = field.read_text(value) if as_text and value is not None else field.read(value)
    return found
