"""The border: `run`, `bridged`, `open_nursery`, and what asyncio code finds in a bridged body."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import gc
import subprocess
import sys
import threading
import traceback
import weakref

import pytest
import structlog
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


def run_script(body, *, env_code=""):
    """Run `body` in a Python of its own, with every warning shown; its output, stripped."""
    script = f"import asyncio, gc, os, sys, trio\nfrom muxd.bridge import *\n{env_code}\n{body}"
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "always", "-c", script],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return done.returncode, done.stdout.strip(), done.stderr.strip()


# --- run ------------------------------------------------------------------------------------------


def test_run_returns_the_result_and_passes_arguments():
    """run() is called like trio.run and gives back what the function returns."""

    async def add(a, b):
        await asyncio.sleep(0)
        await trio.lowlevel.checkpoint()
        return a + b

    assert run(add, 2, 3) == 5


def test_run_raises_what_the_function_raises():
    """An error comes out of run() as itself, with the frames of the function in its traceback."""

    async def fail():
        await asyncio.sleep(0)
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine") as caught:
        run(fail)
    assert "fail" in [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]


def test_run_takes_a_clock_and_instruments():
    """The options of trio.run are trio's own."""
    steps = []

    class Count(trio.abc.Instrument):
        def before_task_step(self, task):
            steps.append(task.name)

    async def sleep_an_hour():
        started = trio.current_time()
        await trio.sleep(3600)
        return trio.current_time() - started

    clock = trio.testing.MockClock(autojump_threshold=0)
    assert run(sleep_an_hour, clock=clock, instruments=[Count()]) == pytest.approx(3600)
    assert steps


def test_run_takes_strict_exception_groups():
    """With strict_exception_groups=False a single error is not wrapped."""

    async def fail_in_a_nursery():
        async with trio.open_nursery():
            raise ValueError

    with pytest.warns(trio.TrioDeprecationWarning), pytest.raises(ValueError, match=r"^$"):
        run(fail_in_a_nursery, strict_exception_groups=False)
    with pytest.raises(ExceptionGroup):
        run(fail_in_a_nursery)


def test_run_inside_a_run_is_refused():
    """A second run() on top of a running one is a clear error, and the outer one lives on."""

    async def outer():
        with pytest.raises(RuntimeError, match=r"muxd\.run\(\) called from inside"):
            run(trio.sleep, 0)
        await asyncio.sleep(0)
        return "alive"

    assert run(outer) == "alive"
    assert asyncio.run(outer()) == "alive"


def test_run_takes_a_function_not_a_coroutine():
    """run(f()) says what is wrong, and leaves no coroutine that was never awaited."""

    async def main():
        pass

    with pytest.raises(TypeError, match="takes an async function"):
        run(main())


def test_run_knows_the_context_of_its_caller():
    """Context variables set before run() are set in it."""
    variable = contextvars.ContextVar("variable")
    variable.set("outside")

    async def get():
        await asyncio.sleep(0)
        return variable.get()

    assert run(get) == "outside"


def test_no_asyncio_task_exists_by_itself():
    """The host adds no task of its own to asyncio.all_tasks()."""

    async def tasks():
        await asyncio.sleep(0)
        return asyncio.all_tasks()

    assert run(tasks) == set()


def test_runs_in_other_threads():
    """Each thread may have a run of its own, at the same time."""
    results = []

    async def work(number):
        await asyncio.sleep(SOON)
        await trio.sleep(SOON)
        results.append(number)

    threads = [threading.Thread(target=run, args=(work, number)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert sorted(results) == [0, 1, 2]


def test_nothing_of_asyncio_is_left_at_the_end():
    """Tasks, async generators and processes that a body leaves are ended; nothing warns."""
    code, out, err = run_script(
        """
ended = []
async def forever():
    try:
        await asyncio.sleep(1000)
    finally:
        ended.append("task")
async def numbers():
    try:
        while True:
            await asyncio.sleep(0)
            yield 1
    finally:
        ended.append("generator")
async def iterate():
    agen = numbers()
    await agen.__anext__()
    return agen
async def main():
    global task, agen, process
    task = asyncio.create_task(forever())
    agen = await asyncio.create_task(iterate())
    process = await asyncio.create_subprocess_exec("sleep", "1000", stdout=asyncio.subprocess.PIPE)
run(main)
print(task.cancelled(), sorted(ended), process.returncode)
del process
gc.collect()
"""
    )
    assert (code, out) == (0, "True ['generator', 'task'] -9")
    assert [line for line in err.splitlines() if "Close running child process" not in line] == []


def test_a_process_that_ended_leaves_nothing_either():
    """A process that was waited for is not touched at the end, and nothing warns."""
    code, out, err = run_script(
        """
async def main():
    process = await asyncio.create_subprocess_exec("echo", "hello", stdout=asyncio.subprocess.PIPE)
    print((await process.communicate())[0].decode().strip(), process.returncode)
run(main)
gc.collect()
"""
    )
    assert (code, out, err) == (0, "hello 0", "")


INTERRUPT = """
import signal, threading, time
def compute(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        sum(range(99))
def interrupt_soon():
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
"""


@pytest.mark.parametrize("wait", ["await asyncio.sleep(30)", "await trio.sleep(30)", "compute(30)"])
@pytest.mark.parametrize("runner", ["run", "trio.run"])
def test_ctrl_c_behaves_as_under_trio(wait, runner):
    """Ctrl-C raises KeyboardInterrupt at an await of either kind and in plain computation."""
    if runner == "trio.run" and "asyncio" in wait:
        pytest.skip("there is no asyncio under trio.run")
    code, out, err = run_script(
        f"""
async def main():
    interrupt_soon()
    try:
        {wait}
    except KeyboardInterrupt:
        print("raised in the body")
        raise
    finally:
        print("cleaned up")
try:
    {runner}(main)
except KeyboardInterrupt:
    print("raised by run")
import signal
print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)
""",
        env_code=INTERRUPT,
    )
    assert out.splitlines() == ["raised in the body", "cleaned up", "raised by run", "True"]
    assert code == 0
    assert [line for line in err.splitlines() if "Executing <Handle" not in line] == []


@pytest.mark.parametrize("restrict", [True, False])
def test_ctrl_c_can_be_restricted_to_checkpoints(restrict):
    """restrict_keyboard_interrupt_to_checkpoints is heeded in steps that trio does not make."""
    code, out, _err = run_script(
        f"""
async def main():
    await asyncio.sleep(0.01)  # from here on, in a callback of asyncio's
    interrupt_soon()
    done = False
    try:
        compute(0.6)
        done = True
        await asyncio.sleep(30)
    finally:
        print("computed to the end:", done)
try:
    run(main, restrict_keyboard_interrupt_to_checkpoints={restrict})
except KeyboardInterrupt:
    print("interrupted")
""",
        env_code=INTERRUPT,
    )
    assert (code, out.splitlines()) == (0, [f"computed to the end: {restrict}", "interrupted"])


def test_system_exit_in_a_callback_ends_the_run_in_order():
    """asyncio lets SystemExit through its loop: trio's tasks are cancelled first, then it is raised."""
    code, out, err = run_script(
        """
async def main():
    asyncio.get_running_loop().call_later(0.05, sys.exit, 7)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            await asyncio.sleep(30)
    finally:
        print("cleaned up")
run(main)
"""
    )
    assert (code, out) == (7, "cleaned up")
    assert "abandoned" not in err


# --- bridged --------------------------------------------------------------------------------------


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


# --- what an unbridged task is told -----------------------------------------------------------------


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


# --- nurseries ------------------------------------------------------------------------------------


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


# --- what asyncio code finds ------------------------------------------------------------------------


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
