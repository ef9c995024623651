"""Cancellation over the border: trio's, asyncio's, and the two at once."""

from __future__ import annotations

import asyncio
import contextlib
import functools

import pytest
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


@hosted
async def test_trios_cancellation_cancels_the_future():
    """Cancelled in an asyncio await, the future is cancelled and trio.Cancelled raised there."""
    future = asyncio.get_running_loop().create_future()
    raised = []
    with trio.move_on_after(SOON) as scope:
        try:
            await future
        except BaseException as error:
            raised.append(type(error))
            raise
    assert scope.cancelled_caught
    assert raised == [trio.Cancelled]
    assert future.cancelled()


@hosted
async def test_trios_cancellation_takes_the_callback_back():
    """A future that is cancelled late, or not at all, wakes nobody: a second wait is not upset."""
    task = asyncio.create_task(asyncio.sleep(SOON, "result"))
    with trio.move_on_after(0) as scope:
        await asyncio.shield(task)
    assert scope.cancelled_caught
    await asyncio.sleep(2 * SOON)
    assert await task == "result"


@hosted
async def test_cancellation_is_level_triggered():
    """In a cancelled scope each wait raises again, an asyncio one like any."""
    raised = 0
    with trio.CancelScope() as scope:
        scope.cancel()
        for wait in (asyncio.sleep, asyncio.sleep, trio.sleep, asyncio.sleep):
            try:
                await wait(NEVER)
            except trio.Cancelled:
                raised += 1
        for _ in range(2):
            try:
                await asyncio.sleep(0)
            except trio.Cancelled:
                raised += 1
    assert raised == 6


@hosted
async def test_a_scope_cancelled_by_its_own_body():
    """A body may cancel a scope that it is in, in any step, and go on in the next."""
    for wait in (asyncio.sleep, trio.sleep, asyncio.sleep):
        await asyncio.sleep(0)  # now in a callback of asyncio's
        with trio.CancelScope() as scope:
            scope.cancel()
            await wait(NEVER)
        assert scope.cancelled_caught
        with trio.CancelScope() as outer:
            outer.cancel()
            with trio.CancelScope(shield=True):
                await wait(0)
            with trio.CancelScope() as inner:
                await wait(NEVER)
        assert outer.cancelled_caught
        assert not inner.cancelled_caught


@hosted
async def test_a_cancelled_scope_that_was_left_does_no_harm():
    """After a scope that was cancelled in the step, the next wait can be cancelled from outside."""
    for wait in (asyncio.sleep, trio.sleep):
        await asyncio.sleep(0)
        with trio.CancelScope() as scope:  # noqa: ASYNC100  # the point is to leave it
            scope.cancel()
        with trio.move_on_after(SOON) as outer:
            await wait(NEVER)
        assert outer.cancelled_caught


@hosted
async def test_a_shield_holds():
    """A shielded asyncio await is not cancelled by what is outside."""
    with trio.move_on_after(0):
        with trio.CancelScope(shield=True):
            assert await asyncio.sleep(SOON, "whole") == "whole"
        with pytest.raises(trio.Cancelled):
            await asyncio.sleep(SOON)


@hosted
async def test_a_result_that_came_first_is_not_lost():
    """Cancelled when the future is done already, the await returns its result."""
    loop = asyncio.get_running_loop()
    for _ in range(2):
        future, scope = loop.create_future(), trio.CancelScope()

        def both(future=future, scope=scope):
            future.set_result("result")
            scope.cancel()

        loop.call_soon(both)
        with scope:
            assert await future == "result"
            with pytest.raises(trio.Cancelled):
                await asyncio.sleep(0)


@hosted
async def test_a_future_may_be_cancelled_by_others():
    """If somebody else cancels the future, its CancelledError is raised at the await."""
    future = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(future.cancel, "why")
    with pytest.raises(asyncio.CancelledError, match="why"):
        await future


@hosted
async def test_cancelled_error_of_a_child_is_an_error_to_trio():
    """A child that ends with asyncio's CancelledError has failed; it never passes for success."""

    async def child():
        future = asyncio.get_running_loop().create_future()
        future.cancel()
        await future

    with pytest.raises(BaseExceptionGroup) as caught:
        async with open_nursery() as nursery:
            nursery.start_soon(child)
    assert [type(error) for error in caught.value.exceptions] == [asyncio.CancelledError]


@hosted
async def test_a_cancelled_gather_logs_nothing():
    """gather cancelled from outside, by either world, leaves no 'exception was never retrieved'."""
    with background_errors() as background:
        for _ in range(2):
            with trio.move_on_after(0):
                await asyncio.gather(asyncio.sleep(NEVER), asyncio.sleep(NEVER))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0):
                    await asyncio.gather(asyncio.sleep(NEVER), asyncio.sleep(NEVER))
            await asyncio.sleep(SOON)
    assert background.errors == []


@hosted
async def test_an_error_after_the_cancellation_is_not_lost():
    """If what was awaited fails while it is being cancelled, the error is a background error."""

    async def fails_to_clean_up():
        try:
            await asyncio.sleep(NEVER)
        finally:
            raise ValueError("in the clean-up")

    with background_errors() as background:
        task = asyncio.create_task(fails_to_clean_up())
        await asyncio.sleep(0)
        with trio.move_on_after(0):
            await task
        del task
        await asyncio.sleep(SOON)
    assert [str(error) for error in background.errors] == ["in the clean-up"]


@hosted
async def test_asyncio_cancels_a_wait_of_trios_without_loss():
    """asyncio.timeout ends a receive, a lock, a thread that can be abandoned; nothing is lost."""
    send, receive = trio.open_memory_channel(0)
    lock = trio.Lock()
    await lock.acquire()

    async def stuck():
        await trio.lowlevel.wait_task_rescheduled(lambda _: trio.lowlevel.Abort.SUCCEEDED)

    async def acquire():
        async with open_nursery() as nursery:
            nursery.start_soon(lock.acquire)

    async def soon(wait):
        async with asyncio.timeout(SOON):
            await wait()

    for wait in (receive.receive, acquire, stuck):
        with pytest.raises(TimeoutError):
            await soon(wait)
    with pytest.raises(trio.WouldBlock):
        send.send_nowait("nobody waits any more")
    assert lock.statistics().tasks_waiting == 0


@hosted
async def test_asyncio_waits_for_what_trio_can_not_abort():
    """A wait that can't be aborted ends in its time; then the next await is cancelled."""
    seen = []

    async def body():
        async with asyncio.timeout(SOON):
            seen.append(await trio.to_thread.run_sync(_sleep_in_thread))
            await trio.sleep(NEVER)
            seen.append("not reached")

    with pytest.raises(TimeoutError):
        await body()
    assert seen == ["slept"]
    await asyncio.sleep(0)  # the cancellation was spent
    await trio.lowlevel.checkpoint()


def _sleep_in_thread():
    asyncio.run(asyncio.sleep(3 * SOON))
    return "slept"


@hosted
async def test_asyncio_cancels_a_block_with_children():
    """asyncio.timeout round our nursery cancels the children and raises TimeoutError."""
    ended = []

    async def child(wait):
        try:
            await wait(NEVER)
        finally:
            ended.append(wait)

    async def body(wait, seconds):
        async with asyncio.timeout(SOON), open_nursery() as nursery:
            nursery.start_soon(child, trio.sleep)
            nursery.start_soon(child, asyncio.sleep)
            await wait(seconds)

    for wait, seconds in ((asyncio.sleep, 0), (trio.sleep, NEVER), (asyncio.sleep, NEVER)):
        with pytest.raises(TimeoutError):
            await body(wait, seconds)
    assert len(ended) == 6
    assert asyncio.current_task().cancelling() == 0


@hosted
async def test_timeouts_of_both_worlds_nest():
    """Of a trio deadline and an asyncio timeout, whichever is nearer strikes, in either order."""
    with trio.move_on_after(SOON) as scope:
        async with asyncio.timeout(NEVER):
            await asyncio.sleep(NEVER)
    assert scope.cancelled_caught
    async with asyncio.timeout(NEVER):
        with trio.move_on_after(SOON) as scope:
            await asyncio.sleep(NEVER)
        assert scope.cancelled_caught
    with trio.move_on_after(NEVER) as scope, pytest.raises(TimeoutError):
        async with asyncio.timeout(SOON):
            await trio.sleep(NEVER)
    assert not scope.cancelled_caught
    async with asyncio.timeout(NEVER):
        with pytest.raises(trio.TooSlowError), trio.fail_after(SOON):
            await asyncio.gather(asyncio.sleep(NEVER), asyncio.sleep(NEVER))


@hosted
async def test_both_strike_at_once():
    """A trio deadline and an asyncio timeout in the same moment leave a task that works."""
    loop = asyncio.get_running_loop()
    for wait in (asyncio.sleep, trio.sleep):
        task, scope = asyncio.current_task(), trio.CancelScope()

        def both(task=task, scope=scope):
            task.cancel()
            scope.cancel()

        loop.call_later(SOON, both)
        with contextlib.suppress(asyncio.CancelledError), scope:
            await wait(NEVER)
        task.uncancel()
        await wait(0)
        assert asyncio.current_task() is task


@hosted
async def test_a_task_may_cancel_itself():
    """asyncio.current_task().cancel() strikes at the next await, of either world, and once."""
    for wait in (asyncio.sleep, trio.sleep):
        asyncio.current_task().cancel("own wish")
        with pytest.raises(asyncio.CancelledError, match="own wish"):
            await wait(NEVER)
        assert asyncio.current_task().uncancel() == 0
        await wait(0)
    asyncio.current_task().cancel()
    assert asyncio.current_task().uncancel() == 0
    await asyncio.sleep(0)  # taken back in time


@pytest.mark.parametrize("where", ["in the block", "at its end"])
@hosted
async def test_a_task_group_in_a_cancelled_trio_scope_ends_its_tasks(where):
    """trio's cancellation in an asyncio.TaskGroup cancels the group's tasks, as asyncio's would."""
    ended = []

    async def work():
        try:
            await asyncio.sleep(NEVER)
        finally:
            ended.append(True)

    async def wait_in_group():
        async with asyncio.TaskGroup() as group:
            group.create_task(work())
            if where == "in the block":
                await asyncio.sleep(NEVER)

    with trio.move_on_after(SOON) as scope:
        await wait_in_group()
    assert scope.cancelled_caught
    await asyncio.sleep(SOON)
    assert ended == [True]


@hosted
async def test_wait_for_in_a_cancelled_trio_scope_ends_what_it_waits_for():
    """trio's cancellation of asyncio.wait_for cancels what is waited for, as asyncio's would."""
    ended = []

    async def work():
        try:
            await asyncio.sleep(NEVER)
        finally:
            ended.append(True)

    for awaitable in (work(), asyncio.ensure_future(work())):
        with trio.move_on_after(SOON) as scope:
            await asyncio.wait_for(awaitable, NEVER)
        assert scope.cancelled_caught
        await asyncio.sleep(SOON)
    assert ended == [True, True]
