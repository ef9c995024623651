"""What Playwright's driver leaves on the disk for as long as the browser lives."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

__all__ = ["sweep"]


def sweep(scratch: Path, traces: Collection[str]) -> None:
    """Remove what runs that are over have left there: traces with all their pictures, downloads.

    Playwright keeps them until the browser closes: some kB of each run, megabytes of one that was
    traced with pictures. Blocks; what can't be removed stays.

    Args:
      scratch: the driver's directory for temporary files.
      traces: the names of those that are being made: of pages that are ready.
    """
    staying = tuple(traces)
    for folder in scratch.glob("playwright-artifacts-*"):
        for place, _, names in os.walk(folder):
            for name in names:
                if not name.startswith(staying):
                    with contextlib.suppress(OSError):
                        os.unlink(os.path.join(place, name))
