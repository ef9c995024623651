"""The guard's log: lines such as the daemon's own, without the libraries that write those."""

from __future__ import annotations

import contextlib
import json
import os
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Log"]

_DIM, _BOLD, _RED, _YELLOW, _END = "\x1b[2m", "\x1b[1m", "\x1b[31m", "\x1b[33m", "\x1b[0m"


class Log:
    """Writes to stderr as `muxd.logs` does."""

    def __init__(
        self,
        log_format: str,
        *,
        colours: bool = False,
        fd: int = 2,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Write to a file descriptor.

        Args:
          log_format: ``console`` or ``json``.
          colours: whether lines for people have colours.
          fd: where to write.
          now: real Unix seconds.
        """
        self._json, self._colours, self._fd, self._now = log_format == "json", colours, fd, now

    def say(self, level: str, event: str, *, stack: str = "", **values: object) -> None:
        """Write one line, and the stack below it. An error of the stream is passed over."""
        render = self._as_json if self._json else self._for_people
        text = render(level, event, stack, values) + "\n"
        with contextlib.suppress(OSError):
            os.write(self._fd, text.encode("utf-8", "backslashreplace"))

    def _as_json(self, level: str, event: str, stack: str, values: dict[str, object]) -> str:
        at = datetime.fromtimestamp(self._now(), UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        more = {"stack": stack} if stack else {}
        return json.dumps(
            {"at": at, "level": level, "event": event, **values, **more},
            default=str,
            ensure_ascii=False,
        )

    def _for_people(self, level: str, event: str, stack: str, values: dict[str, object]) -> str:
        at = datetime.fromtimestamp(self._now()).strftime("%H:%M:%S")
        parts = [self._paint(at, _DIM)]
        if level not in ("info", "debug"):
            parts.append(self._paint(level, _YELLOW if level == "warning" else _RED))
        parts.append(self._paint(event if event.isprintable() else repr(event), _BOLD))
        parts += (self._paint(f"{key}={_value(value)}", _DIM) for key, value in values.items())
        return "  ".join(parts) + (f"\n{stack}" if stack else "")

    def _paint(self, text: str, code: str) -> str:
        return f"{code}{text}{_END}" if self._colours else text


def _value(value: object) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if text and text.isprintable() and " " not in text else repr(text)
