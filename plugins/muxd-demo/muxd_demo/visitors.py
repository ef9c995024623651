"""Who is on the site: counted at its door, and told when muxd stops."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import attrs
import structlog

from muxd.abc import PageWrapper, Sink
from muxd.events import Draining

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from muxd import Job, Run
    from muxd.events import Event

__all__ = ["Guestbook", "Porter", "Visitors"]


@attrs.define
class Visitors:
    """The runs that have a page."""

    now: int = 0
    most: int = 0
    """The most that there ever were at one time."""
    total: int = 0


@attrs.frozen
class Porter(PageWrapper):
    """Stands at the door: each run of the demo's passes by before its body begins, and after its end."""

    visitors: Visitors
    plugin: str = "demo"
    name: str = attrs.field(init=False, default="porter")

    def wants(self, job: Job) -> bool:
        """The demo's own jobs."""
        return job.plugin == self.plugin

    @asynccontextmanager
    async def wrap(self, run: Run) -> AsyncIterator[None]:
        """Let the run in, with a card that says who it is, and out again."""
        await run.page.set_extra_http_headers({"X-Visitor": run.job.name})
        self.visitors.now += 1
        self.visitors.total += 1
        self.visitors.most = max(self.visitors.most, self.visitors.now)
        try:
            yield
        finally:
            self.visitors.now -= 1


@attrs.frozen
class Guestbook(Sink):
    """Says at the end how many there were, and how many at one time."""

    visitors: Visitors
    name: str = attrs.field(init=False, default="guestbook")

    async def handle(self, event: Event) -> None:
        """muxd stops: that is the moment."""
        if isinstance(event, Draining):
            told = self.visitors
            log = structlog.get_logger()
            log.info("visitors of the demo's site", in_all=told.total, most_at_once=told.most)
