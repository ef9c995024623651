"""`muxd.run`: trio.run's twin, Ctrl-C and all, that leaves nothing of asyncio's behind."""

from __future__ import annotations

import asyncio
import contextvars
import subprocess
import sys
import threading
import traceback

import pytest
import trio
import trio.testing

from muxd.bridge import run


@pytest.fixture(params=[True, False], ids=["direct", "by trio"], autouse=True)
def _steps(request, monkeypatch):
    """Everything holds in both ways of making a step."""
    monkeypatch.setattr("muxd.coroutine_driver.DIRECT_STEPS", request.param)


def run_script(body, *, env_code=""):
    """Run `body` in a Python of its own, with every warning shown; its output, stripped."""
    script = f"import asyncio, gc, os, sys, trio\nfrom muxd.bridge import *\n{env_code}\n{body}"
    done = subprocess.run(
        [sys.executable, "-W", "always", "-c", script],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return done.returncode, done.stdout.strip(), done.stderr.strip()


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
        await asyncio.sleep(0.01)
        await trio.sleep(0.01)
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
    assert (code, out, err) == (0, "True ['generator', 'task'] -9", "")


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
sent = threading.Event()
def interrupt():
    os.kill(os.getpid(), signal.SIGINT)
    sent.set()
def interrupt_soon():
    threading.Timer(0.2, interrupt).start()
"""


@pytest.mark.parametrize(
    ("runner", "wait"),
    [
        ("run", "await asyncio.sleep(30)"),
        ("run", "await trio.sleep(30)"),
        ("run", "compute(30)"),
        ("trio.run", "await trio.sleep(30)"),
        ("trio.run", "compute(30)"),
    ],
)
def test_ctrl_c_behaves_as_under_trio(runner, wait):
    """Ctrl-C raises KeyboardInterrupt at an await of either kind and in plain computation."""
    code, out, err = run_script(
        f"""
async def main():
    try:
        interrupt_soon()
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
    assert (code, err) == (0, "")


@pytest.mark.parametrize("restrict", [True, False])
def test_ctrl_c_can_be_restricted_to_checkpoints(restrict):
    """restrict_keyboard_interrupt_to_checkpoints is heeded in steps that trio does not make."""
    code, out, _err = run_script(
        f"""
async def main():
    await asyncio.sleep(0.01)  # from here on, in a callback of asyncio's
    done = False
    try:
        interrupt_soon()
        while not sent.is_set():
            compute(0.01)
        compute(0.1)
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
