"""The pages: what each is told, by its address."""

from __future__ import annotations

import contextlib
from functools import partial
from typing import TYPE_CHECKING, Any, final

import attrs
import trio
from starlette.routing import Route

from muxd.builtin._dashboard import chart
from muxd.builtin._dashboard.moment import Moment
from muxd.builtin._dashboard.picture import WINDOWS, columns, day_of, draw
from muxd.builtin._dashboard.rendering import Renderer
from muxd.builtin._dashboard.trying import Trying
from muxd.builtin._dashboard.words import unix
from muxd.errors import LedgerError, UserError
from muxd.record import Outcome
from muxd.slotting.account import response_words

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from pathlib import Path

    from starlette.requests import Request
    from starlette.responses import HTMLResponse, Response
    from starlette.routing import BaseRoute

    from muxd.abc import Controlled
    from muxd.builtin._dashboard.day import Day
    from muxd.builtin._dashboard.headlines import Headlines
    from muxd.builtin._dashboard.life import Life
    from muxd.builtin._dashboard.static import Static
    from muxd.record import Record

__all__ = ["Pages"]

UPCOMING = 1_000
"""How many of the next releases are looked at for the picture."""
JOBS, RUNS = 50, 50
"""How many are on one page."""
TEXT, TEXTS = 64 * 1024, 20
"""How much of a text is shown on a run's page, bytes, and of how many; the rest can be downloaded."""
WEEK = 7 * 86_400.0


@attrs.frozen
class File:
    """Something that is kept of a run."""

    name: str
    size: int
    text: str | None
    """Its beginning, of a text that people read."""

    @property
    def is_picture(self) -> bool:
        """Whether a browser shows it."""
        return self.name.lower().endswith((".png", ".jpg", ".jpeg", ".gif", ".webp"))


@final
class Pages:
    """Answers for people. Each page is whole without a script; a script keeps it up to date."""

    def __init__(
        self, daemon: Controlled, day: Day, life: Life, static: Static, headlines: Headlines
    ) -> None:
        self._daemon, self._day, self._life, self._headlines = daemon, day, life, headlines
        self._static, self._renderer, self._trying = static, Renderer(), Trying()

    @property
    def routes(self) -> Sequence[BaseRoute]:
        """Where they are."""
        pages: dict[str, Callable[[Request, Moment], Awaitable[Response]]] = {
            "/": self._now,
            "/jobs": self._jobs,
            "/jobs/{job}": self._job,
            "/runs": self._runs,
            "/runs/{run}": self._run,
            "/news": self._news,
            "/plan": self._plan,
            "/plugins": self._plugins,
            "/browser": self._browser,
        }
        return [Route(path, partial(self._answer, page)) for path, page in pages.items()]

    async def _answer(
        self, page: Callable[[Request, Moment], Awaitable[Response]], request: Request
    ) -> Response:
        moment = Moment.of(self._daemon, upcoming=UPCOMING if request.url.path == "/" else 0)
        try:
            return await page(request, moment)
        except (UserError, LedgerError) as error:
            return await self._problem(request, moment, str(error), 500)

    async def _problem(self, request: Request, moment: Moment, words: str, code: int) -> Response:
        return await self._show(request, moment, "problem.html", {"words": words}, status=code)

    async def _show(
        self,
        at: Request | str,
        moment: Moment,
        template: str,
        values: Mapping[str, Any],
        *,
        status: int = 200,
    ) -> HTMLResponse:
        common = {
            "path": at if isinstance(at, str) else at.url.path,
            "static": f"/static/{self._static.version}",
            "moment": moment,
            "told": moment.told,
            "almanac": moment.almanac,
            "health": self._daemon.health(),
            "links": self._daemon.links(),
        }
        return await self._renderer.render(template, common | dict(values), status=status)

    async def dressed(
        self, title: str, body_html: str, *, path: str = "", status: int = 200
    ) -> HTMLResponse:
        """A page of a plugin: see `Controlled.page`."""
        moment = Moment.of(self._daemon, upcoming=0)
        if not path:
            path = next((link.path for link in self._daemon.links() if link.title == title), "")
        values = {"heading": title, "body": self._renderer.html(body_html)}
        return await self._show(path, moment, "plugin.html", values, status=status)

    async def _now(self, request: Request, moment: Moment) -> Response:
        told, almanac = moment.told, moment.almanac
        window = request.query_params.get("w", "2h")
        window = window if window in WINDOWS else "2h"
        upcoming, slots = told["upcoming"], self._daemon.timetable.slots
        midnight, _ = day_of(almanac)
        begin = min(midnight, almanac.timetable_now - WINDOWS["6h"])
        bars = [
            bar
            for bar in await self._day.since(almanac.real(begin))
            # other speeds, and a rehearsal before this one, have times of their own
            if bar.speed == almanac.speed
            and (almanac.speed == 1 or bar.released >= moment.started_at - 1)
        ]
        paused = frozenset(pause["job"] for pause in told["paused"])
        picture = draw(
            window,
            almanac,
            slots,
            bars,
            told["running"],
            upcoming,
            paused,
            is_cut=len(upcoming) == UPCOMING,
        )
        values = {
            "picture": picture,
            "windows": list(WINDOWS),
            "columns": columns(almanac, slots, bars, upcoming),
            "headlines": self._headlines.newest(6),
        }
        return await self._show(request, moment, "now.html", values)

    async def _jobs(self, request: Request, moment: Moment) -> Response:
        after = request.query_params.get("after", "")[:200]
        begins = request.query_params.get("from", "").strip()[:100]
        if begins:  # the page begins with the first name that is not before this
            after = begins[:-1] + chr(max(ord(begins[-1]) - 1, 1)) + "\U0010ffff"
        page = self._daemon.jobs(after=after, limit=JOBS)
        return await self._show(
            request, moment, "jobs.html", {"page": page, "after": after, "begins": begins}
        )

    async def _job(self, request: Request, moment: Moment) -> Response:
        name = request.path_params["job"]
        if name not in self._daemon.timetable.phases:
            return await self._problem(request, moment, f"There is no job {name[:100]!r}.", 404)
        # the page of jobs that begins with it: names end with no such character
        found = self._daemon.jobs(after=name[:-1] + chr(ord(name[-1]) - 1) + "\U0010ffff", limit=1)
        (job,) = found["jobs"]
        store = self._daemon.store
        runs = await store.history(job=name, limit=30)
        statistics = await store.statistics(job=name, since=moment.almanac.now - WEEK)
        timed = [run for run in reversed(runs) if run.duration is not None]
        most = chart.nice(max([job["duration"], *(run.duration or 0 for run in timed)]))
        values = {
            "job": job,
            "runs": [run.as_dict() for run in runs],
            "statistics": statistics.jobs.get(name),
            "timed": [(run.as_dict(), 100 * (run.duration or 0) / most) for run in timed],
            "most": most,
        }
        return await self._show(request, moment, "job.html", values)

    async def _runs(self, request: Request, moment: Moment) -> Response:
        asked = request.query_params
        job, outcome = asked.get("job") or None, asked.get("outcome") or None
        known = {each.value for each in Outcome}
        before = await self._daemon.store.get(asked["before"]) if asked.get("before") else None
        found = await self._daemon.store.history(
            job=job,
            outcome=Outcome(outcome) if outcome in known else None,
            before=before,
            limit=RUNS + 1,
        )
        page = [record.as_dict() for record in found[:RUNS]]
        values = {
            "runs": page,
            "job": job,
            "outcome": outcome,
            "outcomes": [each.value for each in Outcome],
            "next": page[-1]["id"] if len(found) > RUNS else None,
        }
        return await self._show(request, moment, "runs.html", values)

    async def _run(self, request: Request, moment: Moment) -> Response:
        run_id, running = request.path_params["run"], moment.told["running"]
        record = await self._daemon.store.get(run_id)
        if record is None:
            waiting = [one for one in moment.told["waiting"] if one["id"] == run_id]
            words = f"There is no run {run_id[:100]!r}."
            if waiting or (running and running["id"] == run_id):
                words = f"Run {run_id} waits: it will be here once it has begun."
            return await self._problem(request, moment, words, 404)
        files = await trio.to_thread.run_sync(_files, self._daemon.evidence, record.id)
        values = {
            "run": record.as_dict(),
            "files": files,
            "lines": await self._lines(record),
            "is_running": bool(running and running["id"] == record.id),
            "tries": [one.as_dict() for one in await self._tries(record)],
        }
        return await self._show(request, moment, "run.html", values)

    async def _lines(self, record: Record) -> list[dict[str, Any]]:
        with contextlib.suppress(OSError):
            return [_line(told) for told in await self._daemon.logged(record, limit=500)]
        return []

    async def _tries(self, record: Record) -> Sequence[Record]:
        if record.attempt == 1 and record.outcome is not None and record.outcome.good:
            return ()
        found = await self._daemon.store.tries(record.first_id or record.id)
        return found if len(found) > 1 else ()

    async def _news(self, request: Request, moment: Moment) -> Response:
        found = self._headlines.newest()
        return await self._show(request, moment, "news.html", {"headlines": found})

    async def _plan(self, request: Request, moment: Moment) -> Response:
        table, problem, trial = self._daemon.timetable, None, None
        asked = dict(request.query_params)
        headroom = self._daemon.settings("slotting")["headroom"]
        try:
            trial = await self._trying.trial(table, asked, headroom=headroom)
        except UserError as error:
            problem = str(error)
        told = await self._trying.accounts(table)
        values = {
            "table": table,
            "shown": table.slots[: JOBS * 10],
            "accounts": {account.slot.name: account for account in told},
            "response": response_words(told) if told else "not looked at: there are many jobs",
            "headroom": headroom,
            "trial": trial,
            "problem": problem,
            "asked": asked,
        }
        return await self._show(request, moment, "plan.html", values)

    async def _plugins(self, request: Request, moment: Moment) -> Response:
        found = self._daemon.found()
        return await self._show(request, moment, "plugins.html", {"plugins": found})

    async def _browser(self, request: Request, moment: Moment) -> Response:
        life, now = self._life, moment.almanac.now
        readings = list(life.readings)
        most = chart.nice(max((size for _, size in readings), default=0))
        first = readings[0][0] if readings else now
        ticks = [(25 * n, first + (now - first) * n / 4) for n in range(4)]
        values = {
            "line": chart.path(readings, first, now, most) if readings else "",
            "most": most,
            "ticks": ticks,
            "generations": list(reversed(life.generations)),
        }
        return await self._show(request, moment, "browser.html", values)


def _files(evidence: Callable[[str], Mapping[str, Path]], run_id: str) -> list[File]:
    found, room = [], TEXTS
    for name, path in evidence(run_id).items():
        with contextlib.suppress(OSError):  # pruned meanwhile
            text = None
            if path.suffix in (".txt", ".json") and room > 0:
                room -= 1
                with path.open("rb") as file:
                    text = file.read(TEXT).decode("utf-8", "replace")
            found.append(File(name, path.stat().st_size, text))
    return found


def _line(told: dict[str, Any]) -> dict[str, Any]:
    """A line of a log: its parts for people."""
    known = ("at", "level", "event", "job", "run", "exception")
    more = " ".join(f"{key}={value}" for key, value in told.items() if key not in known)
    return {
        "at": unix(str(told["at"])) if "at" in told else None,
        "level": str(told.get("level", "info")),
        "event": str(told.get("event", "")),
        "more": more,
        "exception": str(told.get("exception", "")),
    }
