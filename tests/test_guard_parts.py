"""The parts of the guard and of its other side: what they conclude, and what they say."""

from __future__ import annotations

import ast
import contextlib
import io
import json
import os
import socket
import sys
from pathlib import Path
from zoneinfo import ZoneInfo

import attrs
import pytest
import structlog
import trio
import trio.testing
from structlog.testing import capture_logs

import muxd.guard
from muxd import Job, Record, logs
from muxd.abc import Service
from muxd.alone import run_alone
from muxd.browser.find import FoundBrowser
from muxd.browser.launch import LaunchPlan
from muxd.builtin.slotter import SolvingSlotter
from muxd.bus import Bus
from muxd.civil import Calendar
from muxd.config import Config, DaemonConfig, SlottingConfig
from muxd.core import Core
from muxd.daemon import Daemon
from muxd.errors import LedgerError, PluginError
from muxd.guard.lines import Log
from muxd.guard.link import Lines, Link, new_stack_file, read_stack
from muxd.guard.note import FILE_NAME, Note
from muxd.guard.watch import Watch
from muxd.pulse import SAME, Pulse, Signals, forget_fate, last_fate
from muxd.record import CUT_OFF, Outcome
from muxd.recovery import Fate
from muxd.testing import MemoryStore

# --- What it concludes ------------------------------------------------------------------------


def looks(watch, start, end, *, every=0.05, **state):
    """Look again and again; what came of it, with when."""
    found, now = [], start
    while now <= end:
        if watch.next_look is not None and now >= watch.next_look:
            step = watch.look(now, **{k: v(now) if callable(v) else v for k, v in state.items()})
            if step is not None:
                found.append((round(now - start, 1), step))
            if step == "ask":
                watch.asked_at = now
        now += every
    return found


def test_a_block_is_found_within_five_seconds_and_over_at_its_limit():
    """A run in progress: asked twice a second; no answer for 4 s is a block, told once."""
    watch = Watch(10)
    watch.begin(0)
    assert watch.look(0) == "ask"
    watch.answered(0.01, 0)
    watch.hurry(1, quick=True)
    assert watch.look(1) == "ask"
    watch.answered(1.01, 1)
    found = looks(watch, 1.02, 13)
    assert [step for _, step in found[:3]] == ["ask", "found", "over"]
    assert 4 <= found[1][0] <= 5
    assert 10 <= found[2][0] <= 11
    assert watch.found


def test_an_answer_ends_a_block():
    """Once answered it asks again as usual; an answer to another question is none."""
    watch = Watch(10)
    watch.begin(0)
    watch.hurry(0, quick=True)
    assert watch.look(0) == "ask"
    assert [step for _, step in looks(watch, 0.1, 6)] == ["found"]
    watch.answered(6, 5.0)
    assert watch.found
    watch.answered(6, 0)
    assert not watch.found
    assert watch.look(6.6) == "ask"


def test_it_looks_seldom_while_nothing_runs():
    """Without a run four questions a minute, and at once when a run begins."""
    watch = Watch(10)
    assert watch.next_look is None
    watch.begin(0)
    asked = []
    now = 0.0
    while now < 60:
        now = watch.next_look
        assert watch.look(now) == "ask"
        asked.append(now)
        watch.answered(now, now)
    assert len(asked) <= 6
    watch.hurry(now + 1, quick=True)
    assert watch.next_look == now + 1


def test_a_stopped_daemon_is_not_blocked():
    """Ctrl-Z, SIGSTOP, a debugger: counted is from the moment it goes on."""
    watch = Watch(10)
    watch.begin(0)
    watch.hurry(0, quick=True)
    found = looks(watch, 0, 26, stopped=lambda now: now < 20)
    assert [step for _, step in found] == ["ask", "found"]
    assert found[1][0] >= 23


def test_a_guard_that_was_stopped_itself_blames_nobody():
    """When its own look is late (both were stopped, or the machine slept), it counts anew."""
    watch = Watch(10)
    watch.begin(0)
    watch.hurry(0, quick=True)
    assert watch.look(0) == "ask"
    assert watch.look(100) is None
    (found,) = looks(watch, 100.1, 106)
    assert found[1] == "found"
    assert found[0] >= 3.5


def test_waiting_for_a_processor_is_not_blocking():
    """On a machine that is too busy only a quarter of the time counts, so the limit still holds."""
    watch = Watch(10)
    watch.begin(0)
    watch.hurry(0, quick=True)
    found = looks(watch, 0, 60, delay=lambda now: now * 0.99)
    assert [step for _, step in found][:3] == ["ask", "found", "over"]
    assert 15 <= found[1][0] <= 18
    assert 39 <= found[2][0] <= 43


# --- What is said -----------------------------------------------------------------------------


def test_lines_arrive_whole_and_in_order():
    """Whatever the socket takes at a time; the end of the other side is seen."""
    ours, theirs = (Lines(end.detach()) for end in socket.socketpair())
    for number in range(1000):
        ours.send("run", number, "a name\nwith [everything] \U0001f600")
    found = theirs.receive()
    assert [line[1] for line in found] == list(range(len(found)))
    while len(found) < 1000:
        ours.send("more")
        found += [line for line in theirs.receive() if line[0] == "run"]
    assert found[999] == ["run", 999, "a name\nwith [everything] \U0001f600"]
    theirs.receive()
    ours.socket.close()
    assert theirs.receive() == []
    assert theirs.closed
    theirs.send("nobody hears")
    theirs.socket.close()


def test_the_link_is_for_the_child_of_its_guard():
    """Another process's variable, or nonsense, is no link."""
    link = Link(os.getppid(), 5, 6, 2)
    assert Link.from_text(link.as_text()) == link
    assert Link.from_text(Link(os.getpid(), 5, 6).as_text()) is None
    assert Link.from_text("nonsense") is None
    assert Link.from_text("") is None


STACK = """
  File "{place}/muxd/browser/leftovers.py", line 3 in inner
  File "/jobs/stuck.py", line 7 in stuck
  File "{place}/muxd/coroutine_driver.py", line 86 in _step
  File "{place}/muxd/bridge/hosting.py", line 66 in run
"""


@pytest.fixture
def stack_file():
    fd = new_stack_file()
    yield fd
    os.close(fd)


def test_the_stack_is_cut_to_the_bodys_own_frames(stack_file):
    """What is below the body is muxd's and nobody's business; other threads are left out."""
    assert read_stack(stack_file) is None
    dump = (
        f"Thread 0x1 (most recent call first):\n  <no Python frame>\n\nCurrent thread 0x2:{STACK}"
    )
    os.write(stack_file, f"12.5\n{dump}".encode())
    since, stack = read_stack(stack_file)
    assert since == 12.5
    assert stack.splitlines()[-1] == '  File "/jobs/stuck.py", line 7 in stuck'
    assert "0x1" not in stack


@pytest.mark.parametrize("dump", ["", "\n\n", "Current thread 0x1:", "nonsense"])
def test_a_stack_that_could_not_be_written_does_no_harm(stack_file, dump):
    """The block is known all the same."""
    os.write(stack_file, f"12.5\n{dump}".encode())
    assert read_stack(stack_file) == (12.5, dump.strip())


@pytest.mark.parametrize(
    ("frame", "order"),
    [
        ('File "trio/_io_epoll.py", line 4 in get_events', ["in hog", "in get_events"]),
        ('File "/jobs/stuck.py", line 9 in listener', ["in listener", "in hog"]),
    ],
)
def test_a_main_thread_that_is_in_no_body_is_not_the_only_suspect(stack_file, frame, order):
    """Another thread may keep the interpreter's lock: all that have work are shown, and first
    those others if the main thread waits."""
    dump = (
        'Thread 0x1 (most recent call first):\n  File "/jobs/stuck.py", line 7 in hog\n\n'
        'Thread 0x3 (most recent call first):\n  File "trio/_thread_cache.py", line 7 in rest\n\n'
        f"Current thread 0x2 (most recent call first):\n  {frame}\n"
    )
    os.write(stack_file, f"12.5\n{dump}".encode())
    stack = read_stack(stack_file)[1]
    assert "in rest" not in stack
    assert stack.index(order[0]) < stack.index(order[1])


NOTE = Note(run="01abc", job="stuck", at=1000.5, how="SIGKILL", blocked=35.24, stack="in stuck")


def test_a_note_is_read_as_it_was_written(tmp_path):
    """It says what becomes of the run; there is none once it has been forgotten."""
    assert last_fate(tmp_path) is None
    NOTE.write(str(tmp_path))
    assert Note.read(str(tmp_path)) == NOTE
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]
    fate = last_fate(tmp_path)
    assert (fate.run, fate.at, fate.outcome) == ("01abc", 1000.5, Outcome.crashed)
    assert fate.error_type == "muxd.errors.LoopBlocked"
    assert fate.harm == "blocked muxd for 35.2 s, until muxd was killed"
    assert "in stuck" in fate.error
    forget_fate(tmp_path)
    forget_fate(tmp_path)
    assert last_fate(tmp_path) is None


def test_a_death_is_charged_to_the_run_but_is_no_crash(tmp_path):
    """muxd died for another reason: `interrupted`, with the harm."""
    Note(run="01abc", job="j", at=1.0, how="SIGSEGV").write(str(tmp_path))
    fate = last_fate(tmp_path)
    assert fate.outcome is Outcome.interrupted
    assert fate.harm == fate.error == "muxd died (SIGSEGV) while it ran"
    assert fate.error_type == "muxd.errors.RunCutOff"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"run": 1}', '{"run": "a", "wrong": 1}'])
def test_a_note_that_makes_no_sense_is_none(tmp_path, text):
    """Half a file, or another's: the start goes on without it."""
    (tmp_path / FILE_NAME).write_text(text)
    assert last_fate(tmp_path) is None


@pytest.mark.parametrize("log_format", ["json", "console"])
@pytest.mark.parametrize("level", ["info", "warning", "error", "critical"])
def test_the_guards_lines_look_like_the_daemons(log_format, level, monkeypatch):
    """The same event through both logs gives the same line, but for the instant."""
    before = structlog.get_config()
    stream = io.StringIO()
    try:
        logs.configure(log_format, stream=stream)
        values = {"job": "a b", "blocked": 4.25, "run": "01x", "stack": "  File 1\n  File 2"}
        getattr(structlog.get_logger(), level)("job 'x' blocks", **values)
    finally:
        structlog.configure(**before)
        logs.logging.getLogger().handlers.clear()
    read, write = os.pipe()
    log = Log(log_format, fd=write)
    log.say(level, "job 'x' blocks", **values)
    assert log._outlet.drain(60)
    os.close(write)
    with open(read, encoding="utf-8") as file:
        ours = file.read()
    if log_format == "json":
        ours, theirs = json.loads(ours), json.loads(stream.getvalue())
        assert list(ours) == list(theirs)
        assert len(ours.pop("at")) == len(theirs.pop("at"))
        assert ours == theirs
    else:
        assert ours[8:] == stream.getvalue()[8:]


def test_a_signal_that_came_both_ways_is_one():
    """In either order, within seconds; what came twice the same way is two."""
    now = 0.0
    signals = Signals(now=lambda: now)
    assert signals.is_new(15, by_guard=False)
    assert not signals.is_new(15, by_guard=True)
    assert signals.is_new(15, by_guard=True)
    assert not signals.is_new(15, by_guard=False)
    assert signals.is_new(2, by_guard=True)
    assert signals.is_new(15, by_guard=False)
    assert signals.is_new(15, by_guard=False)
    now = 1.5 * SAME
    assert signals.is_new(15, by_guard=True)


# --- The daemon's side --------------------------------------------------------------------------


@pytest.fixture
def pulse(stack_file):
    """A pulse, the guard's end of its socket, and a clock that stands."""
    ours, theirs = socket.socketpair()
    guard = Lines(ours.detach())
    pulse = Pulse(Link(os.getppid(), theirs.detach(), stack_file), now=lambda: 100.0)
    yield pulse, guard
    guard.socket.close()
    pulse._lines.socket.close()


def block(fd, since, stack="  in body"):
    os.ftruncate(fd, 0)
    driver = '  File "/lib/muxd/coroutine_driver.py", line 1 in _step'
    os.pwrite(fd, f"{since}\nCurrent thread 0x1:\n{stack}\n{driver}\n".encode(), 0)


async def test_who_is_awake_for_the_guard_can_do_more(pulse, autojump_clock):
    """Each question ends the wait of those who wait for one, whoever answers it."""
    pulse, guard = pulse
    heard = []

    async def look():
        while True:
            await pulse.asked()
            heard.append(trio.current_time())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(look)
        for n in range(3):
            await trio.sleep(15)
            guard.send("ping", float(n))
            pulse._read()
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert heard == [15, 30, 45]
    assert guard.receive() == [["pong", 0.0], ["pong", 1.0], ["pong", 2.0]]


def test_a_block_is_known_when_its_run_ends(pulse, stack_file):
    """Though the question was not answered yet: the longest since the run began, and no other's."""
    pulse, guard = pulse
    pulse.begin("01a", "job")
    block(stack_file, 50.0)
    guard.send("ping", 1.0)
    assert pulse.end().seconds == 50  # its question came after the run began
    pulse.begin("01b", "job")
    os.ftruncate(stack_file, 0)
    guard.send("ping", 2.0)
    assert pulse.end() is None
    pulse.begin("01c", "job")
    for since in (93.0, 90.0, 95.0):
        block(stack_file, since)
        guard.send("ping", since)
        pulse._read()
    found = pulse.end()
    assert (found.seconds, found.stack) == (10, "  in body")
    assert found.harm == "blocked muxd for 10.0 s"
    said = guard.receive()
    assert [line for line in said if line[0] != "pong"] == [
        ["run", "01a", "job"],
        ["rest"],
        ["run", "01b", "job"],
        ["rest"],
        ["run", "01c", "job"],
        ["rest"],
    ]
    assert ["pong", 2.0] in said


def test_the_stack_of_a_block_that_ended_is_logged(pulse, stack_file):
    """The guard's line goes to its stderr only: this one is in the log file, too."""
    pulse, guard = pulse
    pulse.begin("01a", "job")
    block(stack_file, 50.0)
    guard.send("ping", 1.0)
    with capture_logs() as logs:
        pulse.end()
    assert logs == [
        {
            "log_level": "warning",
            "event": "job 'job' has blocked muxd",
            "run": "01a",
            "blocked": 50.0,
            "stack": "  in body",
        }
    ]


def test_a_block_is_charged_once(pulse, stack_file):
    """Not to a run that ended before it had begun (its session can't be opened), and one between
    two runs to nobody."""
    pulse, guard = pulse
    pulse.begin("01a", "job")
    block(stack_file, 50.0)
    guard.send("ping", 1.0)
    assert pulse.end().seconds == 50
    assert pulse.end() is None
    guard.send("ping", 2.0)
    pulse._read()
    guard.send("ping", 3.0)
    pulse.begin("01b", "job")
    assert pulse.end() is None


def test_what_a_sink_blocks_is_not_charged_to_the_run(pulse, stack_file):
    """The stack shows whose it is."""
    pulse, guard = pulse
    pulse.begin("01a", "job")
    block(stack_file, 50.0, '  File "x.py" in handle\n  File "/lib/muxd/companions.py" in _feed')
    guard.send("ping", 1.0)
    assert pulse.end() is None


async def test_it_answers_tells_of_signals_and_notices_that_the_guard_is_gone(pulse):
    """All that comes over the socket is acted on at once."""
    pulse, guard = pulse
    told, lost = [], trio.Event()
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(pulse.listen, told.append, lost.set)
            guard.send("ping", 7.5)
            guard.send("signal", 15)
            said = []
            while len(said) < 2:
                await trio.sleep(0.01)
                said += guard.receive()
            assert said == [["listening"], ["pong", 7.5]]
            guard.socket.close()
            await lost.wait()
    assert told == [15]


async def test_a_signal_that_the_end_of_a_run_finds_is_told_at_once(pulse):
    """Though the socket has nothing more to read then."""
    pulse, guard = pulse
    send, told = trio.open_memory_channel(1)
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(pulse.listen, send.send_nowait, nothing)
            await trio.testing.wait_all_tasks_blocked()
            guard.send("signal", 15)
            pulse.end()
            assert await told.receive() == 15
            nursery.cancel_scope.cancel()


def test_an_orderly_end_is_charged_to_nobody(pulse):
    """An error of muxd's own that ends it while a run is in progress: the run is at rest first."""
    pulse, guard = pulse
    pulse.running()
    pulse.begin("01a", "job")
    pulse.bye()
    assert guard.receive()[-1] == ["rest"]


def test_only_an_end_that_was_wanted_is_a_goodbye(pulse):
    """Before it is up, or told to stop: bye. An error that ends a daemon that is up is none."""
    pulse, guard = pulse
    pulse.bye()
    pulse.running()
    pulse.bye()
    pulse.stopping()
    pulse.bye()
    said = [line for line in guard.receive() if line != ["rest"]]
    assert said == [["bye"], ["running"], ["stopping"], ["bye"]]


def test_the_guard_imports_nothing_but_the_standard_library_and_itself():
    """So that its process stays small."""
    for path in Path(muxd.guard.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module]
            for name in names:
                top = name.partition(".")[0]
                assert name.startswith("muxd.guard") or top in sys.stdlib_module_names, (path, name)


# --- What the next daemon makes of it -----------------------------------------------------------


@pytest.mark.parametrize(
    ("error_type", "outcome"),
    [("muxd.errors.LoopBlocked", Outcome.crashed), (CUT_OFF, Outcome.interrupted)],
)
async def test_a_block_pauses_its_job_at_once_and_three_deaths_do(
    autojump_clock, error_type, outcome
):
    """What the note says is on the record and counts with the job's pauses."""
    store, job = MemoryStore(), Job("a", nothing, interval="2h")
    pauses = []
    for number in range(3):
        started = Record(
            id=f"0{number}", job="a", released_at=1.0 + number, started_at=2.0 + number
        )
        async with store.open():
            await store.write(started)
            core = Core(
                Plugins((job,)),
                store,
                Bus(),
                open_generation=nothing,
                calendar=Calendar(ZoneInfo("UTC")),
                make_clock=nothing,
                real_now=lambda: 1000.0,
                slotting=SlottingConfig(),
            )
            await core.recover(
                Fate(
                    run=started.id,
                    at=50.0,
                    outcome=outcome,
                    error="why",
                    error_type=error_type,
                    harm="harm",
                )
            )
            record = await store.get(started.id)
            assert (record.outcome, record.harm, record.ended_at) == (outcome, "harm", 50)
            pauses.append({name: pause.probe_at for name, pause in core.pauses.all.items()})
    paused = {"a": 1000.0 + 2 * 3600}
    if outcome is Outcome.crashed:
        assert pauses[0] == paused
    else:
        assert pauses == [{}, {}, paused]


@pytest.mark.parametrize("alone", [False, True], ids=["daemon", "run"])
@pytest.mark.parametrize("disk", ["works", "full"])
async def test_a_note_is_kept_until_its_run_has_its_record(tmp_path, alone, disk):
    """A daemon takes it, or a `muxd run`; with a ledger that can't be written the next will."""
    store, job = Failing(), Job("stuck", nothing, interval="2h")
    async with store.open():
        await store.write(Record(id="01abc", job="stuck", released_at=1.0, started_at=2.0))
    NOTE.write(str(tmp_path))
    store.refuses = disk == "full"
    launch = LaunchPlan(
        found=FoundBrowser(path=Path("/none"), source="a test"), profile=tmp_path / "profile"
    )
    config = Config(daemon=DaemonConfig(state_dir=tmp_path))
    with trio.fail_after(20), contextlib.suppress(PluginError, BaseExceptionGroup):
        if alone:
            await run_alone(config, Plugins((job,), store), launch, job, ended=nothing)
        else:
            daemon = Daemon(config, Plugins((job,), store), launch)
            daemon.stop(at_once=True)
            await daemon.run()
    assert (last_fate(tmp_path) is None) == (disk == "works")
    record = store.records["01abc"]
    assert record.harm == (NOTE.harm if disk == "works" else None)


class Failing(MemoryStore):
    """Can be read, but not written while it `refuses`."""

    refuses = False

    async def write(self, *records):
        if self.refuses:
            raise LedgerError("disk full")
        await super().write(*records)


class Refused(Service):
    """Does not start."""

    name = "refused"

    async def run(self, *, task_status=trio.TASK_STATUS_IGNORED):
        raise ValueError("no port")


async def nothing(*args):
    """Do nothing."""


@attrs.frozen
class Plugins:
    """Some jobs."""

    jobs: tuple
    kept: MemoryStore | None = None

    def store(self, root):
        """Give one."""
        return self.kept

    def sinks(self):
        """Give none."""
        return []

    def services(self):
        """Give one that ends a `muxd run` before it has a browser."""
        return [(None, Refused())]

    def page_wrappers(self):
        """Give none."""
        return []

    def leave_out(self, *args):
        """Take note."""
        return args

    def slotters(self):
        """Give muxd's own."""
        return [("muxd.slotter", SolvingSlotter())]
