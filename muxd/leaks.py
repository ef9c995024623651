"""What a run leaves in our own process and beside it: noticed, counted, and ended where possible.

Browser and pages are not in it: they are the `PageSource`'s to clean.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import threading
from typing import TYPE_CHECKING, Self

import structlog
import trio

from muxd.ambient import Ambient
from muxd.background import owner
from muxd.children import Children, adopting, signal_trees, wait_dead
from muxd.handles import LeftHandles, accepted, described, open_handles
from muxd.left import Left
from muxd.origins import Origins
from muxd.tempfiles import TempFiles

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from muxd.background import BackgroundErrors
    from muxd.children import Leftover

__all__ = ["KILL_BOUND", "LULL", "TERM_BOUND", "Leaks", "Tally"]

TERM_BOUND = 1.0
"""How long a process that was left has to end once it is asked to, seconds."""
KILL_BOUND = 0.3
"""How long the end of what is killed is waited for, seconds."""
LULL = 0.2
"""How long tasks and threads that are about to end are waited for, seconds."""


class Leaks:
    """Watches runs, one at a time, for what they leave. To be entered for as long as there are any.

    While it is entered, orphans among our descendants become our children (Linux), and it is noted
    who starts processes and threads (`muxd.origins`).
    """

    def __init__(self, temp: Path | None = None, *, own: Sequence[Path] = ()) -> None:
        """Watch nothing yet.

        Args:
          temp: where runs have their temporary files, each in a folder. None: as everybody.
          own: files that muxd itself opens when a run first needs them, with those beside them whose
            names begin so; they stay open.
        """
        self.own = tuple(os.path.realpath(path) for path in own)
        self.origins = Origins()
        self.temp = TempFiles(temp, self.origins.in_run) if temp is not None else None
        self._children: Children
        self.handles = LeftHandles()
        self._stack = contextlib.ExitStack()
        self._current: Tally | None = None

    def __enter__(self) -> Self:
        self._stack.enter_context(adopting())
        self._stack.enter_context(self.origins)
        if self.temp is not None:
            self._stack.enter_context(self.temp)
        self._children = Children(self.origins)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """As on leaving; more than once is fine. Never blocks."""
        if self._current is not None:  # muxd itself is ended in the middle of a run
            self._current.kill()
        self._stack.close()

    def begin(self, job: str, body: str) -> Tally:
        """Note what there is before a run of this job, whose body's task has this name."""
        self._current = Tally(self, self._children, job, body)
        return self._current

    def ended(self) -> None:
        """The run has been counted."""
        self._current = None


class Tally:
    """One run, from before its body to after its lease: `Leaks.begin`, `ask`, then `finish`.

    All three together take 0.8 ms with five children and 60 file handles, if nothing was left.
    """

    def __init__(self, leaks: Leaks, children: Children, job: str, body: str) -> None:
        self._leaks, self._children, self._job, self._body = leaks, children, job, body
        before = self._children.now()
        self._children.reap(before)  # those that were adopted while no run was in progress
        self._before, self._groups = before, self._children.groups(before)
        self._handles = open_handles()
        leaks.handles.forget_closed(self._handles)
        self._threads = {*leaks.origins.threads(), *self._pooled()}
        self._system = set(_system_tasks())
        self._ambient = Ambient.now()
        if leaks.temp is not None:
            leaks.temp.begin()
        self._asked_at: float | None = None
        self._asked: list[Leftover] = []
        self._told: set[int] = set()  # the pids of what was asked or killed
        self.harms: list[str] = []
        """What is harm and is not told by the kinds of what was left; complete after `finish`."""
        self.left = Left()
        """What was left; complete after `finish`."""

    def ask(self) -> None:
        """The body is over: put back what all share, ask the processes that it left to end.

        Never blocks.
        """
        self.left.update(self._ambient.put_back())
        self._asked = self._strangers()
        self._asked_at = trio.current_time()
        self._told = signal_trees(self._asked, signal.SIGTERM)

    async def finish(
        self, background: BackgroundErrors | None = None, *, failed: bool = False
    ) -> None:
        """The lease is over: end what is still there, and count.

        Takes no time if nothing was left; else it lasts up to `TERM_BOUND` after `ask`, then
        `KILL_BOUND` and `LULL`.

        Args:
          background: who collects what the run left in the background.
          failed: the body raised. What its variables hold stays open until the error is
            forgotten, so its file handles are only counted if they are open after the next run.
        """
        await self._end_processes()
        self.left["process"] = len(self._told)
        files = self._leaks.temp.end() if self._leaks.temp is not None else None
        staying = self._staying(background)
        with trio.move_on_after(LULL) as lull:
            if files is not None:
                await self._remove(files)
            while staying:
                await trio.sleep(LULL / 5)  # nothing tells of a thread's end
                staying = self._staying(background)
        if lull.cancelled_caught:  # the files may have taken all of it
            staying = self._staying(background)
        self.left.update(staying)
        self._count_handles(failed)
        self._leaks.ended()

    async def _remove(self, folder: Path) -> None:
        """Remove the run's temporary files. Cancelled, a thread goes on with it."""
        temp, many = self._leaks.temp, 0
        assert temp is not None

        def counted(number: int) -> None:
            nonlocal many
            many = number

        try:
            await trio.to_thread.run_sync(temp.clear, folder, counted, abandon_on_cancel=True)
        finally:
            self.left["temporary file"] = many

    def kill(self) -> None:
        """Kill at once what the run has left running. Never blocks."""
        signal_trees(self._strangers(), signal.SIGKILL)

    def _strangers(self) -> list[Leftover]:
        return self._children.strangers(self._before, self._groups)

    async def _end_processes(self) -> None:
        if self._asked_at is not None and self._asked:
            with trio.move_on_at(self._asked_at + TERM_BOUND):
                await wait_dead(self._asked)
        with trio.move_on_after(KILL_BOUND):
            # Each death may give us orphans; what forks in the meantime is found again.
            while strangers := self._strangers():
                self._told |= signal_trees(strangers, signal.SIGKILL)
                await wait_dead(strangers)
                # Whoever has started it may be about to ask how it ended.
                await trio.sleep(0.01)
                self._children.reap(self._strangers())

    def _staying(self, background: BackgroundErrors | None) -> Left:
        """The tasks and threads of the run that are still there."""
        left = Left()
        left["thread"] = len([t for t in self._leaks.origins.threads() if t not in self._threads])
        left["thread"] += len([t for t in self._pooled() if t not in self._threads])
        tasks = len([task for task in _system_tasks() if task not in self._system])
        if background is not None:
            tasks += len([task for task in _tasks() if owner(task.context) is background])
            tasks += background.cancel_tasks()
        left["task that ignores its end"] = tasks
        return +left

    def _pooled(self) -> list[threading.Thread]:
        """The threads of trio's pool in which the body waits for something, or did."""
        return [t for t in threading.enumerate() if t.name.endswith(f" from {self._body}")]

    def _count_handles(self, failed: bool) -> None:
        new = open_handles() - self._handles
        if new:
            # Garbage that holds files is no leak; it only has to be collected.
            gc.collect()
            new = (now := open_handles()) - self._handles
            self._leaks.handles.forget_closed(now)
            new -= accepted(new, now)
            own = self._leaks.own
            new -= {handle for handle in new if described(handle[0]).startswith(own)}
        harm = self._leaks.handles.judge(self._job, new, sure=not failed)
        count = 0 if failed else len(new)
        self.left["file handle"] += count
        if count:
            what = [f"{handle[0]}: {described(handle[0])}" for handle in sorted(new)[:20]]
            structlog.get_logger().info("a run left file handles", job=self._job, handles=what)
        if harm > count:
            self.harms.append(f"its runs left {harm} file handles")


def _tasks() -> Iterator[trio.lowlevel.Task]:
    """All tasks of trio's but its own."""
    ahead = [trio.lowlevel.current_root_task()]
    while ahead:
        task = ahead.pop()
        for nursery in task.child_nurseries if task else ():
            ahead += nursery.child_tasks
            yield from nursery.child_tasks


def _system_tasks() -> list[trio.lowlevel.Task]:
    """The tasks that belong to no nursery of anybody's (`trio.lowlevel.spawn_system_task`)."""
    root = trio.lowlevel.current_root_task()
    return [
        task
        for nursery in (root.child_nurseries if root else ())
        for task in nursery.child_tasks
        if not _module(task).startswith("trio.")
    ]


def _module(task: trio.lowlevel.Task) -> str:
    """Where the function of a task was written; empty if that can't be seen."""
    frame = getattr(task.coro, "cr_frame", None)
    return str(frame.f_globals.get("__name__", "")) if frame is not None else ""
