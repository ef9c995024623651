"""What asyncio code finds in a bridged body: a current task, timeouts, groups, its own context."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import threading

import pytest
import structlog
import trio

from muxd.bridge import bridged, open_nursery, run

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
async def test_timeout_in_time_and_late():
    """asyncio.timeout ends an await of either kind, and nothing if it is not reached."""
    for sleep in (asyncio.sleep, trio.sleep):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(SOON):
                await sleep(NEVER)
        async with asyncio.timeout(NEVER):
            await sleep(0)
        assert asyncio.current_task().cancelling() == 0


@hosted
async def test_timeouts_nest_as_in_asyncio():
    """Of nested timeouts the one that expires raises; rescheduling works."""
    outer, inner = asyncio.timeout(SOON), asyncio.timeout(NEVER)

    async def wait():
        async with outer, inner:
            await trio.sleep(NEVER)

    with pytest.raises(TimeoutError):
        await wait()
    assert (outer.expired(), inner.expired()) == (True, False)
    async with asyncio.timeout(SOON) as outer:
        outer.reschedule(None)
        await trio.sleep(2 * SOON)


@hosted
async def test_task_group_waits_and_fails_as_in_asyncio():
    """A TaskGroup awaits its tasks; one that fails ends the body's wait, of either kind."""
    async with asyncio.TaskGroup() as group:
        task = group.create_task(asyncio.sleep(SOON, "result"))
    assert task.result() == "result"

    async def fail():
        raise ValueError

    async def body(sleep):
        async with asyncio.TaskGroup() as group:
            group.create_task(fail())
            await sleep(NEVER)

    for sleep in (asyncio.sleep, trio.sleep):
        with pytest.raises(ExceptionGroup) as caught:
            await body(sleep)
        assert [type(error) for error in caught.value.exceptions] == [ValueError]
    await asyncio.sleep(0)


@hosted
async def test_wait_for_shield_and_wait():
    """wait_for, shield, wait and as_completed do what they do in asyncio."""
    assert await asyncio.wait_for(asyncio.sleep(0, 1), NEVER) == 1
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.sleep(NEVER), SOON)
    inner = asyncio.ensure_future(asyncio.sleep(SOON, 2))
    with trio.move_on_after(0):
        await asyncio.shield(inner)
    assert await inner == 2
    done, pending = await asyncio.wait([asyncio.ensure_future(asyncio.sleep(0))])
    assert (len(done), len(pending)) == (1, 0)
    assert [await each for each in asyncio.as_completed([asyncio.sleep(0, 3)])] == [3]


@hosted
async def test_locks_events_queues_and_conditions():
    """asyncio's synchronisation works between a body, its children and asyncio tasks."""
    lock, event, queue = asyncio.Lock(), asyncio.Event(), asyncio.Queue(1)
    condition = asyncio.Condition()

    async def consumer():
        async with lock:
            await event.wait()
        async with condition:
            await condition.wait()
        return [await queue.get() for _ in range(3)]

    task = asyncio.create_task(consumer())
    async with open_nursery() as nursery:
        await asyncio.sleep(0)
        nursery.start_soon(lock.acquire)
        event.set()
        await asyncio.sleep(SOON)
        async with condition:
            condition.notify_all()
        for item in range(3):
            await queue.put(item)
    assert await task == [0, 1, 2]


@hosted
async def test_threads_of_either_world():
    """asyncio.to_thread, run_in_executor and trio.to_thread work, and trio.from_thread in it."""
    loop = asyncio.get_running_loop()
    main = threading.get_ident()
    assert await asyncio.to_thread(threading.get_ident) != main
    assert await loop.run_in_executor(None, threading.get_ident) != main
    assert await trio.to_thread.run_sync(threading.get_ident) != main
    back = functools.partial(trio.from_thread.run_sync, threading.get_ident)
    assert await trio.to_thread.run_sync(back) == main


@hosted
async def test_done_callbacks_of_the_current_task_are_called():
    """Who adds a callback to the current task is called when the bridged function has ended."""
    called = []

    async def child():
        asyncio.current_task().add_done_callback(called.append)
        asyncio.current_task().add_done_callback(called.extend)
        assert asyncio.current_task().remove_done_callback(called.extend) == 1
        await asyncio.sleep(0)
        called.append(asyncio.current_task())

    async with open_nursery() as nursery:
        nursery.start_soon(child)
    await asyncio.sleep(0)
    task, same = called
    assert task is same
    assert task.done()
    assert task.cancel() is False


@hosted
async def test_context_is_the_trio_tasks_own():
    """Callbacks and asyncio tasks get a copy of it, structlog's variables among it."""
    variable = contextvars.ContextVar("variable", default="default")
    loop = asyncio.get_running_loop()
    seen = []

    def look():
        seen.append((variable.get(), structlog.contextvars.get_contextvars().get("job")))

    async def look_in_task():
        look()
        variable.set("changed in the task")

    with structlog.contextvars.bound_contextvars(job="headlines"):
        variable.set("body's")
        loop.call_soon(look)
        await asyncio.create_task(look_in_task())
        await asyncio.sleep(0)
        variable.set("body's, after an await")
        await trio.lowlevel.checkpoint()
        look()
    expected = [("body's", "headlines")] * 2 + [("body's, after an await", "headlines")]
    assert seen == expected


@pytest.mark.trio(run=run)
@bridged
async def test_the_mark_for_pytest_trio(nursery):
    """@pytest.mark.trio(run=muxd.run) over @bridged makes a test whose body awaits both."""
    nursery.start_soon(bridged(asyncio.sleep), 0)
    await asyncio.sleep(0)
    await trio.lowlevel.checkpoint()
