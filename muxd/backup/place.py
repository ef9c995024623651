"""Where a restore works."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["PLACE", "private_folder", "sync_folder"]

PLACE = ".restore"
"""In the state directory: what is being restored."""


def private_folder(folder: Path) -> None:
    """Make a directory, and those that it is in, as far as they are not there; mode 0700."""
    if not folder.is_dir():
        private_folder(folder.parent)
        folder.mkdir(mode=0o700)


def sync_folder(folder: Path | str) -> None:
    """Have the names in it survive a power cut."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
