"""The body of a run, being performed in a task of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import trio

from muxd.bridge import Leash

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from muxd.job import Body
    from muxd.running import Run

__all__ = ["Performance", "found_in", "in_short", "leaves_of", "says_lost", "split"]

_E = TypeVar("_E", bound=BaseException)


class Performance:
    """One body at work. It ends by itself, by cancellation, or is let go and left behind."""

    def __init__(self, body: Body, run: Run, *, tell: Callable[[], object] = lambda: None) -> None:
        """Make one; it does nothing before `run`. `tell` is called when it has ended."""
        self._body, self._run, self._tell = body, run, tell
        self._scope = trio.CancelScope()
        self._leash = Leash()
        self.ended = trio.Event()
        self.result: Any = None
        self.error: BaseException | None = None
        """What the body raised, or None."""
        self.cancelled: BaseException | None = None
        """The cancellation that ended it; its traceback says where the body was."""

    async def run(self) -> None:
        """The body's task. Never raises but for the cancellation of the nursery it is in."""
        try:
            with self._scope:
                try:
                    self.result = await self._leash.run(self._body, self._run)
                except trio.Cancelled as error:
                    self.cancelled = error
                    raise
                except BaseException as error:
                    # SystemExit, too, ends the run and nothing else. What a group has beside our
                    # own cancellation is the body's.
                    self.error, cancelled = split(error)
                    if cancelled is not None:
                        self.cancelled = cancelled
                        raise cancelled from None
        finally:
            self.ended.set()
            self._tell()

    @property
    def task_name(self) -> str:
        """The name of the trio task that makes the body's steps."""
        return getattr(self._body, "__qualname__", "Leash.run.<locals>.body")

    def cancel(self) -> None:
        """Ask the body to end, by trio's cancellation."""
        self._scope.cancel()

    def let_go(self) -> None:
        """Never resume the body again; see `muxd.bridge.Leash.let_go`."""
        self._leash.let_go()

    async def ends_within(self, seconds: float) -> bool:
        """Wait for its end, for so long; True if it has ended."""
        with trio.move_on_after(seconds):
            await self.ended.wait()
        return self.ended.is_set()

    def told(self, reason: _E) -> _E:
        """The reason for which the body was ended; as its cause what that came down to in it."""
        if reason.__cause__ is None:
            reason.__cause__ = self.error or self.cancelled
        return reason

    @property
    def means_lost(self) -> bool:
        """True if the error is how Playwright tells that the page or the browser is gone."""
        return self.error is not None and says_lost(self.error)


def says_lost(error: BaseException) -> bool:
    """True if it is how Playwright tells that a page or the browser is gone."""
    return any(
        type(each).__module__.startswith("playwright.")
        and ("closed" in str(each) or "crashed" in str(each))
        for each in leaves_of(error)
    )


def found_in(error: BaseException | None, kind: type[_E]) -> _E | None:
    """The error of this kind that it is, or that is in its group; None if there is none."""
    return next((each for each in leaves_of(error) if isinstance(each, kind)), None)


def split(error: BaseException) -> tuple[BaseException | None, BaseException | None]:
    """What is foreign code's own of what it raised, and what is trio's cancellation of it."""
    if isinstance(error, BaseExceptionGroup):
        cancelled, own = error.split(trio.Cancelled)
        return own, cancelled
    return (None, error) if isinstance(error, trio.Cancelled) else (error, None)


def in_short(error: BaseException) -> str:
    """What it says; of a group what those in it say, each once."""
    return "; ".join(dict.fromkeys(str(each) or repr(each) for each in leaves_of(error)))


def leaves_of(error: BaseException | None) -> Iterator[BaseException]:
    """The errors in its group; itself, if it is none; nothing of None."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from leaves_of(inner)
    elif error is not None:
        yield error
