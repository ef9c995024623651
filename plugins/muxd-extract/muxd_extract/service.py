"""The plugin's pages on the dashboard: what is extracted, and the rows of each."""

from __future__ import annotations

import json
from html import escape
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import trio
from starlette.routing import Route

from muxd.abc import PageLink, Service
from muxd.pageparts import moment, run_badge
from muxd_extract.options import PageOptions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

    from muxd.abc import Controlled

__all__ = ["ExtractPages"]

MOST_PAGES = 500
"""How many are on the page."""
MOST_ROWS = 200
"""How many rows of one are shown, the newest."""
LONGEST = 200
"""How much of a value is shown, characters."""


class ExtractPages(Service):
    """Shows what was extracted. Reads only."""

    name = "extract"

    def __init__(self, daemon: Controlled) -> None:
        """Make it."""
        self._daemon = daemon

    @property
    def pages(self) -> Sequence[PageLink]:
        """One, in the navigation."""
        return [PageLink("Extracts", "/extract")]

    @property
    def routes(self) -> Sequence[BaseRoute]:
        """All of them, and one."""
        return [Route("/extract", self._all), Route("/extract/{name}", self._one)]

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """There is nothing to do but to answer."""
        task_status.started()
        await trio.sleep_forever()

    def _jobs(self) -> tuple[list[tuple[dict[str, Any], PageOptions]], str]:
        """The jobs that extract, with what they do in this moment, and the time zone."""
        told, options = self._daemon.jobs(limit=10_000), self._daemon.configured(PageOptions)
        jobs = [(job, options[job["name"]]) for job in told["jobs"] if job["name"] in options]
        return jobs, told["timezone"]

    async def _all(self, request: Request) -> Response:
        jobs, zone = self._jobs()
        if not jobs:
            body = "<p>Nothing is extracted yet: name a page in muxd.toml, in a table "
            body += "<code>[[plugins.extract.page]]</code>.</p>"
            return await self._daemon.page("Extracts", body, path="/extract")
        lines = []
        for job, options in jobs[:MOST_PAGES]:
            [table, *_] = [*await self._daemon.data(job["name"]).tables(), None]
            record = await self._daemon.store.get(job["last"]["id"]) if job["last"] else None
            result = (record.result or "")[:LONGEST] if record is not None else ""
            lines.append(_line(job, options.url[0], table.rows if table else 0, result, zone))
        heads = "<th>Page</th><th>Of</th><th>Last run</th><th>At</th><th>Result</th>"
        heads += '<th class="num">Rows kept</th>'
        body = (
            f'<section class="card"><div class="wide"><table><thead><tr>{heads}</tr></thead>'
            f"<tbody>{''.join(lines)}</tbody></table></div></section>"
        )
        return await self._daemon.page("Extracts", body, path="/extract")

    async def _one(self, request: Request) -> Response:
        name = request.path_params["name"]
        jobs, zone = self._jobs()
        job, options = next((each for each in jobs if each[0]["name"] == name), (None, None))
        if job is None or options is None:
            body = '<p>There is no such page: see <a href="/extract">all of them</a>.</p>'
            return await self._daemon.page("Not found", body, path="/extract", status=404)
        data = self._daemon.data(name)
        rows = await data.rows(limit=MOST_ROWS)
        [table, *_] = [*await data.tables(), None]
        urls = ", ".join(
            f'<a href="{escape(url)}" rel="noreferrer">{escape(url)}</a>' for url in options.url
        )
        count = f"{table.rows if table else 0} rows"
        if len(rows) == MOST_ROWS:
            count += f", of which the newest {MOST_ROWS} are below"
        link = quote(name, safe="")
        body = (
            f'<section class="card"><dl class="facts"><dt>from</dt><dd>{urls}</dd>'
            f"<dt>last run</dt><dd>{run_badge(job['last'])}</dd><dt>kept</dt><dd>{count}; "
            f"all of them: <code>muxd data {escape(name)} --csv</code></dd>"
            f'<dt>job</dt><dd><a href="/jobs/{link}">{escape(name)}</a></dd></dl></section>'
        )
        if rows:
            body += _table(rows, list(options.columns), zone)
        return await self._daemon.page(name, body, path="/extract")


def _line(job: Mapping[str, Any], address: str, rows: int, result: str, zone: str) -> str:
    name, last, url = job["name"], job["last"] or {}, escape(address)
    return (
        f'<tr><th scope="row"><a href="/extract/{quote(name, safe="")}">{escape(name)}</a></th>'
        f'<td class="tail"><a href="{url}" rel="noreferrer">{url}</a></td>'
        f"<td>{run_badge(last)}</td><td>{moment(last.get('ended_at'), zone)}</td>"
        f'<td>{escape(result)}</td><td class="num">{rows}</td></tr>'
    )


def _table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], zone: str) -> str:
    heads = "".join(f"<th>{escape(column)}</th>" for column in columns)
    lines = []
    for row in reversed(rows):
        gone = ' class="paused"' if row.get("gone_at") else ""
        cells = "".join(_cell(row.get(column)) for column in columns)
        lines.append(f"<tr{gone}>{cells}<td>{moment(row['first_seen'], zone)}</td></tr>")
    return (
        '<section class="card"><div class="wide" tabindex="0" role="region" aria-label="Rows">'
        f"<table><thead><tr>{heads}<th>First seen</th></tr></thead>"
        f"<tbody>{''.join(lines)}</tbody></table></div></section>"
    )


def _cell(value: Any) -> str:
    if value is None:
        return "<td></td>"
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f'<td class="num">{value:.10g}</td>'
    text = _text(value)
    short = escape(text if len(text) <= LONGEST else text[: LONGEST - 3] + "...")
    if text.startswith(("http://", "https://")):
        short = f'<a href="{escape(text)}" rel="noreferrer">{short}</a>'
    return f"<td>{short}</td>"


def _text(value: Any) -> str:
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ", ".join(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
