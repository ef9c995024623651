"""What a person does at a login's page, as it is sent: read and checked, each action on its own."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from muxd.errors import UserError
from muxd.login import login_url

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Reader = Callable[[Any], Any]

__all__ = ["Action", "read_actions"]

MOST = 500
"""How many actions may be sent at once."""
TEXT = 20_000
"""How long a text may be that is pasted, characters."""
POINTS = 10

Action = dict[str, Any]
"""``do`` says what; the others are its values, all there."""


def _number(least: float, most: float) -> Reader:
    def read(value: Any) -> float:
        good = isinstance(value, int | float) and not isinstance(value, bool)
        if not good or not math.isfinite(value) or not least <= value <= most:
            raise ValueError
        return float(value)

    return read


def _whole(least: int, most: int) -> Reader:
    def read(value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise ValueError
        return value

    return read


def _text(longest: int) -> Reader:
    def read(value: Any) -> str:
        if not isinstance(value, str) or len(value) > longest:
            raise ValueError
        return value.encode("utf-8", "ignore").decode()  # half an emoji is no text

    return read


def _one_of(*words: str) -> Reader:
    def read(value: Any) -> str:
        if value not in words:
            raise ValueError
        return str(value)

    return read


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError
    return value


def _points(value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list) or len(value) > POINTS:
        raise ValueError
    return [_read(each, {"x": _PLACE, "y": _PLACE, "id": _whole(0, 2**31 - 1)}) for each in value]


_PLACE = _number(-20_000, 20_000)
_MODIFIERS = _whole(0, 15)
_KINDS: Mapping[str, Mapping[str, Reader]] = {
    "mouse": {
        "type": _one_of("down", "up", "move"),
        "x": _PLACE,
        "y": _PLACE,
        "button": _one_of("none", "left", "middle", "right"),
        "buttons": _whole(0, 31),
        "count": _whole(0, 3),
        "modifiers": _MODIFIERS,
    },
    "wheel": {"x": _PLACE, "y": _PLACE, "dx": _PLACE, "dy": _PLACE, "modifiers": _MODIFIERS},
    "touch": {"type": _one_of("start", "move", "end", "cancel"), "points": _points},
    "key": {
        "type": _one_of("down", "up"),
        "key": _text(50),
        "code": _text(50),
        "number": _whole(0, 255),
        "location": _whole(0, 3),
        "repeat": _flag,
        "modifiers": _MODIFIERS,
    },
    "text": {"text": _text(TEXT)},
    "go": {"url": login_url},
    "back": {},
    "forward": {},
    "reload": {},
    "tab": {"tab": _whole(0, 10_000)},
    "close": {"tab": _whole(0, 10_000)},
    "choose": {"option": _whole(-1, 10_000)},
    "answer": {"accept": _flag, "text": _text(1_000)},
    "size": {"width": _whole(200, 3_000), "height": _whole(200, 3_000)},
}


def read_actions(sent: Any) -> list[Action]:
    """The actions of a request.

    Raises:
      UserError: they are none. What was typed is not in the message.
    """
    actions = sent.get("actions") if isinstance(sent, dict) else None
    if not isinstance(actions, list) or len(actions) > MOST:
        raise UserError(f"give a list of at most {MOST} actions")
    found = []
    for number, each in enumerate(actions):
        kind = each.get("do") if isinstance(each, dict) else None
        if not isinstance(kind, str) or kind not in _KINDS:
            raise UserError(f"action {number} can't be done: there is no such")
        values = {name: value for name, value in each.items() if name != "do"}
        try:
            found.append({"do": kind} | _read(values, _KINDS[kind]))
        except ValueError:
            raise UserError(f"action {number}, {kind}, does not have the values it needs") from None
    return found


def _read(values: Any, readers: Mapping[str, Reader]) -> dict[str, Any]:
    if not isinstance(values, dict) or values.keys() != readers.keys():
        raise ValueError
    return {name: read(values[name]) for name, read in readers.items()}
