"""A process that is forked in muxd's thread ends when it comes back, and is no second muxd."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import subprocess
import sys

import pytest
import trio

import muxd
from muxd.forks import EXIT_STATUS, kept_from_forks

# Python 3.12 and later: what forks in a process with threads may hang. Here it's done on purpose.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")


async def in_a_task():
    return os.fork()


async def in_a_callback():
    forked = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(lambda: forked.set_result(os.fork()))
    return await forked


async def in_asyncios_task():
    return await asyncio.create_task(in_a_task())


async def after_a_step_of_asyncios():
    await asyncio.sleep(0.01)
    return os.fork()


async def in_a_plain_child():
    result = []

    async def child():
        result.append(os.fork())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(child)
    return result[0]


async def with_an_exit():
    if not (pid := os.fork()):
        sys.exit(0)
    return pid


async def with_an_exception():
    if not (pid := os.fork()):
        raise ValueError
    return pid


@pytest.mark.parametrize(
    "fork",
    [
        in_a_task,
        in_a_callback,
        in_asyncios_task,
        after_a_step_of_asyncios,
        in_a_plain_child,
        with_an_exit,
        with_an_exception,
    ],
)
def test_a_forked_process_ends_when_it_comes_back(fork, tmp_path, capfd):
    """Nothing of muxd's goes on in it: no other task, no callback, nothing after the fork."""
    seen = tmp_path / "seen"
    seen.write_text("")

    async def main():
        with trio.fail_after(20):
            async with muxd.open_nursery() as nursery:

                async def bystander():
                    while True:
                        await trio.lowlevel.checkpoint()
                        with seen.open("a") as file:
                            file.write(f"{os.getpid()}\n")
                        await trio.sleep(0.01)

                nursery.start_soon(bystander)
                await trio.sleep(0.02)
                pid = await fork()
                await trio.lowlevel.checkpoint()
                with seen.open("a") as file:
                    file.write(f"{os.getpid()}\n")
                status = await trio.to_thread.run_sync(lambda: os.waitpid(pid, 0)[1])
                nursery.cancel_scope.cancel()
        return os.waitstatus_to_exitcode(status)

    try:
        status = muxd.run(main)
    finally:
        if str(os.getpid()) not in seen.read_text():  # a child that came back after all
            os.kill(os.getpid(), signal.SIGKILL)
    assert status == EXIT_STATUS
    assert set(seen.read_text().split()) == {str(os.getpid())}
    assert "came back" in capfd.readouterr().err


def test_what_ends_its_fork_itself_is_left_alone():
    """os._exit, multiprocessing's fork and a preexec_fn do as they always did."""

    async def main():
        if not (pid := os.fork()):
            os._exit(3)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 3  # noqa: ASYNC222
        process = multiprocessing.get_context("fork").Process(target=os.getpid)
        process.start()
        await trio.to_thread.run_sync(process.join, 10)
        assert process.exitcode == 0
        command = [sys.executable, "-c", "raise SystemExit(4)"]
        done = subprocess.run(command, preexec_fn=os.setsid)  # noqa: ASYNC221
        assert done.returncode == 4
        await asyncio.sleep(0.01)
        await trio.sleep(0.01)

    muxd.run(main)


def test_a_fork_in_another_thread_is_not_ours():
    """A thread's forked process doesn't have our loop in it, and does what it was made for."""

    def fork():
        if not (pid := os.fork()):
            os._exit(5)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    async def main():
        with trio.fail_after(10):
            assert await trio.to_thread.run_sync(fork) == 5

    muxd.run(main)


def test_a_pipe_that_is_kept_from_forks_ends_with_its_owner():
    """Whoever reads it sees the end, though a forked process lives; that may close what it believes
    to have. Afterwards the number is like any other."""
    reader, writer = os.pipe()
    context = multiprocessing.get_context("fork")

    def child():
        os.close(writer)  # no error
        signal.pause()

    with kept_from_forks(writer):
        process = context.Process(target=child)
        process.start()
    os.close(writer)
    assert os.read(reader, 1) == b""
    process.kill()
    process.join()
    os.dup2(reader, writer)
    after = context.Process(target=lambda: os._exit(os.path.sameopenfile(reader, writer)))
    after.start()
    after.join()
    assert after.exitcode == 1
    os.close(reader)
    os.close(writer)
