"""What a person does at a page from afar, in Chromium's own protocol. No I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from muxd.logininput import Action

__all__ = ["command_of"]

_BUTTONS = {"down": "mousePressed", "up": "mouseReleased", "move": "mouseMoved"}
_TOUCHES = {"start": "touchStart", "move": "touchMove", "end": "touchEnd", "cancel": "touchCancel"}
_CTRL_META = 2 | 4


def command_of(action: Action) -> tuple[str, dict[str, Any]]:
    """The method, and its values, that do what was done with mouse, wheel, fingers or keys, or pasted."""
    kind = action["do"]
    if kind == "key":
        return "Input.dispatchKeyEvent", _key(action)
    if kind == "text":
        return "Input.insertText", {"text": action["text"]}
    if kind == "touch":
        values = {"type": _TOUCHES[action["type"]], "touchPoints": action["points"]}
        return "Input.dispatchTouchEvent", values
    values = {name: action[name] for name in ("x", "y", "modifiers")}
    if kind == "wheel":
        values |= {"type": "mouseWheel", "deltaX": action["dx"], "deltaY": action["dy"]}
    else:
        values |= {name: action[name] for name in ("button", "buttons")}
        values |= {"type": _BUTTONS[action["type"]], "clickCount": action["count"]}
    return "Input.dispatchMouseEvent", values


def _key(action: Action) -> dict[str, Any]:
    text = _text_of(action) if action["type"] == "down" else ""
    kind = "keyUp" if action["type"] == "up" else "keyDown" if text else "rawKeyDown"
    values: dict[str, Any] = {"text": text, "unmodifiedText": text} if text else {}
    return values | {
        "type": kind,
        "key": action["key"],
        "code": action["code"],
        "windowsVirtualKeyCode": action["number"],
        "location": action["location"],
        "isKeypad": action["location"] == 3,
        "autoRepeat": action["repeat"],
        "modifiers": action["modifiers"],
    }


def _text_of(action: Action) -> str:
    """What a key types."""
    key, modifiers = action["key"], action["modifiers"]
    if key == "Enter":
        return "\r"
    if len(key) != 1:
        return ""
    return "" if modifiers & _CTRL_META else key
