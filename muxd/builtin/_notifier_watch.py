"""Watches what happens, and knows what is wrong now."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, final

from muxd.builtin._notifier_trouble import Trouble
from muxd.errors import LoggedOut, qualified_name
from muxd.events import (
    BrowserDown,
    BrowserUp,
    ClockJumped,
    JobPaused,
    JobResumed,
    LoginNeeded,
    PlanMade,
    ResourcesFine,
    ResourcesLow,
    RunEnded,
    Started,
    Steered,
)
from muxd.login import is_login, login_note
from muxd.record import Outcome
from muxd.sizes import format_size
from muxd.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from muxd.builtin._notifier_trouble import Key
    from muxd.events import Event
    from muxd.record import Record
    from muxd.slotting import Timetable

__all__ = ["WATCHED", "Watch"]

DEATHS, WITHIN = 3, 600.0
"""So many browsers lost within so many seconds are more than bad luck. Without a loss for as long all is
well again."""
NO_BROWSER = 300.0
"""How long there may be no browser at all, seconds."""
LOGGED_OUT = qualified_name(LoggedOut)
LINE = 300
"""How much of an error is told, characters."""
BAD = {
    Outcome.failed: "failed",
    Outcome.timed_out: "timed out",
    Outcome.crashed: "lost its browser or page",
    Outcome.empty: "found nothing",
}
"""How runs end that are a failure of their job. What was cut off, missed or coalesced is not."""
WATCHED = (
    RunEnded,
    JobPaused,
    JobResumed,
    LoginNeeded,
    BrowserUp,
    BrowserDown,
    PlanMade,
    ResourcesLow,
    ResourcesFine,
    ClockJumped,
    Started,
    Steered,
)


@final
class Watch:
    """Keeps what is wrong, by key.

    Instants are seconds on a clock that is never stepped, but for those in what people are told.
    """

    def __init__(
        self, known: Iterable[Trouble] = (), *, silence: float, max_utilisation: float, now: float
    ) -> None:
        """Begin.

        Args:
          known: what was wrong before, and may still be.
          silence: how much longer than the shortest interval nothing may run, seconds; 0: for ever.
          max_utilisation: what the timetable may ask for of the browser's time.
          now: the instant.
        """
        self.open: dict[Key, Trouble] = {trouble.key: trouble for trouble in known}
        """All that is wrong now."""
        self.notices: list[Trouble] = []
        """What has happened and is over: whoever tells it takes it away."""
        self.restarting = False
        """Somebody wants muxd to end and start again."""
        self.started = False
        """The daemon is up."""
        self._silence, self._max_utilisation = silence, max_utilisation
        self._ran_at = now
        self._losses: deque[float] = deque(maxlen=DEATHS)
        self._down_since: float | None = None

    def take(self, event: Event, now: float) -> None:
        """Something has happened."""
        match event:
            case RunEnded():
                self._ended(event.record, now)
            case JobPaused():
                self._paused(event)
            case JobResumed():
                self._close("pause", event.job)
            case LoginNeeded():
                self._login(event)
            case BrowserUp():
                self._down_since = None
            case BrowserDown():
                self._down(event, now)
            case PlanMade():
                self._plan(event)
            case ResourcesLow():
                self._low(event)
            case ResourcesFine():
                for what in ("memory", "disk", "files"):
                    self._close("overload", what)
            case ClockJumped() if event.kind == "sleep":
                self._ran_at = now
            case Started():
                self.started, self._ran_at = True, now
            case Steered():
                self._steered(event)
            case _:
                pass

    def restarted(self, times: int, at: float) -> None:
        """The guard had to start muxd again, so many times by now."""
        text = f"muxd had died or was blocked, and was started again ({times}x since `muxd start`)"
        self.notices.append(Trouble(kind="muxd", subject="restarted", text=text, since=at))

    def look(
        self,
        status: Mapping[str, Any],
        health: Mapping[str, Any],
        timetable: Timetable,
        *,
        now: float,
        at: float,
    ) -> None:
        """What no event tells of; to be called about once a minute.

        Args:
          status: as `Controlled.status` gives it.
          health: as `Controlled.health` gives it.
          timetable: in force.
          now: the instant.
          at: the same in Unix seconds.
        """
        if not self.started or status["state"] != "running":
            return
        self._look_at_browser(status["browser"], now, at)
        self._if(health["stuck"], "muxd", "stuck", "muxd is stuck: {}; start it anew", at)
        unwritten = health["unwritten"] and [w for w in health["ailing"] if "ledger" in w]
        self._if(unwritten, "muxd", "ledger", "the ledger can't be written: {}", at)
        if not (status["resources"] or {}).get("short"):
            self.take(ResourcesFine(at=at), now)
        if status["paused_total"] == len(status["paused"]):  # all of them are told
            paused = {each["job"]: each["note"] for each in status["paused"]}
            for kind, subject in [*self.open]:
                waits = any(_waits_for(subject, note) for note in paused.values())
                if (kind == "pause" and subject not in paused) or (kind == "login" and not waits):
                    self._close(kind, subject)
        self._look_for_silence(status, timetable, now, at)

    # What is wrong with jobs

    def _ended(self, record: Record, now: float) -> None:
        if record.started_at is None or record.outcome is None or is_login(record.job):
            return
        self._ran_at = now
        self._close("silence", "")
        if record.outcome.good:
            self._close("failure", record.job)
        elif record.error_type == LOGGED_OUT and ("login", record.session) in self.open:
            pass  # that is told
        elif record.outcome in BAD:
            why = _first_line(record.error or record.error_type or "")
            text = f"{record.job} {BAD[record.outcome]}" + (f": {why}" if why else "")
            at = record.ended_at or record.released_at
            self._open("failure", record.job, text, at, run=record.id)

    def _paused(self, event: JobPaused) -> None:
        pause = event.pause
        if any(kind == "login" and _waits_for(subject, pause.note) for kind, subject in self.open):
            return  # that is told
        text = f"{pause.job} is paused: {_first_line(pause.note)}"
        self._open("pause", pause.job, text, event.at)

    def _login(self, event: LoginNeeded) -> None:
        for job in event.paused:
            self._close("pause", job)
        self._close("failure", event.job)
        waiting = f"; {len(event.paused)} jobs wait for it" if len(event.paused) > 1 else ""
        text = f"{event.job} is logged out: log in again by `muxd login {event.session}`{waiting}"
        self._open("login", event.session, text, event.at)

    def _steered(self, event: Steered) -> None:
        if event.action == "pause":
            self._close("pause", event.target)  # who did it knows
        elif event.action == "restart" and not event.result.startswith("refused"):
            self.restarting = True

    # What is wrong with muxd and its world

    def _down(self, event: BrowserDown, now: float) -> None:
        if event.reason == "closed" or event.reason.startswith("recycled"):
            return
        if self._down_since is None:
            self._down_since = now
        self._losses.append(now)
        if len(self._losses) == DEATHS and now - self._losses[0] <= WITHIN:
            text = f"the browser keeps dying, last: {_first_line(event.reason)}"
            self._open("browser", "", text, event.at)

    def _look_at_browser(self, browser: Mapping[str, Any], now: float, at: float) -> None:
        if not browser["up"]:
            self._down_since = now if self._down_since is None else self._down_since
            if now - self._down_since >= NO_BROWSER:
                why = _first_line(browser["last_loss"] or "none came up")
                self._open("browser", "", f"there is no browser: {why}", at)
            return
        self._down_since = None
        if not self._losses or now - self._losses[-1] >= WITHIN:
            self._close("browser", "")

    def _plan(self, event: PlanMade) -> None:
        first = f": {_first_line(event.warnings[0])}" if event.warnings else ""
        if event.utilisation > self._max_utilisation:
            share = f"{event.utilisation:.0%}"
            text = f"the jobs ask for {share} of the browser's time{first}"
            self._open("overload", "timetable", text, event.at)
        elif not event.feasible:
            text = f"the jobs can't avoid each other{first}"
            self._open("overload", "timetable", text, event.at)
        else:
            self._close("overload", "timetable")

    def forget_all_but(self, jobs: Iterable[str]) -> None:
        """Jobs that are gone have no trouble any more."""
        known = set(jobs)
        for kind, subject in [*self.open]:
            if kind in ("failure", "pause") and subject not in known:
                self._close(kind, subject)

    def _low(self, event: ResourcesLow) -> None:
        files = event.what == "files"
        left = f"{event.free} files" if files else format_size(event.free)
        count = len(event.holding)
        held = f", {count} job{' waits' if count == 1 else 's wait'}" if count else ""
        what = "disk" if files else event.what
        text = f"too little {what}: {left} left{held}"
        self._open("overload", event.what, text, event.at)

    def _look_for_silence(
        self, status: Mapping[str, Any], timetable: Timetable, now: float, at: float
    ) -> None:
        paused = {each["job"] for each in status["paused"]}
        active = [slot.interval for slot in timetable.slots if slot.name not in paused]
        people_want_it = status.get("paused_whole") or status.get("drained")
        if people_want_it or not active or not self._silence:
            self._ran_at = now
            self._close("silence", "")
            return
        if status["running"]:
            return  # what does not end is another trouble
        quiet = now - self._ran_at
        if quiet >= min(active) / status["speed"] + self._silence:
            text = f"nothing has run for {format_duration(round(quiet))}"
            self._open("silence", "", text, at - quiet)

    def _if(self, words: Any, kind: str, subject: str, text: str, at: float) -> None:
        if words:
            self._open(kind, subject, text.format("; ".join(words)), at)
        else:
            self._close(kind, subject)

    def _open(
        self, kind: str, subject: str, text: str, since: float, *, run: str | None = None
    ) -> None:
        trouble = Trouble(kind=kind, subject=subject, text=text, since=since, run=run)
        self.open.setdefault(trouble.key, trouble)

    def _close(self, kind: str, subject: str) -> None:
        self.open.pop((kind, subject), None)


def _waits_for(session: str, note: str) -> bool:
    """Whether a pause with this note waits for a login to the session."""
    return note == login_note(session)


def _first_line(text: str) -> str:
    """The first line, in so many characters that a person reads it."""
    line = text.strip().partition("\n")[0].strip()
    return line if len(line) <= LINE else line[: LINE - 3] + "..."
