"""Helper processes of a browser that has closed: their CPU time must not get lost.

They are the browser's children, and it doesn't wait for all of them. So they would become init's, and
what they have used would be counted with nobody's.
"""

from __future__ import annotations

import contextlib
import ctypes
import os

__all__ = ["adopt", "reap"]

_PR_SET_CHILD_SUBREAPER = 36


def adopt() -> None:
    """From now on they become this process's children. Linux only."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def reap() -> None:
    """Wait for those that have ended: what they have used counts as used below this process."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
