"""The dashboard as a service: it listens to what happens, and serves pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

import trio

from muxd.abc import Service
from muxd.builtin._dashboard.day import Day
from muxd.builtin._dashboard.life import Life
from muxd.builtin._dashboard.pages import Pages
from muxd.builtin._dashboard.static import Static
from muxd.events import BrowserDown, BrowserUp, EventsMissing, RunEnded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.routing import BaseRoute

    from muxd.abc import Controlled

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
        self._pages = Pages(daemon, self._day, self._life, self._static)

    @property
    def routes(self) -> Sequence[BaseRoute]:
        """The pages, and what they are made of."""
        return [*self._static.routes, *self._pages.routes]

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Remember what happens, until cancelled."""
        kinds = (RunEnded, BrowserUp, BrowserDown, EventsMissing)
        with self._daemon.events("dashboard", only=kinds) as events:
            self._daemon.layout = self._pages.dressed
            task_status.started()
            async for event in events:
                match event:
                    case RunEnded():
                        self._day.ended(event.record)
                        memory = self._daemon.status(upcoming=0)["browser"]["memory"]
                        self._life.measured(event.at, memory)
                    case BrowserUp() | BrowserDown():
                        self._life.told(event)
                    case _:
                        self._day.forget()
        await trio.sleep_forever()
