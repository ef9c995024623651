"""The standard output for what the command itself prints, whatever plugins print."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["OwnStdout", "own_stdout"]


class OwnStdout(io.TextIOWrapper):
    """Prints to where stdout was; what threads of plugins print goes to stderr."""

    foreign: frozenset[int | None] = frozenset()
    """Idents of the threads that plugins have started."""

    def write(self, text: str) -> int:
        """Write, as any text file does."""
        if threading.get_ident() in self.foreign:
            return sys.stderr.write(text)
        return super().write(text)


def own_stdout(foreign: Iterable[threading.Thread]) -> None:
    """From here on only this program's ``sys.stdout`` is stdout; descriptor 1 is stderr.

    So child processes, C code, threads and exit handlers of plugins can't spoil what a command
    prints. Does nothing where ``sys.stdout`` is not the process's own, as in tests.

    Args:
      foreign: the threads that plugins have started.
    """
    threads = frozenset(thread.ident for thread in foreign)
    out = sys.stdout
    if isinstance(out, OwnStdout):
        out.foreign |= threads
        return
    if not isinstance(out, io.TextIOWrapper) or out is not sys.__stdout__:
        return
    try:
        if out.fileno() != 1:
            return
        out.flush()
        ours = os.dup(1)
    except (OSError, ValueError):  # closed
        return
    with contextlib.suppress(OSError):
        os.dup2(2, 1)
    own = OwnStdout(
        io.BufferedWriter(io.FileIO(ours, "w")),
        encoding=out.encoding,
        errors=out.errors,
        line_buffering=out.line_buffering,
    )
    own.foreign = threads
    sys.stdout = own
