"""The machine: sandbox, fonts, shared memory, memory, disk, clock."""

from __future__ import annotations

import ctypes
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from muxd.cli.doctor.check import error, ok, warning
from muxd.sizes import format_size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from muxd.cli.doctor.check import Finding, Subject

__all__ = ["clock", "disk", "fonts", "memory", "sandbox", "shared_memory", "time_zone"]

ROOM = 300_000_000
"""What a browser with one page takes, bytes."""
NO_ROOM = 20_000_000
"""Below this much disk nothing works any more, bytes."""
SMALL_SHM = 128_000_000
"""A container's default is half of it, and browsers that use it crash on large pages, bytes."""
UNSYNCHRONISED = 0x0040
"""STA_UNSYNC of adjtimex(2): no time service has set the clock lately."""
# Chromium makes a user namespace, and others within it.
NAMESPACES = """
import ctypes
unshare = ctypes.CDLL(None, use_errno=True).unshare
raise SystemExit(unshare(0x10000000) or unshare(0x20000000 | 0x40000000))
"""
_SCRIPTS = {
    "ja": "Japanese",
    "zh-cn": "Chinese",
    "ko": "Korean",
    "ar": "Arabic",
    "und-zsye": "emoji",
}
_FONT_DIRS = ("usr/share/fonts", "usr/local/share/fonts")


# The sandbox


def sandbox(subject: Subject) -> Iterator[Finding]:
    """Chromium's own: by user namespaces, or by a helper that is setuid root."""
    plan = subject.plan
    if plan is not None and not plan.found.engine.is_chromium:
        yield ok(f"{plan.found.engine.value} has one of its own, which can't be asked for")
        return
    if os.geteuid() == 0:
        yield warning(
            "muxd runs as root, and so Chromium runs without its sandbox",
            "run it as a user of its own: `muxd service install --system --as USER`",
        )
        return
    helper = _helper(plan.found.path if plan else None)
    namespaces = subprocess.run(
        [sys.executable, "-I", "-S", "-c", NAMESPACES], capture_output=True, timeout=8, check=False
    )
    if namespaces.returncode == 0:
        yield ok("by user namespaces")
    elif helper is not None:
        yield ok(f"by the setuid helper {helper}")
    elif subject.launched:
        yield ok("the browser launches with it")
    else:
        why, remedy = _why_no_namespaces(subject.root)
        yield error(f"neither user namespaces nor a setuid helper: {why}", remedy)


def _helper(browser: Path | None) -> Path | None:
    named = os.environ.get("CHROME_DEVEL_SANDBOX")
    places = [Path(named)] if named else []
    if browser is not None:
        places += [
            folder / "chrome-sandbox"
            for folder in (browser.parent, browser.resolve().parent, Path("/usr/lib/chromium"))
        ]
    for place in places:
        try:
            found = place.stat()
        except OSError:
            continue
        if found.st_uid == 0 and found.st_mode & stat.S_ISUID:
            return place
    return None


def _why_no_namespaces(root: Path) -> tuple[str, str]:
    for key, refuses in (
        ("kernel.unprivileged_userns_clone", "0"),
        ("user.max_user_namespaces", "0"),
        ("kernel.apparmor_restrict_unprivileged_userns", "1"),
    ):
        if _read(root / "proc/sys" / key.replace(".", "/")) == refuses:
            other = {"0": "1", "1": "0"}[refuses] if "max" not in key else "10000"
            return f"{key} is {refuses}", f"as root: sysctl -w {key}={other}, and in /etc/sysctl.d"
    return (
        "the system refuses them",
        "in a container: allow `unshare` and `clone`, as contrib/container/seccomp.json does",
    )


# What pages need


def fonts(subject: Subject) -> Iterator[Finding]:
    """Without any, pages have no text; without those of a script, boxes."""
    remedy = "install some, such as Debian's fonts-liberation"
    if not shutil.which("fc-list"):
        homes = [Path.home() / ".fonts", Path.home() / ".local/share/fonts"]
        folders = [*(subject.root / folder for folder in _FONT_DIRS), *homes]
        files = [f for folder in folders for f in folder.rglob("*.[otpOTP][tTfF][fFcCaAbB]*")]
        number = len(files)
        yield ok(f"{number} files") if number else warning("there is none: no text", remedy)
        return
    number = len(_fonts(":"))
    if not number or not _fonts(":lang=en"):
        yield warning("there is none for Latin letters: pages have no text", remedy)
        return
    lacking = [script for code, script in _SCRIPTS.items() if not _fonts(f":lang={code}")]
    boxes = f"; boxes instead of {', '.join(lacking)}, if a page has any" if lacking else ""
    yield ok(f"{number} fonts{boxes}")


def _fonts(pattern: str) -> list[str]:
    done = subprocess.run(
        ["fc-list", pattern, "family"], capture_output=True, text=True, timeout=8, check=False
    )
    return done.stdout.splitlines()


def shared_memory(subject: Subject) -> Iterator[Finding]:
    """What browsers share between their processes."""
    place = subject.root / "dev/shm"
    chromium = subject.plan is None or subject.plan.found.engine.is_chromium
    remedy = "have one of 1 GB: in a container by `--shm-size=1g` (compose: shm_size)"
    try:
        found = os.statvfs(place)
    except OSError:
        if chromium:
            yield ok("there is no /dev/shm; Chromium is told to do without")
        else:
            yield warning("there is no /dev/shm", remedy)
        return
    size = found.f_blocks * found.f_frsize
    free = f"{format_size(found.f_bavail * found.f_frsize)} of {format_size(size)} free"
    if chromium:
        yield ok(f"{free}; Chromium is told to do without")
    elif size < SMALL_SHM:
        yield warning(f"{free}: pages that need more crash", remedy)
    else:
        yield ok(free)


# What runs short


def memory(subject: Subject) -> Iterator[Finding]:
    """What is left, in this control group too."""
    from muxd.resources import free_memory

    free, floor = free_memory(subject.root), subject.config.resources.memory_floor
    if free is None:
        yield ok("nothing tells how much is free")
    elif free < floor:
        yield warning(
            f"{format_size(free)} free, below [resources] memory_floor of {format_size(floor)}: "
            "runs of priority low and background are held",
            "end what needs it, or give muxd more",
        )
    elif free < ROOM and not subject.has_daemon:
        yield warning(
            f"{format_size(free)} free: a browser takes {format_size(ROOM)} and more",
            "end what needs it, or give muxd more",
        )
    else:
        yield ok(f"{format_size(free)} free")


def disk(subject: Subject) -> Iterator[Finding]:
    """What is left where the state is, bytes and files."""
    from muxd.resources import free_disk

    place = subject.state.root.absolute()
    while not place.exists():
        place = place.parent
    free, floor = free_disk(place), subject.config.resources.disk_floor
    said = f"{format_size(free.size)} free at {place}"
    remedy = "make room there, or have muxd keep less: [evidence] max_size, [ledger] keep"
    if free.size < NO_ROOM or (free.inodes is not None and free.inodes < 100):
        files = f", {free.inodes} files" if free.inodes is not None else ""
        yield error(f"{said}{files}: it is full", remedy)
    elif free.size < floor:
        yield warning(
            f"{said}, below [resources] disk_floor of {format_size(floor)}: "
            "runs of priority low and background are held",
            remedy,
        )
    else:
        yield ok(said)


# Time


class _Timex(ctypes.Structure):
    """The beginning of struct timex, and room for the rest of it."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 512),
    )


def clock(_subject: Subject) -> Iterator[Finding]:
    """Whether a time service keeps the clock right; the kernel knows, whichever it is."""
    remedy = "run one, such as systemd-timesyncd (timedatectl set-ntp true) or chrony"
    try:
        told = _Timex()  # modes 0: nothing is set, and nobody needs a right for it
        if ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(told)) < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    except (OSError, AttributeError):
        yield ok("nothing tells whether the clock is kept right")
        return
    if told.status & UNSYNCHRONISED:
        yield warning(
            "no time service keeps the clock right: slots drift away from the time of day", remedy
        )
    else:
        yield ok(f"kept right by a time service, within {told.maxerror / 1e6:.3g} s")


def time_zone(subject: Subject) -> Iterator[Finding]:
    """Whose midnight the timetable counts from."""
    from muxd.errors import ConfigError
    from muxd.zone import zone

    try:
        found = zone(subject.config)
    except ConfigError as problem:
        yield error("there is no time zone data", problem.problems[0].message)
        return
    named, rule = subject.config.daemon.timezone, os.environ.get("TZ", "").removeprefix(":")
    if named is not None:
        yield ok(f"{found.key}, as configured")
    elif rule and found.key != rule and "/zoneinfo/" not in rule:
        yield warning(
            f"{found.key}, as TZ={rule} names no zone",
            "set [daemon] timezone in muxd.toml, such as 'Europe/Berlin'",
        )
    else:
        yield ok(f"{found.key}, the system's")


def _read(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError:
        return ""
