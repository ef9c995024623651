"""Files as they are saved, told by the system."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, final

import trio

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

__all__ = ["Saves"]

SUFFIXES = (".py", ".toml")
"""What is code or configuration. What a job itself writes there begins no run."""
DEBOUNCE, STEP = 200, 25
"""Milliseconds: what is saved together is told together, and how long it must have been quiet."""
BEGUN = 250
"""Milliseconds after which it is known that the system tells."""


@final
class Saves:
    """Collects what is saved, until somebody takes it."""

    def __init__(self, places: Collection[Path], is_wanted: Callable[[Path], bool]) -> None:
        """Nothing is watched yet.

        Args:
          places: directories, with all below them, and files, which may be there later.
          is_wanted: whether a file that was saved there counts; only code and configuration does.
        """
        self._trees = sorted(place for place in places if place.is_dir())
        self._folders = sorted({place.parent for place in places if not place.is_dir()})
        self._is_wanted = is_wanted
        self._saved: set[Path] = set()
        self._news = trio.Event()

    @property
    def pending(self) -> bool:
        """Whether there is something to take."""
        return self._news.is_set()

    async def wait(self) -> None:
        """Return once there is something to take."""
        await self._news.wait()

    def take(self) -> set[Path]:
        """What was saved since the last time."""
        saved, self._saved, self._news = self._saved, set(), trio.Event()
        return saved

    async def watch(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Watch until cancelled, which takes a moment.

        Raises:
          OSError: a directory is gone, or the system can watch no more of them.
        """
        async with trio.open_nursery() as nursery:
            if self._trees:
                await nursery.start(self._heed, self._trees, True)
            if self._folders:
                await nursery.start(self._heed, self._folders, False)
            task_status.started()

    async def _heed(
        self, places: list[Path], recursive: bool, *, task_status: trio.TaskStatus[None]
    ) -> None:
        from watchfiles import Change, DefaultFilter, awatch

        told = awatch(
            *places,
            watch_filter=DefaultFilter(),
            debounce=DEBOUNCE,
            step=STEP,
            rust_timeout=BEGUN,
            yield_on_timeout=True,
            recursive=recursive,
        )
        begun = False
        async with contextlib.aclosing(told):
            async for changes in told:
                if not begun:
                    task_status.started()
                    begun = True
                files = {Path(path) for change, path in changes if change is not Change.deleted}
                self._note({file for file in files if file.suffix in SUFFIXES})

    def _note(self, files: set[Path]) -> None:
        self._saved |= {file for file in files if self._is_wanted(file) and file.is_file()}
        if self._saved:
            self._news.set()
