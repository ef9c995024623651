"""The real command line in processes of its own, on a state directory of its own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from typing import TYPE_CHECKING

import psutil
import pytest

from muxd.browser.find import find_browser
from muxd.control.client import ControlClient
from muxd.engine import Engine
from muxd.errors import MuxdError
from muxd.state import StateDir

if TYPE_CHECKING:
    from pathlib import Path

COMMAND = [sys.executable, "-m", "muxd"]

JOBS = '''
import trio
import muxd


@muxd.job(interval="1m", preferred_phase="0s", duration="2s", expects_result=True)
async def quick(run):
    """Reads a page."""
    await run.page.set_content("<ul><li>one<li>two</ul>")
    return await run.page.locator("li").all_inner_texts()


@muxd.job(interval="1m", preferred_phase="20s", duration="2s", session="fresh")
async def fresh(run):
    await run.page.set_content("<h1>fresh</h1>")
    return await run.page.inner_text("h1")
'''

SLOW = """
import trio
import muxd


@muxd.job(interval="60d", duration="5s", timeout="1m")
async def slow(run):
    await run.page.set_content("<h1>slow</h1>")
    open({mark!r}, "w").close()
    await trio.sleep({seconds})
    return await run.page.inner_text("h1")
"""

PATIENT_EYE = """
import muxd.browser.evidence

muxd.browser.evidence.EVIDENCE_BOUND = 20.0
"""
"""For tests of what evidence shows, on a machine that may be busy: in front of the jobs of a file."""


def pytest_collection_modifyitems(items):
    for item in items:
        if "tests/e2e/" in item.nodeid:
            item.add_marker(pytest.mark.browser)


def alive(pid: int) -> bool:
    """Whether there is such a process, and it has not ended."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


OURS = ["demo", "extract", "watch", "shot", "check"]
"""The plugins in plugins/, which are installed here: they have tests of their own."""


class Muxd:
    """One state directory, one jobs directory, and the commands on them."""

    def __init__(self, folder: Path, engine: Engine = Engine.headless_shell) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.jobs = folder / "jobs"
        self.jobs.mkdir()
        self.output = folder / "output.txt"
        self.config = folder / "muxd.toml"
        self.config.write_text(
            f"[plugins]\ndisable = {OURS}\njobs_dirs = ['{self.jobs}']\n"
            '[daemon]\ntimezone = "UTC"\n'
        )
        self.daemon: subprocess.Popen | None = None
        self.asked: list[subprocess.Popen] = []
        self.environ = {
            name: value for name, value in os.environ.items() if not name.startswith("MUXD_")
        } | {
            "MUXD_CONFIG": str(self.config),
            "MUXD_STATE_DIR": str(self.state),
            "MUXD_WEB_PORT": "0",  # several run at once
            "MUXD_BROWSER": str(find_browser(engine=engine).path),
        }

    def write(self, name: str, text: str) -> None:
        (self.jobs / f"{name}.py").write_text(textwrap.dedent(text))

    def call(self, *args: str, code: int = 0, timeout: float = 60) -> str:
        done = subprocess.run(
            [*COMMAND, *args],
            env=self.environ,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        self.errors = done.stderr
        assert done.returncode == code, f"{args}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def completes(self, *words: str) -> list[str]:
        """What a shell offers for the last of these words."""
        typed = {"COMP_WORDS": " ".join(["muxd", *words]), "COMP_CWORD": str(len(words))}
        done = subprocess.run(
            [sys.executable, "-c", "from muxd.cli import main; main(prog_name='muxd')"],
            env=self.environ | typed | {"_MUXD_COMPLETE": "bash_complete"},
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert done.stderr == ""
        return [line.partition(",")[2] for line in done.stdout.splitlines() if line]

    def json(self, *args: str, code: int = 0):
        return json.loads(self.call(*args, "--json", code=code))

    def start(self, *args: str, until: str = "running") -> subprocess.Popen:
        with self.output.open("ab") as output:
            self.daemon = subprocess.Popen(
                [*COMMAND, "start", *args],
                env=self.environ,
                cwd=self.folder,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        if until:
            self.wait(lambda: self.running_state() == until, 30, f"the daemon to be {until}")
        return self.daemon

    @property
    def pid(self) -> int:
        """The daemon's own process, a child of `daemon`, which is its guard."""

        def found():
            with contextlib.suppress(OSError, ValueError):
                pid, role, *guard = (self.state / "muxd.lock").read_text().split()
                if role == "daemon" and [pid] != guard and psutil.pid_exists(int(pid)):
                    return int(pid)
            return None

        return self.wait(found, 20, "a daemon with a lock")

    def kill(self) -> None:
        """kill -9 of the guard, which takes the daemon along; returns when both are gone."""
        assert self.daemon is not None
        pid = self.pid
        self.daemon.kill()
        self.daemon.wait()
        self.wait(lambda: not alive(pid), 10, "the daemon to be gone")

    def request(self, job: str) -> subprocess.Popen:
        """Ask for a run, by a command that waits for its end in the background."""
        asked = subprocess.Popen(
            [*COMMAND, "run", job],
            env=self.environ,
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.asked.append(asked)
        return asked

    def told(self):
        """What the daemon says of itself, for waits: a command each time would be half a second's
        work for the processor. None if nobody listens."""
        client = ControlClient(StateDir(self.state))
        with contextlib.suppress(MuxdError):
            if client.listening():
                return client.status()
        assert self.daemon is not None
        assert self.daemon.poll() is None, self.output.read_text()
        return None

    def running_state(self):
        told = self.told()
        return told and told["state"]

    def wait(self, condition, seconds: float, what: str):
        """Processes of others give no event to wait for: look, bounded, until it is so."""
        end = time.monotonic() + seconds
        while not (found := condition()):
            if time.monotonic() > end:
                pytest.fail(f"waited {seconds} s for {what}\n{self.output.read_text()[-3000:]}")
            time.sleep(0.05)
        return found

    def history(self, *args: str):
        return self.json("history", *args)

    def processes(self) -> list[psutil.Process]:
        """Every process that names this state directory, or is below the daemon."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if str(self.state) in " ".join(process.cmdline()):
                    found.append(process)
        if self.daemon is not None and self.daemon.poll() is None:
            with contextlib.suppress(psutil.Error):
                found += psutil.Process(self.daemon.pid).children(recursive=True)
        return found

    def browser(self) -> psutil.Process:
        return psutil.Process(self.json("status")["browser"]["pid"])

    def driver(self) -> psutil.Process:
        (driver,) = [
            child
            for child in psutil.Process(self.pid).children()
            if "run-driver" in child.cmdline()
        ]
        return driver

    def nothing_is_left(self) -> None:
        """No process, lock, socket or temporary file is left behind."""
        left = self.wait(lambda: not self.processes(), 5, f"{self.processes()} to go")
        assert left
        assert not (self.state / "muxd.lock").exists()
        assert not (self.state / "control.sock").exists()
        assert not (self.state / "profile" / "SingletonLock").is_symlink()

    def end(self) -> None:
        if self.daemon is not None and self.daemon.poll() is None:
            self.daemon.send_signal(signal.SIGTERM)
            try:
                self.daemon.wait(60)
            except subprocess.TimeoutExpired:
                self.daemon.kill()
                self.daemon.wait()
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                process.kill()
        for asked in self.asked:
            asked.wait(60)
            for stream in (asked.stdout, asked.stderr):
                if stream is not None:
                    stream.close()


@pytest.fixture(autouse=True, scope="session")
def hangups():
    """A hangup means what it does in a terminal, also where the tests run under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture
def muxd_home(request, tmp_path):
    whole = request.node.get_closest_marker("chromium") is not None
    home = Muxd(tmp_path, Engine.chromium if whole else Engine.headless_shell)
    yield home
    home.end()
