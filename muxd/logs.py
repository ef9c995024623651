"""Logs: calm lines for people, JSON lines for machines, fields for systemd's journal. Set up by the command line alone."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import stat
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, TextIO

import structlog

from muxd.guard.outlet import Outlet
from muxd.journal import Journal, JournalStream, is_journal
from muxd.logfile import masked
from muxd.record import utc_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from structlog.typing import EventDict, Processor, WrappedLogger

    from muxd.config import LogFormat

Style = Literal["console", "json", "journald"]

__all__ = ["Style", "chosen_format", "configure", "has_colours"]

FLUSH_BOUND = 2.0
"""How long the end of the process waits for what reads the log, seconds."""
LONGEST = 100_000
"""A line that is longer than so many characters is cut where it is kept for long."""
LONGEST_SECRET = 10_000
"""Characters."""
_DIM, _BOLD, _RED, _YELLOW, _END = "\x1b[2m", "\x1b[1m", "\x1b[31m", "\x1b[33m", "\x1b[0m"


def chosen_format(setting: LogFormat, stream: TextIO) -> Style:
    """What ``auto`` means for this stream.

    ``console`` on a terminal, ``journald`` where systemd's journal gets it, else ``json``.
    """
    if setting != "auto":
        return setting
    if stream.isatty():
        return "console"
    return "journald" if is_journal(stream) else "json"


def configure(
    log_format: Style,
    level: int = logging.INFO,
    *,
    stream: TextIO | None = None,
    also: Callable[[str], object] | None = None,
    mask: Callable[[str], str] | None = None,
) -> None:
    """Set up structlog, and what other libraries log through `logging`, for this process.

    Args:
      log_format: ``console`` for lines such as ``12:00:05 warning  killed a browser  pid=7``;
        ``json`` for an object a line, with ``at`` (UTC, microseconds), ``level`` and ``event``;
        ``journald`` for entries of systemd's journal with fields, and ``json`` where it takes none.
      level: what is less important than this `logging` level is dropped. Of other libraries
        only warnings are shown, and INFO where `level` is DEBUG.
      stream: where to write; by default whatever ``sys.stderr`` is at the time. Nobody waits for
        who reads that: what it does not take is dropped, and counted.
      also: is given each line as JSON, too, of INFO and above.
      mask: takes out of texts what must not be shown.
    """
    colours = log_format == "console" and has_colours(stream if stream is not None else sys.stderr)
    render: Processor = _Console(colours=colours) if log_format == "console" else _json
    if mask is not None:
        render = _Masked(render, mask, is_json=log_format != "console")
    out: Any = stream if stream is not None else _Stderr(render)
    if log_format == "journald":
        out = JournalStream(Journal(), out)
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
    ]
    if also is not None:
        shared.append(_Copied(also))
    structlog.configure(
        processors=[*shared, render],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(out),
        cache_logger_on_first_use=False,
    )
    handler = _Handler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared[:2], _named, *shared[2:]],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.INFO if level <= logging.DEBUG else max(level, logging.WARNING))


class _Masked:
    """Renders without what must not be shown."""

    def __init__(self, render: Processor, mask: Callable[[str], str], *, is_json: bool) -> None:
        self._render, self._mask, self._is_json = render, mask, is_json

    def __call__(self, logger: WrappedLogger, method: str, event: EventDict) -> str:
        level, event_text = event.get("level", method), str(event.get("event", ""))
        text = str(self._render(logger, method, event))
        if len(text) > LONGEST:  # looking it through would take seconds
            if self._is_json:
                event_text = self._beginning(event_text, LONGEST // 10)
                text = _shortened(logger, method, str(level), event_text, len(text))
            else:
                text = f"{self._beginning(text, LONGEST)} ... (cut from {len(text)} characters)"
        return masked(text, self._mask) if self._is_json else self._mask(text)

    def _beginning(self, text: str, length: int) -> str:
        """So many characters of it, without half of a secret where it is cut."""
        if len(text) <= length:
            return text
        return self._mask(text[: length + 2 * LONGEST_SECRET])[:-LONGEST_SECRET][:length]


class _Copied:
    """Gives what is logged to somebody else as well, as a line of JSON that is not too long."""

    def __init__(self, also: Callable[[str], object]) -> None:
        self._also = also

    def __call__(self, logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        level = str(event.get("level", method))
        if level == "debug":
            return event
        told = {key: value for key, value in event.items() if not key.startswith("_")}
        line = _json(logger, method, dict(told))
        if len(line) > LONGEST:
            line = _shortened(logger, method, level, str(told["event"]), len(line))
        self._also(line)
        return event


def _shortened(logger: WrappedLogger, method: str, level: str, event: str, length: int) -> str:
    """What is told of a line that is too long."""
    short = {"level": level, "event": event[: LONGEST // 10], "cut_from": length}
    return _json(logger, method, short)


class _Stderr:
    """Whatever ``sys.stderr`` is when something is written.

    What can't be written is lost: a log on a full disk, at a terminal that is gone, or that nobody
    reads (Ctrl-S), must not end or stop what it is a log of.
    """

    def __init__(self, render: Processor) -> None:
        self._render = render
        self._outlet = Outlet(_write, self._lost)

    def write(self, text: str) -> int:
        if _may_block(sys.stderr):
            self._outlet.put(text)
        else:
            with contextlib.suppress(OSError, ValueError):
                _write(text)
        return len(text)

    def flush(self) -> None:
        """Each text is on its way already."""

    def drain(self) -> None:
        """Wait for what reads it, `FLUSH_BOUND` at most."""
        self._outlet.drain(FLUSH_BOUND)

    def _lost(self, count: int) -> str:
        event = {"event": "nobody read the log: lines were dropped", "lines": count}
        return f"{self._render(None, 'warning', event)!s}\n"


def _write(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()


def _may_block(stream: TextIO) -> bool:
    """True unless it is a file, or no stream of the system's."""
    try:
        return not stat.S_ISREG(os.fstat(stream.fileno()).st_mode)
    except (OSError, ValueError, AttributeError):
        return False


class _Handler(logging.StreamHandler[Any]):
    """Python closes its handlers at the end of the process: what waits is written then."""

    def close(self) -> None:
        if isinstance(self.stream, _Stderr | JournalStream):
            self.stream.drain()
        super().close()


def has_colours(stream: Any) -> bool:
    """True for a terminal, unless ``NO_COLOR`` is set."""
    return bool(stream.isatty()) and not os.environ.get("NO_COLOR")


def _named(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Say which library a foreign line is from."""
    record = event.get("_record")
    if isinstance(record, logging.LogRecord):
        event["logger"] = record.name
    return event


def _json(logger: WrappedLogger, method: str, event: EventDict) -> str:
    now = datetime.now().timestamp()
    first = {"at": utc_text(now), "level": event.pop("level", method), "event": event.pop("event")}
    return json.dumps(first | dict(event), default=str, ensure_ascii=False)


class _Console:
    """One line: time, level unless it is info, what happened, and the rest as ``key=value``."""

    def __init__(self, *, colours: bool) -> None:
        plain: Callable[[str, str], str] = lambda text, _: text  # noqa: E731
        coloured: Callable[[str, str], str] = lambda text, code: f"{code}{text}{_END}"  # noqa: E731
        self._paint = coloured if colours else plain

    def __call__(self, logger: WrappedLogger, method: str, event: EventDict) -> str:
        level = str(event.pop("level", method))
        what = _line(str(event.pop("event")))
        trace = "".join(f"\n{event.pop(k)}" for k in ("stack", "exception") if k in event)
        parts = [self._paint(datetime.now().strftime("%H:%M:%S"), _DIM)]
        if level not in ("info", "debug"):
            parts.append(self._paint(level, _YELLOW if level == "warning" else _RED))
        parts.append(self._paint(what, _BOLD) if level != "debug" else self._paint(what, _DIM))
        parts += (self._paint(f"{key}={_value(value)}", _DIM) for key, value in event.items())
        return "  ".join(parts) + trace


def _line(text: str) -> str:
    """The text, quoted if it would break the line or play with the terminal."""
    return text if text.isprintable() else repr(text)


def _value(value: object) -> str:
    """A text as it is if it is one word, else quoted, so that a line stays a line."""
    text = value if isinstance(value, str) else repr(value)
    return text if text and text.isprintable() and " " not in text else repr(text)
