"""What Playwright's driver leaves on the disk for as long as the browser lives."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import threading
    from collections.abc import Collection
    from pathlib import Path

__all__ = ["sweep"]


def sweep(scratch: Path, traces: Collection[str], given_up: threading.Event) -> None:
    """Remove what runs that are over have left there: traces with all their pictures, downloads.

    Playwright keeps them until the browser closes: some kB of each run, megabytes of one that was
    traced with pictures. Blocks, and never raises `OSError`: what can't be removed or listed, as when
    all file handles are in use, stays.

    Args:
      scratch: the driver's directory for temporary files.
      traces: the names of those that are being made: of pages that are ready.
      given_up: once it is set nothing more is removed: what is there may be the next run's by then.
    """
    staying = tuple(traces)
    with contextlib.suppress(OSError):  # of listing a folder
        for folder in scratch.glob("playwright-artifacts-*"):
            for place, _, names in os.walk(folder):
                for name in names:
                    if given_up.is_set():
                        return
                    if not name.startswith(staying):
                        with contextlib.suppress(OSError):
                            os.unlink(os.path.join(place, name))
