"""A helpful error for an await of asyncio's in a plain trio task."""

from __future__ import annotations

import trio

from muxd.errors import MuxdError

__all__ = ["HelpfulErrors", "UnbridgedAwait"]


class UnbridgedAwait(MuxdError, RuntimeError):
    """A plain trio task awaited something of asyncio's. Raised at that await; a bug to be fixed.

    Start the task in `muxd.open_nursery`, or pass its function through `muxd.bridged`.
    """


class HelpfulErrors(trio.abc.Instrument):
    """Turns trio's TypeError for such an await into an `UnbridgedAwait`."""

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        """Look whether trio has just arranged to throw its error in at the await."""
        # There is no public way to get at it. Should the attribute go some day, then trio's own
        # error is raised.
        error = getattr(task, "_next_send", None)
        if type(error) is not TypeError:
            return
        what = str(error).removeprefix("trio.run received unrecognized yield message ")
        what = what.split(". Are you trying", 1)[0]
        task._next_send = UnbridgedAwait(
            f"this await needs asyncio: the trio task {task.name!r} awaited {what}. "
            "Start the task in a nursery of muxd.open_nursery(), or pass its function through "
            "muxd.bridged()."
        )
