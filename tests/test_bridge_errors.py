"""Errors in asyncio's background: charged to whose they are, never lost, never fatal to trio."""

from __future__ import annotations

import asyncio
import functools
import gc

import pytest
import structlog.testing
import trio

from muxd.bridge import background_errors, bridged, open_nursery, run

SOON = 0.01  # seconds: long enough to be a wait, short enough for a test
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


def _fail(message):
    raise ValueError(message)


async def _fail_soon(message):
    await asyncio.sleep(0)
    raise ValueError(message)


async def _rounds():
    for _ in range(3):
        await asyncio.sleep(0)


class Until:
    """An event that is set at the n-th error, to be an `on_error`."""

    def __init__(self, number):
        self._event, self._missing = trio.Event(), number

    def __call__(self, _error):
        self._missing -= 1
        if self._missing == 0:
            self._event.set()

    async def wait(self):
        await self._event.wait()


def _messages(background):
    return [str(error) for error in background.errors]


@hosted
async def test_errors_of_callbacks_are_collected():
    """An error in call_soon, call_later or a done callback is charged, with asyncio's words."""
    loop, three = asyncio.get_running_loop(), Until(3)
    with background_errors(three) as background:
        loop.call_soon(_fail, "soon")
        loop.call_later(SOON, _fail, "later")
        future = loop.create_future()
        future.add_done_callback(lambda _: _fail("done"))
        future.set_result(None)
        await three.wait()
    assert sorted(_messages(background)) == ["done", "later", "soon"]
    assert all("(asyncio: Exception in callback" in e.__notes__[0] for e in background.errors)


@hosted
async def test_errors_of_tasks_that_nobody_awaits_are_collected():
    """A task that failed is charged once it is forgotten, and not before: it may be awaited yet."""
    with background_errors() as background:
        task = asyncio.create_task(_fail_soon("in a task"))
        await _rounds()
        assert background.errors == []
        del task
        await _rounds()
        assert _messages(background) == ["in a task"]
        kept = asyncio.create_task(_fail_soon("seen"))
        await _rounds()
        with pytest.raises(ValueError, match="seen"):
            await kept
        del kept
        await _rounds()
    assert _messages(background) == ["in a task"]


@hosted
async def test_errors_of_futures_are_collected():
    """A plain future that has failed and is forgotten is charged to the innermost block."""
    with background_errors() as background:
        asyncio.get_running_loop().create_future().set_exception(ValueError("in a future"))
        await _rounds()
    assert _messages(background) == ["in a future"]


@hosted
async def test_what_has_no_exception_gets_one():
    """Whatever asyncio reports without an exception is charged as a RuntimeError with its words."""
    with background_errors() as background:
        asyncio.get_running_loop().call_exception_handler({"message": "something odd"})
    (error,) = background.errors
    assert isinstance(error, RuntimeError)
    assert str(error) == "something odd"


@hosted
async def test_the_innermost_block_is_charged():
    """Of nested blocks the inner one gets what comes while it runs, then again the outer one."""
    loop = asyncio.get_running_loop()
    with background_errors() as outer:
        loop.call_soon(_fail, "before")
        await _rounds()
        with background_errors() as inner:
            loop.call_soon(_fail, "inside")
            await _rounds()
        loop.call_soon(_fail, "after")
        await _rounds()
    assert _messages(outer) == ["before", "after"]
    assert _messages(inner) == ["inside"]


@hosted
async def test_who_started_it_is_charged():
    """A task or callback of an outer block is charged to that one, though an inner one runs."""
    loop, both = asyncio.get_running_loop(), Until(2)
    with background_errors(both) as outer:
        loop.call_later(SOON, _fail, "outer's callback")
        task = asyncio.create_task(_fail_soon("outer's task"))
        with background_errors() as inner:
            await asyncio.wait([task])
            del task
            await both.wait()
    assert sorted(_messages(outer)) == ["outer's callback", "outer's task"]
    assert inner.errors == []


@hosted
async def test_a_late_error_is_nobody_elses():
    """What a block left behind fails when the block has ended: it is logged, and charged to none."""
    loop = asyncio.get_running_loop()
    with background_errors():
        future = loop.create_future()
        future.add_done_callback(lambda _: _fail("late callback"))

        async def fail_with_a_cycle():
            _me = asyncio.current_task()  # so that only the garbage collector frees it
            raise ValueError("late task")

        task = asyncio.create_task(fail_with_a_cycle())
        await _rounds()
    gc.collect()  # what others have left
    with background_errors() as next_one, structlog.testing.capture_logs() as logs:
        del task
        gc.collect()
        future.set_result(None)
        await _rounds()
    assert next_one.errors == []
    assert [(entry["log_level"], entry["late"]) for entry in logs] == [("error", True)] * 2
    assert sorted(str(entry["exc_info"]) for entry in logs) == ["late callback", "late task"]


@hosted
async def test_children_count_as_the_blocks():
    """What a child task of the block starts is the block's, wherever it is when that fails."""

    async def child():
        asyncio.get_running_loop().call_later(SOON, _fail, "a child's")

    one = Until(1)
    with background_errors(one) as outer:
        async with open_nursery() as nursery:
            nursery.start_soon(child)
        with background_errors() as inner:
            await one.wait()
    assert (_messages(outer), inner.errors) == (["a child's"], [])


@hosted
async def test_without_a_block_errors_are_logged():
    """With no block active an error is logged with structlog at error level, with its traceback."""
    with structlog.testing.capture_logs() as logs:
        asyncio.get_running_loop().call_soon(_fail, "nobody's")
        await _rounds()
    (entry,) = logs
    assert entry["log_level"] == "error"
    assert entry["event"] == "background error"
    assert str(entry["exc_info"]) == "nobody's"
    assert entry["late"] is False


@hosted
async def test_the_callback_wakes_who_waits():
    """on_error is called at once, and may set a trio event or cancel a scope."""
    event, scope = trio.Event(), trio.CancelScope()

    def on_error(error):
        event.set()
        scope.cancel()

    with background_errors(on_error) as background:
        asyncio.get_running_loop().call_later(SOON, _fail, "wake up")
        with scope:
            await asyncio.sleep(NEVER)
        assert scope.cancelled_caught
        await event.wait()
    assert _messages(background) == ["wake up"]


@hosted
async def test_an_error_in_the_callback_is_logged():
    """on_error that raises loses nothing: the error is kept, the callback's is logged."""
    with (
        structlog.testing.capture_logs() as logs,
        background_errors(lambda error: _fail("in on_error")) as background,
    ):
        asyncio.get_running_loop().call_soon(_fail, "first")
        await _rounds()
    assert _messages(background) == ["first"]
    assert [entry["event"] for entry in logs] == ["the callback of background_errors raised"]


@hosted
async def test_the_number_of_errors_is_bounded():
    """Only the first `limit` errors are kept; the others are counted."""
    with background_errors(limit=2) as background:
        for number in range(5):
            asyncio.get_running_loop().call_soon(_fail, str(number))
        await _rounds()
    assert (_messages(background), background.dropped) == (["0", "1"], 3)


@hosted
async def test_a_body_that_resets_the_handler():
    """Reset to asyncio's default, errors are still charged; a handler of its own ends with it."""
    loop = asyncio.get_running_loop()
    own = []
    with background_errors() as background:
        loop.set_exception_handler(None)
        loop.call_soon(_fail, "default")
        await _rounds()
        loop.set_exception_handler(lambda loop, context: loop.default_exception_handler(context))
        loop.call_soon(_fail, "explicit default")
        await _rounds()
        loop.set_exception_handler(lambda loop, context: own.append(context["exception"]))
        loop.call_soon(_fail, "handled by the body")
        await _rounds()
    assert _messages(background) == ["default", "explicit default"]
    assert [str(error) for error in own] == ["handled by the body"]
    assert loop.get_exception_handler() is None


@hosted
async def test_cancelled_error_is_no_error():
    """Who cancels a gather and forgets it is charged with nothing."""
    with background_errors() as background:
        gathered = asyncio.gather(asyncio.sleep(NEVER), asyncio.sleep(NEVER))
        await asyncio.sleep(0)
        gathered.cancel()
        del gathered
        await _rounds()
        gc.collect()
    assert background.errors == []


@hosted
async def test_tasks_of_a_block_can_be_ended():
    """cancel_tasks() ends what the block and its children started with asyncio, and only that."""
    outside = asyncio.create_task(asyncio.sleep(NEVER))
    started = []

    async def grandchild_starter():
        started.append(asyncio.create_task(asyncio.sleep(NEVER)))
        await asyncio.sleep(NEVER)

    with background_errors() as background:
        started.append(asyncio.create_task(grandchild_starter()))
        with trio.move_on_after(SOON):
            async with open_nursery() as nursery:
                nursery.start_soon(asyncio.shield, asyncio.create_task(asyncio.sleep(NEVER)))
        assert background.cancel_tasks() == 3
        await _rounds()
        assert background.cancel_tasks() == 0
    assert [task.cancelled() for task in started] == [True, True]
    assert not outside.done()
    outside.cancel()


def test_a_block_under_plain_trio():
    """Under trio.run, where there is no asyncio, a block is empty and harmless."""

    async def main():
        with background_errors() as background:
            await trio.lowlevel.checkpoint()
        return background.errors

    assert trio.run(main) == []


def test_errors_never_end_the_run():
    """A run whose background is full of errors ends with its own result; the errors are logged."""

    async def main():
        loop = asyncio.get_running_loop()
        loop.call_soon(_fail, "callback")
        task = loop.create_task(_fail_soon("task"))
        del task  # nobody awaits it
        async with trio.open_nursery() as nursery:
            nursery.start_soon(bridged(_rounds))
        return "result"

    gc.collect()  # what others have left
    with structlog.testing.capture_logs() as logs:
        assert run(main) == "result"
        gc.collect()
    assert sorted(str(entry["exc_info"]) for entry in logs) == ["callback", "task"]
