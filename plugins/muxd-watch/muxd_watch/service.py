"""The plugin's pages on the dashboard: all watches, and what was news of each."""

from __future__ import annotations

from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import trio
from starlette.responses import Response
from starlette.routing import Route

from muxd.abc import PageLink, Service
from muxd.pageparts import moment, run_badge
from muxd_watch.body import CHANGES, VALUES
from muxd_watch.markup import change_card, curve
from muxd_watch.options import WatchOptions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.requests import Request
    from starlette.routing import BaseRoute

    from muxd.abc import Controlled

__all__ = ["WatchPages"]

MOST_WATCHES = 500
"""How many are on the page."""
NEWEST = 15
"""How many changes of all watches are on the first page."""
MOST_CHANGES = 50
"""How many of one watch are on its page."""
MOST_VALUES = 200
LONGEST = 80
"""How much of what a look gave is shown, characters."""
WORDS = {"text": "text", "visual": "picture", "number": "number", "element": "element"}
"""What is watched, for people."""
STYLE = '<link rel="stylesheet" href="/watch/style.css">\n'


class WatchPages(Service):
    """Shows what is watched. Reads only."""

    name = "watch"

    def __init__(self, daemon: Controlled) -> None:
        """Make it."""
        self._daemon = daemon

    @property
    def pages(self) -> Sequence[PageLink]:
        """One, in the navigation."""
        return [PageLink("Watches", "/watch")]

    @property
    def routes(self) -> Sequence[BaseRoute]:
        """All watches, one of them, and the style sheet."""
        return [
            Route("/watch", self._all),
            Route("/watch/style.css", self._style),
            Route("/watch/{name}", self._one),
        ]

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """There is nothing to do but to answer."""
        task_status.started()
        await trio.sleep_forever()

    async def _style(self, request: Request) -> Response:
        await trio.lowlevel.checkpoint()
        return Response((files("muxd_watch") / "style.css").read_text(), media_type="text/css")

    def _watches(self) -> tuple[list[tuple[dict[str, Any], WatchOptions]], str]:
        """The jobs that are watches, with what they watch in this moment, and the time zone."""
        told, options = self._daemon.jobs(limit=10_000), self._daemon.configured(WatchOptions)
        watches = [(job, options[job["name"]]) for job in told["jobs"] if job["name"] in options]
        return watches, told["timezone"]

    async def _all(self, request: Request) -> Response:
        watches, zone = self._watches()
        rows, changes = [], []
        for job, options in watches[:MOST_WATCHES]:
            name = job["name"]
            data = self._daemon.data(name)
            newest = await data.rows(CHANGES, limit=NEWEST)
            changes += [(change, name) for change in newest]
            values = await data.rows(VALUES, limit=MOST_VALUES)
            seen = await self._seen(job)
            numbers = [row["value"] for row in values]
            rows.append(_row(job, options, newest, numbers, seen, zone))
        if not rows:
            body = "<p>Nothing is watched yet: name a page in muxd.toml, in a table "
            body += "<code>[[plugins.watch.page]]</code>.</p>"
            return await self._daemon.page("Watches", body, path="/watch")
        heads = "<th>Watch</th><th>Of</th><th>Last look</th><th>Result</th><th>Course</th><th>Last change</th>"
        table = f'<div class="wide"><table><thead><tr>{heads}</tr></thead><tbody>'
        body = (
            f'{STYLE}<section class="card">{table}{"".join(rows)}</tbody></table></div></section>'
        )
        changes.sort(key=lambda each: each[0]["at"], reverse=True)
        for number, (change, name) in enumerate(changes[:NEWEST]):
            kept = self._files(change)
            body += change_card(change, name=name, zone=zone, files=kept, number=number)
        return await self._daemon.page("Watches", body, path="/watch")

    async def _one(self, request: Request) -> Response:
        name = request.path_params["name"]
        watches, zone = self._watches()
        job, options = next((each for each in watches if each[0]["name"] == name), (None, None))
        if job is None or options is None:
            body = '<p>There is no such watch: see <a href="/watch">all of them</a>.</p>'
            return await self._daemon.page("Not found", body, path="/watch", status=404)
        data = self._daemon.data(name)
        part = f", <code>{escape(options.select)}</code>" if options.select else ""
        url, link = escape(options.url), quote(name, safe="")
        body = (
            f'{STYLE}<section class="card"><dl class="facts"><dt>of</dt><dd>{WORDS[options.what]} of '
            f'<a href="{url}" rel="noreferrer">{url}</a>{part}</dd>'
            f"<dt>last look</dt><dd>{run_badge(job['last'])}</dd>"
            f'<dt>job</dt><dd><a href="/jobs/{link}">{escape(name)}</a></dd></dl></section>'
        )
        values = [row["value"] for row in await data.rows(VALUES, limit=MOST_VALUES)]
        if graph := curve(values, name, "graph"):
            low, high = min(values), max(values)
            body += f'<section class="card"><h2>{low:g} to {high:g}</h2>{graph}</section>'
        changes = await data.rows(CHANGES, limit=MOST_CHANGES)
        changes.sort(key=lambda change: float(change["at"]), reverse=True)
        for number, change in enumerate(changes):
            kept = self._files(change)
            body += change_card(change, name="", zone=zone, files=kept, number=number)
        if not changes:
            body += "<p>It has not changed since it is watched.</p>"
        return await self._daemon.page(name, body, path="/watch")

    async def _seen(self, job: Mapping[str, Any]) -> str:
        """What its last look gave, in words."""
        record = await self._daemon.store.get(job["last"]["id"]) if job["last"] else None
        result = record.result if record is not None and record.result else ""
        return result if len(result) <= LONGEST else f"{result[: LONGEST - 3]}..."

    def _files(self, change: Mapping[str, Any]) -> Sequence[str]:
        return list(self._daemon.evidence(change["run_id"])) if change["pictures"] else []


def _row(
    job: Mapping[str, Any],
    options: WatchOptions,
    changes: Sequence[Mapping[str, Any]],
    values: Sequence[float],
    seen: str,
    zone: str,
) -> str:
    name, last, url = job["name"], job["last"] or {}, escape(options.url)
    changed = moment(max((each["at"] for each in changes), default=None), zone)
    return (
        f'<tr><th scope="row"><a href="/watch/{quote(name, safe="")}">{escape(name)}</a></th>'
        f'<td class="tail">{WORDS[options.what]} of <a href="{url}" rel="noreferrer">{url}</a></td>'
        f"<td>{run_badge(last)}</td><td>{escape(seen)}</td>"
        f"<td>{curve(values, name, 'spark')}</td><td>{changed}</td></tr>"
    )
