"""The systemd unit: whether there is one, starts what there is, and is what muxd would write."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from typing import TYPE_CHECKING

from muxd.cli.doctor.check import error, ok, warning

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from muxd.cli.doctor.check import Finding, Subject

__all__ = ["service"]


def service(subject: Subject) -> Iterator[Finding]:
    """The user's unit and the machine's."""
    from muxd.cli.service import place_of

    places = {system: place_of(system=system) for system in (False, True)}
    if not any(place.exists() for place in places.values()):
        if shutil.which("systemctl"):
            yield ok("none is installed; `muxd service install` has systemd keep muxd running")
        else:
            yield ok("there is no systemd on this machine")
        return
    for system, place in places.items():
        if place.exists():
            yield from _looked_into(subject, place, system=system)
            yield from _by_systemd(place, system=system)


def _looked_into(subject: Subject, place: Path, *, system: bool) -> Iterator[Finding]:
    from muxd.cli.service import is_ours, unit_of
    from muxd.errors import UserError

    try:
        text = place.read_text()
    except OSError as problem:
        yield warning(f"{place} can't be read: {problem.strerror}", "look into it as root")
        return
    command = _command(text)
    user = _value(text, "User")
    again = "muxd service install" + (f" --system --as {user or 'USER'}" if system else "")
    if not command or not shutil.which(command[0]):
        program = command[0] if command else "nothing"
        yield error(f"{place} starts {program}, which is not there", f"`{again}` writes it anew")
        return
    if not is_ours(place):
        yield ok(f"{place} is not muxd's own, and starts {command[0]}")
        return
    there = _option(command, "--config"), _option(command, "--state-dir")
    try:
        unit = unit_of(subject.config, system=system, user=user if system else None)
    except UserError as problem:
        yield error(f"{place}: {problem}", f"`{again}` writes it anew")
        return
    here = _option(unit.command, "--config"), _option(unit.command, "--state-dir")
    if there != here:
        yield ok(
            f"{place} is for the state directory {there[1]} and the configuration "
            f"{there[0] or 'that is none'}: look at it with these"
        )
    elif text != unit.text:
        other = "" if command[0] == unit.command[0] else f", and starts {command[0]}"
        yield warning(f"{place} is not what this muxd would write{other}", f"`{again}`")
    else:
        yield ok(f"{place} is as this muxd writes it")


def _by_systemd(place: Path, *, system: bool) -> Iterator[Finding]:
    """What systemd knows of it, if it can be asked."""
    program = shutil.which("systemctl")
    if program is None:
        return
    scope = [] if system else ["--user"]
    wanted = [f"--property={name}" for name in ("ActiveState", "Result", "NeedDaemonReload")]
    try:
        done = subprocess.run(
            [program, *scope, "--no-pager", "show", place.name, *wanted],
            capture_output=True,
            text=True,
            check=False,
            timeout=4,
        )
    except subprocess.TimeoutExpired:
        yield warning("systemctl does not answer", "see `systemctl status`")
        return
    facts = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    words = " ".join(["systemctl", *scope])
    if facts.get("ActiveState") == "failed":
        yield error(
            f"systemd has given it up ({facts.get('Result')})",
            f"see `journalctl {' '.join(scope)} -u muxd`; then `{words} restart muxd`".replace(
                "  ", " "
            ),
        )
    if facts.get("NeedDaemonReload") == "yes":
        yield warning("systemd has an older one in memory", f"`{words} daemon-reload`")


def _value(text: str, name: str) -> str | None:
    found = re.search(rf"^{name}=(.*)$", text, re.MULTILINE)
    return found[1].strip() if found else None


def _command(text: str) -> Sequence[str]:
    """The words of ExecStart, as systemd reads them."""
    line = (_value(text, "ExecStart") or "").lstrip("-+!:@")
    try:
        words = shlex.split(line)
    except ValueError:
        return ()
    return [word.replace("%%", "%").replace("$$", "$") for word in words]


def _option(command: Sequence[str], name: str) -> str | None:
    command = list(command)
    return command[command.index(name) + 1] if name in command[:-1] else None
