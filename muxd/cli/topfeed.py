"""What `muxd top` is told: it asks the daemon, in threads of its own, and never waits for one."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, final

import attrs

from muxd.errors import MuxdError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Away", "Client", "Feed", "Seen", "Told", "in_background"]

PAGE = 500
"""How many jobs are shown at once."""


class Client(Protocol):
    """What is asked of `muxd.control.client.ControlClient`. All of it blocks."""

    def status(self, *, upcoming: int = ...) -> dict[str, Any]:
        """The status."""

    def jobs(self, *, after: str = ..., limit: int = ...) -> dict[str, Any]:
        """A page of the jobs."""

    def run(self, job: str, *, wait: bool) -> dict[str, Any]:
        """Ask for a run."""

    def pause(self, job: str, *, note: str, seconds: float | None) -> None:
        """Pause a job."""

    def resume(self, job: str | None) -> list[str]:
        """End the pause of a job."""

    def cancel(self, run: str) -> dict[str, Any]:
        """End a run that waits or is in progress."""


@attrs.frozen
class Seen:
    """The daemon as it is now."""

    status: dict[str, Any]
    jobs: dict[str, Any]


@attrs.frozen
class Away:
    """There is no daemon, or it does not answer."""

    reason: str


Told: TypeAlias = Seen | Away


@final
class Feed:
    """Tells how the daemon is, now and then, for as long as it is not stopped.

    Whatever becomes of the daemon, it goes on asking. It asks once a second at most: should there be
    a stream of events one day, only this class has to know of it.
    """

    def __init__(self, client: Client, tell: Callable[[Told], object], *, every: float) -> None:
        """Ask nothing yet.

        Args:
          client: who is asked.
          tell: is given each answer, by another thread.
          every: seconds.
        """
        self._client, self._tell, self._every = client, tell, every
        self._soon, self._ended = threading.Event(), False
        self.after = ""
        """After which name the page of jobs begins."""

    def start(self) -> None:
        """Begin. The thread keeps no process from its end."""
        threading.Thread(target=self._run, name="muxd top", daemon=True).start()

    def soon(self) -> None:
        """Something was changed: don't wait."""
        self._soon.set()

    def stop(self) -> None:
        """Tell nothing more."""
        self._ended = True
        self._soon.set()

    def _run(self) -> None:
        while not self._ended:
            try:
                told: Told = Seen(
                    self._client.status(upcoming=1),
                    self._client.jobs(after=self.after, limit=PAGE),
                )
            except MuxdError as error:
                told = Away(str(error))
            if self._ended:
                return
            self._tell(told)
            self._soon.wait(self._every)
            self._soon.clear()


def in_background(work: Callable[[], Any], done: Callable[[Any, Exception | None], object]) -> None:
    """Do something in a thread that keeps no process from its end; tell what came of it.

    Args:
      work: blocks.
      done: is given what it returned and what it raised, by the other thread.
    """

    def run() -> None:
        try:
            result = work()
        except Exception as error:
            done(None, error)
        else:
            done(result, None)

    threading.Thread(target=run, name="muxd top: work", daemon=True).start()
