"""How far a body is, as it says itself: `Run.progress`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, SupportsFloat

import attrs
import trio

from muxd.events import RunProgress

if TYPE_CHECKING:
    from collections.abc import Callable

    from muxd.record import Record

__all__ = ["EVERY", "TEXT", "Progress", "Reached"]

EVERY = 1.0
"""At most one event in so many seconds; what is known is always the newest."""
TEXT = 200
"""Characters of the text at most."""


@attrs.frozen
class Reached:
    """What a body has said of itself last."""

    done: float
    """0 or more."""
    total: float | None = None
    """`done` or more; None: not known."""
    text: str = ""
    """One line."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return attrs.asdict(self)


class Progress:
    """That of one run. Telling it never costs the run anything, whatever the numbers are."""

    def __init__(
        self,
        record: Record,
        bodies: trio.Nursery,
        *,
        publish: Callable[[RunProgress], object],
        real_now: Callable[[], float],
        mask: Callable[[str], str] = str,
    ) -> None:
        """Nothing happens yet.

        Args:
          record: the run's.
          bodies: where to wait for the time of the next event.
          publish: is told.
          real_now: Unix seconds.
          mask: takes out of texts what must not be told.
        """
        self._mask = mask
        self.reached: Reached | None = None
        """As told last; None: nothing was."""
        self._job, self._run = record.job, record.id
        self._bodies, self._publish, self._real_now = bodies, publish, real_now
        self._next = -math.inf  # when an event may be published, trio's time
        self._waiting: trio.CancelScope | None = None
        self._closed = False

    def tell(self, done: SupportsFloat, total: SupportsFloat | None, text: str) -> None:
        """See `muxd.Run.progress`. Never blocks; for any thread."""
        reached = _reached(done, total, text)
        if reached is not None and reached.text:
            reached = attrs.evolve(reached, text=self._mask(reached.text))
        if reached is None or self._closed or reached == self.reached:
            return
        self.reached = reached
        # A thread has no time of trio's: what it says is in the status, and in the next event.
        if trio.lowlevel.in_trio_run() and self._waiting is None:
            if trio.current_time() >= self._next:
                self._tell()
            else:
                self._waiting = trio.CancelScope()
                self._bodies.start_soon(self._tell_later, self._waiting)

    def close(self) -> None:
        """The body is over, and so is its progress. Never blocks."""
        self._closed, self.reached = True, None
        if self._waiting is not None:
            self._waiting.cancel()

    async def _tell_later(self, scope: trio.CancelScope) -> None:
        with scope:
            await trio.sleep_until(self._next)
            self._waiting = None
            self._tell()

    def _tell(self) -> None:
        if self.reached is not None:
            self._next = trio.current_time() + EVERY
            self._publish(
                RunProgress(
                    at=self._real_now(),
                    job=self._job,
                    run=self._run,
                    done=self.reached.done,
                    total=self.reached.total,
                    text=self.reached.text,
                )
            )


def _reached(done: SupportsFloat, total: SupportsFloat | None, text: str) -> Reached | None:
    """What it comes down to: a total that can't be is not known, and what is no number says nothing.

    Raises:
      TypeError: one is no number at all, or the text is no text.
    """
    if not isinstance(text, str):
        raise TypeError(f"run.progress() takes a text, not {text!r:.100}")
    reached = _number("done", done)
    if reached is None:
        return None
    whole = None if total is None else _number("total", total)
    if whole is not None and (whole < reached or whole == 0):
        whole = None
    # Cut before it is looked at: however long it is, that costs next to nothing.
    line = " ".join(text[: 4 * TEXT].split())
    line = "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in line)
    line = line if len(line) <= TEXT else line[: TEXT - 3] + "..."
    return Reached(reached, whole, line)


def _number(name: str, value: SupportsFloat) -> float | None:
    """The number, an int if it is whole; 0 for one below, None for one that is none (NaN, infinity)."""
    if isinstance(value, (str, bytes)):
        raise TypeError(f"run.progress() takes numbers: {name} is {value!r:.100}")
    try:
        number = float(value)
    except OverflowError:
        return None
    except (TypeError, ValueError):
        raise TypeError(f"run.progress() takes numbers: {name} is {value!r:.100}") from None
    if not math.isfinite(number):
        return None
    number = max(0.0, number)
    return int(number) if number.is_integer() else number
