"""Plugins and ledger, looked at by a process of its own: what a plugin does harms only that."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from muxd.cli.doctor.check import error, ok, warning

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from muxd.cli.doctor.check import Finding, Subject

__all__ = ["Aside", "ledger", "plugins"]

PLUGINS_BOUND, LEDGER_BOUND = 60.0, 120.0
"""How long it may take, seconds. A ledger of 100 MB takes one, of some gigabytes a minute."""


class Aside:
    """Such a process, from its start to its end."""

    def __init__(self, file: Path | None, options: Mapping[str, tuple[Any, str]]) -> None:
        """Nothing runs yet.

        Args:
          file: the configuration file that was named.
          options: as for `muxd.configfile.load_config`.
        """
        self._given = json.dumps(
            {"file": file and str(file), "options": options}, default=_plain
        ).encode()
        self._told: dict[str, Any] = {}
        self._changed = threading.Condition()
        self._ended = False

    def __enter__(self) -> Self:
        reading, writing = os.pipe()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "muxd.cli.doctor.asked", str(writing)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[writing],
                start_new_session=True,
            )
        finally:
            os.close(writing)
        stdin = self._process.stdin
        assert stdin is not None
        with contextlib.suppress(BrokenPipeError), stdin:
            stdin.write(self._given)
        self._listener = threading.Thread(target=self._listen, args=[reading], daemon=True)
        self._listener.start()
        threading.Thread(target=self._wait, daemon=True).start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def answer(self, what: str, bound: float) -> Any:
        """What it says of `what`; None if it dies or takes longer than that."""
        end = time.monotonic() + bound
        with self._changed:
            while what not in self._told and not self._ended and time.monotonic() < end:
                self._changed.wait(end - time.monotonic())
            if what not in self._told and not self._ended:
                raise TimeoutError(f"not known after {bound:g} s")
            return self._told.get(what)

    def _listen(self, reading: int) -> None:
        with os.fdopen(reading, "rb") as lines:
            for line in lines:
                with self._changed:
                    self._told |= json.loads(line)
                    self._changed.notify_all()

    def _wait(self) -> None:
        # Not the end of the pipe: what a plugin has started may have that, and live on.
        self._process.wait()
        self._listener.join(5.0)  # for what is still in the pipe
        with self._changed:
            self._ended = True
            self._changed.notify_all()


def _plain(value: object) -> object:
    return str(value) if isinstance(value, Path) else value


def plugins(subject: Subject) -> Iterator[Finding]:
    """Which are broken, by name."""
    told: Any = subject.answer("plugins", PLUGINS_BOUND)
    if told is None:
        yield error(
            "muxd does not survive their import",
            "`muxd plugins` says more; `muxd plugins disable NAME` switches one off without",
        )
        return
    for problem in told["problems"]:
        message, _, remedy = problem.partition("; mend it, or ")
        yield error(message, f"mend it, or {remedy}")
    for said in told["warnings"]:
        yield warning(said, "correct it in the configuration")
    states = told["states"]
    active, disabled = states.count("active"), states.count("disabled")
    if not told["jobs"]:
        yield warning(
            "no plugin that is active has a job: there is nothing to run",
            "install one, or name a directory of job files: [plugins] jobs_dirs",
        )
    else:
        off = f", {disabled} disabled" if disabled else ""
        yield ok(f"{active} active{off}; {told['jobs']} jobs")


def ledger(subject: Subject) -> Iterator[Finding]:
    """Whether all of it can be read, its size, and its schema."""
    told: Any = None
    with contextlib.suppress(TimeoutError):
        told = subject.answer("ledger", LEDGER_BOUND)
    if told is None:
        yield warning(
            "it could not be looked through: the plugins were in the way, or it takes too long",
            "see the line on plugins; muxd looks through it daily",
        )
    elif told.get("error"):
        message, _, remedy = told["error"].partition("; ")
        yield error(message, remedy or "docs/ledger.md says what to do")
    else:
        yield ok(told["words"] or "its store says nothing of itself")
