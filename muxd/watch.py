"""Who watches whether a body blocks the whole of muxd, as a runner sees them."""

from __future__ import annotations

import re
from pathlib import PurePath

import attrs

__all__ = ["Block", "Watch"]


_FRAME = re.compile(r'^ *File "(.+)", line (\d+) in (.+)$', re.MULTILINE)
"""A line of a stack as `faulthandler` writes it."""


@attrs.frozen
class Block:
    """For a while nothing else in muxd's process could run."""

    seconds: float
    """How long, without the time for which it is nobody's fault (a stopped process, a machine too
    busy)."""
    stack: str
    """Where that was, innermost call first; empty if it could not be had."""

    @property
    def harm(self) -> str:
        """What is charged to the run: ``blocked muxd for 7.2 s, in hang (shop.py:14)``."""
        innermost = _FRAME.search(self.stack)
        where = ""
        if innermost is not None:
            file, line, function = innermost.groups()
            where = f", in {function} ({PurePath(file).name}:{line})"
        return f"blocked muxd for {self.seconds:.1f} s{where}"


class Watch:
    """Is told of runs, and tells of blocks. This one watches nothing. Nothing in it blocks."""

    def running(self) -> None:
        """muxd is up."""

    def begin(self, run_id: str, job: str) -> None:
        """A run is in progress."""

    def end(self) -> Block | None:
        """It is no more. The longest block since it began, None if there was none."""
        return None
