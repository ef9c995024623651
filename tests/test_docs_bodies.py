"""The bodies of jobs that the documentation shows work: each is run, on a real browser.

That their blocks can be loaded is what ``test_docs.py`` holds. Here is the web that they go to: a page
with whatever they look for, at any address, and nothing gets out.
"""

from __future__ import annotations

import contextlib
import datetime
import itertools
import re
from types import SimpleNamespace
from typing import TYPE_CHECKING

import attrs
import httpx
import pytest
import trio
from playwright.async_api import Error

import muxd
from muxd.configfile import load_config
from muxd.logincheck import checked_body
from muxd.plugins import load_plugins
from tests.test_docs import BLOCKS, declares

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.browser, pytest.mark.long]

BOUND = 30.0
"""Seconds that a job may take on a machine that is busy."""
WEDNESDAY = datetime.datetime(2024, 1, 3, 10, 30).timestamp()
SECTION = """
plugins.strict = true
plugins.jobs_dirs = ["jobs"]
[[plugins.snippet.page]]
name = "news"
url = "https://news.example"
"""
"""What the plugins that make jobs of tables find."""
FRONT = """<!doctype html><title>Shop</title>
<h1 id=open>Open</h1><h2>One</h2><h2>Two</h2>
<i class=price>{price}</i> <i class=order>Assam</i> <i class=message>Hello</i>
<i id=stock>7</i> <i id=total>12</i> <button id=logout>Log out</button>
<a href=/today target=_blank>Today</a> <button>Accept</button>
<a href="data:text/csv,total%0A3" download=report.csv>CSV</a>
<label>Password <input type=password></label> <button>Sign in</button>"""
PAGES = {
    "https://ip.example/plain": "203.0.113.7",
    "https://shop.example/offers": "<div class=offer><h2>Offers</h2><a href=/offers/1>Lamp</a>"
    "<i class=price>{price}</i> in stock</div>",
}
"""What is at some addresses; at all others it is the front page."""


def answered(request: httpx.Request) -> httpx.Response:
    """What requests without a page get."""
    lamp = {"url": "https://shop.example/offers/1", "name": "Lamp"}
    answers = {"/api/offers": [lamp], "/messages": [{"id": 7, "text": "Hello"}]}
    if request.url.path == "/feed.json":
        if request.headers.get("If-None-Match"):
            return httpx.Response(304)
        return httpx.Response(200, json={"items": [{"id": 1}]}, headers={"ETag": "one"})
    return httpx.Response(200, json=answers.get(request.url.path, "a file"))


class Web:
    """Answers for all sites. Each price is lower than the one before."""

    def __init__(self) -> None:
        self.loads = itertools.count(1)

    async def answer(self, route) -> None:
        """A page."""
        text = PAGES.get(route.request.url, FRONT)
        price = f"{1000 - next(self.loads) / 100:.2f}"
        body = text.replace("{price}", price)
        with contextlib.suppress(Error):  # the page that asked may be gone
            await route.fulfill(body=body, content_type="text/html; charset=utf-8")

    def of(self, browser):
        """The browser; its new contexts are answered, whatever proxy they would go by."""

        async def new_context(**options):
            context = await browser.new_context(**options)
            await context.route("**/*", self.answer)
            return context

        return SimpleNamespace(new_context=new_context)


class Reading(muxd.Run):
    """A run of one of the jobs, within the one that runs them all."""

    http = httpx.AsyncClient(transport=httpx.MockTransport(answered))

    async def save(self, items, key=None, *, table=None, **how):
        """Into a table of its own."""
        return await super().save(items, key, table=f"{self.job.name}-{table or 'rows'}", **how)

    async def every_page(self, fn):
        """Of this one's pages there is only one."""
        await fn(self.page)


def jobs_of(block, folder: Path):
    """The jobs that a block declares, one for each body, and the services that they need."""
    code = block.code.replace("/srv/report.py", str(folder / "report.py"))
    (folder / "jobs" / "snippet.py").write_text(code, "utf-8")
    plugins = load_plugins(
        load_config(folder / "muxd.toml", environ={}), entry_points=(), builtins=()
    )
    of_one_body = {getattr(job.body, "func", job.body): job for job in plugins.jobs}
    return of_one_body.values(), [service for _plugin, service in plugins.services()]


async def carry_out(run, job, services, web, attempts):
    """One job, once for each of these attempts."""
    given = {field.alias: getattr(run, field.name) for field in attrs.fields(muxd.Run)}
    given |= {"job": job, "released_at": WEDNESDAY}
    async with muxd.open_nursery() as nursery:
        for service in services:
            await nursery.start(service.run)
        for attempt in attempts:
            await checked_body(job)(Reading(**given | {"attempt": attempt}))
        nursery.cancel_scope.cancel()


@pytest.mark.timeout(300)
def test_the_bodies_run(muxd_run, tmp_path, monkeypatch):
    """Each body of a job in the docs ends well; what saves something does so when it is run again."""
    for name in ("SHOP_PASSWORD", "BANK_PASSWORD", "PROXY_PASSWORD"):
        monkeypatch.setenv(name, "open sesame")
    (tmp_path / "jobs").mkdir()
    (tmp_path / "muxd.toml").write_text(SECTION, "utf-8")
    (tmp_path / "report.py").write_text("print('all is well')", "utf-8")
    blocks = [b for b in BLOCKS if b.language == "python" and not b.mark and declares(b.code)]
    blocks.sort(key=lambda block: re.findall(r"https://\S+?example", block.code)[:1])
    done, failed, web = [], {}, Web()

    async def all_of_them(run):
        # A context of its own, where nobody traces what happens; and one site after another: from site to
        # site the browser begins a process.
        browser = web.of(run.browser)
        context = await browser.new_context()
        run = attrs.evolve(run, browser=browser, context=context, page=await context.new_page())
        for block in blocks:
            jobs, services = jobs_of(block, tmp_path)
            # What compares with last time needs one. Else one that was preceded by a failure will do.
            attempts = (1, 2) if "run.save(" in block.code else (2,)
            for job in jobs:
                try:
                    with trio.fail_after(BOUND):
                        await carry_out(run, job, services, web, attempts)
                except Exception as error:
                    failed[f"{block.where}: {job.name}"] = error
                done.append(job)

    record = muxd_run(all_of_them, timeout="280s", session="fresh")
    assert record.outcome == "ok", record.error
    assert failed == {}
    assert len(done) >= 36
