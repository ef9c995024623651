"""The status page: on the dashboard, and as a file for everybody."""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from importlib.resources import files
from typing import TYPE_CHECKING, final

import structlog
import trio
from starlette.responses import Response
from starlette.routing import Route

from muxd.abc import PageLink, Service
from muxd.errors import MuxdError
from muxd.events import EventsMissing, Reloaded, RunEnded
from muxd_check.markup import dashboard_body, public_page
from muxd_check.settings import Flow, Settings
from muxd_check.standing import standing_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from starlette.requests import Request
    from starlette.routing import BaseRoute

    from muxd.abc import Controlled
    from muxd.events import Event
    from muxd_check.standing import Standing

__all__ = ["StatusPage"]

log = structlog.get_logger()

GOOD_FOR = 60.0
"""How long a standing is good for if no run has ended meanwhile, seconds: days go by."""
PAUSE = 2.0
"""How long to wait before the file is written: many flows may end together."""


@final
class StatusPage(Service):
    """Remembers how each flow did when it was last looked at; asks anew once a run of it has ended."""

    name = "check"

    def __init__(self, daemon: Controlled) -> None:
        """Make one; `daemon`: whose runs it shows."""
        self._daemon = daemon
        self._known: dict[str, tuple[float, Standing]] = {}
        self._news = 0  # how often something has come up: what was asked for before is old

    @property
    def pages(self) -> Sequence[PageLink]:
        """The status page."""
        return [PageLink("Checks", "/check")]

    @property
    def routes(self) -> Sequence[BaseRoute]:
        """The same, and how it looks."""
        return [Route("/check", self._page), Route("/check/style.css", self._style)]

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Keep the file up to date, until cancelled."""
        kinds = (RunEnded, Reloaded, EventsMissing)
        send, stale = trio.open_memory_channel[None](1)
        send.send_nowait(None)  # what is in the file may be of another time
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._keep_file, stale)
            with self._daemon.events("check", only=kinds) as events:
                task_status.started()
                async for event in events:
                    if not self._heed(event):
                        continue
                    with contextlib.suppress(trio.WouldBlock):
                        send.send_nowait(None)
            nursery.cancel_scope.cancel()
        await trio.sleep_forever()

    def _heed(self, event: Event) -> bool:
        """Forget what is other now; whether anything is."""
        if isinstance(event, RunEnded):
            if event.record.job not in self._daemon.configured(Flow):
                return False
            self._known.pop(event.record.job, None)
        else:
            self._known.clear()
        self._news += 1
        return True

    async def standings(self) -> list[Standing]:
        """How all flows do. Raises `MuxdError`: it can't be read."""
        return [await self._standing(flow) for flow in self._daemon.configured(Flow).values()]

    async def _standing(self, flow: Flow) -> Standing:
        made, known = self._known.get(flow.name, (0.0, None))
        if known is None or known.flow is not flow or not 0 <= time.time() - made < GOOD_FOR:
            news = self._news
            known = await standing_of(self._daemon, flow)
            if news == self._news:
                self._known[flow.name] = (time.time(), known)
        return known

    async def _page(self, request: Request) -> Response:
        return await self._daemon.page("Checks", dashboard_body(await self.standings()))

    async def _style(self, request: Request) -> Response:
        return Response(
            files("muxd_check").joinpath("style.css").read_text(), media_type="text/css"
        )

    async def _keep_file(self, stale: trio.MemoryReceiveChannel[None]) -> None:
        async for _ in stale:
            try:
                # What a newer version takes this one may not be able to read.
                settings = self._daemon.section("check").structure(Settings)
                if settings.status_page is None:
                    continue
                page = public_page(settings.status_title, await self.standings(), time.time())
                await trio.to_thread.run_sync(_write_whole, settings.status_page, page)
            except (OSError, MuxdError) as error:
                log.warning("the status page is not written", error=str(error))
            await trio.sleep(PAUSE)


def _write_whole(path: Path, text: str) -> None:
    """Write a file so that who looks finds all of it, or what was there before. Raises `OSError`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with part.open("wb") as file:
            file.write(text.encode("utf-8", "backslashreplace"))
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise
