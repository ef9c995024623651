"""The dashboard's page of the pictures."""

from __future__ import annotations

import contextlib
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING, final
from urllib.parse import quote

import trio
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route

from muxd.abc import PageLink, Service
from muxd.errors import ConfigError
from muxd_shot.album import Album, is_shot_name, small_of
from muxd_shot.jobs import albums_of
from muxd_shot.sheet import cards

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from starlette.requests import Request
    from starlette.routing import BaseRoute

    from muxd.abc import Controlled
    from muxd.section import Section
    from muxd_shot.album import Shot

__all__ = ["ContactSheet"]

SHOWN = 120
"""How many pictures of a job its own page shows."""
_STYLE = '<link rel="stylesheet" href="/shot/style.css">\n'
_KINDS = {".png": "image/png", ".jpg": "image/jpeg", ".pdf": "application/pdf"}


@final
class ContactSheet(Service):
    """Shows what is in the albums; costs nothing while nobody looks."""

    name = "shot"

    def __init__(self, daemon: Controlled) -> None:
        """Make one; `daemon`: makes the pages, and has the section that is in force."""
        self._daemon = daemon
        self._section: Section | None = None
        self._known: Mapping[str, Album] = {}

    @property
    def pages(self) -> Sequence[PageLink]:
        """The contact sheet."""
        return [PageLink("Shots", "/shot")]

    @property
    def routes(self) -> Sequence[BaseRoute]:
        """The sheet, a page for each job, and the pictures."""
        return [
            Route("/shot", self._sheet),
            Route("/shot/style.css", self._style),
            Route("/shot/{job}", self._of_job),
            Route("/shot/{job}/{file}", self._file),
            Route("/shot/{job}/small/{file}", self._small),
        ]

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Do nothing, until cancelled."""
        task_status.started()
        await trio.sleep_forever()

    def _albums(self) -> Mapping[str, Album]:
        """Those of the section in force, by job; it is read once, however many pictures are asked for."""
        section = self._daemon.section("shot")
        if self._section is None or section.values is not self._section.values:
            self._section = section
            with contextlib.suppress(ConfigError):  # what a newer version takes, until a restart
                self._known = albums_of(section)
        return self._known

    async def _sheet(self, request: Request) -> Response:
        body = await trio.to_thread.run_sync(_all, self._albums())
        return await self._daemon.page("Shots", _STYLE + body)

    async def _of_job(self, request: Request) -> Response:
        job = request.path_params["job"]
        album = self._albums().get(job)
        if album is None:
            return await self._missing(f"There is no job {job!r} that takes pictures.")
        body = await trio.to_thread.run_sync(_one, job, album)
        return await self._daemon.page(f"Shots: {job}", _STYLE + body, path="/shot")

    async def _style(self, request: Request) -> Response:
        return Response(files("muxd_shot").joinpath("style.css").read_text(), media_type="text/css")

    async def _missing(self, what: str) -> Response:
        return await self._daemon.page(
            "Shots", f'<p class="empty">{escape(what)}</p>', path="/shot", status=404
        )

    async def _file(self, request: Request) -> Response:
        return await self._answer(request, small=False)

    async def _small(self, request: Request) -> Response:
        return await self._answer(request, small=True)

    async def _answer(self, request: Request, *, small: bool) -> Response:
        job, name = request.path_params["job"], request.path_params["file"]
        album = self._albums().get(job)
        path = None if album is None or not is_shot_name(name) else album.folder / name
        if path is not None and small:
            path = small_of(path)
        if path is None or not await trio.Path(path).is_file():
            return PlainTextResponse("There is no such picture.", 404)
        # What a page showed is not to be trusted: it is never a page of muxd's own.
        return FileResponse(
            path,
            media_type=_KINDS[path.suffix],
            filename=f"{job}-{path.name}",
            content_disposition_type="attachment" if path.suffix == ".pdf" else "inline",
            headers={
                "Content-Security-Policy": "sandbox; default-src 'none'",
                "Cache-Control": "private, max-age=86400, immutable",
            },
        )


def _where(job: str) -> Callable[[Shot, bool], str]:
    start = f"/shot/{quote(job, safe='')}"

    def where(shot: Shot, small: bool) -> str:
        name = quote(shot.path.name, safe="")
        return f"{start}/small/{name}" if small else f"{start}/{name}"

    return where


def _all(albums: Mapping[str, Album]) -> str:
    """The newest pictures of all jobs."""
    if not albums:
        return '<p class="empty">No page is to be taken: see [[plugins.shot.page]].</p>'
    parts = []
    for job, album in albums.items():
        shots = album.latest()
        shown = cards(shots, _where(job)) if shots else '<p class="empty">No pictures yet.</p>'
        link = f"/shot/{quote(job, safe='')}"
        parts.append(
            f'<h2 class="album"><a class="plain" href="{link}">{escape(job)}</a></h2>\n{shown}'
        )
    return "\n".join(parts)


def _one(job: str, album: Album) -> str:
    """All pictures of a job, newest first."""
    shots = album.shots()
    link = f"/jobs/{quote(job, safe='')}"
    more = f", of which the newest {SHOWN} are shown" if len(shots) > SHOWN else ""
    text = f'<p class="note">{len(shots)} pictures{more}. <a href="{link}">The job</a></p>'
    return f"{text}\n{cards(shots[:SHOWN], _where(job))}"
