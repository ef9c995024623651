"""`bridged`, the error of who forgets it, and `open_nursery`."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import traceback
import weakref

import pytest
import trio
import trio.testing

from muxd.bridge import UnbridgedAwait, bridged, open_nursery, run

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
async def test_a_body_awaits_both():
    """Futures, asyncio tasks, asyncio's and trio's sleeps and locks mix in one function."""
    loop = asyncio.get_running_loop()
    future = loop.create_future()
    loop.call_later(SOON, future.set_result, "future")
    assert await future == "future"
    assert await asyncio.create_task(asyncio.sleep(SOON, "task")) == "task"
    async with trio.Lock(), asyncio.Lock():
        await trio.sleep(SOON)
        await asyncio.sleep(SOON)
    results = await asyncio.gather(asyncio.sleep(0, 1), asyncio.sleep(SOON, 2))
    assert results == [1, 2]


@hosted
async def test_bridged_keeps_name_signature_and_arguments():
    """The wrapped function looks and is called like the function."""

    async def body(a, *, b):
        """Doc."""
        await asyncio.sleep(0)
        return a, b

    wrapped = bridged(body)
    assert (wrapped.__name__, wrapped.__doc__, wrapped.__wrapped__) == ("body", "Doc.", body)
    assert asyncio.iscoroutinefunction(wrapped)
    assert await wrapped(1, b=2) == (1, 2)
    assert await bridged(functools.partial(body, 1, b=3))() == (1, 3)


@hosted
async def test_bridged_takes_any_function_that_returns_an_awaitable():
    """A function that returns a future or an object with __await__ can be bridged, too."""
    loop = asyncio.get_running_loop()

    def make_future():
        future = loop.create_future()
        loop.call_soon(future.set_result, 7)
        return future

    async with trio.open_nursery() as nursery:

        async def plain_child():
            assert await bridged(make_future)() == 7

        nursery.start_soon(plain_child)


def test_bridged_under_plain_trio_changes_nothing():
    """Under trio.run (a test with fakes) a bridged body, and its nursery, simply run."""

    async def body():
        async with open_nursery() as nursery:
            nursery.start_soon(trio.sleep, 0)
        return "done"

    assert trio.run(bridged(body)) == "done"


@hosted
async def test_nested_calls_share_one_task():
    """A bridged call in a bridged body has the body's asyncio task, and leaves it in place."""
    outer = asyncio.current_task()

    async def inner():
        await asyncio.sleep(0)
        return asyncio.current_task()

    assert await bridged(inner)() is outer
    assert await bridged(bridged(inner))() is outer
    assert asyncio.current_task() is outer
    await trio.lowlevel.checkpoint()
    assert asyncio.current_task() is outer


@hosted
async def test_each_trio_task_is_a_task_of_its_own_to_asyncio():
    """Children have tasks of their own; a plain trio task and a callback have none."""
    seen = []

    async def child():
        await asyncio.sleep(0)
        seen.append(asyncio.current_task())

    async with open_nursery() as nursery:
        nursery.start_soon(child)
        nursery.start_soon(child)
    assert len({*seen, asyncio.current_task()}) == 3
    assert None not in seen

    async def plain():
        seen.append(asyncio.current_task())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(plain)
    asyncio.get_running_loop().call_soon(lambda: seen.append(asyncio.current_task()))
    await asyncio.sleep(0)
    assert seen[2:] == [None, None]


@hosted
async def test_bridged_inside_an_asyncio_task():
    """A bridged function in an asyncio task (gather) is that task's; it may await asyncio."""

    async def inner():
        await asyncio.sleep(0)
        return asyncio.current_task()

    task = asyncio.create_task(bridged(inner)())
    assert await task is task


@hosted
async def test_trio_knows_its_task_in_every_step():
    """In a step after an asyncio await, trio's current task, deadline and context are right."""
    task = trio.lowlevel.current_task()
    for _ in range(3):
        await asyncio.sleep(0)
        assert trio.lowlevel.current_task() is task
        with trio.move_on_after(5) as scope:
            assert trio.current_effective_deadline() == pytest.approx(scope.deadline)
            await trio.lowlevel.checkpoint()
        assert trio.lowlevel.current_task() is task


@hosted
async def test_a_future_that_is_done_costs_nothing():
    """Awaiting what is done already goes on at once, without a round of the loop."""
    loop = asyncio.get_running_loop()
    future = loop.create_future()
    future.set_result("ready")
    rounds = []
    loop.call_soon(rounds.append, 1)
    assert await future == "ready"

    class LateFuture:
        """Yields a future that is done by then, as a slow iterator may."""

        def __await__(self):
            future._asyncio_future_blocking = True
            yield future
            return future.result()

    assert await LateFuture() == "ready"
    assert rounds == []


@hosted
async def test_an_await_of_asyncios_does_not_wake_trio(monkeypatch):
    """Steps from one asyncio await to the next are made without trio: that is what makes them cheap."""
    monkeypatch.setattr("muxd.coroutine_driver.DIRECT_STEPS", True)

    class Count(trio.abc.Instrument):
        rounds = 0

        def after_io_wait(self, timeout):
            self.rounds += 1

    loop = asyncio.get_running_loop()
    count = Count()
    await asyncio.sleep(SOON)  # trio has gone to sleep by then
    trio.lowlevel.add_instrument(count)
    for _ in range(50):
        future = loop.create_future()
        loop.call_soon(future.set_result, None)
        await future
        await asyncio.sleep(0)
    trio.lowlevel.remove_instrument(count)
    assert count.rounds == 0


@hosted
async def test_a_future_of_another_loop_is_refused():
    """Awaiting a future of another loop is an error at the await, not a hang."""
    other = asyncio.new_event_loop()
    try:
        with pytest.raises(RuntimeError, match="another asyncio loop"):
            await other.create_future()
    finally:
        other.close()


@hosted
async def test_tracebacks_show_the_body():
    """An error from asyncio shows the lines of the body on its way."""
    loop = asyncio.get_running_loop()
    future = loop.create_future()
    loop.call_soon(future.set_exception, ValueError("late"))

    async def the_line_that_waits():
        await future

    async def the_body():
        await the_line_that_waits()

    async def child():
        with pytest.raises(ValueError, match="late") as caught:
            await bridged(the_body)()
        names = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
        assert names.index("the_body") < names.index("the_line_that_waits")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(child)


@hosted
async def test_trio_sees_where_a_body_waits():
    """task.iter_await_frames() goes through the bridge down to the await, in either world."""
    names = []

    async def waits(sleep):
        await sleep(NEVER)

    for sleep in (asyncio.sleep, trio.sleep):
        async with open_nursery() as nursery:
            nursery.start_soon(waits, sleep)
            await trio.testing.wait_all_tasks_blocked()
            (task,) = nursery.child_tasks
            names.append([frame.f_code.co_name for frame, _line in task.iter_await_frames()])
            nursery.cancel_scope.cancel()
    assert all("waits" in stack for stack in names)
    assert [stack[stack.index("waits") + 1] for stack in names] == ["sleep", "sleep"]


@hosted
async def test_no_cycles_are_left():
    """A call, its result and its error are freed at once, without the garbage collector."""

    class Thing:
        pass

    async def give():
        await asyncio.sleep(0)
        return Thing()

    async def fail():
        thing = Thing()
        refs.append(weakref.ref(thing))
        await asyncio.sleep(0)
        raise ValueError

    refs = []
    gc.collect()
    gc.disable()
    try:

        async def plain():
            refs.append(weakref.ref(await bridged(give)()))
            with contextlib.suppress(ValueError):
                await bridged(fail)()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(plain)
        await trio.lowlevel.checkpoint()
        assert [ref() for ref in refs] == [None, None]
    finally:
        gc.enable()


async def _await_future():
    await asyncio.get_running_loop().create_future()


async def _await_task():
    task = asyncio.ensure_future(asyncio.sleep(0))
    try:
        await task
    finally:
        task.cancel()


async def _sleep():
    await asyncio.sleep(SOON)


async def _bare_yield():
    await asyncio.sleep(0)


@pytest.mark.parametrize("wait", [_await_future, _await_task, _sleep, _bare_yield])
def test_an_unbridged_await_says_what_to_do(wait):
    """In a child of a plain nursery it raises UnbridgedAwait at the await; the run goes on."""

    async def main():
        caught = []

        async def child():
            try:
                await wait()
            except UnbridgedAwait as error:
                caught.append(error)
            await trio.lowlevel.checkpoint()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(child, name="the child")
        await wait_bridged()
        return caught

    async def wait_bridged():
        await asyncio.sleep(0)

    (error,) = run(main)
    assert isinstance(error, RuntimeError)
    for words in ("needs asyncio", "'the child'", "muxd.open_nursery()", "muxd.bridged()"):
        assert words in str(error)
    names = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
    assert wait.__name__ in names


@hosted
async def test_children_of_our_nursery_are_bridged():
    """start_soon and start bridge their child; start returns what the child says."""
    done = []

    async def child(name):
        await asyncio.sleep(0)
        await trio.lowlevel.checkpoint()
        done.append(name)

    async def server(port, *, task_status):
        await asyncio.sleep(0)
        task_status.started(port + 1)
        await asyncio.sleep(0)
        done.append("server")

    async with open_nursery() as nursery:
        nursery.start_soon(child, "a", name="child a")
        assert {task.name for task in nursery.child_tasks} == {"child a"}
        assert await nursery.start(server, 80) == 81
        assert nursery.parent_task is trio.lowlevel.current_task()
    assert sorted(done) == ["a", "server"]


@hosted
async def test_our_nursery_is_trios():
    """Errors come as trio's groups, a failed child cancels the others, strictness is trio's."""

    async def fail():
        await asyncio.sleep(0)
        raise ValueError

    async def both():
        async with open_nursery() as nursery:
            nursery.start_soon(fail)
            nursery.start_soon(asyncio.sleep, NEVER)

    with pytest.raises(ExceptionGroup) as caught:
        await both()
    assert [type(error) for error in caught.value.exceptions] == [ValueError]
    with pytest.warns(trio.TrioDeprecationWarning):
        loose = open_nursery(strict_exception_groups=False)
    with pytest.raises(ValueError, match=r"^$"):
        async with loose as nursery:
            nursery.start_soon(fail)
    async with open_nursery() as nursery:
        nursery.start_soon(asyncio.sleep, NEVER)
        nursery.cancel_scope.cancel()


@pytest.mark.trio(run=run)
async def test_our_nursery_in_a_plain_task():
    """A plain trio task (the daemon's) opens it, and awaits nothing of asyncio's itself."""
    with trio.fail_after(10):
        async with open_nursery() as nursery:
            nursery.start_soon(asyncio.sleep, SOON)
