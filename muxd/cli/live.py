"""What `muxd start` says while it runs: one calm line a run for people, JSON lines for machines."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, TextIO

import trio
from rich.text import Text

from muxd.abc import Sink
from muxd.cli.output import harmless, short_id
from muxd.events import (
    BrowserDown,
    BrowserUp,
    ClockJumped,
    Draining,
    JobPaused,
    JobResumed,
    PlanMade,
    ResourcesFine,
    ResourcesLow,
    RunEnded,
    Started,
    WebOpened,
)
from muxd.floors import Shortage
from muxd.record import Outcome, Record
from muxd.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Callable
    from zoneinfo import ZoneInfo

    from rich.console import Console

    from muxd.events import Event

__all__ = ["ConsoleSink", "JsonSink"]

STYLES = {
    Outcome.ok: "green",
    Outcome.empty: "yellow",
    Outcome.coalesced: "dim",
    Outcome.missed: "dim",
    Outcome.interrupted: "yellow",
    Outcome.cancelled: "yellow",
}
"""How an outcome is shown; the others are red."""


class ConsoleSink(Sink):
    """For a terminal: time, job, outcome, duration, lateness; and what is out of the ordinary."""

    name = "console"

    def __init__(
        self,
        console: Console,
        zone: ZoneInfo,
        *,
        width: int,
        link: Callable[[str], str] = str,
    ) -> None:
        """Write to `console`.

        Args:
          console: where to.
          zone: in whose time.
          width: the columns of a job's name.
          link: makes of the dashboard's address the one that opens it.
        """
        self._console, self._zone, self._width, self._link = console, zone, width, link

    async def handle(self, event: Event) -> None:
        """Print one event, or nothing.

        In a thread: a reader that has stopped reading (Ctrl-S, a full pipe) must not stop the
        daemon. Cancelled, the thread is left to itself.
        """
        await trio.to_thread.run_sync(self._handle, event, abandon_on_cancel=True)

    def _handle(self, event: Event) -> None:
        match event:
            case RunEnded():
                self._console.print(self._run(event.record))
                outcome = event.record.outcome
                if outcome is not None and outcome.ran and not outcome.good:
                    see = f"{'':8}  see: muxd history show {short_id(event.record)}"
                    self._console.print(Text(see, "dim"))
            case BrowserUp():
                self._say(event, f"browser {event.version} is up", "cyan")
            case BrowserDown() if event.reason.startswith("recycled"):
                self._say(event, f"browser {event.reason}", "cyan")
            case BrowserDown():
                then = f"; the next in {event.retry_in:g} s" if event.retry_in else ""
                self._say(event, f"no browser: {event.reason}{then}", "red")
            case PlanMade():
                self._plan(event)
            case ClockJumped():
                what = "the machine slept" if event.kind == "sleep" else "the clock was stepped"
                self._say(event, f"{what}: {format_duration(event.seconds)}", "yellow")
            case ResourcesLow():
                short = Shortage(event.what, event.free, event.floor)
                held = f"; held: {', '.join(event.holding)}" if event.holding else ""
                self._say(event, f"{short}{held}", "bold yellow")
            case ResourcesFine():
                self._say(event, "memory and disk are no longer short", "cyan")
            case JobPaused():
                paused = event.pause
                self._say(event, f"{paused.job} is paused: {paused.note}", "bold yellow")
            case JobResumed():
                self._say(event, f"{event.job} is resumed by {event.by}", "cyan")
            case Started():
                faster = f", {event.speed:g} times as fast as real" if event.speed != 1 else ""
                self._say(event, f"running {event.jobs} jobs{faster}", "cyan")
            case WebOpened():
                self._say(event, f"dashboard: {self._link(event.url)}", "cyan")
            case Draining():
                grace = format_duration(event.grace)
                how = f": {event.job} may take {grace} (again: at once)" if event.job else ""
                self._say(event, f"stopping{how}", "cyan")
            case _:
                pass

    def _plan(self, event: PlanMade) -> None:
        if event.feasible:
            self._say(
                event, f"timetable: no collision, gaps of {event.min_gap:g} s or more", "cyan"
            )
        for warning in event.warnings:
            self._say(event, warning, "yellow")

    def _clock(self, at: float) -> str:
        return datetime.fromtimestamp(at, self._zone).strftime("%H:%M:%S")

    def _say(self, event: Event, text: str, style: str) -> None:
        self._console.print(Text(f"{self._clock(event.at)}  ").append(text, style), soft_wrap=True)

    def _run(self, record: Record) -> Text:
        assert record.outcome is not None
        assert record.ended_at is not None
        line = Text(f"{self._clock(record.ended_at)}  {record.job:<{self._width}}  ")
        line.append(f"{record.outcome:<11}", STYLES.get(record.outcome, "bold red"))
        if record.duration is not None and record.lateness is not None:
            line.append(f" {record.duration:6.2f} s  {record.lateness:+6.2f} s late", "dim")
        if record.error or record.error_type:
            first = (record.error or record.error_type or "").partition("\n")[0]
            reason = harmless(first)[:200]
            line.append("  " + reason, "red" if record.outcome.ran else "dim")
        line.no_wrap = True
        line.overflow = "ellipsis"
        return line


class JsonSink(Sink):
    """For a program: each event is one line of JSON."""

    name = "json lines"

    def __init__(self, stream: TextIO) -> None:
        """Write to `stream`."""
        self._stream = stream

    async def handle(self, event: Event) -> None:
        """Print one event, in a thread as `ConsoleSink` does."""
        await trio.to_thread.run_sync(self._handle, event, abandon_on_cancel=True)

    def _handle(self, event: Event) -> None:
        print(json.dumps(event.as_dict(), default=str), file=self._stream, flush=True)
