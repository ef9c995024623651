"""A town as services see it: what a daemon would show of its core."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import attrs
import httpx
import trio
from starlette.applications import Starlette

from muxd.config import SECTIONS
from muxd.daemon import Daemon
from muxd.health import Checkup, health_of

if TYPE_CHECKING:
    from town import Town


@attrs.define
class Named:
    """Something with nothing but these."""

    root: str = "state"
    problems: tuple = ()
    url: str | None = None
    problem: str | None = None
    warnings: tuple = ()


async def at_once(work):
    """Time stands still while somebody works in a thread."""
    await trio.lowlevel.checkpoint()
    return work()


class Hall:
    """Stands for the daemon of a town."""

    pid, pulse, speed, zone, grace, restarts_at = 7, None, 1.0, "UTC", 30.0, None
    state = plugins = web = memory = Named()
    status, jobs, events, tell = Daemon.status, Daemon.jobs, Daemon.events, Daemon.tell
    book, store, timetable = (
        property(lambda self, name=name: name(self))
        for name in (
            lambda self: self.core.book,
            lambda self: self.core.book.store,
            lambda self: self.core.planner.timetable,
        )
    )

    def __init__(self, town: Town, **settings):
        self.town, self.core, self.bus = town, town.core, town.bus
        self.given = settings
        self.checkup = Checkup(town.core)

    def health(self):
        return health_of(self.core, self.checkup.look())

    def settings(self, section):
        return attrs.asdict(SECTIONS[section](**self.given.get(section, {})), recurse=False)

    @contextlib.asynccontextmanager
    async def with_service(self, service):
        """The town lives with this service beside it."""
        async with trio.open_nursery() as beside:
            async with self.town.alive():
                await beside.start(service.run)
                yield service
            beside.cancel_scope.cancel()


async def ask(service, **headers):
    """What Prometheus gets."""
    transport = httpx.ASGITransport(Starlette(routes=service.routes))
    async with httpx.AsyncClient(transport=transport, base_url="http://muxd") as client:
        return await client.get("/metrics", headers=headers)
