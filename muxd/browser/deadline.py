"""The deadline that each call to Playwright has."""

from __future__ import annotations

from typing import TYPE_CHECKING, ParamSpec, TypeVar

import trio

from muxd.bridge import bridged

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["within"]

_P = ParamSpec("_P")
_T = TypeVar("_T")


async def within(
    seconds: float, call: Callable[_P, Awaitable[_T]], *args: _P.args, **kwargs: _P.kwargs
) -> _T:
    """One call to Playwright under a deadline of trio's: none is ever made without.

    Raises:
      trio.TooSlowError: it took longer; it was cancelled.
    """
    with trio.fail_after(seconds):
        return await bridged(call)(*args, **kwargs)
