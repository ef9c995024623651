"""What people have a core do: make a run now, end one, let a job rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from muxd.errors import RunError, UnknownJob, UserError
from muxd.login import login_session
from muxd.record import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from muxd.book import RunBook
    from muxd.channel import PriorityReceiveChannel
    from muxd.errors import MuxdError
    from muxd.job import Job
    from muxd.pauses import Pauses
    from muxd.planner import JobSource
    from muxd.record import Record
    from muxd.release import Release
    from muxd.runner import Runner
    from muxd.scheduler import Scheduler
    from muxd.worker import Worker

__all__ = ["Orders"]


class Orders:
    """The half of a core that does what people ask of it. It has what that needs."""

    book: RunBook
    pauses: Pauses
    worker: Worker
    scheduler: Scheduler | None
    stopping: trio.Event
    _plugins: JobSource
    _runner: Runner
    _receive: PriorityReceiveChannel[Release]
    _real_now: Callable[[], float]
    _settled: trio.Event
    """It has started, or is told to stop."""
    _motion: trio.Event
    """Set, and made anew, when something has ended."""

    async def request(self, job: str) -> Release:
        """Have a run of this job now, before everything that waits.

        Raises:
          UnknownJob: there is no such job.
          UserError: it is stopping.

        Waits while there is no browser yet. When cancelled while it waits, nothing is asked for.
        """
        return await (await self._taking()).request(job)

    async def request_login(self, job: Job) -> Release:
        """Have a login, before everything that waits: as `request`, of a job that has no slot."""
        return await (await self._taking()).request_login(job)

    async def request_in_gap(self, job: str) -> tuple[Release, float | None]:
        """Have a run of this job in the next gap: see `Scheduler.request_in_gap`, and `request`."""
        return await (await self._taking()).request_in_gap(job)

    async def _taking(self) -> Scheduler:
        """The scheduler, once there is one, if it takes what people ask for. Raises `UserError`."""
        await self._settled.wait()
        if self.stopping.is_set() or self.scheduler is None:
            raise UserError("muxd is stopping: no new run is taken")
        if self.pauses.drain is not None:
            raise UserError("muxd is drained: no new run is taken before `muxd resume --all`")
        return self.scheduler

    async def look(self) -> bytes | None:
        """What the page of the run in progress shows: see `Runner.look`."""
        return await self._runner.look()

    async def end_running(self, record: Record, reason: MuxdError) -> Record:
        """End the run in progress as ``cancelled``, if it still is this one; its record at its end."""
        running = self.book.running
        if running is not None and running.id == record.id:
            self._runner.end_current(Outcome.cancelled, reason)
        return await self.book.wait_ended(record.id)

    async def withdraw(self, record: Record, reason: str) -> Record:
        """End a run that has not begun as ``cancelled``, wherever it waits; its record.

        If it begins at this very moment, it is ended as one in progress.
        """
        if not await self.book.cancel(record.id, reason):
            return await self.end_running(record, RunError(reason))
        self._receive.discard(lambda release: release.id == record.id)
        self.worker.drop(record.id)
        final = await self.book.wait_ended(record.id)
        if self.scheduler is not None:
            self.scheduler.forget(final)
            self.scheduler.ended(final)
        self.moved()
        return final

    async def motion(self) -> None:
        """Wait until a run has ended, or muxd is told to stop."""
        await self._motion.wait()

    def moved(self) -> None:
        """What somebody may wait for has come. Never blocks."""
        self._motion.set()
        self._motion = trio.Event()

    def pause(self, job: str, note: str, *, seconds: float | None = None) -> None:
        """Pause a job, for so long or until it is resumed.

        Raises:
          UnknownJob: there is no such job.
        """
        self._check(job)
        until = None if seconds is None else self._real_now() + seconds
        self.pauses.pause(job, note, until=until)

    def resume(self, job: str | None = None, *, by: str = "a person") -> list[str]:
        """End the pause of a job; or of all, but for those that wait for a login: that ends them.

        Returns:
          Those that were paused, and are no more.

        Raises:
          UnknownJob: there is no such job, nor a pause of one.
        """
        if job is not None and job not in self.pauses.all:
            self._check(job)
        names = [job] if job is not None else self._resumed_by_all()
        return [name for name in names if self.pauses.resume(name, by=by)]

    def _resumed_by_all(self) -> list[str]:
        return [job for job, pause in self.pauses.all.items() if login_session(pause.note) is None]

    def _check(self, job: str) -> None:
        known = tuple(each.name for each in self._plugins.jobs)
        if job not in known:
            raise UnknownJob(job, known)
