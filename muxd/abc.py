"""The contracts: what the parts of muxd that can be replaced implement, with the laws of each."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import attrs
import trio

from muxd.controlled import Controlled
from muxd.errors import LedgerError
from muxd.jobdata import DataTable, JobData
from muxd.launchoptions import LaunchOptions
from muxd.learned import Learned
from muxd.left import Left
from muxd.links import PageLink
from muxd.observation import Observation
from muxd.pagewrapper import PageWrapper
from muxd.statistics import Statistics, Summary, row_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from playwright.async_api import Browser, BrowserContext, Page
    from starlette.routing import BaseRoute

    from muxd.errors import WorldError
    from muxd.events import Event
    from muxd.pause import Pause
    from muxd.record import Outcome, Record
    from muxd.slotting import Demand, Timetable

    Pace = Callable[[], Awaitable[object]]

__all__ = [
    "Controlled",
    "DataTable",
    "JobData",
    "LaunchOptions",
    "Learned",
    "Lease",
    "PageLink",
    "PageSource",
    "PageWrapper",
    "Service",
    "Sink",
    "Slotter",
    "Statistics",
    "Store",
]

FOUND = 10_000
"""How many of its newest runs a store knows by a part of their ids, at least."""
PAGE = 1000
"""How many records are read at once where all of them are looked at."""


class Store(ABC):
    """Keeps records for good.

    Laws:

    - `write` returns only when the record would survive a power cut.
    - A record that has an outcome is never changed again: a later write of it is an error of the
      caller and is refused (`~muxd.errors.LedgerError`).
    - Every method is safe under cancellation: what was begun is either done whole or not at all.
    - Methods raise `~muxd.errors.LedgerError` when the medium fails.
    """

    @abstractmethod
    def open(self, *, readonly: bool = False) -> AbstractAsyncContextManager[Store]:
        """The store, opened; closed on leaving.

        With `readonly` it may be shared with a live daemon; without, the caller holds the state
        directory, and a store that is damaged may be mended or begun anew.
        """

    @abstractmethod
    async def write(self, *records: Record) -> None:
        """Insert or update records by their ids, all of them or none."""

    @abstractmethod
    async def unfinished(self) -> Sequence[Record]:
        """Records without an outcome, oldest first."""

    @abstractmethod
    async def history(
        self,
        *,
        job: str | None = None,
        outcome: Outcome | None = None,
        since: float | None = None,
        until: float | None = None,
        before: Record | None = None,
        limit: int = 100,
    ) -> Sequence[Record]:
        """The newest `limit` records that have an outcome, newest end first.

        Args:
          job: only this job's.
          outcome: only those that ended so.
          since: only those that ended then or later, Unix seconds. One without an end counts by its
            release, here and in the order.
          until: only those that ended before that, Unix seconds.
          before: only those that come after this one in the order: given the last of a page, the
            next page. It need not be in the store.
          limit: 0 or more.
        """

    @abstractmethod
    async def get(self, run_id: str) -> Record | None:
        """The record of this id, None if there is none."""

    async def find(self, part: str, *, limit: int = 10) -> Sequence[Record]:
        """Records whose ids begin or end with `part`, with an outcome or not, newest id first.

        Args:
          part: 1 character or more.
          limit: how many at most, 1 or more.

        A store need know only its newest runs so, as here the newest 10,000.
        """
        known = [*await self.history(limit=FOUND), *await self.unfinished()]
        found = [each for each in known if each.id.startswith(part) or each.id.endswith(part)]
        return sorted(found, key=lambda each: each.id, reverse=True)[:limit]

    async def tries(self, first_id: str) -> Sequence[Record]:
        """The run with this id and all further tries of it, in their order.

        A store need know only its newest runs so, as here the newest 10,000.
        """
        known = [*await self.history(limit=FOUND), *await self.unfinished()]
        found = [each for each in known if first_id in (each.id, each.first_id)]
        return sorted(found, key=lambda each: (each.attempt, each.id))

    async def statistics(
        self, *, job: str | None = None, since: float | None = None, until: float | None = None
    ) -> Statistics:
        """What the records that have an outcome say together, job by job.

        Args:
          job: only this job's.
          since: only those that ended then or later, as for `history`.
          until: only those that ended before that.

        Other calls get in between, and what it takes in memory grows with the jobs only. Records
        that are written or deleted meanwhile may count, or not.

        A store that has no quicker way reads them page by page, as here.
        """
        summary, last = Summary(), None
        while page := await self.history(
            job=job, since=since, until=until, before=last, limit=PAGE
        ):
            summary.add([row_of(record) for record in page])
            last = page[-1]
        return summary.result()

    @abstractmethod
    async def last_releases(self) -> Mapping[str, float]:
        """For each job the newest release by its slot, real Unix seconds; rehearsals don't count."""

    @abstractmethod
    async def learned(self) -> Mapping[str, Learned]:
        """For each job that had good runs at speed 1 what is known of its durations."""

    @abstractmethod
    async def phases(self) -> Mapping[str, tuple[int, int]]:
        """The phases in force: job name to (interval, phase), seconds."""

    @abstractmethod
    async def set_phases(
        self, phases: Mapping[str, tuple[int, int]], *, at: float | None = None
    ) -> None:
        """Replace the phases in force.

        Args:
          phases: job name to (interval, phase), seconds.
          at: from when on jobs of which that was not said before are to be released, real Unix seconds; None:
            from whenever somebody does.
        """

    async def placed(self) -> Mapping[str, float]:
        """Since when jobs have a place on the timetable, Unix seconds, as `set_phases` was told.

        So the first release of a job is not forgotten either, should nobody be there at its time.
        A store that doesn't keep it knows of none, as here.
        """
        await trio.lowlevel.checkpoint()
        return {}

    @abstractmethod
    async def pauses(self) -> Mapping[str, Pause]:
        """The jobs that are paused, by name."""

    @abstractmethod
    async def set_pauses(self, pauses: Mapping[str, Pause]) -> None:
        """Replace the pauses, all of them. Those of jobs that are not here now may be among them."""

    @abstractmethod
    async def prune(self, *, older_than: float, keep: int, pace: Pace | None = None) -> int:
        """Delete records that have an outcome and are not needed any more.

        Deleted are those that ended before `older_than`, and the oldest of more than `keep`. What is
        needed stays, however old: the newest release of each job (`last_releases`) and the runs that
        `learned` looks at.

        Args:
          older_than: Unix seconds. A record without an end counts by its release.
          keep: how many ended records may stay, 0 or more; those that are needed count too.
          pace: is awaited before each small part: it returns when the moment is good.

        Returns:
          How many were deleted.

        Other calls get in between: none waits for more than a small part of it. Cancelled, it has
        deleted some.
        """

    async def settle(self) -> None:
        """Do now, in a moment when nothing runs, what a later write would have to wait for.

        Called often; next to nothing where there is nothing to do, and short where there is. A store
        whose writes leave nothing to be done does nothing, as here.
        """
        await trio.lowlevel.checkpoint()

    async def check(self) -> None:
        """Look through all that is kept for damage, beside all other calls, and mend what can be.

        What people should know of it is in `warnings`. A store that can't be damaged does nothing,
        as here. Cancelled, it has done a part.
        """
        await trio.lowlevel.checkpoint()

    async def inspect(self) -> str:
        """Look through all that is kept and change nothing: what it is like, in words for people.

        Needs no `open`; may be done beside somebody who has it open. A store that can't be looked
        into says nothing, as here.

        Raises:
          LedgerError: it can't be read, is damaged, or a newer version's.
        """
        await trio.lowlevel.checkpoint()
        return ""

    async def backup(self, folder: Path) -> None:
        """Put a copy of all that is kept, as it is in one moment, into an empty directory.

        A store that is made on that directory has it then, and so has one in whose directory the
        files are put in the place of those with the same names. Needs no `open`; may be done beside
        somebody who has it open, and holds nobody up. Cancelled, the copy is worth nothing.

        Raises:
          LedgerError: it can't be read, or the copy can't be written; or the store makes no
            copies, as here.
        """
        await trio.lowlevel.checkpoint()
        raise LedgerError(f"{type(self).__qualname__}: this store makes no copies of itself")

    @property
    def warnings(self) -> Sequence[str]:
        """What people should know about the state of the store, oldest first: shown by `muxd status`."""
        return ()


class Slotter(ABC):
    """Gives every job its place on the timetable. Called in a thread; pure.

    Laws:

    - One slot for each demand, in the order of the demands, with its interval and duration, and
      ``0 <= phase < interval``. A pinned demand is where it is pinned.
    - The same arguments give the same timetable, on every machine.
    - ``fixed`` phases are kept where that is safe; a demand that is new moves nobody where there
      is room.
    - Where not all can avoid each other, all have a phase all the same, and the warnings say why.

    muxd checks the first law, and the pair rule, itself: a timetable that breaks the first is
    refused, and the plugin left out. So is one whose slotter takes longer than a minute.
    """

    name: str
    """For messages."""

    @abstractmethod
    def solve(
        self, demands: Sequence[Demand], *, fixed: Mapping[str, int], headroom: float
    ) -> Timetable:
        """A timetable for `demands`.

        Args:
          demands: what the jobs ask for; names are unique.
          fixed: phases in force by name, seconds; also of jobs that are gone.
          headroom: the share of the best gap that preferred phases may not use up, 0 to 1.
        """


class Sink(ABC):
    """Is told of events, in order, at its own pace.

    Laws: a slow sink loses the oldest events, and delays nobody; one that raises is logged, left
    out from then on, and costs nobody else anything.
    """

    name: str
    """For messages."""

    @abstractmethod
    async def handle(self, event: Event) -> None:
        """Take one event. Cancelled when the daemon has stopped and its time is over."""


class Service(ABC):
    """Runs beside the jobs for the whole life of the daemon, in its outer nursery.

    Laws: one that raises before it has started leaves out its plugin's jobs; one that raises or
    returns later is logged, and the daemon goes on.
    """

    name: str
    """For messages."""

    @property
    def routes(self) -> Sequence[BaseRoute]:
        """What it serves over HTTP, on the control socket and on the dashboard's port: none, as here.

        Starlette's routes, their endpoints in `trio`. They are asked for once, after it has started.
        muxd's own paths go before, then those of other services that started earlier. Who gets to
        them has shown the token; on the port each answer has a strict content security policy.
        """
        return ()

    @property
    def pages(self) -> Sequence[PageLink]:
        """Its pages that people may want: they are in the dashboard's navigation. None, as here.

        Asked for once, after it has started. The pages themselves are among its `routes`; what makes
        them look like the dashboard's own is `Controlled.page`.
        """
        return ()

    @abstractmethod
    async def run(self, *, task_status: trio.TaskStatus[None] = ...) -> None:
        """Call ``task_status.started()`` when ready (within 30 s); run until cancelled."""


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

    async def observe(self, lease: Lease, folder: Path) -> Observation:
        """What the lease's pages show now. Bounded (2.5 s); never raises.

        What can't be had costs none of the other parts, and is among those `missing`. Larger files
        are put into `folder`. A source that has nothing to show says nothing, as here.
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
