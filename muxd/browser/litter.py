"""What Playwright's driver leaves on the disk for as long as the browser lives."""

from __future__ import annotations

import contextlib
import os
import threading
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

__all__ = ["sweep"]


async def sweep(scratch: Path, traces: Collection[str], *, within: float) -> None:
    """Remove what runs that are over have left there: traces with all their pictures, downloads.

    Playwright keeps them until the browser closes: some kB of each run, megabytes of one that was
    traced with pictures. What can't be removed or listed, as when all file handles are in use, stays.

    Args:
      scratch: the driver's directory for temporary files.
      traces: the names of those that are being made: of pages that are ready.
      within: how long it may take, seconds: a disk that hangs holds up no run. After that, and when
        cancelled, its thread is left to itself, and removes nothing that it has not begun with:
        what is there may be the next run's by then.
    """
    given_up = threading.Event()
    try:
        with trio.move_on_after(within):
            await trio.to_thread.run_sync(
                _remove, scratch, tuple(traces), given_up, abandon_on_cancel=True
            )
    finally:
        given_up.set()


def _remove(scratch: Path, staying: tuple[str, ...], given_up: threading.Event) -> None:
    with contextlib.suppress(OSError):  # of listing a folder
        for folder in scratch.glob("playwright-artifacts-*"):
            for place, _, names in os.walk(folder):
                for name in names:
                    if given_up.is_set():
                        return
                    if not name.startswith(staying):
                        with contextlib.suppress(OSError):
                            os.unlink(os.path.join(place, name))
