"""How much memory and disk must be left, and whether it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

import attrs
import trio

from muxd.resources import FreeDisk, free_disk, free_memory
from muxd.sizes import format_size

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    ReadFree = Callable[[], Awaitable["Free"]]

__all__ = ["Floors", "Free", "FreeReader", "Shortage"]

FEWEST_FILES = 1000
"""How many more files a file system must take: a browser makes hundreds at its first start."""
ABOVE = 10
"""What was short is so until there is this part (a tenth) of its floor more: no to and fro."""
PATIENCE = 0.5
"""How long an answer of the disk is waited for, seconds."""


@attrs.frozen
class Free:
    """What is left of what, as far as it is known."""

    memory: int | None = None
    """Bytes."""
    disk: FreeDisk | None = None


@attrs.frozen
class Shortage:
    """What there is too little of."""

    what: str
    """``memory``, ``disk`` or ``files``."""
    free: int
    """Bytes; of files, how many more can be made."""
    floor: int

    @property
    def missing(self) -> int:
        """How much more there must be until it is no longer short."""
        return self.floor + self.floor // ABOVE - self.free

    def __str__(self) -> str:
        show = str if self.what == "files" else format_size
        what = "room for files" if self.what == "files" else self.what
        return f"{what} is short: {show(self.free)} left, the floor is {show(self.floor)}"


@attrs.frozen(kw_only=True)
class Floors:
    """What must be left; 0 asks for nothing."""

    memory: int = 0
    """Bytes."""
    disk: int = 0
    """Bytes, where the state directory is. Above 0, `FEWEST_FILES` are asked for as well."""

    def shortage(self, free: Free, *, before: Shortage | None = None) -> Shortage | None:
        """What is below its floor; None if nothing is. What is unknown is not short.

        Args:
          free: what is left.
          before: what was short until now: that is over only a little above its floor.
        """
        found = [("memory", free.memory, self.memory)]
        if free.disk is not None and self.disk:
            found += [
                ("disk", free.disk.size, self.disk),
                ("files", free.disk.inodes, FEWEST_FILES),
            ]
        for what, left, floor in found:
            more = floor // ABOVE if before is not None and before.what == what else 0
            if left is not None and left < floor + more:
                return Shortage(what, left, floor)
        return None


@final
class FreeReader:
    """Reads what this machine has left. Called, it takes about a millisecond, in threads.

    A disk that does not answer holds up nobody: after `PATIENCE` what is left of it is unknown, and
    it is not asked again before it has answered. A call that is cancelled leaves its thread to
    itself.
    """

    def __init__(self, directory: Path) -> None:
        """Make one. `directory`: where the disk is asked."""
        self._directory = directory
        self._asking = False

    async def __call__(self) -> Free:
        """What is left now."""
        memory = await trio.to_thread.run_sync(free_memory, abandon_on_cancel=True)
        disk = None
        if not self._asking:
            self._asking = True
            with trio.move_on_after(PATIENCE):
                disk = await trio.to_thread.run_sync(self._ask_disk, abandon_on_cancel=True)
        return Free(memory, disk)

    def _ask_disk(self) -> FreeDisk | None:
        try:
            return free_disk(self._directory)
        except OSError:
            return None
        finally:
            self._asking = False
