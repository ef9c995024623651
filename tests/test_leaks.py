"""What a run leaves outside the browser: noticed, charged to it alone, ended where possible."""

# ruff: noqa: ASYNC220, ASYNC221, ASYNC230, ASYNC251 - the bodies here do what they should not

from __future__ import annotations

import contextlib
import gc
import math
import multiprocessing.util
import os
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from pathlib import Path

import attrs
import psutil
import pytest
import trio

import muxd
from muxd._timerfd import WallAlarm
from muxd.book import RunBook
from muxd.bus import Bus
from muxd.children import BROWSER_MARK
from muxd.handles import open_handles
from muxd.job import Job
from muxd.leaks import KILL_BOUND, LULL, TERM_BOUND, Leaks
from muxd.left import GRAVE, Left, grave, in_words
from muxd.runner import Runner
from muxd.testing import FakePages, MemoryStore

# Python tells of what the bodies here leave: so be it, that's what they are for.
pytestmark = [
    pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:.*Popen.__del__:pytest.PytestUnraisableExceptionWarning"),
]
linux = pytest.mark.skipif(sys.platform != "linux", reason="orphans are adopted on Linux only")

SLEEPS = [sys.executable, "-c", "import time; time.sleep(600)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True)\n"
    "time.sleep(600)",
]


def daemonise(command):
    """Start a process as daemons do: twice forked, in a session of its own, its parent gone."""
    script = f"""
        import os, subprocess
        if os.fork() == 0:
            os.setsid()
            process = subprocess.Popen({command!r}, stdin=0, stdout=subprocess.DEVNULL)
            print(process.pid, flush=True)
            os._exit(0)
        os.wait()
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        check=True,
    )
    return int(done.stdout)


@attrs.define
class Bench:
    """A runner on fake pages, in real time, that is watched."""

    book: RunBook
    runner: Runner
    pages: FakePages
    nursery: trio.Nursery
    leaks: Leaks

    async def run(self, body, name="job", **fields):
        job = Job(name, body, **({"interval": "1h", "timeout": "20s"} | fields))
        release = await self.book.release(job, released_at=time.time())
        return await self.runner.run(release, self.pages)


@contextlib.asynccontextmanager
async def open_bench(temp=None):
    """A bench, bounded; `temp`: where runs have their temporary files."""
    store = MemoryStore()
    with trio.fail_after(60), Leaks(temp) as leaks:
        async with store.open(), trio.open_nursery() as nursery:
            book = RunBook(store, Bus(), real_now=time.time)
            runner = Runner(book, nursery, real_now=time.time, leaks=leaks)
            yield Bench(book, runner, FakePages(), nursery, leaks)
            nursery.cancel_scope.cancel()


@pytest.fixture
def perform(monkeypatch):
    """Run an async test function with a bench, bounded."""
    # What was killed is dead once it gets the processor. The bounds are added up below.
    monkeypatch.setattr("muxd.leaks.KILL_BOUND", 20.0)

    def perform(test):
        async def main():
            async with open_bench() as bench:
                await test(bench)

        muxd.run(main)

    return perform


class Handle:
    """A file that is closed when it is garbage, without a word."""

    def __init__(self):
        self.number = os.open(os.devnull, os.O_RDONLY)

    def __del__(self):
        os.close(self.number)


def alive(pid):
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


async def honest(run):
    return 1


def test_a_run_that_leaves_nothing_is_told_so(perform):
    """Processes, threads, tasks and files that the body has ended itself are nothing left."""

    async def body(run):
        import asyncio

        with open(os.devnull) as file:
            file.read()
        await trio.run_process(["true"])
        process = await asyncio.create_subprocess_exec("true")
        await process.wait()
        subprocess.run(["true"], check=True)
        thread = threading.Thread(target=time.sleep, args=(0.01,))
        thread.start()
        await trio.to_thread.run_sync(thread.join)
        async with muxd.open_nursery() as nursery:
            nursery.start_soon(asyncio.sleep, 0.01)

    async def test(bench):
        for _ in range(3):
            record = await bench.run(body)
            assert (record.left, record.harm, record.error) == (None, None, None)

    perform(test)


@pytest.mark.parametrize("how", ["popen", "shell", "asyncio", "fork", "thread", "multiprocessing"])
def test_a_process_left_running_is_ended_and_charged(perform, how):
    """However a body has started it: it's gone before the next run, and the record says so."""
    pids = []

    def popen():
        pids.append(subprocess.Popen(SLEEPS).pid)

    async def body(run):
        import asyncio
        import multiprocessing

        if how == "popen":
            popen()
        elif how == "shell":  # the shell's child is ours to end, too
            process = subprocess.Popen("sleep 600 & echo $!; wait", shell=True, stdout=-1)
            pids.extend([process.pid, int(process.stdout.readline())])
            process.stdout.close()
        elif how == "asyncio":
            pids.append((await asyncio.create_subprocess_exec(*SLEEPS)).pid)
        elif how == "fork":
            if not (pid := os.fork()):
                time.sleep(600)
                os._exit(0)
            pids.append(pid)
        elif how == "thread":
            thread = threading.Thread(target=popen)
            thread.start()
            thread.join()
        else:
            process = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(600,))
            process.start()
            pids.append(process.pid)

    async def test(bench):
        record = await bench.run(body)
        assert not any(map(alive, pids))
        words = "2 processes" if how == "shell" else "1 process"
        assert record.left.split(", ")[0] == words  # some keep handles to it
        assert record.harm == f"left {words}"
        assert record.outcome.good
        record = await bench.run(honest)
        assert (record.left, record.harm) == (None, None)

    perform(test)


def test_a_process_that_ignores_its_end_is_killed(perform):
    """SIGTERM first; whoever still runs after `TERM_BOUND` is killed, with its group."""

    async def body(run):
        process = subprocess.Popen(STUBBORN, stdout=subprocess.PIPE, start_new_session=True)
        process.stdout.readline()
        process.stdout.close()
        stubborn.append(process.pid)

    stubborn = []

    async def test(bench):
        begun = trio.current_time()
        record = await bench.run(body)
        assert trio.current_time() - begun > TERM_BOUND
        assert record.left == "1 process"
        assert not alive(stubborn[0])

    perform(test)


@linux
@pytest.mark.parametrize("command", [SLEEPS, STUBBORN])
def test_a_daemon_that_a_body_has_made_is_found(perform, command):
    """An orphan in a session of its own comes to us, is ended, and leaves no zombie."""
    pids = []

    async def body(run):
        pids.append(daemonise(command))
        assert alive(pids[0])

    async def test(bench):
        before = psutil.Process().children()
        record = await bench.run(body)
        assert record.left == "1 process"
        assert not psutil.pid_exists(pids[0])
        assert psutil.Process().children() == before

    perform(test)


@linux
def test_a_tree_that_goes_on_forking_is_ended(perform):
    """Processes that start others while they are being ended are all gone in the end."""
    marker = f"muxd-test-{os.getpid()}"
    script = f"""
        # {marker}
        import os, signal, time
        def again(*_):
            if os.fork() == 0:
                os.setsid()
        signal.signal(signal.SIGTERM, again)
        for _ in range(3):
            os.fork()
        print(1, flush=True)
        time.sleep(600)
        time.sleep(600)
    """

    def left():
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                ours = any(marker in part for part in process.cmdline())
                if ours and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found

    async def body(run):
        process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE
        )
        for _ in range(8):
            process.stdout.readline()
        process.stdout.close()
        assert len(left()) == 8

    async def test(bench):
        record = await bench.run(body)
        assert int(record.left.split()[0]) >= 8
        assert left() == []

    perform(test)


def test_the_processes_of_others_are_left_alone(perform):
    """What a service, the browser or Python itself starts while a body runs is no run's."""
    others = []

    async def test(bench):
        started, done = trio.Event(), trio.Event()

        async def service():
            await started.wait()
            others.append(await trio.lowlevel.open_process(SLEEPS))
            others.append(subprocess.Popen(SLEEPS))
            done.set()

        async def body(run):
            import multiprocessing.shared_memory

            memory = multiprocessing.shared_memory.SharedMemory(create=True, size=1)
            memory.close()
            memory.unlink()
            # As an orphan of the driver: it has its mark, and nobody here has started it.
            others.append(subprocess.Popen(SLEEPS, env=os.environ | {BROWSER_MARK: "1"}))
            started.set()
            await done.wait()

        bench.nursery.start_soon(service)
        record = await bench.run(body)
        assert "process" not in (record.left or "")
        assert record.harm is None
        assert len(others) == 3
        for process in others:
            assert process.poll() is None
            process.kill()
            if isinstance(process, trio.Process):
                assert await process.wait() == -signal.SIGKILL
            else:
                assert process.wait() == -signal.SIGKILL
            if process.stdin:
                process.stdin.close()

    perform(test)


@linux
def test_the_status_of_others_processes_is_not_stolen(perform):
    """A service that looks late is told how its process ended, whatever ran meanwhile."""

    async def test(bench):
        process = subprocess.Popen([sys.executable, "-c", "raise SystemExit(7)"])
        await bench.run(honest)
        await trio.to_thread.run_sync(
            lambda: os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        )
        for _ in range(2):
            await bench.run(honest)
        assert process.wait() == 7

    perform(test)


@linux
def test_a_zombie_of_nobodys_is_reaped(perform):
    """An orphan that came to us while nothing ran, and has ended, doesn't stay as a zombie."""

    async def test(bench):
        pid = daemonise([sys.executable, "-c", "import time; time.sleep(0.2)"])
        while psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:  # noqa: ASYNC110 - a process
            await trio.sleep(0.02)
        record = await bench.run(honest)
        assert record.left is None
        assert not psutil.pid_exists(pid)

    perform(test)


def test_a_thread_left_behind_is_charged(perform):
    """A thread can't be ended, so it is counted once: the next run has nothing of it."""
    free = threading.Event()

    async def body(run):
        threading.Thread(target=free.wait, daemon=True).start()

    async def pooled(run):
        def wait():
            trio.from_thread.run_sync(scope.cancel)  # it has begun
            free.wait()

        with trio.CancelScope() as scope:
            await trio.to_thread.run_sync(wait, abandon_on_cancel=True)

    async def test(bench):
        try:
            for how in (body, pooled):
                record = await bench.run(how)
                assert (record.left, record.harm) == ("1 thread", "left 1 thread")
                record = await bench.run(honest)
                assert (record.left, record.harm) == (None, None)
        finally:
            free.set()

    perform(test)


def test_threads_of_others_are_not_charged(perform):
    """A thread that a service starts while a body runs is the service's."""
    free = threading.Event()

    async def test(bench):
        started = trio.Event()

        async def service():
            await started.wait()
            threading.Thread(target=free.wait, daemon=True).start()

        async def body(run):
            started.set()
            await trio.sleep(0.1)

        bench.nursery.start_soon(service)
        record = await bench.run(body)
        free.set()
        assert (record.left, record.harm) == (None, None)

    perform(test)


def test_tasks_that_ignore_their_end_are_charged(perform):
    """asyncio's and trio's tasks that outlive their run; those that end when told are not."""
    kept = []
    free = threading.Event()

    async def polite(run):
        import asyncio

        kept.append(asyncio.create_task(asyncio.sleep(600)))

    async def stubborn(run):
        import asyncio

        async def task():
            while not free.is_set():
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.sleep(0.05)

        kept.append(asyncio.create_task(task()))

    async def system(run):
        async def task():
            while not free.is_set():  # noqa: ASYNC110 - set by a plain function
                await trio.sleep(0.05)

        trio.lowlevel.spawn_system_task(task)

    async def test(bench):
        record = await bench.run(polite)
        assert (record.left, record.harm) == (None, None)
        assert kept[0].cancelled()
        for body in (stubborn, system):
            record = await bench.run(body)
            assert record.left == "1 task that ignores its end"
            assert record.harm == "left 1 task that ignores its end"
            record = await bench.run(honest)
            assert (record.left, record.harm) == (None, None)
        free.set()

    perform(test)


def test_a_body_left_behind_is_charged(perform):
    """A body that ignores its end is harm, and what stays of it is counted, once."""
    thread_free = threading.Event()

    async def body(run):
        with trio.CancelScope(shield=True):
            await trio.sleep_forever()

    async def in_a_thread(run):
        await trio.to_thread.run_sync(thread_free.wait)

    async def test(bench):
        record = await bench.run(body, timeout="1s")
        assert (record.left, record.harm) == (None, "would not end: the browser was killed")
        bench.pages = FakePages()
        record = await bench.run(in_a_thread, timeout="1s")
        assert record.left == "1 thread, 2 tasks that ignore their end"
        assert record.harm.startswith("would not end: the browser was killed; left 1 thread, ")
        bench.pages = FakePages()
        record = await bench.run(honest)
        assert (record.left, record.harm) == (None, None)
        thread_free.set()

    perform(test)


def test_temporary_files_go_with_their_run(tmp_path, monkeypatch):
    """The run's own, in a thread too; those of a service stay, and a run that leaves none made no folder."""
    monkeypatch.setattr("muxd.leaks.LULL", 20.0)  # as long as the disk may need
    made, shared, usual = {}, [], tempfile.gettempdir()

    async def body(run):
        made["body"] = tempfile.mkstemp()
        made["bytes"] = tempfile.mkdtemp(prefix=b"x")
        made["thread"] = await trio.to_thread.run_sync(tempfile.mkdtemp)
        thread = threading.Thread(target=lambda: made.update(own=tempfile.mkdtemp()))
        thread.start()
        thread.join()
        shared.append(multiprocessing.util.get_temp_dir())
        begun.set()
        await ended.wait()
        assert len(list(tmp_path.iterdir())) == 1

    async def later(run):
        shared.append(multiprocessing.util.get_temp_dir())
        with tempfile.TemporaryDirectory() as folder:
            assert Path(folder).parent.parent == tmp_path

    async def service():
        await begun.wait()
        made["service"] = tempfile.mkdtemp()
        ended.set()

    async def test():
        async with open_bench(tmp_path) as bench:
            bench.nursery.start_soon(service)
            record = await bench.run(body)
            assert (record.left, record.harm) == ("1 file handle, 4 temporary files", None)
            assert list(tmp_path.iterdir()) == []
            assert Path(made["service"]).parent == Path(usual)
            assert (await bench.run(later)).left is None
            assert list(tmp_path.iterdir()) == []

    begun, ended = trio.Event(), trio.Event()
    muxd.run(test)
    os.close(made["body"][0])
    Path(made["service"]).rmdir()
    assert shared[0] == shared[1]
    assert Path(shared[0]).parent == Path(usual)
    assert tempfile.gettempdir() == usual


def test_a_body_left_behind_has_no_temporary_files_of_the_next_run(tmp_path, monkeypatch):
    """A thread of it goes on with the system's folder, and breaks nobody."""
    monkeypatch.setattr("muxd.leaks.LULL", 2.0)
    made, go_on, done = [], threading.Event(), threading.Event()

    def in_thread():
        made.append(tempfile.mkdtemp())
        go_on.wait(60)
        made.append(tempfile.mkdtemp())
        done.set()

    async def behind(run):
        await trio.to_thread.run_sync(in_thread)

    async def other(run):
        go_on.set()
        await trio.to_thread.run_sync(done.wait, 60)

    async def test():
        async with open_bench(tmp_path) as bench:
            record = await bench.run(behind, timeout="1s")
            assert record.left.endswith(", 1 temporary file")
            bench.pages = FakePages()
            assert (await bench.run(other)).left is None

    muxd.run(test)
    assert not Path(made[0]).exists()
    Path(made[1]).rmdir()


@linux
def test_what_all_share_is_put_back(perform, tmp_path):
    """Working directory, umask, handled and blocked signals: the next run, and muxd, have their own."""
    gone = tmp_path / "gone"
    gone.mkdir()

    async def body(run):
        os.chdir(gone)
        gone.rmdir()
        os.umask(0)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGUSR1, lambda *_: None)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])

    def now():
        umask = os.umask(0o022)
        os.umask(umask)
        handlers = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGUSR1)]
        return os.getcwd(), umask, handlers, signal.pthread_sigmask(signal.SIG_BLOCK, ())

    async def test(bench):
        before = now()
        record = await bench.run(body)
        assert now() == before
        assert record.left == (
            "3 changed signal handlers, 1 changed umask, 1 changed working directory"
        )
        assert record.harm is None
        assert (await bench.run(honest)).left is None

    perform(test)


@linux
def test_file_handles_are_counted_and_many_of_them_are_harm(perform):
    """One or two may be anybody's; more than 16 at once are harm, and garbage is none at all."""
    handles = []

    async def some(run):
        handles.append(Handle())

    async def many(run):
        handles.extend(os.open(os.devnull, os.O_RDONLY) for _ in range(GRAVE["file handle"]))

    async def garbage(run):
        circle = [Handle()]
        circle.append(circle)

    async def test(bench):
        assert (await bench.run(some, name="another")).left == "1 file handle"
        record = await bench.run(many)
        assert (record.left, record.harm) == ("17 file handles", "left 17 file handles")
        record = await bench.run(garbage)
        assert (record.left, record.harm) == (None, None)

    perform(test)
    for handle in handles[1:]:
        os.close(handle)


@linux
def test_file_handles_of_three_runs_in_a_row_are_harm(perform):
    """A job that leaves one each time is charged at the third, if they are still open then."""
    handles = []

    async def some(run):
        handles.append(os.open(os.devnull, os.O_RDONLY))

    async def test(bench):
        for closes in (True, False):
            harms = []
            for _ in range(3):
                harms.append((await bench.run(some)).harm)
                await bench.run(honest, name="another")
                if closes:
                    os.close(handles.pop())
            assert harms == [None, None, None if closes else "its runs left 3 file handles"]
        await bench.run(honest)
        assert (await bench.run(some)).harm is None

    perform(test)
    for handle in handles:
        os.close(handle)


@linux
@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0", None])
def test_connections_to_a_server_of_ours_are_no_leak(perform, address, tmp_path):
    """Clients that come to a service while a body runs are not the body's."""
    path = str(tmp_path / "socket")

    async def test(bench):
        server = socket.socket(socket.AF_INET if address else socket.AF_UNIX)
        server.bind((address, 0) if address else path)
        server.listen()
        client = socket.socket(server.family)
        ends = []

        async def body(run):
            client.connect(("127.0.0.1", server.getsockname()[1]) if address else path)
            ends.append(server.accept()[0])

        record = await bench.run(body)
        for end in (*ends, client, server):
            end.close()
        assert record.left is None

    perform(test)


@linux
def test_what_a_failure_still_holds_is_no_leak(perform):
    """Files in the variables of a body that failed are closed when its error is forgotten."""

    async def fails(run):
        files = [Handle() for _ in range(20)]
        raise ValueError(files)

    async def test(bench):
        before = open_handles()
        for _ in range(4):
            record = await bench.run(fails)
            assert (record.left, record.harm) == (None, None)
        await bench.run(honest)
        gc.collect()
        assert open_handles() == before

    perform(test)


@linux
def test_an_alarm_on_the_clock_is_no_leak(perform):
    """muxd arms and disarms its own alarms whenever it likes: no run has left one."""

    async def test(bench):
        with contextlib.ExitStack() as stack:

            async def meanwhile(run):
                for _ in range(20):
                    stack.enter_context(WallAlarm(math.inf))

            for _ in range(2):
                record = await bench.run(meanwhile)
                assert (record.left, record.harm) == (None, None)

    perform(test)


def test_muxds_own_end_kills_what_a_run_has_started():
    """When muxd ends in the middle of a run, the processes of the run end with it."""

    async def main():
        process = None
        with Leaks() as leaks:
            tally = leaks.begin("job", "body of job 1")
            assert tally.left == Left()
            from muxd.bridge import background_errors

            with background_errors():
                process = subprocess.Popen(SLEEPS)
        assert process.wait(timeout=5) == -signal.SIGKILL

    muxd.run(main)


def test_nothing_of_ours_stays_in_python_when_it_is_over():
    """The functions that start processes and threads are Python's own again afterwards."""
    before = subprocess._fork_exec, os.fork, threading.Thread.start
    with Leaks():
        assert subprocess._fork_exec is not before[0]
    assert (subprocess._fork_exec, os.fork, threading.Thread.start) == before


def test_words():
    """Grave things first, each in singular or plural; only what is much is harm."""
    left = Left({"page": 3, "process": 1, "listener": 1, "thread": 0, "file handle": 2})
    assert in_words(left) == "1 process, 2 file handles, 3 pages, 1 listener"
    assert in_words(grave(left)) == "1 process"
    assert in_words(Left()) is None
    assert in_words(Left({"process": 2, "task that ignores its end": 2, "service worker": 2})) == (
        "2 processes, 2 tasks that ignore their end, 2 service workers"
    )
    assert grave(Left({"page": 51, "file handle": 17})) == {"page": 51, "file handle": 17}
    assert grave(Left({"page": 50, "file handle": 16})) == {}


def test_all_bounds_together_are_less_than_ten_seconds():
    """From the deadline to the free browser: the sums that the runner's docstring promises."""
    from muxd import runner
    from muxd.browser.evidence import EVIDENCE_BOUND
    from muxd.browser.generation import CLEAN_BOUND, OWN_BOUND, REVOKE_BOUND
    from muxd.browser.sign import SIGN_BOUND

    before = EVIDENCE_BOUND + SIGN_BOUND + REVOKE_BOUND + 2 * runner.UNWIND
    ends = before + max(CLEAN_BOUND, TERM_BOUND) + KILL_BOUND + LULL
    doesnt = before + runner.UNWIND + TERM_BOUND + KILL_BOUND + LULL
    own = EVIDENCE_BOUND + SIGN_BOUND + 2 * runner.UNWIND + OWN_BOUND + KILL_BOUND + LULL
    assert max(ends, doesnt, own) < 10
    said = next(line for line in runner.__doc__.splitlines() if line.startswith("together"))
    assert said.split() == ["together", f"{ends:.1f}", f"{doesnt:.1f}"]
