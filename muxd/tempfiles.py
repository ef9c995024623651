"""Temporary files of a run: in a folder of its own, which goes with it."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import uuid
from typing import TYPE_CHECKING, Any, Self

from muxd.background import owner

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from muxd.background import BackgroundErrors

__all__ = ["TempFiles"]

_KEEPERS = ("multiprocessing.util",)
"""Modules that make a folder once, and use it for the life of the process."""


class TempFiles:
    """While it is entered, what a run makes by `tempfile`, and no one else, is in its own folder.

    Services and sinks make temporary files too while a run is in progress, and those must stay. So
    the function that says where is replaced by one that asks whose context it is called in.
    """

    def __init__(self, root: Path, in_run: Callable[[], bool]) -> None:
        """`root`: where the folders of runs are. `in_run`: whether a run's code calls."""
        self._root, self._in_run = root, in_run
        self._owner: BackgroundErrors | None = None  # of the run in progress
        self._folder: Path | None = None
        self._real: tuple[Any, Any] = (tempfile.gettempdir, tempfile.gettempdirb)

    def __enter__(self) -> Self:
        self._real = (tempfile.gettempdir, tempfile.gettempdirb)
        tempfile.gettempdir = self._where
        tempfile.gettempdirb = lambda: os.fsencode(self._where())
        return self

    def __exit__(self, *exc_info: object) -> None:
        tempfile.gettempdir, tempfile.gettempdirb = self._real
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def begin(self) -> None:
        """A run begins, whose context this is called in. Nothing is made before it is asked for."""
        self._owner, self._folder = owner(), None

    def end(self) -> Path | None:
        """The run is over; gives its folder, if it has one, to be given to `clear`."""
        folder, self._owner, self._folder = self._folder, None, None
        return folder

    def clear(self, folder: Path, counted: Callable[[int], object]) -> None:
        """Remove the folder of a run. Blocks, never raises. `counted`: is told how much is in it."""
        try:
            counted(len(os.listdir(folder)))
        except OSError:
            counted(0)
        shutil.rmtree(folder, ignore_errors=True)

    def _where(self) -> str:
        # What a body left behind makes later is no other run's.
        ours = self._owner is not None and owner() in (self._owner, None) and self._in_run()
        if not ours or _asked_by() in _KEEPERS:
            return str(self._real[0]())
        if self._folder is None:
            self._folder = self._root / f"run-{uuid.uuid4().hex[:12]}"
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError:  # the disk is full: the system's may be on another
            return str(self._real[0]())
        return str(self._folder)


def _asked_by() -> str:
    """The module that has called `tempfile`."""
    frame = sys._getframe()
    while (name := frame.f_globals.get("__name__", "")) in (__name__, "tempfile"):
        if frame.f_back is None:
            break
        frame = frame.f_back
    return str(name)
