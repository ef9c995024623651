"""The standard output for what the command itself prints, whatever plugins print."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["OwnStdout", "own_stdout"]


class OwnStdout(io.TextIOWrapper):
    """Prints to where stdout was; what threads of plugins print goes to stderr."""

    foreign: frozenset[int | None] = frozenset()
    """Idents of the threads that plugins have started."""
    own: frozenset[int | None] | None = None
    """While plugins are loaded, idents of those that were there before; None: others are muxd's too."""

    def write(self, text: str) -> int:
        """Write, as any text file does."""
        thread = threading.get_ident()
        if thread in self.foreign or (self.own is not None and thread not in self.own):
            return sys.stderr.write(text)
        return super().write(text)


@contextlib.contextmanager
def own_stdout() -> Iterator[None]:
    """From here on only this program's ``sys.stdout`` is stdout; descriptor 1 is stderr.

    So child processes, C code, exit handlers of plugins and the threads that are started inside
    can't spoil what a command prints, then or later. Does nothing where ``sys.stdout`` is not the
    process's own, as in tests.
    """
    before = frozenset(threading.enumerate())
    out = _out()
    if out is None:
        yield
        return
    out.own = frozenset(thread.ident for thread in before)
    try:
        yield
    finally:
        out.foreign |= {each.ident for each in threading.enumerate() if each not in before}
        out.own = None


def _out() -> OwnStdout | None:
    out = sys.stdout
    if isinstance(out, OwnStdout):
        return out
    if not isinstance(out, io.TextIOWrapper) or out is not sys.__stdout__:
        return None
    try:
        if out.fileno() != 1:
            return None
        out.flush()
        ours = os.dup(1)
    except (OSError, ValueError):  # closed
        return None
    with contextlib.suppress(OSError):
        os.dup2(2, 1)
    own = OwnStdout(
        io.BufferedWriter(io.FileIO(ours, "w")),
        encoding=out.encoding,
        errors=out.errors,
        line_buffering=out.line_buffering,
    )
    sys.stdout = own
    return own
