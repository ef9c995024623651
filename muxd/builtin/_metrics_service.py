"""Counts what happens, and answers Prometheus."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, final

import trio
from prometheus_client import ProcessCollector
from prometheus_client.exposition import choose_encoder
from starlette.responses import Response
from starlette.routing import Route

from muxd.abc import Service
from muxd.builtin._metrics_counts import COUNTED, Counts
from muxd.builtin._metrics_families import Look, families
from muxd.errors import LedgerError
from muxd.events import PlanMade, RunEnded
from muxd.record import CUT_OFF

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from prometheus_client.core import Metric
    from starlette.requests import Request
    from starlette.routing import BaseRoute

    from muxd.abc import Controlled

    InThread = Callable[[Callable[[], bytes]], Awaitable[bytes]]

__all__ = ["Metrics"]

FRESH = 1.0
"""How long an answer serves whoever asks next, seconds."""
FOUND = 1000
"""How many runs that another muxd was cut off in are counted at the start."""


async def _in_thread(work: Callable[[], bytes]) -> bytes:
    return await trio.to_thread.run_sync(work, abandon_on_cancel=True)


@final
class Metrics(Service):
    """A registry of its own; nothing is counted but while it runs."""

    name = "metrics"

    def __init__(
        self,
        daemon: Controlled,
        *,
        since: float | None = None,
        now: Callable[[], float] = time.time,
        in_thread: InThread = _in_thread,
    ) -> None:
        """Count nothing yet.

        Args:
          daemon: whose events.
          since: when this process began, Unix seconds; None: now.
          now: gives Unix seconds.
          in_thread: makes the answers, in a thread.
        """
        self._daemon, self._now, self._in_thread = daemon, now, in_thread
        self.counts = Counts()
        self._since = now() if since is None else since
        self._process = ProcessCollector(registry=None)
        self._one = trio.CapacityLimiter(1)
        # {kind of answer: (when it was made, its type, itself)}
        self._made: dict[str, tuple[float, str, bytes]] = {}

    @property
    def routes(self) -> Sequence[BaseRoute]:
        """Where Prometheus asks."""
        return (Route("/metrics", self._answer, methods=["GET"]),)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Count until cancelled, or the daemon's end."""
        with self._daemon.events("metrics", only=(*COUNTED, PlanMade)) as events:
            await self._recall()
            task_status.started()
            async for event in events:
                if isinstance(event, PlanMade):
                    self.counts.forget_all_but(self._daemon.timetable.phases)
                else:
                    self.counts.take(event, trio.current_time())
            await trio.sleep_forever()

    async def _recall(self) -> None:
        """What the last muxd was cut off in got its record before there was anybody to count."""
        try:
            found = await self._daemon.store.history(since=self._since, limit=FOUND)
        except LedgerError:
            return  # it is told elsewhere; a few runs are not counted
        for record in found:
            if record.error_type == CUT_OFF:
                self.counts.take(RunEnded(at=self._now(), record=record), trio.current_time())

    async def _answer(self, request: Request) -> Response:
        try:
            encode, media_type = choose_encoder(request.headers.get("accept", ""))
        except (TypeError, ValueError):  # it names a version that is none
            encode, media_type = choose_encoder("")
        async with self._one:
            made = self._made.get(media_type)
            if made is None or trio.current_time() - made[0] >= FRESH:
                look = self._look()
                render = partial(encode, _Collected(look, self._process))
                # Many jobs make many lines: nobody waits for them but who asks.
                content = await self._in_thread(render)
                made = (trio.current_time(), media_type, content)
                self._made = {media_type: made}
        return Response(made[2], headers={"content-type": made[1]})

    def _look(self) -> Look:
        status, timetable = self._daemon.status(upcoming=1), self._daemon.timetable
        shown = [name for name in self.counts.jobs if name in timetable.phases]
        return Look.at(
            self.counts,
            monotonic=trio.current_time(),
            status=status,
            health=self._daemon.health(),
            intervals={name: timetable.slot(name).interval / status["speed"] for name in shown},
            now=self._now(),
        )


@final
class _Collected:
    """What an encoder asks for metrics."""

    def __init__(self, look: Look, process: ProcessCollector) -> None:
        self._look, self._process = look, process

    def collect(self) -> Iterator[Metric]:
        yield from families(self._look)
        yield from self._process.collect()
