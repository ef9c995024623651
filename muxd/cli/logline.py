"""A line of the log in files, for people."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any, final

from muxd.cli.output import clock_text, harmless

if TYPE_CHECKING:
    from datetime import tzinfo

__all__ = ["LineFormat"]

_DIM, _BOLD, _RED, _YELLOW, _END = "\x1b[2m", "\x1b[1m", "\x1b[31m", "\x1b[33m", "\x1b[0m"
_COLOURS = {"warning": _YELLOW, "error": _RED, "critical": _RED}
_TEXTS = ("stack", "exception")
"""What has lines of its own."""


@final
class LineFormat:
    """Date and time, level unless it is info, job and run, what happened, the rest as ``key=value``."""

    def __init__(self, zone: tzinfo, *, colours: bool) -> None:
        """Show instants in `zone`."""
        self._zone, self._colours = zone, colours

    def text(self, line: str) -> str:
        """The line for people; one that is no JSON as it is. Nothing in it is a command to a terminal."""
        try:
            told = json.loads(line)
        except ValueError:
            told = None
        if not isinstance(told, dict):
            return harmless(line)
        level, at = str(told.pop("level", "info")), told.pop("at", None)
        parts = [self._paint(self._clock(at), _DIM)]
        if level not in ("info", "debug"):
            parts.append(self._paint(_one_line(level), _COLOURS.get(level, "")))
        of = [str(told.pop("job"))] if "job" in told else []
        of += [str(told.pop("run"))[-6:]] if "run" in told else []
        if of:
            parts.append(self._paint(_one_line(" ".join(of)), _DIM))
        parts.append(self._paint(_one_line(str(told.pop("event", ""))), _BOLD))
        own = [str(told.pop(key)) for key in _TEXTS if told.get(key)]
        parts += (self._paint(f"{_one_line(k)}={_value(v)}", _DIM) for k, v in told.items())
        own_lines = [f"\n    {harmless(each)}" for text in own for each in text.splitlines()]
        return "  ".join(parts) + "".join(own_lines)

    def _clock(self, at: object) -> str:
        try:
            return clock_text(datetime.fromisoformat(str(at)).timestamp(), self._zone)
        except ValueError:
            return "?"

    def _paint(self, text: str, colour: str) -> str:
        return f"{colour}{text}{_END}" if self._colours and colour else text


def _one_line(text: str) -> str:
    return text if text.isprintable() else repr(text)


def _value(value: Any) -> str:
    """A text as it is if it is one word, else quoted, so that a line stays a line."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if text and text.isprintable() and " " not in text else repr(text)
