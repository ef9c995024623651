"""One daemon's life, as the guard sees it."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from typing import TYPE_CHECKING

from muxd.guard import processes
from muxd.guard.link import DUMP, Lines, is_a_runs, read_stack
from muxd.guard.watch import Watch

if TYPE_CHECKING:
    from muxd.guard.lines import Log

__all__ = ["Life"]

DUMP_BOUND = 2.0
"""How long the daemon may take to write its stack, seconds."""


class Life:
    """Knows what a daemon said of itself, asks whether it is there, and kills it if it is not."""

    def __init__(
        self, pid: int, lines: Lines, stack_fd: int, log: Log, *, limit: float, farewell: float
    ) -> None:
        """Begin one.

        Args:
          pid: the daemon's process.
          lines: the socket to it.
          stack_fd: the file that it writes its stack into.
          log: told of blocks.
          limit: for how long it may be blocked, seconds.
          farewell: for how long it may take to end once it has said so, seconds.
        """
        self.pid, self.lines, self.born = pid, lines, time.monotonic()
        self.listening = self.running = self.stopping = self.restarting = self.bye = False
        self.run: tuple[str, str] | None = None
        """The run in progress: its id and its job."""
        self.blocked: float | None = None
        """For how long it was blocked when it was killed for that, seconds."""
        self.stack = ""
        """Where it was blocked then."""
        self.guilty = True
        """False if it was not the run in progress that blocked it."""
        self._stack_fd, self._log, self._watch, self._farewell = (
            stack_fd,
            log,
            Watch(limit),
            farewell,
        )
        self._end_by: float | None = None

    @property
    def next_look(self) -> float | None:
        """When `look` has something to do, monotonic seconds; None: never."""
        return self._watch.next_look if self._end_by is None else self._end_by

    def read(self, now: float | None = None) -> None:
        """Take in what the daemon has said."""
        now = time.monotonic() if now is None else now
        for word, *rest in self.lines.receive():
            match word:
                case "pong":
                    self._answered(now, *rest)
                case "listening":
                    self.listening = True
                    self._watch.begin(now)
                case "running":
                    self.running = True
                case "run":
                    self.run = (rest[0], rest[1])
                    self._watch.hurry(now, quick=True)
                case "rest":
                    self.run = None
                    self._watch.hurry(now, quick=False)
                case "stopping":
                    self.stopping = True
                case "restarting":
                    self.restarting = True
                case "bye":
                    self.bye = True
                    self._end_by = now + self._farewell

    def look(self, now: float) -> None:
        """Ask the daemon, or act on its silence, if it is time."""
        if self._end_by is not None:
            if now >= self._end_by:
                self._end_by = now + 1
                self.kill()  # before it is told: there may be nobody to read it
                self._log.say("error", "muxd has ended but its process has not: it is killed")
            return
        due = self._watch.next_look
        if due is None or now < due:
            return
        step = self._watch.look(
            now, stopped=processes.is_stopped(self.pid), delay=processes.processor_delay(self.pid)
        )
        if step == "ask":
            os.ftruncate(self._stack_fd, 0)
            self.lines.send("ping", now)
        elif step == "found":
            self._found(now)
        elif step == "over" and self.blocked is None:
            self._over(now)

    def cut_short(self, now: float) -> None:
        """End a block now, if there is one: somebody can't wait for its limit."""
        if self._watch.found and self.blocked is None:
            self._over(now, cut_short=True)

    def kill(self) -> None:
        """Kill it, at once."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def close(self) -> None:
        """Close the socket to it."""
        self.lines.socket.close()

    def _answered(self, now: float, asked: float) -> None:
        if self._watch.found and asked == self._watch.asked:
            self._log.say("info", "muxd goes on", blocked=round(self._watch.length(now), 1))
        self._watch.answered(now, asked)

    def _found(self, now: float) -> None:
        stack = self._dump(now)
        length = round(self._watch.length(now), 1)
        if self.run is None or not is_a_runs(stack):
            what = "a plugin's sink or service" if not is_a_runs(stack) else "something"
            self._log.say("error", f"{what} blocks muxd", blocked=length, stack=stack)
        else:
            run, job = self.run
            self._log.say("error", f"job {job!r} blocks muxd", run=run, blocked=length, stack=stack)

    def _over(self, now: float, *, cut_short: bool = False) -> None:
        self.stack = self._dump(now)
        self.blocked = self._watch.length(now)
        # Without a stack (the body closed its file) nothing shows another's fault; but a block that
        # somebody cut short may have ended well.
        self.guilty = is_a_runs(self.stack) and (bool(self.stack) or not cut_short)
        self.kill()
        run = {"job": self.run[1], "run": self.run[0]} if self.run and self.guilty else {}
        self._log.say(
            "error",
            f"muxd has been blocked for {self.blocked:.1f} s: it is killed",
            **run,
            stack=self.stack,
        )

    def _dump(self, now: float) -> str:
        """Have the daemon write its stack; gives that, or nothing if it doesn't."""
        first = f"{self._watch.since(now):.6f}\n".encode()
        os.ftruncate(self._stack_fd, 0)
        os.lseek(self._stack_fd, 0, os.SEEK_SET)
        os.write(self._stack_fd, first)  # the daemon has the same place in the file
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, DUMP)
        until, size = time.monotonic() + DUMP_BOUND, 0
        while time.monotonic() < until:
            time.sleep(0.02)
            before, size = size, os.fstat(self._stack_fd).st_size
            if size == before > len(first):
                break
        found = read_stack(self._stack_fd)
        return found[1] if found else ""
