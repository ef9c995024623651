"""What of a browser's profile a person would miss, copied while the browser may be using it.

A browser keeps each kind of thing in a database of its own, and writes it in an order by which it
can be killed at any time. So a database of which no file has changed from before the first was read
until after the last is as a ``kill -9`` in that moment would have left it, which browsers stand.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import time
from typing import TYPE_CHECKING

from muxd.backup.place import private_folder
from muxd.errors import WorldError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["copy_profile"]

PATIENCE = 30.0
"""How long to wait for a moment in which a database does not change, seconds."""
BREATH = 0.25
AT_LEAST = 0.02
"""How long a database must not have changed; the clock of a file system may be as coarse, seconds."""

# What is fetched, made or noted again: caches, telemetry, what the browser shows of the past, and
# what belongs to a process. Everything else is kept, so that nothing is lost that a later browser
# keeps somewhere else. By the name of a directory or of a file, anywhere in the profile.
PASSED_OVER = re.compile(
    r"""
    .*Cache | .*cache2 | startupCache | Service\ Worker | CacheStorage | blob_storage | VideoDecodeStats
    | Safe\ Browsing.* | safebrowsing | component_crx_cache | extensions_crx_cache | Subresource\ Filter
    | optimization_guide.* | OptGuide.* | Optimization.* | segmentation_platform | Segmentation.*
    | .*Feature\ Engagement.* | BudgetDatabase | Download\ Service | GCM\ Store | Sync\ Data | chrome_cart_db
    | commerce_subscription_db | coupon_db | discount.*_db | parcel_tracking_db | PersistentOriginTrials
    | Crash\ ?[Rr]eports | Crashpad | crashes | minidumps | datareporting | saved-telemetry-pings
    | BrowserMetrics.* | .*\.pma | chrome_debug\.log | DevToolsActivePort | .*\.tmp
    | History.* | Favicons.* | favicons.* | Top\ Sites.* | Visited\ Links | Shortcuts.* | places.* | Sessions.*
    | Shared\ Dictionary | declarative_performance_observer.*
    | Network\ Action\ Predictor.* | DIPS.* | Reporting\ and\ NEL.* | Site\ Characteristics.* | heavy_ad.*
    | Singleton.* | lockfile | LOCK | LOG | LOG\.old | lock | \.parentlock | RunningChromeVersion
    """,
    re.VERBOSE,
)
_BESIDE = re.compile(r"(-journal|-wal|-shm)$")


def copy_profile(
    profile: Path, target: Path, *, clock: Callable[[], float] = time.monotonic
) -> None:
    """Copy what matters of `profile` into `target`, which is made; modes 0700 and 0600.

    Raises:
      WorldError: a database changed all the time.
      OSError: something can't be read or written.
    """
    end = clock() + PATIENCE
    for name, files in _databases(profile):
        while not _copied(profile, files, target):
            if clock() > end:
                raise WorldError(
                    f"the browser is writing {profile / name} all the time: try again when less is "
                    "going on, stop muxd for it, or leave the sessions out (--without-sessions)"
                )
            time.sleep(BREATH)
            files = dict(_databases(profile)).get(name, [])


def _databases(profile: Path) -> Iterator[tuple[str, list[str]]]:
    """Its name, and its files: a directory's are one database's, and so are a file and its journal."""
    for folder, folders, files in os.walk(profile):
        place = os.path.relpath(folder, profile)
        theirs = "Extensions" in place.split(os.sep)  # whose files have any names
        folders[:] = sorted(n for n in folders if theirs or not PASSED_OVER.fullmatch(n))
        kept = sorted(n for n in files if theirs or not PASSED_OVER.fullmatch(n))
        if any(name.startswith("MANIFEST-") for name in kept):  # LevelDB
            yield place, [os.path.join(place, name) for name in kept]
            continue
        groups: dict[str, list[str]] = {}
        for name in kept:
            path = os.path.normpath(os.path.join(place, name))
            groups.setdefault(_BESIDE.sub("", path), []).append(path)
        yield from groups.items()


def _copied(profile: Path, files: list[str], target: Path) -> bool:
    """Copy them; False if any changed meanwhile, or a moment before."""
    before = _state(profile, files)
    if before is None:
        return False
    for name in files:
        if name not in before:
            continue  # a socket, a link
        place = target / name
        private_folder(place.parent)
        try:
            with (profile / name).open("rb") as source, place.open("wb") as made:
                os.fchmod(made.fileno(), 0o600)
                shutil.copyfileobj(source, made, 1 << 20)
        except FileNotFoundError:
            break
    if _state(profile, files) == before:
        return True
    for name in files:
        (target / name).unlink(missing_ok=True)
    return False


def _state(profile: Path, files: list[str]) -> dict[str, tuple[int, ...]] | None:
    """What tells one state of the files from another; None: they have only just changed."""
    found: dict[str, tuple[int, ...]] = {}
    for name in files:
        try:
            told = (profile / name).lstat()
        except FileNotFoundError:
            continue
        if stat.S_ISREG(told.st_mode):
            found[name] = (told.st_ino, told.st_size, told.st_mtime_ns, told.st_ctime_ns)
        if os.path.basename(name).startswith("MANIFEST-"):  # LevelDB begins a new file now and then
            folder = os.path.dirname(name)
            found[folder] = ((profile / folder).stat().st_mtime_ns,)
    newest = max((told[-1] for told in found.values()), default=0)
    return None if 0 <= time.time_ns() - newest < AT_LEAST * 1e9 else found
