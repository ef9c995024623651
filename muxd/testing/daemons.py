"""``muxd_daemon``: real daemons in tests, each a process of its own on a directory of its own."""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import os
import signal
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path
from textwrap import dedent
from types import ModuleType
from typing import TYPE_CHECKING, Any, final

from muxd.control.client import ControlClient
from muxd.discovery import ENTRY_POINT_GROUP
from muxd.errors import MuxdError
from muxd.job import Job
from muxd.record import Outcome, Record
from muxd.release import Cause
from muxd.state import StateDir

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

__all__ = ["MuxdDaemon", "TestedDaemon"]

MUXD = (sys.executable, "-m", "muxd")
START_BOUND = 120.0
"""How long a daemon may take to have its browser up, seconds: others may be busy on the machine."""
STOP_BOUND = 60.0
"""How long it may take to stop in order, seconds. Then it is killed."""
CALL_BOUND = 120.0
"""How long a command may take, seconds."""
TAIL = 4000
"""Characters of what it has said at last, for messages."""
LOOK = 0.05
"""How often one looks whether something is so, seconds."""


@final
class TestedDaemon:
    """A daemon that is up. Made by the fixture ``muxd_daemon``."""

    __test__ = False  # it is no test, whatever its name is

    def __init__(self, folder: Path, jobs: Path, config: str, *, speed: float) -> None:
        """Start it, and wait until its browser is up.

        Raises:
          RuntimeError: it ends instead, or is not up in time.
        """
        self.folder = folder
        """All that it has is in here; commands are called here."""
        self.state_dir = folder / "state"
        self._output = folder / "output.txt"
        file = folder / "muxd.toml"
        file.write_text(config, "utf-8")
        kept = ("MUXD_BROWSER", "MUXD_DEBUG")
        self._environ = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("MUXD_") or name in kept
        } | {
            "MUXD_CONFIG": str(file),
            "MUXD_STATE_DIR": str(self.state_dir),
            "MUXD_JOBS_DIRS": str(jobs),
            "MUXD_WEB_PORT": "0",  # several may be up at once
            "PYTHONPATH": os.pathsep.join(filter(None, map(os.path.abspath, sys.path))),
        }
        self.client = ControlClient(StateDir(self.state_dir))
        """Asks it for what the methods here don't."""
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                [*MUXD, "start", "--speed", f"{speed:g}", "--log-format", "console"],
                env=self._environ,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C is for the tests: they stop it in order
            )
        try:
            self.wait_until(self._is_up, START_BOUND, "come up")
        except BaseException:
            self.stop()
            raise

    @property
    def output(self) -> str:
        """What it has said."""
        return self._output.read_text("utf-8", "replace")

    def status(self) -> dict[str, Any]:
        """As ``muxd status --json``."""
        return self.client.status()

    def run(self, job: Job | str) -> Record:
        """Run a job now, before everything that waits; blocks until it has ended.

        Raises:
          UnknownJob: the daemon has no such job.
        """
        return _record(self.client.run(job if isinstance(job, str) else job.name, wait=True))

    def history(self, job: Job | str | None = None) -> list[Record]:
        """The newest 100 records of ended runs, of all jobs or of one, newest first."""
        which = [] if job is None else ["--job", job if isinstance(job, str) else job.name]
        return [_record(told) for told in json.loads(self.call("history", *which, "--json"))]

    def call(self, *args: str) -> str:
        """What ``muxd ARGS...`` prints, as a command of its own in this daemon's directory.

        Raises:
          subprocess.CalledProcessError: its exit code is not 0; the message is its ``stderr``.
        """
        done = subprocess.run(
            [*MUXD, *args],
            env=self._environ,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=CALL_BOUND,
            check=True,
        )
        return done.stdout

    def wait_until(self, condition: Callable[[], Any], seconds: float, what: str) -> Any:
        """Look until `condition` gives something that is true; gives that.

        Args:
          condition: called again and again.
          seconds: how long.
          what: for the message: "it did not ...".

        Raises:
          RuntimeError: it does not come true in time, or the daemon ends before.
        """
        end = time.monotonic() + seconds
        while not (found := condition()):
            code = self._process.poll()
            if code is not None or time.monotonic() > end:
                why = f"in {seconds:g} s" if code is None else f"but ended, exit code {code}"
                raise RuntimeError(f"the daemon did not {what} {why}:\n{_end_of(self.output)}")
            time.sleep(LOOK)
        return found

    def stop(self) -> int:
        """Stop it in order, the run in progress at once; gives the exit code."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            with contextlib.suppress(MuxdError):
                self.client.stop(at_once=True)
            try:
                self._process.wait(STOP_BOUND)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
        return self._process.wait()

    def _is_up(self) -> bool:
        with contextlib.suppress(MuxdError):
            return self.client.listening() and self.client.status()["state"] == "running"
        return False


@final
class MuxdDaemon:
    """Starts daemons: what the fixture ``muxd_daemon`` gives."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._daemons: list[TestedDaemon] = []

    def __call__(
        self,
        *jobs: Job | ModuleType | Path | str,
        plugins: Collection[str] = (),
        config: str = "",
        speed: float = 1.0,
    ) -> TestedDaemon:
        """Start a daemon with these jobs, and wait until its browser is up: seconds.

        Args:
          *jobs: jobs or modules of jobs that can be imported by their names, jobs directories, files
            of one, or the text of a file.
          plugins: installed plugins, by name, that it has beside these. The others are disabled.
          config: more of its configuration, as TOML.
          speed: how much faster than real time the timetable runs.

        Raises:
          ValueError: a job can't be found by a name, or what was given is none.
          RuntimeError: the daemon ends instead, or is not up in time.
        """
        folder = self._folder / f"daemon{len(self._daemons) + 1}"
        place = folder / "jobs"
        made = [file for number, given in enumerate(jobs) for file in _files_of(given, number)]
        place.mkdir(parents=True)
        for name, text in made:
            (place / name).write_text(text, "utf-8")
        others = {p.name for p in importlib.metadata.entry_points(group=ENTRY_POINT_GROUP)}
        disable = json.dumps(sorted(others - set(plugins)))
        text = f'plugins.disable = {disable}\ndaemon.timezone = "UTC"\n{dedent(config)}'
        daemon = TestedDaemon(folder, place, text, speed=speed)
        self._daemons.append(daemon)
        return daemon

    def account(self) -> str:
        """Where to look when the test has failed, for people."""
        return "\n".join(f"{daemon.folder}\n{_end_of(daemon.output)}" for daemon in self._daemons)

    @contextlib.contextmanager
    def stopping(self) -> Iterator[MuxdDaemon]:
        """On leaving, all of its daemons are stopped."""
        try:
            yield self
        finally:
            for daemon in self._daemons:
                daemon.stop()


def _end_of(output: str) -> str:
    """Its last lines."""
    end = output.rstrip()[-TAIL:]
    return end if len(end) < TAIL else f"...\n{end.partition(chr(10))[2]}"


def _files_of(given: Job | ModuleType | Path | str, number: int) -> Iterator[tuple[str, str]]:
    """The names and texts of the files in the jobs directory that declare it."""
    name = f"jobs{number + 1}.py"
    if isinstance(given, Path):
        for file in sorted(given.glob("*.py")) if given.is_dir() else (given,):
            yield file.name, file.read_text("utf-8")
    elif isinstance(given, str):
        yield name, dedent(given)
    elif isinstance(given, ModuleType):
        yield name, f"from {given.__name__} import *\n"
    elif isinstance(given, Job):
        module, attribute = _home_of(given)
        yield name, f"from {module} import {attribute} as job\n"
    else:
        raise ValueError(f"{given!r} is no job: give a Job, a module, a Path or the text of a file")


def _home_of(job: Job) -> tuple[str, str]:
    """The module of a job, and its name there."""
    for name, module in list(sys.modules.items()):
        for attribute, value in list(getattr(module, "__dict__", {}).items()):
            if value is job and name != "__main__":
                return name, attribute
    raise ValueError(
        f"job {job.name!r} can't be found by a name: the daemon is another process. Declare it at "
        "the top level of a module, or give the text of a file that does"
    )


def _record(told: dict[str, Any]) -> Record:
    """The record that was written as JSON."""
    given = {key: value for key, value in told.items() if key not in ("lateness", "duration")}
    for key in ("released_at", "started_at", "ended_at"):
        if given[key] is not None:
            given[key] = datetime.fromisoformat(given[key]).timestamp()
    outcome = given["outcome"]
    given |= {"outcome": outcome and Outcome(outcome), "cause": Cause(given["cause"])}
    return Record(**given)
