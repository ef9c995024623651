"""What a person can have the daemon do while it runs. Each of it is in the audit trail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

import attrs
import trio

from muxd.errors import RunError, UnknownJob, UnknownRun, UserError
from muxd.record import Record, utc_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from muxd.audit import AuditTrail
    from muxd.core import Core
    from muxd.release import Release

__all__ = ["Cancelled", "Steering"]

MUXD = "muxd"
BY_A_PERSON = "by a person"


@attrs.frozen
class Cancelled:
    """What was cancelled."""

    was: str
    """``running``, ``waiting``, ``placed`` (in a gap) or ``a further try``."""
    record: Record
    """The run's; of a further try, that of the run which is not tried again."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"was": self.was, "run": self.record.as_dict()}


@final
class Steering:
    """Steers one core. `by` is who wants it, for people.

    What can't be raises `UserError`, and `UnknownJob` where there is no such job.
    """

    def __init__(self, core: Core, trail: AuditTrail, *, real_now: Callable[[], float]) -> None:
        """Do nothing yet."""
        self._core, self._trail, self._real_now = core, trail, real_now

    async def request(self, job: str, *, by: str) -> Release:
        """Have a run of this job now, before everything that waits."""
        with self._trail.of(by, "run", job) as told:
            release = await self._core.request(job)
            told.result = f"run {release.id}"
        return release

    async def request_in_gap(self, job: str, *, by: str) -> tuple[Release, float | None]:
        """Have a run of this job in the next gap; when that is, real Unix seconds."""
        with self._trail.of(by, "run", job) as told:
            release, at = await self._core.request_in_gap(job)
            told.result = f"run {release.id}, in a gap at {utc_text(at)}"
        return release, at

    async def cancel(self, part: str, *, by: str) -> Cancelled:
        """End a run that has not ended: a part of its id will do. Returns when it has ended.

        One that waits, is held or has a place in a gap is not begun; one in progress is ended as at
        its deadline. A run of which a further try is planned is not tried again. A run in progress
        that ends by itself meanwhile keeps the outcome that it has: see `Cancelled.record`.
        """
        with self._trail.of(by, "cancel", part) as told:
            done = await self._cancel(part, f"cancelled by {by}")
            outcome = "" if done.was == "a further try" else f", now {done.record.outcome}"
            told.result = f"run {done.record.id} of {done.record.job}: was {done.was}{outcome}"
        return done

    async def _cancel(self, part: str, reason: str) -> Cancelled:
        core = self._core
        found = core.book.find(part) if part else ()
        if len(found) > 1:
            ids = ", ".join(f"{record.id} ({record.job})" for record in found[:5])
            raise UserError(f"several runs have {part!r} in their ids: {ids}")
        if found:
            (record,) = found
            if record.started_at is not None:
                ended = await core.end_running(record, RunError(reason))
                return Cancelled("running", ended)
            waits = record.id in {release.id for release in core.book.waiting}
            return Cancelled("waiting" if waits else "placed", await core.withdraw(record, reason))
        due = core.scheduler.placer.call_off(part) if part and core.scheduler else None
        past = await core.book.store.find(part, limit=2) if part else ()
        if due is not None:
            last = await core.book.store.get(due.after or "")
            if last is not None:
                return Cancelled("a further try", last)
        if len(past) == 1:
            (record,) = past
            raise UserError(f"run {record.id} of {record.job!r} has ended before: {record.outcome}")
        see = "see `muxd status` and `muxd history`"
        if past:
            raise UserError(f"several runs that have ended have {part!r} in their ids: {see}")
        raise UnknownRun(f"no run with {part!r} in the id: {see}")

    def skip(self, job: str, note: str, *, by: str) -> float:
        """Pass over the job's next release by its slot, once; when that is, real Unix seconds."""
        with self._trail.of(by, "skip", job) as told:
            at = self._slot_release(job)
            before = self._core.pauses.skips.get(job)
            if before is None:
                self._core.pauses.skip(job, note or by, at=at)
            told.result = f"its release at {utc_text(at)}" + (" as before" if before else "")
        return at

    def unskip(self, job: str, *, by: str) -> bool:
        """Don't pass over it after all; False if it was not to be."""
        with self._trail.of(by, "unskip", job) as told:
            self._slot_release(job)
            undone = self._core.pauses.end_skip(job)
            told.result = "done" if undone else "was not skipped"
        return undone

    def pause(self, job: str | None, note: str, *, seconds: float | None, by: str) -> None:
        """Pass over the slots of a job, or of all, for so long or until it is resumed."""
        with self._trail.of(by, "pause", job or MUXD) as told:
            if job is not None:
                self._core.pause(job, note or BY_A_PERSON, seconds=seconds)
            else:
                until = None if seconds is None else self._real_now() + seconds
                self._core.pauses.pause_whole(note or BY_A_PERSON, until=until)
            length = "until it is resumed" if seconds is None else f"for {seconds:g} s"
            told.result = f"{length}: {note}" if note else length

    def resume(self, job: str | None, *, by: str) -> Sequence[str]:
        """End the pause of a job; or of the whole muxd, and a drain; or, if neither is, of all jobs.

        Returns:
          Those that were paused, and are no more; ``*`` is the whole muxd, ``*drain`` a drain.
        """
        with self._trail.of(by, "resume", job or MUXD) as told:
            names = self._resume(job, by)
            told.result = ", ".join(names) or "was not paused"
        return names

    def _resume(self, job: str | None, by: str) -> Sequence[str]:
        pauses = self._core.pauses
        if job is not None:
            return self._core.resume(job, by=by)
        whole, drain = pauses.whole, pauses.drain
        pauses.resume_whole(by=by)
        pauses.end_drain(by=by)
        if whole is None and drain is None:
            return self._core.resume(by=by)
        self._core.moved()
        if self._core.scheduler is not None:
            self._core.scheduler.news()
        return [pause.job for pause in (whole, drain) if pause is not None]

    def drain(self, note: str, *, by: str) -> None:
        """Let nothing become a run any more; what waits is run."""
        with self._trail.of(by, "drain", MUXD) as told:
            if self._core.stopping.is_set():
                raise UserError("muxd is stopping")
            self._core.pauses.begin_drain(note or BY_A_PERSON)
            told.result = f"{len(self._core.book.waiting)} runs wait, {self._core.book.now} run"

    async def wait_drained(self) -> bool:
        """Wait until no run waits and none is in progress; False if that ends otherwise."""
        core = self._core
        while core.pauses.drain is not None and not core.stopping.is_set():
            if core.book.running is None and not core.book.waiting:
                return True
            await core.motion()
        await trio.lowlevel.checkpoint()
        return False

    def _slot_release(self, job: str) -> float:
        scheduler = self._core.scheduler
        if scheduler is None:
            raise UserError("muxd is starting: there is no next release yet")
        if job not in scheduler.jobs:
            raise UnknownJob(job, tuple(scheduler.jobs))
        at = scheduler.slot_release_of(job)
        if at is None:
            raise UserError(f"{job!r} has no slot: it is run only when somebody asks for it")
        return at
