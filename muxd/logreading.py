"""Reads the log in files: from its end, from its beginning, and on as it grows."""

from __future__ import annotations

import contextlib
import os
from typing import IO, TYPE_CHECKING, final

from muxd.logfile import FILE_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["LogReader"]

BLOCK = 64 * 1024
"""How much is read at once, bytes."""


@final
class LogReader:
    """The lines of ``muxd.log`` and of the files that it became, whoever writes them meanwhile.

    It sees each line once: those that were there when it was made (`forwards`, `backwards`), and
    those that came later (`later`). What was on its way then, half a line, is a later one. Blocks.
    """

    def __init__(self, folder: Path) -> None:
        """Look at what is there. There may be nothing yet, not even the folder."""
        self._path = folder / FILE_NAME
        self._files = _open_all(self._path)
        """The newest first."""
        self._ends = [_last_end(file) for file in self._files]
        self._current = self._files[0] if self._files else None
        self._at = self._ends[0] if self._files else 0
        self._rest = b""  # the beginning of a line that is not whole yet

    def close(self) -> None:
        """Close all files."""
        for file in {*self._files, *([self._current] if self._current else [])}:
            file.close()

    def forwards(self) -> Iterator[str]:
        """What was there, oldest first."""
        for file, end in zip(reversed(self._files), reversed(self._ends), strict=True):
            file.seek(0)
            while (at := file.tell()) < end:
                yield _text(file.readline(end - at))

    def backwards(self, *, since: float | None = None) -> Iterator[str]:
        """What was there, newest first; no files that were last written before an instant."""
        for file, end in zip(self._files, self._ends, strict=True):
            if since is not None and os.fstat(file.fileno()).st_mtime < since:
                continue
            rest = b""
            while end > 0:
                begin = max(0, end - BLOCK)
                file.seek(begin)
                lines = (file.read(end - begin) + rest).split(b"\n")
                rest, end = lines[0], begin
                yield from (_text(line) for line in reversed(lines[1:]) if line)
            if rest:
                yield _text(rest)

    def later(self) -> Iterator[str]:
        """What came since this was last asked, or since the beginning, oldest first.

        Neither a full file that became another, nor one that was emptied or removed, costs a line
        that is still there.
        """
        if self._current is not None:
            yield from self._more()
            if _identity(self._current) == self._there():
                return
            # It was renamed, and nobody writes to it any more: this is all that there will be.
            yield from self._more()
            if self._rest:
                yield _text(self._rest)
        before, after = self._current, _open_all(self._path)
        for at, file in enumerate(after):
            if before is not None and _identity(file) == _identity(before):
                for old in after[at:]:
                    old.close()
                after = after[:at]
                break
        for file in reversed(after):
            if self._current is not None and self._current not in self._files:
                self._current.close()
            self._current, self._at, self._rest = file, 0, b""
            yield from self._more()

    def _there(self) -> tuple[int, int] | None:
        """Which file has the name; the one being read if there is none at the moment."""
        assert self._current is not None
        try:
            found = os.stat(self._path)
        except OSError:
            return _identity(self._current)
        return found.st_dev, found.st_ino

    def _more(self) -> Iterator[str]:
        """The lines that the current file has got."""
        file = self._current
        assert file is not None
        if (
            os.fstat(file.fileno()).st_size < self._at
        ):  # emptied, where one file is all there may be
            self._at, self._rest = 0, b""
        file.seek(self._at)
        while block := file.read(BLOCK):
            self._at = file.tell()
            *lines, self._rest = (self._rest + block).split(b"\n")
            yield from (_text(line) for line in lines if line)


def _open_all(path: Path) -> list[IO[bytes]]:
    """The files that there are, newest first, each once though they may be renamed meanwhile.

    A file moves up by a name when a new one is begun, so none is missed by going up the names; but
    one that was begun meanwhile may be met among those older than itself. Then it is looked again,
    which ends: to begin a file takes longer, a rename for each, than to open them.
    """
    while True:
        newest = _newest(path)
        found = _opened(path)
        if _newest(path) == newest:
            return found
        for file in found:
            file.close()


def _newest(path: Path) -> list[tuple[int, int] | None]:
    """Which files have the first two names: other ones as soon as a file was begun."""
    found: list[tuple[int, int] | None] = []
    for name in (path, path.with_name(f"{path.name}.1")):
        try:
            there = os.stat(name)
        except OSError:
            found.append(None)
        else:
            found.append((there.st_dev, there.st_ino))
    return found


def _opened(path: Path) -> list[IO[bytes]]:
    found: dict[tuple[int, int], IO[bytes]] = {}
    numbers = []
    with contextlib.suppress(OSError):
        numbers = [
            int(each.suffix[1:])
            for each in path.parent.glob(f"{path.name}.*")
            if each.suffix[1:].isdecimal()
        ]
    last = max(numbers, default=0) + 1
    for name in (path, *(path.with_name(f"{path.name}.{n}") for n in range(1, last + 1))):
        with contextlib.suppress(FileNotFoundError):
            file = open(name, "rb")  # noqa: SIM115 - kept
            if found.setdefault(_identity(file), file) is not file:
                file.close()
    return list(found.values())


def _identity(file: IO[bytes]) -> tuple[int, int]:
    found = os.fstat(file.fileno())
    return found.st_dev, found.st_ino


def _last_end(file: IO[bytes]) -> int:
    """Where the last line that is whole ends."""
    end = file.seek(0, os.SEEK_END)
    while end > 0:
        begin = max(0, end - BLOCK)
        file.seek(begin)
        at = file.read(end - begin).rfind(b"\n")
        if at >= 0:
            return begin + at + 1
        end = begin
    return 0


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace").rstrip("\n")
