"""The contract of what gives pages to runs, and what a run is given."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import attrs
import trio

from muxd.left import Left
from muxd.observation import Observation

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from playwright.async_api import Browser, BrowserContext, Page

    from muxd.errors import WorldError

__all__ = ["Lease", "PageSource"]


@attrs.frozen(kw_only=True, eq=False)
class Lease:
    """A page, for one run."""

    page: Page
    context: BrowserContext
    browser: Browser
    generation: int
    """Which life of the browser the page belongs to."""
    errors: list[Exception] = attrs.field(factory=list)
    """What the run's listeners raised that no call of its body got; complete once the lease has
    been left."""
    left: Left = attrs.field(factory=Left)
    """What the run left in the browser and was taken away; complete once the lease has been
    left."""
    harms: list[str] = attrs.field(factory=list)
    """What it cost others in the browser; complete once the lease has been left."""


class PageSource(ABC):
    """Gives pages to runs.

    Laws:

    - `generation` is stable for the life of the source.
    - At most one lease is out at a time.
    - When the ``async with`` of a lease is left, all that was opened under it is closed, however
      it is left, within a stated bound; where that can't be done, the browser is killed.
    - Every wait is bounded on the trio side.
    - Nothing of what is made ready is a run's: it is neither counted nor closed with one.
    """

    generation: int
    """Which life of the browser it is, from 1."""

    @property
    def pages(self) -> int | None:
        """How many pages are open for runs now, or ready for one; None if nobody counts, as here."""
        return None

    async def prepare(self, session: str, *, trace: bool = False) -> bool:
        """Have a page ready, so that the next lease in this session needn't wait for one.

        To be called while no lease is out and none is asked for. Bounded; never raises; returns at
        once if a page is ready. A source that makes none ready does nothing, as here.

        Args:
          session: whose. A page of ``main`` and one of another session are ready at most.
          trace: begin what `trace` begins without pictures, too.

        Returns:
          True if it is ready. Else what is in the way is told by the lease.

        When cancelled it is finished first, or the next lease would find half of it.
        """
        await trio.lowlevel.checkpoint()
        return False

    @abstractmethod
    def lease(
        self, session: str, *, block: Sequence[str] | None = None
    ) -> AbstractAsyncContextManager[Lease]:
        """A page in this session. Raises `~muxd.errors.BrowserLost` when none can be had.

        What `block` names (as `~muxd.Job.block`; None: what is configured) is not loaded as long as
        the lease is out, and is again after it.
        """

    @abstractmethod
    async def wait_lost(self, lease: Lease) -> WorldError:
        """Return, once it is so, why the lease is worth nothing any more."""

    @abstractmethod
    async def revoke(self, lease: Lease) -> None:
        """Close the lease's pages now, so that calls in flight end. Bounded; never raises."""

    @abstractmethod
    def kill(self, reason: str) -> None:
        """Kill the browser at once. Never blocks, never raises."""

    @abstractmethod
    async def keep_session(self, lease: Lease, session: str) -> None:
        """Save the session's state for the next run; called after good runs only.

        Raises `~muxd.errors.BrowserLost` or `OSError` when it can't be saved; what was saved
        before is then still there.
        """

    async def trace(self, lease: Lease, *, pictures: bool = True) -> None:
        """Begin to log all that the lease's pages do, for `observe`. Bounded; never raises.

        `pictures`: the log is to show the pages as well.

        A log that is not observed is thrown away when the lease is left. A source that makes none
        does nothing, as here.
        """
        await trio.lowlevel.checkpoint()

    async def untrace(self, lease: Lease) -> None:
        """Throw away the log that was begun when the page was made ready. Bounded; never raises.

        A source that makes none does nothing, as here.
        """
        await trio.lowlevel.checkpoint()

    async def has_sign(self, lease: Lease, sign: str) -> bool:
        """Whether a page of the lease is where a sign says, or shows it: see `~muxd.Job.needs_login`.

        Bounded (0.4 s); never raises: what can't be seen is not there. A source whose pages can't be
        seen has none, as here.
        """
        await trio.lowlevel.checkpoint()
        return False

    async def observe(self, lease: Lease, folder: Callable[[], Awaitable[Path]]) -> Observation:
        """What the lease's pages show now. Bounded (2.5 s); never raises.

        What can't be had costs none of the other parts, and is among those `missing`. Larger files
        are put where `folder` says, which is asked only for those, may take its time, and raises
        `OSError` if there is no place. A source that has nothing to show says nothing, as here.
        """
        await trio.lowlevel.checkpoint()
        return Observation()

    async def look(self, lease: Lease) -> bytes | None:
        """A picture (JPEG) of what the lease's page shows now, for who looks on; None: there is none.

        Bounded (1 s); never raises, and changes nothing for the run. Not called again before it has
        returned. A source whose pages can't be seen has none, as here.
        """
        await trio.lowlevel.checkpoint()
        return None
