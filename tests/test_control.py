"""The control socket: its owner's alone, and clear when nobody answers."""

from __future__ import annotations

import socket

import attrs
import pytest
import trio

from muxd.control.client import ControlClient
from muxd.control.path import short_path
from muxd.control.server import serve_control
from muxd.errors import DaemonNotRunning, UnknownJob, UserError
from muxd.job import Job
from muxd.record import Outcome, Record
from muxd.release import Release
from muxd.state import StateDir


async def body(run):
    pass


@attrs.define
class Fake:
    """What the socket asks of the daemon."""

    stopped: list = attrs.field(factory=list)

    def status(self):
        return {"state": "running"}

    async def request(self, job):
        if job != "known":
            raise UnknownJob(job, ("known",))
        return Release(id="r1", job=Job(job, body, interval="1h"), released_at=1.0)

    async def wait_ended(self, run_id):
        await trio.sleep(0.01)
        return Record(id=run_id, job="known", released_at=1.0, outcome=Outcome.ok)

    def stop(self, *, at_once):
        self.stopped.append(at_once)


@pytest.fixture(params=["short", "long"])
def state(tmp_path, request):
    """A state directory, also one whose path does not fit into a socket's address."""
    made = StateDir(tmp_path / ("s" if request.param == "short" else "d" * 120))
    made.prepare()
    return made


async def in_thread(call, *args, **kwargs):
    return await trio.to_thread.run_sync(lambda: call(*args, **kwargs))


async def test_every_command_reaches_the_daemon(state):
    """status, run with and without waiting, and stop, over a real socket with mode 0600."""
    fake, client = Fake(), ControlClient(state)
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            await nursery.start(serve_control, fake, state.socket)
            assert state.socket.stat().st_mode & 0o777 == 0o600
            assert await in_thread(client.status) == {"state": "running"}
            assert (await in_thread(client.run, "known", wait=False))["id"] == "r1"
            assert (await in_thread(client.run, "known", wait=True))["outcome"] == "ok"
            with pytest.raises(UserError, match="there is no job 'unknown'"):
                await in_thread(client.run, "unknown", wait=True)
            await in_thread(client.stop, at_once=True)
            assert fake.stopped == [True]
            nursery.cancel_scope.cancel()
    assert not state.socket.exists()


# httpcore leaves a socket that could not be connected to the garbage collector.
@pytest.mark.filterwarnings("ignore:.*socket.socket:pytest.PytestUnraisableExceptionWarning")
async def test_nobody_there(state):
    """Without a daemon, and with the socket of a dead one, a command says that none is running."""
    client = ControlClient(state)
    with pytest.raises(DaemonNotRunning):
        client.status()
    with socket.socket(socket.AF_UNIX) as dead, short_path(state.socket) as path:
        dead.bind(path)
    with pytest.raises(DaemonNotRunning):
        client.status()


async def test_the_socket_of_a_dead_daemon_is_replaced(state):
    """A stale socket is in nobody's way."""
    state.socket.touch()
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            await nursery.start(serve_control, Fake(), state.socket)
            assert await in_thread(ControlClient(state).status) == {"state": "running"}
            nursery.cancel_scope.cancel()
