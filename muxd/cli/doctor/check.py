"""One thing that is looked at: what came of it, and what it is looked at for."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, Literal

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from muxd.browser.launch import LaunchPlan
    from muxd.config import Config
    from muxd.errors import ConfigProblem
    from muxd.state import Owner, StateDir

__all__ = ["Check", "Finding", "Look", "Subject", "error", "looked_at", "ok", "warning"]

Level = Literal["ok", "warning", "error"]


@attrs.frozen(kw_only=True)
class Check:
    """One line of what the doctor says."""

    name: str
    level: Level
    message: str
    remedy: str | None = None


@attrs.frozen
class Finding:
    """What a look found; `Check` without the name of the look."""

    level: Level
    message: str
    remedy: str | None = None


def ok(message: str) -> Finding:
    """All is well."""
    return Finding("ok", message)


def warning(message: str, remedy: str) -> Finding:
    """muxd runs, but not as well as it could."""
    return Finding("warning", message, remedy)


def error(message: str, remedy: str) -> Finding:
    """muxd does not run, or not for long."""
    return Finding("error", message, remedy)


@attrs.define(kw_only=True)
class Subject:
    """Whose health it is."""

    config: Config
    """What is in force, as far as it is right."""
    problems: tuple[ConfigProblem, ...]
    """What is wrong with the configuration."""
    state: StateDir
    owner: Owner | None
    """Who holds the state directory."""
    root: Path
    """Where the machine's files are; another place in tests."""
    plan: LaunchPlan | None = None
    """How the browser is launched, if there is one."""
    launched: bool = False
    """Whether it was, with its sandbox unless this is root."""
    answer: Callable[[str, float], object] = attrs.field(default=lambda _what, _bound: None)
    """What a process of its own found out about plugins, or the ledger, within so many seconds."""

    @property
    def has_daemon(self) -> bool:
        """Whether a daemon runs on the state directory."""
        return self.owner is not None and self.owner.role == "daemon"


@attrs.frozen
class Look:
    """Looks at one thing."""

    name: str
    findings: Callable[[Subject], Iterable[Finding]]
    bound: float = 10.0
    """How long it may take, seconds."""


def looked_at(look: Look, subject: Subject) -> Iterator[Check]:
    """What it finds; whatever it raises, or if it doesn't end, that is all that is said of it."""
    found: queue.SimpleQueue[list[Finding]] = queue.SimpleQueue()

    def work() -> None:
        try:
            found.put(list(look.findings(subject)))
        except BaseException as problem:
            said = f"{type(problem).__name__}: {problem}"
            found.put([warning(f"it could not be looked at: {said}", "tell us, if it is odd")])

    # A thread: a disk that is dead, or a server that does not answer, has no timeout.
    threading.Thread(target=work, name=f"muxd doctor, {look.name}", daemon=True).start()
    try:
        findings = found.get(timeout=look.bound)
    except queue.Empty:
        findings = [
            warning(
                f"it could not be looked at within {look.bound:g} s",
                "try again; if it stays so, something hangs: a disk, a file system of the network",
            )
        ]
    for finding in findings:
        yield Check(
            name=look.name, level=finding.level, message=finding.message, remedy=finding.remedy
        )
