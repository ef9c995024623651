"""The log in files, for what happened when nobody watched: bounded, and never in anybody's way."""

from __future__ import annotations

import contextlib
import json
import logging
import os
from logging.handlers import RotatingFileHandler
from typing import TYPE_CHECKING, Any, final

from muxd.secrets import MASK

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["FILE_NAME", "LogFile", "masked"]

FILE_NAME = "muxd.log"


@final
class LogFile:
    """Lines in ``muxd.log`` in a folder; when it is full it becomes ``muxd.log.1``, and so on.

    A line that can't be written is lost, and nothing else: no disk is so full that it costs a run.
    To be used by one process, by any thread.
    """

    def __init__(
        self, folder: Path, *, files: int, size: int, mask: Callable[[str], str] | None = None
    ) -> None:
        """Nothing is made before the first line.

        Args:
          folder: where the files are; made if it isn't there.
          files: how many there are at most, 1 or more.
          size: of each, bytes. A line more that doesn't fit begins the next.
          mask: takes out of texts what must not be kept.
        """
        self._folder, self._files, self._mask = folder, files, mask
        self._handler = _Handler(folder / FILE_NAME, files=files, size=size)
        self._is_ready = False
        self._awaited: tuple[str, Callable[[], object]] | None = None

    @property
    def lost(self) -> int:
        """How many lines could not be written."""
        return self._handler.lost

    def open(self) -> None:
        """Open the file now: opened by the first line, it would be that run's. Never raises."""
        with contextlib.suppress(OSError):
            if not self._is_ready:
                self._begin()
            self._handler.open_now()

    def write(self, line: str) -> None:
        """Write a line, which has no end of line. Never raises."""
        if not self._is_ready:
            with contextlib.suppress(OSError):
                self._begin()
        if self._mask is not None:
            line = masked(line, self._mask)
        record = logging.LogRecord("muxd", logging.INFO, "", 0, line, None, None)
        self._handler.handle(record)
        awaited = self._awaited
        if awaited is not None and awaited[0] in line:
            self._awaited = None
            awaited[1]()

    def when_more(self, text: str, tell: Callable[[], object]) -> None:
        """Call `tell` once, when the next line that has this text in it has been written.

        It is called by the thread that logs, and must neither block nor raise. Who waits for another
        text waits in place of who did before.
        """
        self._awaited = text, tell

    def close(self) -> None:
        """Close the file. Never raises."""
        with contextlib.suppress(OSError):
            self._handler.close()

    def _begin(self) -> None:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        self._is_ready = True
        for path in self._folder.glob(f"{FILE_NAME}.*"):  # there may have been more files allowed
            number = path.suffix[1:]
            if number.isdecimal() and int(number) >= self._files:
                path.unlink(missing_ok=True)


def masked(line: str, mask: Callable[[str], str]) -> str:
    """A line of JSON without what must not be shown; it stays one."""
    text = mask(line)
    if text == line or _object(text) is not None:
        return text
    told = _object(line)
    if told is None:
        return text
    # What looks like a secret goes over the end of a value: each is masked by itself.
    parts: dict[str, Any] = {}
    for key, value in told.items():
        part = _object(mask(json.dumps({key: value}, ensure_ascii=False)))
        parts |= {key: MASK} if part is None else part
    return json.dumps(parts, ensure_ascii=False)


def _object(text: str) -> dict[str, Any] | None:
    try:
        told = json.loads(text)
    except ValueError:
        return None
    return told if isinstance(told, dict) else None


class _Handler(RotatingFileHandler):
    """The library's, private to its owner, and with errors that cost a line each."""

    def __init__(self, path: Path, *, files: int, size: int) -> None:
        # One file that is never renamed would never be emptied either: it has no backup.
        super().__init__(
            path,
            maxBytes=size,
            backupCount=files - 1,
            encoding="utf-8",
            errors="backslashreplace",
            delay=True,
        )
        self.lost = 0
        self._is_torn = False
        self.setFormatter(logging.Formatter("%(message)s"))

    def _open(self) -> Any:
        return open(
            self.baseFilename,
            self.mode,
            encoding=self.encoding,
            errors=self.errors,
            opener=lambda path, flags: os.open(path, flags, 0o600),
        )

    def open_now(self) -> None:
        """Open the file if it isn't.

        Raises:
          OSError: it can't be opened; the next line tries again.
        """
        if self.stream is None:
            self.stream = self._open()

    def format(self, record: logging.LogRecord) -> str:
        """The line, on a new one if the last was cut off."""
        line = super().format(record)
        return f"\n{line}" if self._is_torn else line

    def emit(self, record: logging.LogRecord) -> None:
        """Write it; `handleError` is told if that fails."""
        before = self.lost
        super().emit(record)
        if self.lost == before:
            self._is_torn = False

    def doRollover(self) -> None:
        """Begin the next file; where one file is all there may be, it is begun anew."""
        super().doRollover()
        if self.backupCount == 0:
            with contextlib.suppress(OSError):
                os.truncate(self.baseFilename, 0)

    def handleError(self, record: logging.LogRecord) -> None:
        """Count it, and begin again with the next line."""
        self.lost += 1
        self._is_torn = True
        stream, self.stream = self.stream, None
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()
