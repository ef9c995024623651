"""The control socket: its owner's alone, and clear when nobody answers."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import socket
import sys
from functools import partial

import attrs
import httpx
import pytest
import trio
from h2.config import H2Configuration
from h2.connection import H2Connection
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from muxd.control.client import ControlClient
from muxd.control.path import short_path
from muxd.control.server import serve_control
from muxd.errors import (
    DaemonNotRunning,
    DaemonSilent,
    LedgerError,
    MuxdError,
    UnknownJob,
    UserError,
)
from muxd.job import Job
from muxd.record import Outcome, Record
from muxd.release import Release
from muxd.state import StateDir


async def body(run):
    pass


@attrs.define
class Fake:
    """What the socket asks of the daemon."""

    grace = 7.5
    stopped: list = attrs.field(factory=list)
    paused: list = attrs.field(factory=list)
    asked: list = attrs.field(factory=list)
    told: dict = attrs.field(factory=lambda: {"state": "running"})

    def status(self, *, upcoming):
        self.asked.append(upcoming)
        return self.told

    def jobs(self, *, after, limit):
        self.asked.append((after, limit))
        return {"jobs": [], "total": 0, "next": None}

    async def request(self, job, *, by):
        if job == "forgotten":
            return Release(id="r2", job=Job(job, body, interval="1h"), released_at=1.0)
        if job == "broken":
            raise ValueError("oops")
        if job == "stuck":
            raise LedgerError("the ledger can't be read")
        if job != "known":
            raise UnknownJob(job, ("known",))
        return Release(id="r1", job=Job(job, body, interval="1h"), released_at=1.0)

    def pause(self, job, note, *, seconds, by):
        if job != "known":
            raise UnknownJob(job, ("known",))
        self.paused.append((job, note, seconds))

    def resume(self, job, *, by):
        if job not in ("known", None):
            raise UnknownJob(job, ("known",))
        return ["known"]

    async def wait_ended(self, run_id):
        if run_id != "r1":
            raise KeyError(run_id)
        await trio.sleep(0.01)
        return Record(id=run_id, job="known", released_at=1.0, outcome=Outcome.ok)

    def stop(self, *, at_once, by):
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
            await in_thread(client.pause, "known", note="why", seconds=60.0)
            await in_thread(client.pause, "known", note="", seconds=None)
            assert fake.paused == [("known", "why", 60.0), ("known", "by a person", None)]
            assert await in_thread(client.resume, "known") == ["known"]
            assert await in_thread(client.resume, None) == ["known"]
            for call in (client.pause, client.resume):
                fields = {"note": "", "seconds": None} if call == client.pause else {}
                with pytest.raises(UnknownJob):
                    await in_thread(call, "unknown", **fields)
            assert (await in_thread(client.stop, at_once=True))["grace"] == 7.5
            assert fake.stopped == [True]
            nursery.cancel_scope.cancel()
    assert not state.socket.exists()


@contextlib.asynccontextmanager
async def serving(state, fake):
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            await nursery.start(serve_control, fake, state.socket)
            yield ControlClient(state)
            nursery.cancel_scope.cancel()


@pytest.mark.parametrize("name", ["", "a/b", "a?wait=1", "a#b", "..", ".", "ä", "\udcff", "knwon"])
async def test_whatever_is_typed_as_a_job_is_looked_for(state, name):
    """No text breaks the request: a name that no job has is an unknown job, with a guess."""
    async with serving(state, Fake()) as client:
        with pytest.raises(UnknownJob) as unknown:
            await in_thread(client.run, name, wait=True)
    assert repr(name) in str(unknown.value)
    assert ("did you mean 'known'?" in str(unknown.value)) == (name == "knwon")


@pytest.mark.parametrize(
    ("job", "message"),
    [
        ("broken", "internal error: ValueError: oops"),
        ("stuck", "the ledger can't be read"),
        ("forgotten", "run r2 of job 'forgotten' is not in the ledger"),
    ],
)
async def test_a_failure_of_the_daemon_is_not_the_users_mistake(state, job, message):
    """Errors but those of the user are failures, exit code 1; the next request is answered."""
    async with serving(state, Fake()) as client:
        with pytest.raises(MuxdError, match=f"muxd failed: {message}") as failed:
            await in_thread(client.run, job, wait=True)
        assert not isinstance(failed.value, UserError)
        assert failed.value.exit_code == 1
        assert await in_thread(client.status) == {"state": "running"}


async def test_an_older_daemon_that_does_not_know_a_question(state, monkeypatch):
    """A failure that says so, whatever is asked: no job is told to be unknown, nothing else raised."""
    answer = JSONResponse({"error": "what?"}, status_code=404)
    app = Starlette(routes=[Route("/v1/status", answer)])  # all else is its own text
    monkeypatch.setattr("muxd.control.server.make_app", lambda daemon, routes: app)
    async with serving(state, Fake()) as client:
        for call in (client.status, client.jobs, partial(client.run, "known", wait=False)):
            with pytest.raises(
                MuxdError, match=r"^muxd does not know .* an older muxd\?$"
            ) as failed:
                await in_thread(call)
            assert type(failed.value) is MuxdError


async def test_the_query_says_how_much_is_told(state):
    """How many releases and jobs are asked for; the defaults are 10 and a page of 100."""
    fake = Fake()
    async with serving(state, fake) as client:
        await in_thread(client.status)
        await in_thread(client.status, upcoming=0)
        await in_thread(client.jobs)
        await in_thread(client.jobs, after="a&b=c d", limit=7)
        assert fake.asked == [10, 0, ("", 100), ("a&b=c d", 7)]


@pytest.mark.parametrize(
    "query", ["status?next=-1", "status?next=1001", "jobs?limit=0", "jobs?limit=x"]
)
async def test_what_is_no_possible_number_is_refused(state, query):
    """It is the mistake of who asks, and the message has the range."""
    async with serving(state, Fake()) as client:
        with pytest.raises(UserError, match=r"give a number from . to 1000"):
            await in_thread(client._call, "GET", f"/v1/{query}", timeout=5)


async def test_half_a_surrogate_pair_is_told(state):
    """What is no UTF-8 goes over the socket all the same."""
    async with serving(state, Fake(told={"state_dir": "/tmp/\udcff"})) as client:
        assert await in_thread(client.status) == {"state_dir": "/tmp/\udcff"}


@pytest.mark.parametrize("content", [b"{", b"\xff", b"[]"])
async def test_a_request_that_is_no_json_object_is_refused(state, content):
    """It is the mistake of who sends it, and nothing is stopped."""
    fake = Fake()
    async with serving(state, fake):

        def send():
            with short_path(state.socket) as path:
                transport = httpx.HTTPTransport(uds=path)
                with httpx.Client(transport=transport) as client:
                    return client.post("http://muxd/v1/stop", content=content)

        assert (await in_thread(send)).status_code == 422
    assert fake.stopped == []


async def test_nobody_there(state):
    """Without a daemon, and with the socket of a dead one, a command says that none is running."""
    client = ControlClient(state)
    with pytest.raises(DaemonNotRunning):
        client.status()
    with socket.socket(socket.AF_UNIX) as dead, short_path(state.socket) as path:
        dead.bind(path)
    with pytest.raises(DaemonNotRunning):
        client.status()


async def test_a_daemon_that_is_starting_is_waited_for(state):
    """Who holds the directory and listens not yet is asked again until it does."""
    told, answered = [], trio.Event()

    async def ask():
        told.append(await in_thread(ControlClient(state).status))
        answered.set()

    with state.hold(), trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            await trio.sleep(0.2)
            assert told == []
            async with serving(state, Fake()):
                await answered.wait()
    assert told == [{"state": "running"}]


async def test_a_daemon_that_never_listens_is_a_failure(state, monkeypatch):
    """The wait has a bound, and the message names the process; exit code 1, not 3."""
    monkeypatch.setattr("muxd.control.client.PATIENCE", 0.1)
    with (
        state.hold(),
        pytest.raises(DaemonSilent, match=f"process {os.getpid()}.* starting or") as silent,
    ):
        ControlClient(state).status()
    assert silent.value.exit_code == 1


async def test_a_run_alone_is_no_daemon_and_is_named(state):
    """While a `muxd run` holds the directory, a command says so and which process that is."""
    with (
        state.hold("run"),
        pytest.raises(DaemonNotRunning, match=f"process {os.getpid()} is running a job alone"),
    ):
        ControlClient(state).status()


@pytest.mark.parametrize("answers", [False, True])
async def test_a_daemon_that_ends_or_hangs_in_mid_request(state, monkeypatch, answers):
    """Ended before it had answered, or no answer in time: a failure that says which."""
    if not answers:
        monkeypatch.setattr("muxd.control.client.BOUND", 0.3)
    with socket.socket(socket.AF_UNIX) as listener:
        with short_path(state.socket) as path:
            listener.bind(path)
        listener.listen(5)

        def hang_up():
            for _ in range(2):  # the look whether it listens, then the request
                listener.accept()[0].close()

        async with trio.open_nursery() as nursery:
            if answers:
                nursery.start_soon(trio.to_thread.run_sync, hang_up)
            with pytest.raises(DaemonSilent) as silent:
                await in_thread(ControlClient(state).status)
    assert ("ended during" if answers else "does not answer within 0.3 s") in str(silent.value)
    assert silent.value.exit_code == 1


async def test_the_socket_of_a_dead_daemon_is_replaced(state):
    """A stale socket is in nobody's way."""
    state.socket.touch()
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            await nursery.start(serve_control, Fake(), state.socket)
            assert await in_thread(ControlClient(state).status) == {"state": "running"}
            nursery.cancel_scope.cancel()


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_what_a_body_has_forked_does_not_listen(state):
    """A command that connects is not left waiting for a process that knows nothing of it."""

    def count():
        """The exit code: how many descriptors are sockets on that path."""
        found = 0
        for fd in map(int, os.listdir("/proc/self/fd")):
            with contextlib.suppress(OSError), socket.socket(fileno=os.dup(fd)) as here:
                found += str(here.getsockname()).endswith("control.sock")
        os._exit(found)

    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            await nursery.start(serve_control, Fake(), state.socket)
            forked = multiprocessing.get_context("fork").Process(target=count)
            forked.start()
            await trio.to_thread.run_sync(forked.join)
            assert await in_thread(ControlClient(state).status) == {"state": "running"}
            nursery.cancel_scope.cancel()
    assert forked.exitcode == 0


async def talk(state, *parts):
    """What is answered to these bytes, one after another, until the connection is closed."""
    told = b""
    with short_path(state.socket) as path:
        stream = await trio.open_unix_socket(path)
    async with stream:
        with contextlib.suppress(trio.BrokenResourceError):
            for part in parts[:-1]:
                await stream.send_all(part)
                with trio.move_on_after(0.3):
                    while more := await stream.receive_some():
                        told += more
            await stream.send_all(parts[-1])
            while more := await stream.receive_some():
                told += more
    return told


@pytest.mark.parametrize("state", ["short"], indirect=True)
async def test_a_head_has_a_bound(state):
    """One of 60 kB is read; one that is longer than 64 KiB is refused, however it comes."""
    head = b"GET /v1/status HTTP/1.1\r\nHost: muxd\r\nConnection: close\r\nX: %s\r\n\r\n"
    async with serving(state, Fake()):
        for size, answer in ((60_000, b"HTTP/1.1 200"), (66_000, b""), (100_000, b"")):
            told = await talk(state, head % (b"x" * size))
            # before it is closed, if that can still be read
            assert told.startswith(answer or (b"HTTP/1.1 431" if told else b""))


@pytest.mark.parametrize("state", ["short"], indirect=True)
async def test_what_nobody_foresees_costs_its_connection(state, monkeypatch):
    """HTTP/2, whose requests go round the bounds on connections, is refused; bytes that the server can't
    deal with break off their own connection."""

    def http2(path, *, body=b""):
        """A request, and then its body."""
        made = H2Connection(config=H2Configuration(validate_outbound_headers=False))
        made.initiate_connection()
        head = [(":method", "POST" if body else "GET"), (":path", path), (":scheme", "http")]
        made.send_headers(1, [*head, (":authority", "muxd")], end_stream=not body)
        yield made.data_to_send()
        if body:
            made.send_data(1, body, end_stream=True)
            yield made.data_to_send()

    monkeypatch.setattr("muxd.control.serving.QUIET", 0.5)
    fake, end = Fake(), b"\0" * 9  # a frame that is none
    upgrade = b"GET /v1/status HTTP/1.1\r\nHost: muxd\r\nConnection: upgrade\r\nUpgrade: "
    async with serving(state, fake) as client:
        for sent in (
            http2("/v1/status"),
            http2(b"/\xff"),
            http2("/v1/stop", body=b"{}"),
            [upgrade + b"h2c\r\nHTTP2-Settings: %\r\n\r\n"],
            [upgrade + b"websocket\r\nSec-WebSocket-Version: 13\r\n\r\n"],
            [b"\x16\x03\x01" * 100],
        ):
            await talk(state, *sent, end)
        assert await in_thread(client.status) == fake.told
    assert (len(fake.asked), fake.stopped) == (1, [])


@pytest.mark.parametrize("state", ["short"], indirect=True)
async def test_more_connections_wait_outside(state, monkeypatch):
    """They take none of the files that muxd may open, and are answered when others have gone."""
    monkeypatch.setattr("muxd.control.serving.CONNECTIONS", 3)

    def files():
        return len(os.listdir("/proc/self/fd"))

    async with serving(state, Fake()):
        before, streams = files(), []
        for _ in range(6):
            with short_path(state.socket) as path:
                streams.append(await trio.open_unix_socket(path))
        question = b"GET /v1/status HTTP/1.1\r\nHost: muxd\r\nConnection: close\r\n\r\n"
        await streams[-1].send_all(question)
        with trio.move_on_after(0.3):
            await streams[-1].receive_some()
            raise AssertionError("it was answered beside three others")
        assert files() <= before + 6 + 3
        for stream in streams[:-1]:
            await stream.send_all(question)
        assert (await streams[-1].receive_some()).startswith(b"HTTP/1.1 200")
        for stream in streams:
            await stream.aclose()
