"""``muxd top`` in a real terminal of 80x24, before a real daemon."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import threading
from pathlib import Path

import pytest

from muxd.control.client import ControlClient
from muxd.state import StateDir

from .conftest import COMMAND, JOBS

sys.path.insert(0, str(Path(__file__).parent.parent / "cli"))

from faketop import FakeDaemon, a_job

CONTROL = re.compile(r"\x1b(\[[0-9;?<=>]*[a-zA-Z]|[()].|[=>78]|\][^\x07]*\x07)")


class Terminal:
    """A terminal with a command in it: what the command wrote so far, and keys for it."""

    def __init__(self, home, *args):
        self.home, self.written, self.from_here = home, "", 0
        self.near, far = pty.openpty()
        fcntl.ioctl(far, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.before = termios.tcgetattr(far)
        self.far = far
        self.process = subprocess.Popen(
            [*COMMAND, *args],
            env=home.environ | {"TERM": "xterm-256color", "LANG": "C.UTF-8"},
            cwd=home.folder,
            stdin=far,
            stdout=far,
            stderr=far,
            start_new_session=True,
        )
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        with contextlib.suppress(OSError):
            while data := os.read(self.near, 65536):
                self.written += data.decode("utf-8", "replace")

    @property
    def text(self):
        """What was written, without the commands to the terminal."""
        return CONTROL.sub("", self.written[self.from_here :])

    def press(self, keys):
        """Press keys; what was written before doesn't count any more."""
        self.from_here = len(self.written)
        os.write(self.near, keys.encode())

    def wait(self, text, seconds=30):
        self.home.wait(lambda: text in self.text, seconds, f"{text!r} at the terminal")


@pytest.fixture
def top(muxd_home):
    muxd_home.write("jobs", JOBS)
    muxd_home.start()
    terminal = Terminal(muxd_home, "top")
    yield terminal
    if terminal.process.poll() is None:
        terminal.process.kill()
        terminal.process.wait()
    os.close(terminal.near)
    os.close(terminal.far)


def test_a_session_at_a_real_terminal(muxd_home, top):
    """It shows the daemon, runs a job, survives that the daemon is killed, and leaves no trace."""
    top.wait("generation 1")
    for word in ("quick", "fresh", "running", "today", "details", "quit"):
        top.wait(word)
    client = ControlClient(StateDir(muxd_home.state))
    real, fake = client.status(upcoming=1), FakeDaemon(a_job("quick"), a_job("fresh"))
    made_up = fake.status(upcoming=1)
    assert made_up.keys() <= real.keys()
    assert made_up["browser"].keys() <= real["browser"].keys()
    assert made_up["timetable"].keys() <= real["timetable"].keys()
    real_job, made_up_job = client.jobs()["jobs"][0], fake.jobs()["jobs"][0]
    assert made_up_job.keys() <= real_job.keys()

    top.press("r")
    top.wait("runs as soon as it can")
    muxd_home.wait(
        lambda: any(run["cause"] == "manual" for run in muxd_home.history()), 30, "the run"
    )
    top.press("h")
    top.wait("the newest ")
    top.press("\x1b")
    muxd_home.kill()
    top.wait("waiting for muxd to come back")
    muxd_home.start()
    top.wait("muxd is there again")
    assert muxd_home.json("status")["today"]["ok"] >= 1  # of the daemon before
    top.press("q")
    assert top.process.wait(30) == 0
    muxd_home.wait(lambda: "\x1b[?1049l" in top.written, 10, "the screen as it was before")
    assert termios.tcgetattr(top.far)[3] == top.before[3]
