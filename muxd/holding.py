"""Before each run: is there memory and disk enough? If not, what can wait is held aside."""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, final

import structlog
import trio

from muxd.events import ResourcesFine, ResourcesLow

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from muxd.book import RunBook
    from muxd.bus import Bus
    from muxd.events import Event
    from muxd.floors import Floors, Free, Shortage
    from muxd.release import Release

    Prune = Callable[[Shortage], Awaitable[object]]

__all__ = ["Answer", "Holding"]

HELD_PRIORITY = 25
"""Releases of this priority and below, ``low`` and ``background``, are held."""
KEPT = 5.0
"""How long a reading serves, seconds."""
LOOK_AGAIN = 15.0
"""How often it is looked again while something is held, and told at most, seconds."""
NAMED = 5
"""How many of the jobs that are held are named in the log."""


class Answer(Enum):
    """What becomes of a release whose turn has come."""

    run = auto()
    recycle = auto()
    """It is to run on a new browser: this one gives back what it has gathered."""
    held = auto()
    """It is kept aside, and sent again when there is enough."""


@final
class Holding:
    """Asks before each run whether there is enough, and keeps aside what has to wait.

    While there is too little, the browser is recycled first, once; then releases up to
    `HELD_PRIORITY` are held, and all others run. What is held waits in the book as before: it
    stands for further releases of its job, and becomes ``interrupted`` when muxd is stopped. A run
    that a person asks for is never held.
    """

    def __init__(
        self,
        floors: Floors,
        book: RunBook,
        bus: Bus[Event],
        *,
        real_now: Callable[[], float],
        read: Callable[[], Awaitable[Free]],
        send: Callable[[Release], object],
        set_aside: Callable[[Release], object] = lambda _: None,
        prune: Prune | None = None,
    ) -> None:
        """Hold nothing yet.

        Args:
          floors: what must be left.
          book: knows which releases still wait.
          bus: is told when there is too little, and when there is enough again.
          real_now: Unix seconds.
          read: says what is left; must not take long.
          send: puts what was held into the channel again; if that is closed, it raises
            `trio.ClosedResourceError`.
          set_aside: is told of each release that is held.
          prune: makes room on the disk; called when that is short, before anything is held. It
            must not raise, and not take long.
        """
        self.floors = floors
        """What must be left; what is changed counts from the next look on."""
        self._book, self._bus, self._real_now = book, bus, real_now
        self._read, self._send, self._prune = read, send, prune
        self._set_aside = set_aside
        self.free: Free | None = None
        """The last reading."""
        self.looked_at: float | None = None
        """When that was, Unix seconds."""
        self.shortage: Shortage | None = None
        """What there was too little of then."""
        self._read_at = self._told_at = -1e9
        self._recycled = False
        # {run id: its release}, oldest first
        self._held: dict[str, Release] = {}
        self._holds = trio.Event()

    @property
    def held(self) -> tuple[Release, ...]:
        """What is kept aside, oldest first."""
        waiting = {release.id for release in self._book.waiting}
        return tuple(release for id_, release in self._held.items() if id_ in waiting)

    async def ask(self, release: Release, *, used: bool) -> Answer:
        """What becomes of this release, which waits no longer in the channel.

        Args:
          release: it.
          used: whether the browser that is up has run anything.

        If the answer is ``held``, it will be sent again; nothing else may be done with it. When
        cancelled, nothing was decided.
        """
        await self._look(KEPT)
        if self.shortage is None:
            return Answer.run
        if used and not self._recycled:
            self._recycled = True
            self._read_at = -1e9
            return Answer.recycle
        if release.priority > HELD_PRIORITY:
            return Answer.run
        self._held[release.id] = release
        if trio.current_time() - self._told_at >= LOOK_AGAIN:
            self._tell()
        self._set_aside(release)
        self._holds.set()
        return Answer.held

    async def run(self) -> None:
        """While something is held, look again from time to time, until cancelled.

        When cancelled, what is held stays so.
        """
        while True:
            await self._holds.wait()
            self._holds = trio.Event()
            while self.held:
                await trio.sleep(LOOK_AGAIN)
                await self._look(0)

    async def _look(self, kept: float) -> None:
        if trio.current_time() - self._read_at <= kept:
            await trio.lowlevel.checkpoint()
            return
        self.free = await self._read()
        shortage = self.floors.shortage(self.free, before=self.shortage)
        if shortage is not None and shortage.what != "memory" and self._prune is not None:
            await self._prune(shortage)
            self.free = await self._read()
            shortage = self.floors.shortage(self.free, before=self.shortage)
        self._read_at, self.looked_at = trio.current_time(), self._real_now()
        before, self.shortage = self.shortage, shortage
        if shortage is None:
            if before is not None:
                self._let_go()
        elif before is None or before.what != shortage.what:
            self._tell()

    def _tell(self) -> None:
        shortage = self.shortage
        assert shortage is not None
        self._told_at = trio.current_time()
        holding = tuple(sorted({release.job.name for release in self.held}))
        names = ", ".join(holding[:NAMED]) + (", ..." if len(holding) > NAMED else "")
        structlog.get_logger().warning(str(shortage), holding=names or "nothing", jobs=len(holding))
        self._bus.publish(
            ResourcesLow(
                at=self._real_now(),
                what=shortage.what,
                free=shortage.free,
                floor=shortage.floor,
                holding=holding,
            )
        )

    def _let_go(self) -> None:
        self._recycled = False
        structlog.get_logger().info("memory and disk are no longer short")
        self._bus.publish(ResourcesFine(at=self._real_now()))
        held, self._held = self.held, {}
        for release in held:
            try:
                self._send(release)
            except (trio.ClosedResourceError, trio.BrokenResourceError):
                return  # muxd is stopping: the book ends what waits
