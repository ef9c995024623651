"""Notices coroutines that a body has made and not awaited: what they were to do was not done."""

from __future__ import annotations

import sys
import sysconfig
import warnings
from pathlib import Path
from typing import Any

from muxd.background import owner
from muxd.errors import BodyMistake

__all__ = ["notice_unawaited"]

_FOREIGN = tuple(
    str(Path(sysconfig.get_path(kind))) + "/" for kind in ("stdlib", "purelib", "platlib")
)
_PLAYWRIGHT = "/playwright/"
_noticing = False


def notice_unawaited() -> None:
    """From now on, charge to a run what it forgets to await; Python only warns of it. Once is enough.

    Charged are coroutines of Playwright, and those that code outside of libraries drops, while the run is
    in progress. All others are warned of as ever.
    """
    global _noticing
    # Private, but Python looks it up there for each; without it there are just the warnings.
    warn = getattr(warnings, "_warn_unawaited_coroutine", None)
    if _noticing or warn is None:
        return
    _noticing = True

    def notice(coro: Any) -> None:
        if not _charged(coro):
            warn(coro)

    warnings._warn_unawaited_coroutine = notice  # type: ignore[attr-defined]


def _charged(coro: Any) -> bool:
    """Charge it to the run in whose body this is; False if that is not so. Never raises."""
    try:
        block = owner()
        if block is None or not block.active:
            return False
        # Whoever has dropped it: the caller of who was told.
        frame = sys._getframe(2)
        place = frame.f_code.co_filename
        if _PLAYWRIGHT not in coro.cr_code.co_filename and place.startswith(_FOREIGN):
            return False
        name = coro.__qualname__
        block.add(
            BodyMistake(
                f"{Path(place).name}, line {frame.f_lineno}: the call of {name}() is not awaited, so "
                f"it did nothing: write `await ...{name.rpartition('.')[2]}(...)`"
            )
        )
    except Exception:
        return False
    return True
