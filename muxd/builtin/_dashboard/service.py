"""The dashboard as a service: it listens to what happens, and serves pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

import trio

from muxd.abc import Service
from muxd.builtin._dashboard.day import Day
from muxd.builtin._dashboard.headlines import Headlines
from muxd.builtin._dashboard.life import Life
from muxd.builtin._dashboard.pages import Pages
from muxd.builtin._dashboard.static import Static
from muxd.events import BrowserDown, BrowserUp, EventsMissing, JobNews, RunEnded

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from starlette.routing import BaseRoute

    from muxd.abc import Controlled
    from muxd.events import Event

__all__ = ["Dashboard"]


@final
class Dashboard(Service):
    """Costs next to nothing while nobody looks: a run is a few fields to remember."""

    name = "dashboard"

    def __init__(self, daemon: Controlled) -> None:
        """Make one; nothing happens yet."""
        self._daemon = daemon
        self._day, self._life = Day(daemon), Life()
        self._static = Static()
        self._headlines = Headlines(daemon.settings("daemon")["state_dir"])
        self._pages = Pages(daemon, self._day, self._life, self._static, self._headlines)

    @property
    def routes(self) -> Sequence[BaseRoute]:
        """The pages, and what they are made of."""
        return [*self._static.routes, *self._pages.routes]

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Remember what happens, until cancelled."""
        kinds = (RunEnded, JobNews, BrowserUp, BrowserDown, EventsMissing)
        async with trio.open_nursery() as nursery:
            with self._daemon.events("dashboard", only=kinds) as events:
                await self._headlines.load()
                self._daemon.layout = self._pages.dressed
                nursery.start_soon(self._headlines.keep)
                task_status.started()
                await self._follow(events)

    async def _follow(self, events: AsyncIterator[Event]) -> None:
        async for event in events:
            match event:
                case RunEnded():
                    self._day.ended(event.record)
                    if event.record.started_at is not None:  # it was a run, on the browser
                        memory = self._daemon.status(upcoming=0)["browser"]["memory"]
                        self._life.measured(event.at, memory)
                case JobNews():
                    self._headlines.add(event)
                case BrowserUp() | BrowserDown():
                    self._life.told(event)
                case _:
                    self._day.forget()
        await trio.sleep_forever()
