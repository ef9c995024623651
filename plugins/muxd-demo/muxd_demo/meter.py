"""How many browsers this process has, and how much memory they take, now and at most."""

from __future__ import annotations

import attrs
import psutil
import trio

__all__ = ["Meter", "browsers_of", "has_pss"]

_PAUSE = 0.5
"""Seconds between two looks: the process table has no way to call."""


@attrs.define
class Meter:
    """Keeps the most that was seen while `run` was under way, of browsers started since then."""

    peak_browsers: int = attrs.field(init=False, default=0)
    peak_memory: int = attrs.field(init=False, default=0)
    """Bytes, all processes of all browsers together; see `has_pss`."""

    async def run(self) -> None:
        """Look again and again until cancelled. Looking is done in a thread: it takes a while
        where there are many processes, and must not slow down what it looks at."""
        here_before = frozenset(browsers_of(psutil.Process()))
        while True:
            browsers, memory = await trio.to_thread.run_sync(_look, here_before)
            self.peak_browsers = max(self.peak_browsers, browsers)
            self.peak_memory = max(self.peak_memory, memory)
            await trio.sleep(_PAUSE)


def has_pss() -> bool:
    """True where memory that processes share is counted once (PSS, on Linux); else it is counted
    for each of them (RSS), which makes many browsers look bigger than they are."""
    try:
        return hasattr(psutil.Process().memory_full_info(), "pss")
    except psutil.Error:
        return False


def browsers_of(parent: psutil.Process) -> list[psutil.Process]:
    """The browsers started by a process or by its descendants, one process each."""
    return _sorted_out(_children(parent))[0]


def _look(here_before: frozenset[psutil.Process]) -> tuple[int, int]:
    family = set(_children(psutil.Process()))
    for browser in here_before:
        family -= {browser, *_children(browser)}
    browsers, theirs = _sorted_out(list(family))
    pss = has_pss()
    return len(browsers), sum(_memory(each, pss) for each in (*browsers, *theirs))


def _sorted_out(
    family: list[psutil.Process],
) -> tuple[list[psutil.Process], list[psutil.Process]]:
    """Of these processes the browsers, and those that belong to one of the browsers."""
    alike = {each.pid for each in family if _looks_like_a_browser(each)}
    parents = {each.pid: _parent(each) for each in family}

    def is_below(pid: int) -> bool:
        above = parents.get(pid)
        while above is not None and above not in alike:
            above = parents.get(above)
        return above is not None

    # A helper that was forked an instant ago still has its browser's command line.
    browsers = [each for each in family if each.pid in alike and not is_below(each.pid)]
    return browsers, [each for each in family if is_below(each.pid)]


def _looks_like_a_browser(process: psutil.Process) -> bool:
    try:
        words = process.cmdline()
    except psutil.Error:
        return False
    # A browser's helpers are of a --type; the browser itself is not.
    own_profile = any(word.startswith("--user-data-dir") for word in words)
    return own_profile and not any(word.startswith("--type=") for word in words)


def _parent(process: psutil.Process) -> int | None:
    try:
        return process.ppid()
    except psutil.Error:
        return None


def _children(parent: psutil.Process) -> list[psutil.Process]:
    try:
        return list(parent.children(recursive=True))
    except psutil.Error:
        return []


def _memory(process: psutil.Process, pss: bool) -> int:
    try:
        return int(process.memory_full_info().pss if pss else process.memory_info().rss)
    except psutil.Error:  # gone since it was listed
        return 0
