"""The laws of `muxd.abc.Sink`, as tests."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import attrs
import pytest
import trio

from muxd import events
from muxd.pause import WHOLE, Pause
from muxd.record import Outcome
from muxd.testing.prune_contract import NOON, ended, record

if TYPE_CHECKING:
    from pathlib import Path

    from muxd.abc import Sink

__all__ = ["EVENTS", "SinkContract"]

_PAUSE = Pause(job="headlines", note="crashed the browser 3x", since=NOON)
_HOSTILE = "cut \ud83c, a \0, a 'quote' and a \n line " + "x" * 100_000

EVENTS: tuple[events.Event, ...] = (
    events.Started(at=NOON, jobs=16, speed=1.0),
    events.WebOpened(at=NOON, url="http://127.0.0.1:8080/"),
    events.PlanMade(at=NOON, feasible=True, min_gap=4.0, utilisation=0.5, warnings=()),
    events.BrowserUp(at=NOON, generation=1, pid=1000, version="156.0"),
    events.RunReleased(at=NOON, record=record("1")),
    events.RunStarted(at=NOON, record=record("1", started_at=NOON + 0.5)),
    events.RunProgress(at=NOON, job="headlines", run="1", done=1, total=None, text=""),
    events.RunLogged(at=NOON, run="1"),
    events.JobNews(at=NOON, job="headlines", title="something new"),
    events.RunEnded(at=NOON, record=ended("1")),
    events.RunEnded(at=NOON, record=ended("2", Outcome.failed, error_type="E", error="no")),
    events.RunEnded(at=NOON, record=record("3", outcome=Outcome.missed, error="asleep")),
    events.LoginNeeded(at=NOON, job="headlines", session="shop", paused=("headlines",)),
    events.JobPaused(at=NOON, pause=_PAUSE),
    events.JobResumed(at=NOON, job="headlines", by="a person"),
    events.AllPaused(at=NOON, pause=attrs.evolve(_PAUSE, job=WHOLE)),
    events.AllResumed(at=NOON, by="a person"),
    events.Reloading(at=NOON),
    events.Reloaded(at=NOON, problems=("a typo",)),
    events.Steered(at=NOON, by="uid 1000", action="run", target="headlines", result="it waits"),
    events.Notified(at=NOON, way="webhook", title="headlines failed", error="no answer"),
    events.ResourcesLow(at=NOON, what="memory", free=1, floor=2, holding=("headlines",)),
    events.ResourcesFine(at=NOON),
    events.ClockJumped(at=NOON, seconds=-3600.0, kind="step"),
    events.EventsMissing(at=NOON, count=7),
    events.BrowserDown(at=NOON, generation=1, reason="crashed", retry_in=1.0),
    events.Draining(at=NOON, grace=30.0, job="headlines"),
)
"""At least one of each kind there is."""


@attrs.frozen(kw_only=True)
class _Novel(events.Event):
    """Of a kind that nobody knows yet."""

    record: str = "no record"


class SinkContract:
    """The laws of `muxd.abc.Sink`: subclass it, and say how one is made.

    What it talks to must be there, or be a fake of the test's: a sink that raises is left out.
    """

    deadline = 30.0
    """How long it may take for all events, and to end when it is cancelled, seconds."""

    def make_sink(self, directory: Path) -> Sink:
        """A sink that may write into `directory`, which exists."""
        raise NotImplementedError

    @pytest.fixture
    def sink(self, tmp_path: Path) -> Sink:
        """A new one."""
        return self.make_sink(tmp_path)

    def test_it_has_a_name(self, sink: Sink) -> None:
        """Messages about it say which it is."""
        assert isinstance(sink.name, str)
        assert sink.name.strip()

    @pytest.mark.trio
    async def test_every_event_is_taken(self, sink: Sink) -> None:
        """Whatever happens in a daemon, it raises nothing; and again, and in another order."""
        with trio.fail_after(self.deadline):
            for event in (*EVENTS, *reversed(EVENTS)):
                await sink.handle(event)

    @pytest.mark.trio
    async def test_events_to_come_are_taken(self, sink: Sink) -> None:
        """A newer muxd has further kinds of events."""
        with trio.fail_after(self.deadline):
            await sink.handle(_Novel(at=NOON))

    @pytest.mark.trio
    async def test_any_text_is_taken(self, sink: Sink) -> None:
        """Texts come from pages, and from jobs: half an emoji, NUL, very many characters."""
        with trio.fail_after(self.deadline):
            for event in (
                events.RunEnded(
                    at=NOON, record=ended("1", Outcome.failed, error=_HOSTILE, result=_HOSTILE)
                ),
                events.JobNews(at=NOON, job="headlines", title=_HOSTILE, text=_HOSTILE),
                events.Steered(at=NOON, by="", action="run", target=_HOSTILE, result=_HOSTILE),
            ):
                await sink.handle(event)

    @pytest.mark.trio
    async def test_cancelled_it_ends(self, sink: Sink) -> None:
        """When the time of a daemon that stops is over, nothing holds it up; nor is that an error."""
        for event in EVENTS:
            begun = time.monotonic()
            with trio.CancelScope() as scope:
                scope.cancel()
                await sink.handle(event)
            assert time.monotonic() - begun < self.deadline
