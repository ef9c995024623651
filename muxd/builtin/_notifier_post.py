"""Carries messages, each way at its own pace: no way delays another, and none delays muxd."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, final

import structlog
import trio

from muxd.builtin._notifier_message import Message
from muxd.builtin._notifier_ways import NotSent
from muxd.events import Notified

if TYPE_CHECKING:
    from collections.abc import Callable

    from muxd.builtin._notifier_ways import Way

__all__ = ["Post"]

WAITS = (10.0, 30.0, 60.0, 120.0, 300.0, 600.0, *[900.0] * 22)
"""How long after each try that failed the next is made, seconds: six hours in all. The network may be
what is away."""
MOST = 20
"""How many messages wait for one way, before the oldest is given up."""


@final
class Post:
    """Messages that wait for one way, and are tried in their order."""

    def __init__(
        self, way: Way, tell: Callable[[Notified], object], *, now: Callable[[], float] = time.time
    ) -> None:
        """Nothing waits.

        Args:
          way: the way.
          tell: is told of each message that was sent, or given up.
          now: Unix seconds.
        """
        self._way, self._tell, self._now = way, tell, now
        self._send, self._receive = trio.open_memory_channel[Message](MOST)

    def put(self, message: Message) -> None:
        """Have it sent. Never blocks."""
        try:
            self._send.send_nowait(message)
        except trio.WouldBlock:
            self._end(self._receive.receive_nowait(), "too many messages wait")
            self._send.send_nowait(message)

    async def run(self) -> None:
        """Send what comes, until cancelled; what waits then is lost."""
        async for message in self._receive:
            await self._deliver(message)

    async def _deliver(self, message: Message) -> None:
        for number, wait in enumerate((*WAITS, None)):
            try:
                await self._way.send(message)
            except NotSent as error:
                reason, again = str(error), error.again and wait is not None
            except Exception as error:  # a mistake of ours or of a library: nobody dies of it
                reason, again = type(error).__name__, wait is not None
            else:
                self._end(message, None)
                return
            if number == 0:
                structlog.get_logger().warning(
                    "people could not be told" + (", it is tried again" if again else ""),
                    way=self._way.name,
                    title=message.title,
                    reason=reason,
                )
            if not again or wait is None:
                self._end(message, reason)
                return
            await trio.sleep(wait)

    def _end(self, message: Message, error: str | None) -> None:
        event = Notified(at=self._now(), way=self._way.name, title=message.title, error=error)
        self._tell(event)
