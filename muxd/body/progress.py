"""How far a body is, as it says itself: `Run.progress`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, SupportsFloat, TypeAlias

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

_Told: TypeAlias = tuple[float, float | None, str]


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
        self._told: _Told | None = None
        self._seen: tuple[_Told, Reached] | None = None
        self._job, self._run = record.job, record.id
        self._bodies, self._publish, self._real_now = bodies, publish, real_now
        self._next = -math.inf  # when an event may be published, trio's time
        self._waiting: trio.CancelScope | None = None
        self._closed = False

    @property
    def reached(self) -> Reached | None:
        """As told last; None: nothing was. The text is made fit to be shown when somebody looks."""
        told, seen = self._told, self._seen
        if told is None:
            return None
        if seen is None or seen[0] is not told:
            done, total, text = told
            seen = self._seen = told, Reached(done, total, _line(self._mask(text)))
        return seen[1]

    def tell(self, done: SupportsFloat, total: SupportsFloat | None, text: str) -> None:
        """See `muxd.Run.progress`. Never blocks; for any thread."""
        told = _told(done, total, text)
        if told is None or self._closed or told == self._told:
            return
        self._told = told
        # A thread has no time of trio's: what it says is in the status, and in the next event.
        if trio.lowlevel.in_trio_run() and self._waiting is None:
            if trio.current_time() >= self._next:
                self._tell()
            else:
                self._waiting = trio.CancelScope()
                self._bodies.start_soon(self._tell_later, self._waiting)

    def close(self) -> None:
        """The body is over, and so is its progress. Never blocks."""
        self._closed, self._told = True, None
        if self._waiting is not None:
            self._waiting.cancel()

    async def _tell_later(self, scope: trio.CancelScope) -> None:
        with scope:
            await trio.sleep_until(self._next)
            self._waiting = None
            self._tell()

    def _tell(self) -> None:
        reached = self.reached
        if reached is not None:
            self._next = trio.current_time() + EVERY
            self._publish(
                RunProgress(
                    at=self._real_now(),
                    job=self._job,
                    run=self._run,
                    done=reached.done,
                    total=reached.total,
                    text=reached.text,
                )
            )


def _told(done: SupportsFloat, total: SupportsFloat | None, text: str) -> _Told | None:
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
    # However long it is, that costs next to nothing.
    return reached, whole, text[: 4 * TEXT]


def _line(text: str) -> str:
    line = " ".join(text.split())
    line = "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in line)
    return line if len(line) <= TEXT else line[: TEXT - 3] + "..."


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
