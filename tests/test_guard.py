"""The guard as a process, and daemons made of a few lines."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner

from muxd.cli import main
from muxd.guard.link import DUMP, VARIABLE, Link
from muxd.guard.note import Note
from muxd.guard.watch import BLOCKED_AFTER, TOO_LATE
from muxd.state import Owner, StateDir

DAEMON = """
import os, signal, subprocess, sys, time
from pathlib import Path
from muxd.guard.begin import under_guard
from muxd.guard.link import DUMP, Lines

here = Path(sys.argv[1])
link = under_guard(here, blocked_limit=float(sys.argv[2]), log_format="json", colours=False)
lines, life = Lines(link.socket), link.restarts
with open(here / "lives", "a") as file:
    print(os.getpid(), link.guard, life, file=file)


def answer(seconds):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for word, value in lines.receive():
            if word == "ping":
                lines.send("pong", value)
            else:
                return value
        time.sleep(0.01)

{body}
"""


class Fake:
    """A guard, and a daemon that does what a test says."""

    def __init__(self, folder):
        self.folder = folder
        self.process = None

    def start(self, body, *, limit=5, python=sys.executable, **options):
        script = self.folder / "daemon.py"
        script.write_text(DAEMON.format(body=textwrap.dedent(body)))
        self.process = subprocess.Popen(
            [python, str(script), str(self.folder), str(limit)],
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            **{"stdout": subprocess.PIPE, **options},
        )
        return self

    def lives(self):
        """The process of each daemon so far."""
        try:
            text = (self.folder / "lives").read_text()
        except FileNotFoundError:
            return []
        found = [line.split() for line in text.splitlines()]
        assert {int(guard) for _, guard, _ in found} <= {self.process.pid}
        return [int(pid) for pid, _, _ in found]

    def wait(self, condition, seconds=20):
        end = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < end
            time.sleep(0.02)
        return found

    def ends(self, seconds=30):
        """Its exit code, and the lines that it logged."""
        output, _ = self.process.communicate(timeout=seconds)
        return self.process.returncode, [
            json.loads(line) for line in output.splitlines() if line.startswith("{")
        ]


@pytest.fixture
def fake(tmp_path):
    fake = Fake(tmp_path)
    yield fake
    if fake.process is not None:
        below = []
        if fake.process.poll() is None:
            below = psutil.Process(fake.process.pid).children(recursive=True)
        for process in [fake.process, *below]:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        fake.process.communicate()


def gone(pid):
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_a_wanted_end_is_the_guards_end(fake):
    """The exit code is the daemon's, and nothing is started again, nor said."""
    fake.start('lines.send("listening"); lines.send("bye"); sys.exit(3)')
    assert fake.ends() == (3, [])
    assert len(fake.lives()) == 1


@pytest.mark.parametrize(
    ("death", "how"),
    [
        ("os._exit(3)", "exit code 3"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "SIGSEGV"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "SIGKILL"),
        ("os.kill(os.getpid(), DUMP)", f"signal {DUMP:d}"),
        ("sys.exit(0)", "exit code 0"),
    ],
)
def test_any_other_end_is_a_death_and_the_next_comes_at_once(fake, death, how):
    """With a note of the run in progress, and a line in the log."""
    fake.start(f"""
        lines.send("listening")
        lines.send("running")
        if life == 0:
            lines.send("run", "01abc", "a job")
            {death}
        lines.send("stopping")
        lines.send("bye")
    """)
    begun = time.monotonic()
    code, log = fake.ends()
    assert code == 0
    assert time.monotonic() - begun < 15
    assert len(fake.lives()) == 2
    (line,) = log
    assert (line["event"], line["how"], line["job"]) == ("muxd died", how, "a job")
    note = Note.read(str(fake.folder))
    assert (note.run, note.job, note.how, note.blocked) == ("01abc", "a job", how, None)


def test_a_run_that_had_ended_is_not_charged(fake):
    """No note where nothing was in progress."""
    fake.start("""
        lines.send("running")
        lines.send("run", "01abc", "a job")
        lines.send("rest")
        if life == 0:
            os._exit(1)
        lines.send("stopping")
        lines.send("bye")
    """)
    assert fake.ends()[0] == 0
    assert len(fake.lives()) == 2
    assert Note.read(str(fake.folder)) is None


def test_what_never_comes_up_is_given_up(fake):
    """Five starts, with longer and longer waits; then one clear message, exit code 1."""
    fake.start("os._exit(9)")
    begun = time.monotonic()
    code, log = fake.ends(60)
    assert code == 1
    assert len(fake.lives()) == 5
    assert time.monotonic() - begun >= 7
    assert [line["again_in"] for line in log[:-1]] == [0, 1, 2, 4]
    assert log[-1]["level"] == "critical"
    assert "died 5 times before it was up, last by exit code 9" in log[-1]["event"]


def test_what_was_up_once_is_never_given_up(fake):
    """However often it dies."""
    fake.start("""
        if life == 0:
            lines.send("running")
        if life < 5:
            os._exit(9)
        lines.send("stopping")
        lines.send("bye")
    """)
    assert fake.ends(60)[0] == 0
    assert len(fake.lives()) == 6


def test_what_was_up_once_may_be_refused_for_a_while(fake):
    """Exit code 2 ends only what never was up: later it is somebody else's doing, which passes (a
    `muxd run` that had the directory, a configuration that is being edited)."""
    fake.start("""
        lines.send("running")
        if life == 0:
            os._exit(9)
        if life == 1:
            lines.send("bye")
            os._exit(2)
        lines.send("stopping")
        lines.send("bye")
    """)
    code, log = fake.ends(60)
    assert code == 0
    assert len(fake.lives()) == 3
    assert [line["how"] for line in log] == ["exit code 9", "exit code 2"]


def test_the_directory_is_muxds_from_one_daemon_to_the_next(fake):
    """While no daemon has it the guard does, without a moment between; the next is given the lock.
    In the end the file is gone."""
    fake.start("""
        from muxd.state import StateDir
        with StateDir(here).hold(guard=link.guard, lock=link.lock) as lock:
            lines.hand("lock", lock)
            lines.send("listening")
            lines.send("running")
            (here / f"up{life}").touch()
            answer(60)
        lines.send("stopping")
        lines.send("bye")
    """)
    state = StateDir(fake.folder)
    guard = fake.process.pid
    (first,) = fake.wait(fake.lives)
    fake.wait((fake.folder / "up0").exists)
    assert state.owner() == Owner(first, "daemon", guard)
    os.kill(first, signal.SIGKILL)
    while len(fake.lives()) == 1:
        assert state.owner().told == guard
    second = fake.lives()[1]
    fake.wait((fake.folder / "up1").exists)
    assert state.owner() == Owner(second, "daemon", guard)
    fake.process.send_signal(signal.SIGTERM)
    assert fake.ends()[0] == 0
    assert not state.lock_file.exists()


def test_a_start_that_fails_is_tried_again(fake):
    """The interpreter is away for a moment, as it is in an upgrade: it goes on when it is back."""
    away, output = fake.folder / "python", fake.folder / "output"
    away.symlink_to(Path(sys.executable).parent.parent)
    with output.open("w") as stdout:
        fake.start(
            """
            lines.send("listening")
            lines.send("running")
            if life == 0:
                while not lines.receive():  # the guard is there, and needs no python any more
                    time.sleep(0.01)
                (here / "python").unlink()
                os._exit(3)
            lines.send("stopping")
            lines.send("bye")
            """,
            python=str(away / "bin" / Path(sys.executable).name),
            stdout=stdout,
        )
    fake.wait(lambda: "can't be started" in output.read_text())
    away.symlink_to(Path(sys.executable).parent.parent)
    assert fake.process.wait(30) == 0
    assert len(fake.lives()) == 2
    died, failed = map(json.loads, output.read_text().splitlines()[:2])
    assert (died["event"], died["again_in"]) == ("muxd died", 0)
    assert (failed["event"], failed["again_in"]) == ("muxd can't be started", 1)
    assert "No such file" in failed["error"]


def test_a_stop_ends_the_waiting_for_the_next_start(fake):
    """SIGTERM while no daemon lives, to whoever holds the state directory meanwhile, as `muxd stop`
    sends it: the guard is gone at once, exit code 0."""
    output, state = fake.folder / "output", StateDir(fake.folder)
    with output.open("w") as stdout:
        fake.start('if life == 0: lines.send("running")\nos._exit(9)', stdout=stdout)
    fake.wait(lambda: output.read_text().count("muxd died") >= 5)  # the next is 8 s away, or more
    fake.wait(lambda: state.owner() == Owner(fake.process.pid, "daemon", fake.process.pid))
    fake.process.send_signal(signal.SIGTERM)
    assert fake.process.wait(20) == 0
    assert len(fake.lives()) == output.read_text().count("muxd died")
    assert not state.lock_file.exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_for_a_daemon_that_only_starts_ends_both(fake, number):
    """The guard ends as the daemon does, by the same signal; nothing is started again."""
    fake.start("time.sleep(60)")
    fake.wait(fake.lives)
    time.sleep(0.1)
    fake.process.send_signal(number)
    code, _ = fake.ends(10)
    assert code == -number
    assert len(fake.lives()) == 1
    assert gone(fake.lives()[0])


def test_a_signal_is_passed_on_by_word_to_a_daemon_that_listens(fake):
    """Once for each; and then its end is no death, however it comes."""
    fake.start("""
        lines.send("listening")
        lines.send("running")
        (here / "up").touch()
        got = [answer(20), answer(0.5)]
        (here / "got").write_text(repr(got))
        os._exit(4)
    """)
    fake.wait((fake.folder / "up").exists)
    fake.process.send_signal(signal.SIGTERM)
    assert fake.ends()[0] == 4
    assert (fake.folder / "got").read_text() == "[15, None]"
    assert len(fake.lives()) == 1


def test_a_daemon_that_does_not_answer_is_killed_with_all_that_it_started(fake):
    """Its stack is in the log after 4 s and in the note after its limit; a child that left its
    group and its parent is gone too; the next daemon comes at once."""
    fake.start(
        """
        import faulthandler
        faulthandler.register(DUMP, file=link.stack, all_threads=True)
        if life == 0:
            subprocess.Popen(
                [sys.executable, "-c", "import subprocess, sys; subprocess.Popen(['sleep', '991'])"],
                start_new_session=True,
            ).wait()
            orphan = subprocess.check_output(["pgrep", "-f", "^sleep 991$"])
            (here / "orphan").write_bytes(orphan)
        lines.send("listening")
        lines.send("running")
        if life == 0:
            lines.send("run", "01abc", "a job")

            def stuck():
                time.sleep(600)
            stuck()
        lines.send("stopping")
        lines.send("bye")
        """,
    )
    code, log = fake.ends(60)
    assert code == 0
    events = [line["event"].partition(" for ")[0] for line in log]
    assert events == ["job 'a job' blocks muxd", "muxd has been blocked", "muxd is started again"]
    found, killed, _ = log
    # A guard that looks later than that counts anew; how punctual it is, test_guard_parts.py holds.
    assert BLOCKED_AFTER <= found["blocked"] <= BLOCKED_AFTER + TOO_LATE + 0.2
    assert "in stuck" in found["stack"]
    assert "it is killed" in killed["event"]
    note = Note.read(str(fake.folder))
    assert 5 <= note.blocked < 9
    assert "in stuck" in note.stack
    assert all(gone(int(pid)) for pid in (fake.folder / "orphan").read_text().split())


def test_a_log_that_nobody_reads_keeps_the_guard_from_nothing(fake):
    """Its pipe is full: what is blocked is killed all the same, the next daemon comes, and guard and
    daemon end. The run is charged, though the body has closed the file for its stack."""
    unread, pipe = os.pipe()
    os.set_blocking(pipe, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(pipe, b"." * 4096)
    os.set_blocking(pipe, True)
    fake.start(
        """
        lines.send("listening")
        lines.send("running")
        signal.signal(DUMP, signal.SIG_IGN)
        if life == 0:
            lines.send("run", "01abc", "a job")
            time.sleep(600)
        lines.send("stopping")
        lines.send("bye")
        """,
        stdout=pipe,
    )
    os.close(pipe)
    assert fake.process.wait(60) == 0
    assert len(fake.lives()) == 2
    os.close(unread)
    note = Note.read(str(fake.folder))
    assert (note.run, note.job, note.stack) == ("01abc", "a job", "")


@pytest.mark.parametrize("option", [None, "--now"])
def test_muxd_stop_reaches_what_is_blocked(fake, monkeypatch, option):
    """It is told by way of its guard, and is not started again: it ends when the block does, at the
    latest at its limit; with --now at once."""
    monkeypatch.setattr("muxd.control.client.BOUND", 0.3)
    fake.start(
        """
        import faulthandler, socket
        from muxd.state import StateDir
        with StateDir(here).hold(guard=link.guard) as lock:
            os.chdir(here)
            listener = socket.socket(socket.AF_UNIX)
            listener.bind("control.sock")
            listener.listen()
            lines.hand("lock", lock)
            lines.send("listening")
            lines.send("running")
            lines.send("run", "01abc", "a job")
            faulthandler.register(DUMP, file=link.stack)
            (here / "up").touch()
            time.sleep(600)
        """,
        limit=8 if option is None else 500,
    )
    fake.wait(lambda: (fake.folder / "up").exists())
    args = ["stop", "--state-dir", str(fake.folder), *filter(None, [option])]
    result = CliRunner().invoke(main, args)
    assert result.output == f"muxd (process {fake.lives()[0]}) has stopped\n"
    assert result.exit_code == 0
    code, log = fake.ends()
    assert code == 1
    assert "it is killed" in log[-1]["event"]
    assert len(fake.lives()) == 1


def test_a_second_signal_does_not_wait_for_the_limit_of_a_block(fake):
    """The first is for the daemon, which can't hear it; at the second it is killed. It gave no
    stack, so that nothing shows that the run is to blame: it is not charged."""
    fake.start(
        """
        lines.send("listening")
        lines.send("running")
        lines.send("run", "01abc", "a job")
        signal.signal(DUMP, signal.SIG_IGN)
        (here / "up").touch()
        time.sleep(600)
        """,
        limit=300,
    )
    fake.wait((fake.folder / "up").exists)
    fake.process.send_signal(signal.SIGINT)
    time.sleep(7)
    assert fake.process.poll() is None
    fake.process.send_signal(signal.SIGINT)
    code, log = fake.ends(20)
    assert code == 1
    assert "it is killed" in log[-1]["event"]
    assert len(fake.lives()) == 1
    assert float(log[-1]["event"].partition(" for ")[2].partition(" s:")[0]) < 60
    assert "run" not in log[-1]
    assert Note.read(str(fake.folder)) is None


def test_stopped_together_they_blame_nobody(fake):
    """SIGSTOP of the whole group for longer than the limit, then SIGCONT: no block, no restart."""
    fake.start("""
        lines.send("listening")
        lines.send("running")
        lines.send("run", "01abc", "a job")
        (here / "up").touch()
        answer(20)
        lines.send("stopping")
        lines.send("bye")
    """)
    fake.wait((fake.folder / "up").exists)
    os.killpg(fake.process.pid, signal.SIGSTOP)
    time.sleep(7)
    os.killpg(fake.process.pid, signal.SIGCONT)
    time.sleep(1)
    fake.process.send_signal(signal.SIGTERM)
    assert fake.ends() == (0, [])
    assert len(fake.lives()) == 1


def test_a_daemon_that_is_stopped_is_not_blocked(fake):
    """SIGSTOP of the daemon alone for longer than the limit: it is still the same one after."""
    fake.start("""
        lines.send("listening")
        lines.send("running")
        lines.send("run", "01abc", "a job")
        (here / "up").touch()
        answer(20)
        lines.send("stopping")
        lines.send("bye")
    """)
    fake.wait((fake.folder / "up").exists)
    (pid,) = fake.lives()
    os.kill(pid, signal.SIGSTOP)
    time.sleep(6.5)
    os.kill(pid, signal.SIGCONT)
    time.sleep(0.5)
    fake.process.send_signal(signal.SIGTERM)
    assert fake.ends() == (0, [])
    assert len(fake.lives()) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the daemon sees it by the socket")
def test_a_killed_guard_takes_the_daemon_along(fake):
    """Even one that hangs, the first as the second."""
    fake.start("""
        lines.send("running")
        if life == 0:
            os._exit(1)
        time.sleep(600)
    """)
    fake.wait(lambda: len(fake.lives()) == 2)
    pid = fake.lives()[-1]
    assert not gone(pid)
    fake.process.kill()
    fake.process.wait(5)
    fake.wait(lambda: gone(pid), 5)


def test_a_daemon_whose_guard_is_gone_before_it_began_ends(fake):
    """It does not make itself a guard of its own."""
    fake.start("os._exit(5)", env={**os.environ, VARIABLE: Link(1, 3, 4).as_text()})
    output, _ = fake.process.communicate(timeout=20)
    assert fake.process.returncode == 1
    assert "guard that started this process is gone" in output
    assert fake.lives() == []


def test_a_daemon_that_said_goodbye_and_stays_is_ended(fake):
    """A thread that nobody ends keeps the process: the guard does not wait for ever."""
    fake.start('lines.send("listening"); lines.send("stopping"); lines.send("bye"); time.sleep(60)')
    code, log = fake.ends(30)
    assert code == 1
    assert "it is killed" in log[0]["event"]


def test_children_from_before_are_spared(fake):
    """What the process that became the guard had started before is not the daemon's."""
    script = fake.folder / "start.sh"
    script.write_text('sleep 992 & echo $! > "$1/before"; shift; exec "$@"\n')
    (fake.folder / "daemon.py").write_text(
        DAEMON.format(body='lines.send("running"); lines.send("stopping"); lines.send("bye")')
    )
    daemon = [sys.executable, str(fake.folder / "daemon.py"), str(fake.folder), "5"]
    fake.process = subprocess.Popen(
        ["sh", str(script), str(fake.folder), *daemon],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    assert fake.process.wait(20) == 0
    before = int((fake.folder / "before").read_text())
    assert not gone(before)
    os.kill(before, signal.SIGKILL)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_guard_is_small_and_sleeps(fake):
    """Less than 25 MB, and no wake-up in two seconds in which nothing happens."""
    fake.start("""
        lines.send("listening")
        lines.send("running")
        while not (said := lines.receive()):
            time.sleep(0.01)
        lines.send("pong", said[0][1])
        (here / "answered").touch()
        answer(60)
    """)
    fake.wait((fake.folder / "answered").exists)
    guard = psutil.Process(fake.process.pid)

    def rests():
        before = guard.num_ctx_switches()
        time.sleep(2)
        return guard.num_ctx_switches() == before

    fake.wait(rests)  # once it has taken in the answer
    assert guard.memory_info().rss < 25e6
