"""`Leash`: a body can be given up whatever it does, and trio's run goes on."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import subprocess
import sys
import threading

import pytest
import trio

from muxd.bridge import Abandoned, Leash, background_errors, bridged, open_nursery, run

SOON = 0.02  # seconds: long enough to be a wait, short enough for a test
NEVER = 30  # seconds: a wait that is to be cut short


def hosted(test):
    """Run the test under muxd.run, bridged, for at most 10 s."""

    @pytest.mark.trio(run=run)
    @functools.wraps(test)
    async def bounded(**fixtures):
        with trio.fail_after(10):
            await bridged(test)(**fixtures)

    return bounded


@pytest.fixture(params=[True, False], ids=["direct", "by trio"], autouse=True)
def _steps(request, monkeypatch):
    """Everything holds in both ways of making a step."""
    monkeypatch.setattr("muxd.coroutine_driver.DIRECT_STEPS", request.param)


class Held:
    """A body on a leash, in a task of its own."""

    def __init__(self, body, *args):
        self.leash, self.outcome, self.ended = Leash(), None, trio.Event()
        self.scope = trio.CancelScope()
        self._body, self._args, self._began = body, args, trio.Event()

    async def begun(self):
        """Wait until the body is where it waits."""
        await self._began.wait()
        await trio.sleep(SOON)

    async def run(self):
        with self.scope:
            try:
                self.outcome = await self.leash.run(self._begin)
            except trio.Cancelled:
                raise
            except BaseException as error:
                self.outcome = error
        self.ended.set()

    async def _begin(self):
        self._began.set()
        return await self._body(*self._args)


class Steps:
    """Counts the steps of a body."""

    def __init__(self):
        self.count = 0

    async def swallow_everything(self, wait):
        while True:
            self.count += 1
            with contextlib.suppress(BaseException):
                await wait()


async def _trio_sleep():
    await trio.sleep(1)


async def _trio_checkpoint():
    await trio.lowlevel.checkpoint()


async def _trio_event():
    await trio.Event().wait()


async def _asyncio_sleep():
    await asyncio.sleep(1)


async def _asyncio_bare_yield():
    await asyncio.sleep(0)


async def _asyncio_task():
    await asyncio.shield(asyncio.ensure_future(asyncio.sleep(1)))


async def _trio_channel():
    _send, receive = trio.open_memory_channel(0)
    await receive.receive()


WAITS = [
    _trio_sleep,
    _trio_checkpoint,
    _trio_event,
    _asyncio_sleep,
    _asyncio_bare_yield,
    _asyncio_task,
    _trio_channel,
]


@hosted
async def test_a_body_that_ends_by_itself():
    """run() returns what the body returns and raises what it raises, as itself."""

    async def give(value):
        await asyncio.sleep(0)
        await trio.lowlevel.checkpoint()
        return value

    async def fail():
        await asyncio.sleep(0)
        raise ValueError("mine")

    assert await Leash().run(give, 5) == 5
    with pytest.raises(ValueError, match="mine"):
        await Leash().run(fail)
    leash = Leash()
    await leash.run(give, 5)
    leash.let_go()  # too late, and harmless
    assert leash.drivers == set()


@hosted
async def test_cancellation_reaches_the_body():
    """Cancelled from outside, the body sees trio.Cancelled, as if it were awaited directly."""
    seen = []

    async def body():
        try:
            await asyncio.sleep(NEVER)
        except BaseException as error:
            seen.append(type(error))
            raise

    with trio.move_on_after(SOON) as scope:
        await Leash().run(body)
    assert scope.cancelled_caught
    assert seen == [trio.Cancelled]


@pytest.mark.parametrize("wait", WAITS)
@pytest.mark.parametrize("cancelled_before", [True, False])
@hosted
async def test_a_body_that_swallows_everything(wait, cancelled_before):
    """Let go, its task ends at once with Abandoned, and it is never resumed."""
    steps = Steps()
    held = Held(steps.swallow_everything, wait)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(held.run)
        await held.begun()
        if cancelled_before:
            held.scope.cancel()
            await trio.sleep(SOON)
        assert not held.ended.is_set()
        held.leash.let_go()
        with trio.fail_after(5):
            await held.ended.wait()
    assert isinstance(held.outcome, Abandoned)
    made = steps.count
    await trio.sleep(3 * SOON)
    assert steps.count == made
    assert held.leash.drivers == set()


@hosted
async def test_a_body_is_told_once_more():
    """What it awaits is cancelled and CancelledError raised there, so that it may clean up."""
    seen = []

    async def body():
        try:
            await asyncio.sleep(NEVER)
        except BaseException as error:
            seen.append(type(error))
            raise
        finally:
            seen.append("cleaned up")

    held = Held(body)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(held.run)
        await held.begun()
        held.leash.let_go()
    assert seen == [asyncio.CancelledError, "cleaned up"]
    assert isinstance(held.outcome, Abandoned)


@hosted
async def test_scopes_that_are_left_open_do_no_harm():
    """A body that is left inside cancel scopes, with deadlines to come, leaves trio in order."""
    steps = Steps()

    async def body():
        with trio.move_on_after(5 * SOON), trio.CancelScope(shield=True), trio.move_on_after(NEVER):
            await steps.swallow_everything(_trio_sleep)

    held = Held(body)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(held.run)
        await held.begun()
        held.leash.let_go()
    assert isinstance(held.outcome, Abandoned)
    await trio.sleep(10 * SOON)  # the deadline of a scope that is nobody's any more


@pytest.mark.parametrize("ours", [True, False])
@hosted
async def test_nurseries_are_left_in_order(ours):
    """A body that waits in nurseries, well-behaved children in them, ends and they with it."""
    ended = []

    async def child():
        try:
            await trio.sleep(NEVER)
        finally:
            ended.append("child")

    async def body():
        open_one = open_nursery if ours else trio.open_nursery
        async with open_one() as outer:
            outer.start_soon(child)
            async with open_one() as inner:
                inner.start_soon(child)

    held = Held(body)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(held.run)
        await held.begun()
        held.leash.let_go()
    assert isinstance(held.outcome, Abandoned)
    assert ended == ["child", "child"]


@hosted
async def test_hostile_children_are_let_go_with_their_parent():
    """Bridged children that swallow everything are left, too; so is a body amid its nursery."""
    steps = [Steps() for _ in range(4)]

    async def body():
        async with open_nursery() as outer:
            outer.start_soon(steps[0].swallow_everything, _trio_sleep)
            async with open_nursery() as inner:
                inner.start_soon(steps[1].swallow_everything, _asyncio_sleep)
                inner.start_soon(steps[2].swallow_everything, _asyncio_bare_yield)
                await steps[3].swallow_everything(_trio_event)

    held = Held(body)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(held.run)
        await held.begun()
        held.leash.let_go()
        with trio.fail_after(5):
            await held.ended.wait()
    assert isinstance(held.outcome, Abandoned)
    made = [each.count for each in steps]
    await trio.sleep(2 * SOON)
    assert [each.count for each in steps] == made


@hosted
async def test_plain_children_are_waited_for():
    """A child that is not bridged and won't end keeps the task, asleep; when it ends, so does it."""
    steps, may_end = Steps(), trio.Event()

    async def stubborn():
        with trio.CancelScope(shield=True):
            await may_end.wait()

    async def body():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stubborn)
            await steps.swallow_everything(_trio_sleep)

    held = Held(body)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(held.run)
        await held.begun()
        held.leash.let_go()
        await trio.sleep(2 * SOON)
        made = steps.count
        assert not held.ended.is_set()
        await trio.sleep(2 * SOON)
        assert steps.count == made
        may_end.set()
        with trio.fail_after(5):
            await held.ended.wait()
    assert steps.count == made
    assert isinstance(held.outcome, Abandoned)


@hosted
async def test_a_thread_is_waited_for():
    """A thread that trio may not abandon keeps the task until it returns; then it ends."""
    steps, release = Steps(), threading.Event()

    async def thread():
        await trio.to_thread.run_sync(release.wait, NEVER)

    held = Held(steps.swallow_everything, thread)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(held.run)
        await held.begun()
        held.leash.let_go()
        await trio.sleep(SOON)
        assert not held.ended.is_set()
        release.set()
        with trio.fail_after(5):
            await held.ended.wait()
    assert isinstance(held.outcome, Abandoned)


@hosted
async def test_nothing_starts_on_a_leash_that_is_gone():
    """A bridged child that is started late raises Abandoned before its first line."""
    leash, started = Leash(), []

    async def body():
        started.append(True)

    leash.let_go()
    with pytest.raises(Abandoned):
        await leash.run(body)
    assert started == []


@hosted
async def test_an_error_at_the_end_is_kept_as_the_cause():
    """A body that raises an error of its own when it is let go has it in Abandoned.__cause__."""

    async def body():
        try:
            await asyncio.sleep(NEVER)
        finally:
            raise ValueError("in the clean-up")

    held = Held(body)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(held.run)
        await held.begun()
        held.leash.let_go()
    assert isinstance(held.outcome, Abandoned)
    assert str(held.outcome.__cause__) == "in the clean-up"


@hosted
async def test_others_go_on():
    """Other bodies, their waits and their deadlines are not touched."""
    steps = Steps()
    held = Held(steps.swallow_everything, _asyncio_sleep)

    async def other():
        for wait in (asyncio.sleep, trio.sleep):
            await wait(2 * SOON)
        return "whole"

    bystander = Held(other)
    with background_errors() as background:
        async with open_nursery() as nursery:
            nursery.start_soon(held.run)
            nursery.start_soon(bystander.run)
            await held.begun()
            held.leash.let_go()
    assert bystander.outcome == "whole"
    assert background.errors == []


def test_a_body_that_was_left_does_not_come_back_when_python_ends():
    """Python's end does not collect (and so resume) a coroutine that swallows everything."""
    script = """
import asyncio, gc, trio
from muxd.bridge import *
async def body():
    began.set()
    while True:
        try:
            await trio.sleep(1)
        except BaseException as error:
            print("told", type(error).__name__, flush=True)
async def main():
    global began
    began = trio.Event()
    leash = Leash()
    async with trio.open_nursery() as nursery:
        @nursery.start_soon
        async def hold():
            try:
                await leash.run(body)
            except Abandoned:
                print("abandoned")
        await began.wait()
        leash.let_go()
    gc.collect()
run(main)
gc.collect()
print("end")
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=20, check=True
    )
    assert done.stdout.split("\n") == ["told CancelledError", "abandoned", "end", ""]
    assert done.stderr == ""
