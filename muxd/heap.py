"""What the C library does with memory that Python has given back."""

from __future__ import annotations

import contextlib
import ctypes

__all__ = ["give_back_large_blocks"]

M_MMAP_THRESHOLD = -3
LARGE = 2**20


def give_back_large_blocks() -> None:
    """From now on have blocks of `LARGE` bytes and more returned to the system when they are freed.

    glibc raises its own threshold, up to 32 MB, as soon as one such block is freed: the next ones
    then come from the heap, and after a run with a huge result or error some tens of MB stay there
    for the process's life. Does nothing where there is no ``mallopt``.
    """
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, LARGE)
