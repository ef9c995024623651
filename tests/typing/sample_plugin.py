"""A plugin that uses all of muxd's public API, for type checkers: mypy and pyright, both strict.

It is never run. What it asserts is what authors of plugins may rely on in their editors.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, assert_type

import attrs
import click
import httpx
import trio
from playwright.async_api import Browser, BrowserContext, Page, Response
from starlette.routing import Route

import muxd
from muxd.abc import Controlled, LaunchOptions, PageLink, PageWrapper, Service, Sink, Slotter, Store
from muxd.events import RunEnded
from muxd.pageparts import badge, moment, run_badge

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping, Sequence

    from starlette.requests import Request
    from starlette.responses import HTMLResponse
    from starlette.routing import BaseRoute

    from muxd.events import Event


@attrs.frozen(kw_only=True)
class ShopConfig:
    """What a user may say in ``[jobs.prices.config]``."""

    url: str = muxd.url_field()
    others: tuple[str, ...] = muxd.urls_field(())
    wait: float = muxd.duration_field("10s", at_most="5m")
    largest: int = muxd.size_field("2 MB")
    most: int = muxd.whole_field(20, at_least=1)
    threshold: float | None = muxd.number_field(None, at_most=1)
    words: tuple[str, ...] = muxd.texts_field(())


@attrs.frozen
class Price:
    """An item that is saved."""

    sku: str
    amount: float


@attrs.frozen
class Seen:
    """What the job keeps from run to run."""

    pages: int = 0


async def is_logged_in(run: muxd.Run) -> bool:
    """A check for `needs_login`."""
    return await run.page.locator("#me").is_visible()


async def hide_banner(page: Page) -> None:
    """For every page."""
    await page.add_style_tag(content=".banner { display: none }")


@muxd.job(
    interval="30m",
    preferred_phase="7m",
    duration=20,
    timeout="2m",
    priority=muxd.Priority.high,
    session="shop",
    retries=2,
    retry_on=["failed", TimeoutError, "playwright.async_api.TimeoutError"],
    overlap=muxd.Overlap.skip,
    misfire=muxd.Misfire.run_once,
    on_interrupt=muxd.OnInterrupt.retry,
    expects_result=True,
    idempotent=True,
    block=["image", "*.ads.example"],
    needs_login=is_logged_in,
    config=ShopConfig,
)
async def prices(run: muxd.Run) -> list[str]:
    """Read the prices."""
    assert_type(run.page, Page)
    assert_type(run.context, BrowserContext)
    assert_type(run.browser, Browser)
    assert_type(run.id, str)
    assert_type(run.attempt, int)
    assert_type(run.deadline, float)
    assert_type(run.job, muxd.Job)

    config: ShopConfig = run.config
    run.log.info("began", after=run.deadline - run.released_at)
    password = run.secret("SHOP_PASSWORD")
    assert_type(password, str)

    await run.every_page(hide_banner)
    answer = await run.page.goto(config.url)
    assert_type(answer, Response | None)
    await muxd.expect(run.page.locator("h1")).to_have_text("Shop")
    if await run.page.locator("#login").is_visible():
        run.needs_login("the page shows a form")

    feed = await run.http.get(f"{config.url}/feed.json")
    assert_type(run.http, httpx.AsyncClient)
    names: list[str] = feed.json()

    found: list[Price] = []

    async def read(name: str) -> None:
        page = await run.context.new_page()
        await page.goto(f"{config.url}/{name}")
        found.append(Price(name, float(await page.inner_text(".price"))))

    async with muxd.open_nursery() as nursery:
        for name in names:
            nursery.start_soon(read, name)
    for number, price in enumerate(found):
        run.progress(number, len(found), price.sku)
        await trio.lowlevel.checkpoint()

    saved = await run.save(found, key="sku", complete=True, may_be_empty=True)
    for row in saved.new:
        assert_type(row, dict[str, Any])
    assert_type(saved, muxd.Saved)
    for change in saved.changed:
        assert_type(change, muxd.Change)
        run.log.info("changed", sku=change.key, before=change.before["amount"])
    assert_type(saved.same, int)

    assert_type(run.state, muxd.RunState)
    seen = run.state.read(Seen, default=Seen())
    assert_type(seen, Seen)
    run.state.write(attrs.evolve(seen, pages=seen.pages + 1))
    run.state["note"] = "seen"

    shot = run.artifact("shop.png")
    assert_type(shot, Path)
    await run.page.screenshot(path=shot)
    last: muxd.Last = run.last
    if saved.gone and last.good is not None:
        run.tell(
            "prices are gone", "\n".join(str(row["sku"]) for row in saved.gone), config.url, [shot]
        )
        assert_type(last.good, muxd.Record)
    return [price.sku for price in found]


assert_type(prices, muxd.Job)


@attrs.frozen(kw_only=True)
class Front(muxd.JobKeys):
    """A table that makes a job: ``[[plugins.sample.front]]``."""

    name: str
    url: str


@attrs.frozen
class Fronts:
    """``[plugins.sample]``."""

    front: list[Front] = attrs.field(factory=list)


async def headline(run: muxd.Run) -> str:
    """A body that is given to `muxd.Job`."""
    front: Front = run.config
    for row in await run.data.rows():
        assert_type(row, dict[str, Any])
    await muxd.bridged(run.page.goto)(front.url)
    with trio.move_on_after(5):
        return await run.page.inner_text("h1")
    return ""


@muxd.hookimpl
def muxd_jobs(section: muxd.Section) -> Iterator[muxd.Job]:
    """One job a table."""
    plain: Mapping[str, Any] = section.values
    if not plain:
        return
    fronts = section.structure(Fronts)
    assert_type(fronts, Fronts)
    for at, front in section.each("front", fronts.front):
        if not front.url.startswith("https:"):
            raise section.wrong(f"{at}.url", "give an address of https")
        yield front.as_job(front.name, headline, section=section, at=at, config=front)
    if section.file is not None:
        assert_type(section.path("masks"), Path)
    yield muxd.Job("news", headline, interval=3600, needs_login=muxd.LoggedIn("/me", shows="#me"))


@muxd.hookimpl
def muxd_sinks() -> Iterable[Sink]:
    """Who is told of events; an argument that is not needed is left out."""
    return [Printer()]


@muxd.hookimpl
def muxd_services(daemon: Controlled | None) -> Iterable[Service]:
    """What runs beside the jobs."""
    return [] if daemon is None else [Watchman(daemon)]


@muxd.hookimpl
def muxd_launch_options(options: LaunchOptions) -> LaunchOptions:
    """The browser has a language."""
    return attrs.evolve(options, args=(*options.args, "--lang=de"))


@muxd.hookimpl
def muxd_page_wrappers() -> Iterable[PageWrapper]:
    """Round the body of each run."""
    yield Timer()


@muxd.hookimpl
def muxd_register_commands(cli: click.Group) -> None:
    """``muxd sample``."""

    @cli.command()
    @click.option("--loud", is_flag=True)
    def sample(loud: bool) -> None:
        """Say something."""
        click.echo("SAMPLE" if loud else "sample")

    assert_type(sample, click.Command)


@muxd.hookimpl
def muxd_store(state_dir: Path) -> Store | None:
    """Muxd's own."""
    return None


@muxd.hookimpl
def muxd_slotter() -> Slotter | None:
    """Muxd's own."""
    return None


class Timer(PageWrapper):
    """Logs how long bodies take."""

    name = "timer"

    def wants(self, job: muxd.Job) -> bool:
        return job.timeout > 60

    @contextlib.asynccontextmanager
    async def wrap(self, run: muxd.Run) -> AsyncGenerator[None]:
        began = trio.current_time()
        yield
        run.log.info("took", seconds=trio.current_time() - began)


class Printer(Sink):
    """A sink."""

    name = "printer"

    async def handle(self, event: Event) -> None:
        print(event.name, event.at)  # noqa: T201


class Watchman(Service):
    """A service."""

    name = "watchman"

    def __init__(self, daemon: Controlled) -> None:
        self._daemon = daemon

    @property
    def pages(self) -> Sequence[PageLink]:
        return [PageLink("Sample", "/sample")]

    @property
    def routes(self) -> Sequence[BaseRoute]:
        return [Route("/sample", self._page)]

    async def _page(self, request: Request) -> HTMLResponse:
        rows = await self._daemon.data("prices").rows(limit=10)
        fronts = self._daemon.configured(Front)
        assert_type(fronts.get("a"), Front | None)
        assert_type(self._daemon.section("sample"), muxd.Section)
        [job, *_] = self._daemon.jobs(limit=1)["jobs"]
        body = f"<p>{len(rows)} prices, {len(fronts)} fronts</p>{run_badge(job['last'])}"
        return await self._daemon.page("Sample", body + moment(None, "UTC") + badge("ok"))

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        with self._daemon.events(self.name, only=(RunEnded,)) as events:
            task_status.started()
            async for event in events:
                if isinstance(event, RunEnded) and event.record.outcome is muxd.Outcome.failed:
                    await self._daemon.request(event.record.job, by=self.name)


def told(error: muxd.MuxdError) -> str:
    """Errors, and what they have."""
    if isinstance(error, muxd.JobError):
        return f"{error.job}: {error.field}"
    if isinstance(error, (muxd.ConfigError, muxd.LoggedOut, muxd.UnbridgedAwait)):
        return type(error).__name__
    return str(error)


async def beside_muxd() -> int:
    """Parts that can be used without a daemon."""
    send, receive = muxd.open_priority_channel[str](8, key=len)
    await send.send("first")
    assert_type(await receive.receive(), str)
    assert_type(muxd.find_browser().path, Path | None)
    return 1


if __name__ == "__main__":
    assert_type(muxd.run(beside_muxd), int)
