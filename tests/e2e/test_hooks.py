"""The newer hooks, in a real daemon with a real browser: options, wrappers, pages, news."""

from __future__ import annotations

import httpx

PLUGIN = """
from contextlib import asynccontextmanager
import muxd
import trio
from muxd.abc import LaunchOptions, PageLink, PageWrapper, Service
from starlette.routing import Route


class Marks(PageWrapper):
    name = "marks"

    @asynccontextmanager
    async def wrap(self, run):
        await run.page.add_init_script("window.marks = [...(window.marks || []), '{name}']")
        async with trio.open_nursery() as nursery:
            yield
            run.log.info("seen by {name}", title=await run.page.title())


class Page(Service):
    name = "page"
    pages = (PageLink("{name}", "/{name}"),)

    def __init__(self, daemon):
        self.daemon = daemon

    @property
    def routes(self):
        return [Route("/{name}", self.show)]

    async def show(self, request):
        return await self.daemon.page("{name}", "<p class='note'>of {name}</p>")

    async def run(self, *, task_status):
        task_status.started()
        await trio.sleep_forever()


@muxd.hookimpl
def muxd_page_wrappers():
    return [Marks()]


@muxd.hookimpl
def muxd_services(daemon):
    return [Page(daemon)]
"""
JOB = '''

@muxd.hookimpl
def muxd_launch_options(options):
    return LaunchOptions(args=["--lang=de", "--user-agent=Muxd/1"], env={"TZ": "Asia/Tokyo"})


@muxd.job(interval="1d", preferred_phase="23h", duration="5s", pinned=True)
async def looks(run):
    await run.page.goto("data:text/html,<title>the page</title>")
    await run.page.screenshot(path=run.artifact("page.png"))
    told = await run.page.evaluate("""[navigator.userAgent, marks,
        Intl.DateTimeFormat().resolvedOptions().timeZone]""")
    run.tell("it is new", text="-old\\n+new", files=["page.png"])
    return str(told)
'''


def test_hooks_are_at_work_in_a_daemon_and_those_of_a_plugin_that_comes_later(muxd_home):
    """The browser is started as a plugin wants it, a wrapper is round the run and has the page, its page is
    on the dashboard, and so is what the job told, with its picture. A plugin that comes by a reload has its
    page served and its wrapper at work at once: on the same browser."""
    home = muxd_home
    home.write("first", PLUGIN.replace("{name}", "first") + JOB)
    home.start()
    record = home.json("run", "looks")
    assert record["outcome"] == "ok"
    assert record["result"] == "['Muxd/1', ['first'], 'Asia/Tokyo']"
    token = home.call("dashboard", "--token").strip()
    url = home.told()["web"]["url"]
    with httpx.Client(
        base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=20
    ) as web:
        page = web.get("/first")
        assert "<p class='note'>of first</p>" in page.text
        assert "script-src 'self'" in page.headers["content-security-policy"]
        assert 'href="/first" aria-current="page">first</a>' in page.text
        news = web.get("/news").text
        assert "<bdi>it is new</bdi>" in news
        picture = f"/v1/runs/{record['id']}/files/page.png"
        assert f'src="{picture}"' in news
        assert web.get(picture).content.startswith(b"\x89PNG")
        logged = home.call("logs", record["id"])
        assert "news: it is new" in logged
        assert "seen by first  title='the page'" in logged

        home.write("second", PLUGIN.replace("{name}", "second"))
        assert web.get("/second").status_code == 404
        told = home.json("reload")
        assert told["needs_restart"] == []
        again = home.json("run", "looks")
        assert again["result"] == "['Muxd/1', ['first', 'second'], 'Asia/Tokyo']"
        assert again["browser_generation"] == record["browser_generation"] == 1
        assert "of second" in web.get("/second").text
        assert 'href="/second">second</a>' in web.get("/").text
