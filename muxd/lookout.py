"""The half of a daemon by which it is seen."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from muxd.body.reading import DataReader, FileData
from muxd.bus import Events
from muxd.config import SECTIONS
from muxd.controlled import Controlled
from muxd.health import health_of
from muxd.keeping import artifacts_of
from muxd.section import is_of_class
from muxd.status import jobs_of, status_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
    from pathlib import Path
    from zoneinfo import ZoneInfo

    from muxd.abc import JobData, Store
    from muxd.body.memory import Memory
    from muxd.book import RunBook
    from muxd.bus import Bus
    from muxd.companions import Served
    from muxd.config import Config
    from muxd.control.web import Web
    from muxd.core import Core
    from muxd.events import Event
    from muxd.health import Checkup
    from muxd.links import PageLink
    from muxd.looking import Looking
    from muxd.plugins import Plugins
    from muxd.pulse import Pulse
    from muxd.record import Record
    from muxd.reload import Reloader
    from muxd.restarting import RestartGap
    from muxd.runlog import RunLog
    from muxd.section import Section
    from muxd.slotting import Timetable
    from muxd.state import StateDir

__all__ = ["Lookout"]

_T = TypeVar("_T")


class Lookout(Controlled):
    """What people and plugins can know of the daemon."""

    pid: int
    speed: float
    zone: ZoneInfo
    core: Core
    book: RunBook
    bus: Bus[Event]
    state: StateDir
    pulse: Pulse | None
    web: Web
    memory: Memory
    """What jobs know from run to run."""
    reloader: Reloader
    restart_gap: RestartGap
    served: Served
    """What the plugins' services have to be seen."""
    _checkup: Checkup
    _looking: Looking
    _run_log: RunLog

    @property
    def config(self) -> Config:
        """What is in force."""
        return self.reloader.config

    @property
    def plugins(self) -> Plugins:
        """As loaded last."""
        return self.reloader.plugins

    @property
    def grace(self) -> float:
        """How long the run in progress may go on once the daemon is told to stop, seconds."""
        return self.core.grace

    @property
    def restarts_at(self) -> float | None:
        """When it is to be restarted, real Unix seconds; None if it isn't."""
        return self.restart_gap.waits_for

    @property
    def store(self) -> Store:
        """Where the records are."""
        return self.book.store

    @property
    def timetable(self) -> Timetable:
        """The timetable in force."""
        return self.core.planner.timetable

    def status(self, *, upcoming: int = 10) -> dict[str, Any]:
        """What `muxd status` shows, for JSON, with so many of the next releases."""
        return status_of(self, upcoming=upcoming)

    def jobs(self, *, after: str = "", limit: int = 100) -> dict[str, Any]:
        """A page of the jobs, for JSON: see `jobs_of`."""
        return jobs_of(self, after=after, limit=limit)

    def health(self) -> dict[str, Any]:
        """Is all well, for JSON: see `health_of`."""
        return health_of(self.core, self._checkup.look())

    def settings(self, section: str) -> Mapping[str, Any]:
        """The values in force of a section of the configuration. Raises KeyError: there is none."""
        if section not in SECTIONS:
            raise KeyError(section)
        return attrs.asdict(getattr(self.config, section), recurse=False)

    def section(self, plugin: str) -> Section:
        """The section of a plugin that is in force: see `Controlled.section`."""
        return self.config.section(plugin)

    def configured(self, kind: type[_T]) -> Mapping[str, _T]:
        """The configurations of this class, by job: see `Controlled.configured`."""
        jobs = (
            self.plugins.jobs if self.core.scheduler is None else self.core.scheduler.jobs.values()
        )
        return {job.name: job.config for job in jobs if is_of_class(job.config, kind)}

    @contextlib.contextmanager
    def events(
        self, name: str, *, only: tuple[type[Event], ...] | None = None
    ) -> Iterator[AsyncIterator[Event]]:
        """All events from now on: see `Controlled.events`."""
        with self.bus.subscribe(name, only=only) as subscription:
            yield Events(subscription)

    def tell(self, event: Event) -> None:
        """Let all that listen know: see `Controlled.tell`."""
        self.bus.publish(event)

    def evidence(self, run_id: str) -> Mapping[str, Path]:
        """The files that are kept of a run, by name."""
        return artifacts_of(self.config, self.state).files(run_id)

    def data(self, job: str) -> JobData:
        """What this job has saved: see `Controlled.data`."""
        return FileData(DataReader(self.state.root), job)

    async def logged(self, record: Record, *, limit: int = 500) -> list[dict[str, Any]]:
        """The newest lines that a run has logged: see `Controlled.logged`."""
        return await self._run_log.read(record, limit=limit)

    async def look(self, run_id: str | None = None) -> bytes | None:
        """What the page of the run in progress shows: see `Controlled.look`."""
        return await self._looking.look(run_id)

    def found(self) -> list[dict[str, Any]]:
        """All plugins: see `Controlled.found`."""
        return [plugin.as_dict() for plugin in self.plugins.found]

    def links(self) -> Sequence[PageLink]:
        """The pages of the services: see `Controlled.links`."""
        return self.served.links

    async def wait_ended(self, run_id: str) -> Record:
        """The record of a run, once it has ended."""
        return await self.book.wait_ended(run_id)
