"""Which jobs are paused, by whom, and when they are tried again. The owner of all pauses.

A job whose runs do harm (`Record.harm`) several times running is paused: its slots are passed over.
After a while one slot is used to try it again, a *probe*; one that does no harm ends the pause, and
each that does doubles the wait for the next.

Beside the jobs' own pauses there may be one of the whole muxd, which survives it as they do, and a
*drain*, which doesn't: nothing at all becomes a run. A *skip* passes over one slot of a job, once.
"""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import TYPE_CHECKING, final

import attrs
import structlog
import trio

from muxd.errors import LedgerError
from muxd.events import AllPaused, AllResumed, JobPaused, JobResumed
from muxd.pause import DRAIN, WHOLE, Pause, skip_key, skipped_job
from muxd.record import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from muxd.abc import Store
    from muxd.bus import Bus
    from muxd.events import Event
    from muxd.job import Job
    from muxd.record import Record

__all__ = ["Pauses"]

STRIKES = 3
"""How many runs that do harm, one after another, pause a job."""
FIRST_WAIT, LONGEST_WAIT = 600.0, 86_400.0
"""How long after the beginning of a pause the first probe may come, and how long at most after a
probe the next, real seconds; an interval if that is longer."""
AGAIN = 10.0
"""How long after an attempt to write the pauses that failed the next is made, seconds."""
NOTE_LENGTH = 1000
ROUNDING = 0.001
"""What is left of a wait by rounding may be too short to pass at all, seconds."""


@final
class Pauses:
    """Counts harm, pauses jobs and lets them try again."""

    def __init__(self, store: Store, bus: Bus[Event], *, real_now: Callable[[], float]) -> None:
        """Nothing is paused before `load`.

        Args:
          store: where the pauses are kept; to be open while this is used.
          bus: is told of each pause and its end.
          real_now: Unix seconds.
        """
        self._store, self._bus, self._real_now = store, bus, real_now
        # {job name: its pause}
        self._pauses: dict[str, Pause] = {}
        # {job name: how many of its runs did harm since the last that did none}
        self._strikes: dict[str, int] = {}
        self._whole: Pause | None = None
        self.drain: Pause | None = None
        """That nothing becomes a run any more: since when, and why; None if that isn't so."""
        # {job name: the skip of its next release; `probe_at` is when that was to be}
        self._skips: dict[str, Pause] = {}
        self._changed = trio.Event()

    @property
    def all(self) -> Mapping[str, Pause]:
        """The jobs that are paused, by name."""
        return MappingProxyType(self._pauses)

    @property
    def skips(self) -> Mapping[str, Pause]:
        """The jobs of which the next release by their slot is passed over, by name."""
        return MappingProxyType(self._skips)

    @property
    def whole(self) -> Pause | None:
        """The pause of the whole muxd; `Pause.probe_at` is when it ends by itself."""
        pause, now = self._whole, self._real_now()
        if pause is None or pause.probe_at is None:
            return pause
        if now < pause.since:
            self._whole = _from_now(pause, now)
            self._changed.set()
        elif now >= pause.probe_at:
            self.resume_whole(by="its end had come")
        return self._whole

    async def load(self) -> None:
        """Take up what is in the store. Raises `LedgerError`."""
        for name, pause in (await self._store.pauses()).items():
            job = skipped_job(name)
            if name == WHOLE:
                self._whole = pause
            elif job is not None:
                self._skips[job] = attrs.evolve(pause, job=job)
            elif pause.note:
                self._pauses[name] = pause
            else:
                self._strikes[name] = pause.probes

    async def save(self) -> None:
        """Write what has changed, now. Never raises; what can't be written is tried again by `run`.

        Shielded, and bounded by the store.
        """
        if self._changed.is_set():
            with trio.CancelScope(shield=True):
                if await self._write():
                    self._changed = trio.Event()

    async def run(self) -> None:
        """Keep the store up to date, until cancelled. A pause is in force before it is written."""
        while True:
            with trio.move_on_after(self._left):
                await self._changed.wait()
            if self.whole is not None and not self._changed.is_set():
                continue
            self._changed = trio.Event()
            with trio.CancelScope(shield=True):  # bounded by the store
                if await self._write():
                    continue
            await trio.sleep(AGAIN)
            self._changed.set()

    def in_the_way(self, job: str) -> Pause | None:
        """The pause because of which a slot of this job is to be passed over now, or None."""
        if (whole := self.whole) is not None:
            return whole
        pause, now = self._pauses.get(job), self._real_now()
        if pause is None or pause.probe_at is None:
            return pause
        if now < pause.since:
            pause = _from_now(pause, now)
            self._set(pause)
        assert pause.probe_at is not None
        return None if now >= pause.probe_at else pause

    def ended(self, record: Record, job: Job | None) -> None:
        """A run is over: was there harm? To be told of every one. Never blocks.

        Args:
          record: its record.
          job: its job, if it is still known.
        """
        if record.outcome is None or not record.outcome.ran or record.started_at is None:
            return
        pause = self._pauses.get(record.job)
        if record.harm is None:
            if record.outcome in (Outcome.interrupted, Outcome.cancelled):
                return  # it was cut off before it could show
            if self._strikes.pop(record.job, None):
                self._changed.set()
            if pause is not None and _is_probe(record, pause):
                self.resume(record.job, by=f"its run {record.id}, which did no harm")
            return
        strikes = self._strikes[record.job] = self._strikes.get(record.job, 0) + 1
        self._changed.set()
        interval = job.interval if job else 0.0
        if pause is not None and pause.probe_at is not None:
            self._put_off(pause, record.harm, interval)
        elif pause is None and strikes >= STRIKES:
            self.pause(record.job, f"{strikes}x running, last: {record.harm}", interval=interval)

    def pause(
        self, job: str, note: str, *, interval: float | None = None, until: float | None = None
    ) -> Pause:
        """Pause a job from now on; one that is paused gets the new note. Never blocks.

        Args:
          job: its name.
          note: why, for people.
          interval: the job's, seconds: it is tried again after a while. None: it is not, before
            `until`.
          until: when its slots are used again, real Unix seconds; a run that then does harm puts
            that off. None: when a person says so, unless there is an `interval`.
        """
        now = self._real_now()
        if interval is not None and until is None:
            until = now + _wait(0, interval)
        pause = Pause(job=job, note=note[:NOTE_LENGTH], since=now, probe_at=until)
        self._set(pause)
        structlog.get_logger().warning(
            "a job is paused", job=job, note=pause.note, resume=f"muxd resume {job}"
        )
        self._bus.publish(JobPaused(at=now, pause=pause))
        return pause

    def resume(self, job: str, *, by: str) -> bool:
        """End a job's pause, and forget the harm that it did; False if it had none. Never blocks."""
        if self._strikes.pop(job, None):
            self._changed.set()
        if self._pauses.pop(job, None) is None:
            return False
        self._changed.set()
        structlog.get_logger().info("a job is resumed", job=job, by=by)
        self._bus.publish(JobResumed(at=self._real_now(), job=job, by=by))
        return True

    # All jobs

    def passes_over(self, job: str) -> Pause | None:
        """As `in_the_way`, or because of a drain."""
        return self.drain or self.in_the_way(job)

    def pause_whole(self, note: str, *, until: float | None = None) -> Pause:
        """Pass over the slots of all jobs from now on. Never blocks.

        Args:
          note: why, for people.
          until: when that ends, real Unix seconds; None: when a person says so.
        """
        now = self._real_now()
        self._whole = Pause(job=WHOLE, note=note[:NOTE_LENGTH], since=now, probe_at=until)
        self._changed.set()
        self._tell_all(self._whole, "muxd is paused")
        return self._whole

    def resume_whole(self, *, by: str) -> bool:
        """End the pause of the whole muxd; False if there was none. Never blocks."""
        if self._whole is None:
            return False
        self._whole = None
        self._changed.set()
        structlog.get_logger().info("muxd is resumed", by=by)
        self._bus.publish(AllResumed(at=self._real_now(), by=by))
        return True

    def begin_drain(self, note: str) -> Pause:
        """Let nothing become a run from now on. Never blocks."""
        self.drain = Pause(job=DRAIN, note=note[:NOTE_LENGTH], since=self._real_now())
        self._tell_all(self.drain, "muxd is drained")
        return self.drain

    def end_drain(self, *, by: str) -> bool:
        """Let releases become runs again; False if they did. Never blocks."""
        if self.drain is None:
            return False
        self.drain = None
        structlog.get_logger().info("muxd is drained no more", by=by)
        self._bus.publish(AllResumed(at=self._real_now(), by=by, drain=True))
        return True

    # One release

    def skip(self, job: str, note: str, *, at: float) -> Pause:
        """Pass over the next release of a job by its slot, once. Never blocks.

        Args:
          job: its name.
          note: why, for people.
          at: when that is to be, real Unix seconds.
        """
        now = self._real_now()
        self._skips[job] = Pause(job=job, note=note[:NOTE_LENGTH], since=now, probe_at=at)
        self._changed.set()
        return self._skips[job]

    def end_skip(self, job: str) -> bool:
        """It was passed over, or is not to be; False if there was no such. Never blocks."""
        if self._skips.pop(job, None) is None:
            return False
        self._changed.set()
        return True

    def settle_skips(self, last_releases: Mapping[str, float]) -> None:
        """Those were passed over already that muxd could not cross out before it died.

        Args:
          last_releases: by job the newest release by its slot, real Unix seconds.
        """
        for job, skip in list(self._skips.items()):
            if skip.probe_at is not None and last_releases.get(job, -1.0) >= skip.probe_at:
                self.end_skip(job)

    @property
    def _left(self) -> float:
        """Until the pause of the whole muxd ends by itself, seconds."""
        pause = self._whole
        if pause is None or pause.probe_at is None:
            return math.inf
        return max(ROUNDING, pause.probe_at - self._real_now())

    def _tell_all(self, pause: Pause, what: str) -> None:
        structlog.get_logger().warning(what, note=pause.note, resume="muxd resume --all")
        self._bus.publish(AllPaused(at=self._real_now(), pause=pause, drain=pause.job == DRAIN))

    def _put_off(self, pause: Pause, harm: str, interval: float) -> None:
        probes = pause.probes + 1
        note = f"tried again {probes}x in vain, last: {harm}"[:NOTE_LENGTH]
        probe_at = self._real_now() + _wait(probes, interval)
        later = attrs.evolve(pause, note=note, probes=probes, probe_at=probe_at)
        self._set(later)
        structlog.get_logger().warning("a job stays paused", job=pause.job, note=later.note)
        self._bus.publish(JobPaused(at=self._real_now(), pause=later))

    def _set(self, pause: Pause) -> None:
        self._pauses[pause.job] = pause
        self._changed.set()

    async def _write(self) -> bool:
        try:
            now = self._real_now()
            counted = {
                job: Pause(job=job, note="", since=now, probes=strikes)
                for job, strikes in self._strikes.items()
            }
            own = {} if self._whole is None else {WHOLE: self._whole}
            for job, skip in self._skips.items():
                own[skip_key(job)] = attrs.evolve(skip, job=skip_key(job))
            await self._store.set_pauses(counted | self._pauses | own)
        except LedgerError as error:
            structlog.get_logger().error(
                "the pauses can't be written: tried again", error=str(error), again_in=AGAIN
            )
            return False
        return True


def _from_now(pause: Pause, now: float) -> Pause:
    """The clock was wrong when it began, or is now: as long again from here on."""
    assert pause.probe_at is not None
    return attrs.evolve(pause, since=now, probe_at=now + pause.probe_at - pause.since)


def _is_probe(record: Record, pause: Pause) -> bool:
    """True of a run that began when the job was to be tried again."""
    began = record.started_at
    return began is not None and pause.probe_at is not None and began >= pause.probe_at


def _wait(probes: int, interval: float) -> float:
    """How long until the next probe after so many in vain, seconds."""
    return float(max(interval, min(FIRST_WAIT * 2.0 ** min(probes, 30), LONGEST_WAIT)))
