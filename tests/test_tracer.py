"""The trace of a run, on a stand-in for Playwright's: one at a time, and the body's goes first."""

from __future__ import annotations

import pytest
import trio
from playwright.async_api import Error

from muxd.browser.tracer import DROP_BOUND, Tracer, dropped


class Tracing:
    """As Playwright's: refuses to start twice, and to stop what was not started."""

    def __init__(self):
        self.said = []
        self.on = False
        self.hangs = False

    async def start(self, **options):
        await trio.lowlevel.checkpoint()
        if self.on:
            raise Error("Tracing has been already started")
        self.on = True
        self.said.append(("start", sorted(options)))

    async def stop(self, path=None):
        if self.hangs:
            await trio.sleep_forever()
        await trio.lowlevel.checkpoint()
        if not self.on:
            raise Error("Must start tracing before stopping")
        self.on = False
        self.said.append(("stop", path))


class Context:
    """A context, in so far as it can be traced."""

    def __init__(self):
        self.tracing = Tracing()


@pytest.fixture
def context():
    return Context()


async def test_a_trace_that_is_taken(context, tmp_path):
    """Begun with what makes it worth looking at, written to the file, and off."""
    tracer = Tracer(context)
    await tracer.begin()
    assert tracer.on
    await tracer.take(tmp_path / "trace.zip")
    assert not tracer.on
    assert context.tracing.said == [
        ("start", ["name", "screenshots", "snapshots"]),
        ("stop", tmp_path / "trace.zip"),
    ]
    assert await dropped(tracer) is None
    assert len(context.tracing.said) == 2


async def test_a_trace_without_pictures(context):
    """Calls and network only, for next to nothing."""
    tracer = Tracer(context, pictures=False)
    await tracer.begin()
    assert await dropped(tracer) is None
    assert context.tracing.said == [("start", ["name"]), ("stop", None)]


async def test_notes_are_not_taken_of_our_own(context):
    """Who replaced `start` on this object, to note what bodies do, is not told of ours."""

    async def noted(**options):
        pytest.fail("our own trace was taken for the body's")

    context.tracing.start = noted
    tracer = Tracer(context)
    await tracer.begin()
    assert await dropped(tracer) is None
    assert context.tracing.start is noted


async def test_a_body_gets_its_own(context):
    """Ours ends without a file, its own begins; dropping ours then does nothing to it."""
    tracer = Tracer(context)
    await tracer.begin()
    await context.tracing.start(snapshots=True)
    assert not tracer.on
    assert context.tracing.on
    assert await dropped(tracer) is None
    assert context.tracing.on
    assert context.tracing.said[1:] == [("stop", None), ("start", ["snapshots"])]


async def test_one_that_can_not_begin_is_off(context):
    """The error is the caller's; there is nothing to drop, and the body can still ask."""
    context.tracing.on = True
    tracer = Tracer(context)
    with pytest.raises(Error):
        await tracer.begin()
    assert not tracer.on
    assert await dropped(tracer) is None


async def test_one_that_does_not_end_is_told(autojump_clock, context, tmp_path):
    """Taking it is given up, dropping it too, within its bound: the browser can't be used on."""
    tracer = Tracer(context)
    await tracer.begin()
    context.tracing.hangs = True
    with trio.move_on_after(1):
        await tracer.take(tmp_path / "trace.zip")
    assert tracer.on
    began = trio.current_time()
    assert await dropped(tracer) == "a trace would not end"
    assert trio.current_time() - began == pytest.approx(DROP_BOUND)


async def test_one_that_is_just_ending_is_ended_after_it(autojump_clock, context, monkeypatch):
    """Playwright refuses to end what is being ended, and ends nothing then: it is asked again."""
    tracer, refused = Tracer(context), []
    await tracer.begin()
    stop = context.tracing.stop

    async def refuse(**options):
        if len(refused) < 3:
            refused.append(options)
            raise Error("Tracing.tracingStop: Tracing is already stopping")
        await stop(**options)

    monkeypatch.setattr(context.tracing, "stop", refuse)
    assert await dropped(tracer) is None
    assert (len(refused), tracer.on, context.tracing.on) == (3, False, False)


async def test_one_whose_end_was_begun_is_dropped(context, tmp_path):
    """Playwright refuses to end it again: that is no error of the run."""
    tracer = Tracer(context)
    await tracer.begin()
    context.tracing.on = False
    assert await dropped(tracer) is None
    assert not tracer.on
