"""The state directory: whose it is, what is left in it, and the daemon that has it."""

from __future__ import annotations

import os
import socket
import stat
from typing import TYPE_CHECKING

from muxd.cli.doctor.check import error, ok, warning

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from muxd.cli.doctor.check import Finding, Subject

__all__ = ["DATA_BOUND", "daemon", "dashboard", "data", "leftovers", "permissions"]

DATA_BOUND = 60.0
"""How long looking through the data file may take, seconds."""

LOOKED_AT = 2000
"""How many files of a profile are looked at."""


def permissions(subject: Subject) -> Iterator[Finding]:
    """Nobody else may read what is kept, and muxd must be able to write all of it."""
    root = subject.state.root
    if not root.exists():
        parent = root
        while not parent.exists():
            parent = parent.parent
        if os.access(parent, os.W_OK | os.X_OK):
            yield ok(f"{root} is made at the first start")
        else:
            yield error(
                f"{root} can't be made: {parent} can't be written to",
                "choose another by --state-dir or MUXD_STATE_DIR",
            )
        return
    if not root.is_dir():
        yield error(f"{root} is not a directory", "choose another by --state-dir")
        return
    foreign = [path for path in _files(subject) if _owner(path) not in (os.geteuid(), None)]
    if foreign:
        yield error(
            f"{foreign[0]} is not this user's, nor are {len(foreign) - 1} more: was muxd run as "
            "another user, root perhaps?",
            f"as root: chown -R {os.geteuid()} {root}; or be that user",
        )
        return
    if not os.access(root, os.W_OK | os.X_OK):
        yield error(f"{root} can't be written to", f"chmod u+rwx {root}, or mount it writable")
        return
    open_ones = [path for path in _files(subject, deep=False) if _mode(path) & 0o077]
    if open_ones:
        yield warning(
            f"others can get at {open_ones[0]}"
            + (f" and {len(open_ones) - 1} more" if len(open_ones) > 1 else ""),
            f"chmod -R go= {root}",
        )
    else:
        yield ok(f"{root} is this user's alone")


def _files(subject: Subject, *, deep: bool = True) -> Iterator[Path]:
    """What is to be private; with `deep` the profile's files too, up to a bound."""
    state = subject.state
    yield state.root
    private = (*state.root.glob("profile*"), state.sessions, state.artifacts, state.logs)
    yield from (path for path in private if path.exists() and path.name != "profile.lock")
    yield from state.sessions.glob("*.json")
    yield from state.root.glob("*.sqlite3*")
    yield from state.root.glob("data*.db*")
    if deep:
        for number, path in enumerate(state.profile.rglob("*")):
            if number == LOOKED_AT:
                break
            yield path


def _owner(path: Path) -> int | None:
    try:
        return path.lstat().st_uid
    except OSError:  # a browser that is up makes and removes them
        return None


def _mode(path: Path) -> int:
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return 0


def data(subject: Subject) -> Iterator[Finding]:
    """Whether all of what jobs have saved can be read, and how much it is."""
    from muxd.body.copying import look_through
    from muxd.body.reading import DataReader
    from muxd.errors import DataError
    from muxd.sizes import format_size

    reader = DataReader(subject.state.root)
    try:
        look_through(reader.path)
        tables = reader.tables()
    except DataError as problem:
        message, _, remedy = str(problem).partition("; ")
        yield error(message, remedy or "docs/data.md says what becomes of it")
        return
    if not tables:
        yield ok("no job has saved anything")
        return
    rows, size = sum(table.rows for table in tables), format_size(reader.path.stat().st_size)
    yield ok(f"{len(tables)} tables, {rows:,} rows, {size}")


def daemon(subject: Subject) -> Iterator[Finding]:
    """What the daemon says of itself, if one runs."""
    from muxd.control.client import ControlClient
    from muxd.errors import MuxdError

    owner = subject.owner
    if owner is None:
        yield ok("none runs")
        return
    if owner.role != "daemon":
        yield ok(f"none runs; process {owner.pid} runs a job alone")
        return
    try:
        told = ControlClient(subject.state).status(upcoming=0)
    except MuxdError as problem:
        yield error(str(problem), "see its log; `muxd stop --now` ends it")
        return
    browser = told["browser"]
    yield ok(f"process {told['pid']} is {told['state']}, with {told['timetable']['jobs']} jobs")
    if not browser["up"] and told["state"] == "running":
        why = browser["last_loss"] or "it is being launched"
        yield warning(f"its browser is not up: {why}", "see its log; it goes on trying")
    for said in told["ledger"]["warnings"]:
        yield warning(said, "docs/ledger.md says what becomes of it")
    if told["ledger"]["unwritten"]:
        yield warning(
            f"{told['ledger']['unwritten']} records wait in memory for the ledger",
            "see its log: the disk is full, or the ledger locked",
        )
    for name in told["plugins_left_out"]:
        yield warning(f"it runs without the plugin {name!r}", "see the line on plugins")


def leftovers(subject: Subject) -> Iterator[Finding]:
    """Locks and sockets of a muxd, or a browser, that died; and browsers in muxd's way."""
    from muxd.backup.swap import is_pending

    state, owner = subject.state, subject.owner
    if owner is not None:
        yield ok(f"process {owner.pid or '?'} lives, and holds the lock and the socket")
        return
    clean = True
    stale = [path for path in (state.lock_file, state.socket) if path.exists()]
    if stale:
        clean = False
        yield warning(
            f"{' and '.join(path.name for path in stale)} of a muxd that died",
            "nothing: the next `muxd start` replaces them",
        )
    if is_pending(state.root):
        clean = False
        yield warning(
            "a restore was cut off before it was finished",
            "nothing: the next `muxd start` finishes it",
        )
    for finding in _of_browsers(state.profile):
        clean = False
        yield finding
    if clean:
        yield ok("no lock and no socket is left of a muxd that died")


def _of_browsers(profile: Path) -> Iterator[Finding]:
    from muxd.browser.processes import browsers_of_profile
    from muxd.browser.profile import driven

    found = browsers_of_profile(profile)
    for process in found:
        if driven(process):
            yield warning(
                f"process {process.pid} is a browser of a muxd that died",
                "nothing: the next `muxd start` ends it",
            )
        else:
            yield error(
                f"process {process.pid} is a browser on muxd's profile that muxd did not start",
                "close it",
            )
    try:
        host, _, pid = os.readlink(profile / "SingletonLock").rpartition("-")
    except OSError:
        return
    if not found:
        where = "" if host == socket.gethostname() else f" on the machine {host!r}"
        yield warning(
            f"the profile has the lock of process {pid}{where}, a browser that is not there",
            "nothing, as a rule: the next `muxd start` removes it, or says what to do",
        )


def dashboard(subject: Subject) -> Iterator[Finding]:
    """The port: the daemon's, or free for it."""
    web = getattr(subject.config, "web", None)
    if web is None or not web.enabled:
        yield ok("switched off")
        return
    place = f"{web.address} port {web.port}"
    family = socket.AF_INET6 if ":" in web.address else socket.AF_INET
    if web.port == 0:
        yield ok(f"{web.address}, on a port that is free")
        return
    if subject.has_daemon:
        with socket.socket(family) as probe:
            probe.settimeout(5)
            if probe.connect_ex((web.address, web.port)) == 0:
                yield ok(f"something listens on {place}; `muxd dashboard` has the link")
            else:
                yield warning(
                    f"nothing listens on {place}, though a daemon runs",
                    "see its log: was the port taken when it started?",
                )
        return
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((web.address, web.port))
        except OSError as problem:
            yield warning(
                f"{place} can't be had: {problem.strerror}; muxd would run without a dashboard",
                "end what has it (`ss -ltnp` names it), or choose another: [web] port in muxd.toml",
            )
            return
    yield ok(f"{place} is free")
