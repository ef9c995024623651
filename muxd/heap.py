"""What the C library does with memory that Python has given back."""

from __future__ import annotations

import contextlib
import ctypes
import math
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from collections.abc import Callable

    from muxd.lulls import Lulls

__all__ = ["give_back_large_blocks", "trim_heap", "trim_in_lulls"]

M_MMAP_THRESHOLD = -3
LARGE = 2**20
LULL = 1.0
"""How long nothing must be due, seconds, for the heap to be trimmed: it takes some milliseconds."""
EVERY = 60.0
"""How long it is left alone after that, seconds."""


def give_back_large_blocks() -> None:
    """From now on have blocks of `LARGE` bytes and more returned to the system when they are freed.

    glibc raises its own threshold, up to 32 MB, as soon as one such block is freed: the next ones
    then come from the heap, and after a run with a huge result or error some tens of MB stay there
    for the process's life. Does nothing where there is no ``mallopt``.
    """
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, LARGE)


def trim_heap() -> None:
    """Return the free pages within the heap to the system.

    What one run needed and freed lies between what lives on, and glibc by itself only returns what is
    at the heap's end. Blocks others that allocate, for milliseconds. Does nothing where there is no
    ``malloc_trim``.
    """
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


async def trim_in_lulls(lulls: Lulls, trim: Callable[[], None] = trim_heap) -> None:
    """Trim the heap after runs, where nothing is due and not too often, until cancelled."""
    last = -math.inf
    while True:
        await lulls.next(LULL)
        if trio.current_time() >= last + EVERY:
            last = trio.current_time()
            await trio.to_thread.run_sync(trim)
