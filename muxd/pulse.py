"""The daemon's side of the guard: answers its questions, and tells it what is to be known."""

from __future__ import annotations

import faulthandler
import time
from typing import TYPE_CHECKING, final

import structlog
import trio

from muxd.errors import LoopBlocked, qualified_name
from muxd.guard.link import DUMP, Lines, is_a_runs, read_stack
from muxd.guard.note import Note
from muxd.record import CUT_OFF, Outcome
from muxd.recovery import Fate
from muxd.watch import Block, Watch

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from muxd.guard.link import Link

__all__ = ["Pulse", "Signals", "forget_fate", "last_fate"]

SAME = 10.0
"""Within how many seconds a signal and the guard's word of one are the same signal."""


@final
class Pulse(Watch):
    """Talks to the guard. What is said is said at once, or lost with the process."""

    def __init__(self, link: Link, *, now: Callable[[], float] = time.monotonic) -> None:
        """Take the link over; nothing is said yet.

        Args:
          link: what this process has of its guard.
          now: seconds on the monotonic clock, the guard's too.
        """
        self.link = link
        self._lines, self._now = Lines(link.socket), now
        self._run: tuple[str, str] | None = None
        self._worst: Block | None = None
        self._signals: list[int] = []
        self._waiting, self._curious = trio.CancelScope(), trio.lowlevel.ParkingLot()
        self._is_up = self._is_stopping = self._is_restarting = False
        # Written without the interpreter's lock, by whichever thread gets the signal: the main one.
        faulthandler.register(DUMP, file=link.stack, all_threads=True)

    def holds(self, lock: int) -> None:
        """This process has the state directory, by the open file of this descriptor."""
        self._lines.hand("lock", lock)

    def running(self) -> None:
        """muxd is up: from now on the guard starts it again whatever it dies of."""
        self._is_up = True
        self._lines.send("running")

    def stopping(self) -> None:
        """muxd was told to stop: it is not to be started again."""
        self._is_stopping = True
        self._lines.send("stopping")

    def restarting(self) -> None:
        """muxd was told to end so that another is started, once it has said `bye`."""
        self._is_restarting = True
        self._lines.send("restarting")

    def bye(self) -> None:
        """The process is about to end: by its own decision, unless it is up and nobody wanted that.

        In either case in order, which is never a body's doing: a run still in progress is not charged.
        """
        self._lines.send("rest")
        if self._is_stopping or self._is_restarting or not self._is_up:
            self._lines.send("bye")

    def begin(self, run_id: str, job: str) -> None:
        """A run is in progress: the guard looks often."""
        self._read()  # a question from before the run is not about it
        self._run = (run_id, job)
        self._lines.send("run", run_id, job)

    def end(self) -> Block | None:
        """No run is in progress. The longest block since `begin`, None if there was none."""
        self._read()  # a question that came while muxd was blocked
        self._run = None
        self._lines.send("rest")
        # Not every run has a `begin`: what is kept would be charged to one that had none.
        worst, self._worst = self._worst, None
        return worst

    async def listen(self, told: Callable[[int], object], lost: Callable[[], object]) -> None:
        """Answer, until cancelled or the guard is gone.

        Args:
          told: is told of each signal that the guard got.
          lost: is called if the guard is gone.
        """
        self._lines.send("listening")
        while not self._lines.closed:
            self._read()
            while self._signals:
                told(self._signals.pop(0))
            with trio.CancelScope() as self._waiting:
                await trio.lowlevel.wait_readable(self._lines.socket)
        lost()

    async def asked(self) -> None:
        """Wait for the guard's next question, whoever answers it."""
        await self._curious.park()

    def _read(self) -> None:
        for word, value in self._lines.receive():
            if word == "ping":
                self._note_block()
                self._lines.send("pong", value)
                self._curious.unpark_all()
            elif word == "signal":
                self._signals.append(value)
                self._waiting.cancel()  # whoever reads it, `listen` is to tell of it now

    def _note_block(self) -> None:
        """Take down the block that just ended, if the guard has found one."""
        found = read_stack(self.link.stack) if self._run is not None else None
        if self._run is None or found is None or not found[1] or not is_a_runs(found[1]):
            return
        block = Block(max(0.0, self._now() - found[0]), found[1])
        # The guard has told of it on its stderr alone; this goes into the log file, too.
        structlog.get_logger().warning(
            f"job {self._run[1]!r} has blocked muxd",
            run=self._run[0],
            blocked=round(block.seconds, 1),
            stack=block.stack,
        )
        if self._worst is None or block.seconds > self._worst.seconds:
            self._worst = block


@final
class Signals:
    """Takes for one what is one, though it came twice: to this process, and by way of the guard."""

    def __init__(self, *, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        # (when, which, by way of the guard), those whose twin has not come
        self._single: list[tuple[float, int, bool]] = []

    def is_new(self, number: int, *, by_guard: bool) -> bool:
        """False if this is the twin of one that came before."""
        now = self._now()
        self._single = [one for one in self._single if now - one[0] <= SAME]
        for one in self._single:
            if one[1] == number and one[2] != by_guard:
                self._single.remove(one)
                return False
        self._single.append((now, number, by_guard))
        return True


def last_fate(state_dir: Path) -> Fate | None:
    """What the guard wrote down of the run during which the last daemon ended; None if nothing."""
    note = Note.read(str(state_dir))
    if note is None:
        return None
    blocked = note.blocked is not None
    return Fate(
        run=note.run,
        at=note.at,
        outcome=Outcome.crashed if blocked else Outcome.interrupted,
        error=note.error,
        error_type=qualified_name(LoopBlocked) if blocked else CUT_OFF,
        harm=note.harm,
    )


def forget_fate(state_dir: Path) -> None:
    """What the guard wrote down has been read, and its run has its record. Never raises."""
    try:
        Note.remove(str(state_dir))
    except OSError as error:
        structlog.get_logger().warning("the guard's note can't be removed", error=str(error))
