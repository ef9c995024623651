"""The guard's log: lines such as the daemon's own, without the libraries that write those."""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from muxd.guard.outlet import Outlet

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Log"]

PATIENCE = 0.5
"""How long the guard waits until a line is written, seconds: so that it is before what comes next."""
LAST_PATIENCE = 2.0
"""The same at its end, when nothing else waits."""
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
        self._outlet = Outlet(self._write, self._lost)

    def say(self, level: str, event: str, *, stack: str = "", **values: object) -> None:
        """Write one line, and the stack below it; where nobody reads, `PATIENCE` later.

        An error of the stream is passed over.
        """
        self._outlet.put(self._line(level, event, stack, values))
        self._outlet.drain(PATIENCE)

    def finish(self) -> None:
        """Wait until all is written, `LAST_PATIENCE` at most: this process ends."""
        self._outlet.drain(LAST_PATIENCE)

    def _line(self, level: str, event: str, stack: str, values: dict[str, object]) -> str:
        render = self._as_json if self._json else self._for_people
        return render(level, event, stack, values) + "\n"

    def _lost(self, count: int) -> str:
        return self._line(
            "warning", "nobody read the log: lines were dropped", "", {"lines": count}
        )

    def _write(self, text: str) -> None:
        data = text.encode("utf-8", "backslashreplace")
        while data:
            data = data[os.write(self._fd, data) :]

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
