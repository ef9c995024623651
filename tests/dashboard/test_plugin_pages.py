"""Pages of plugins: in the dashboard's navigation and layout, and served from the moment they are there."""

from __future__ import annotations

import re

import httpx
import pytest
import trio
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from muxd.abc import PageLink, Service
from muxd.companions import Served, start_services
from muxd.control.server import make_app

from .conftest import shown
from .pretend import Pretend
from .test_pages import check_inert, text_of

EVIL = "<script>alert(1)</script>"
OWN = ("/", "/jobs", "/jobs/plan", "/runs", "/plan", "/browser", "/plugins")


class Prices(Service):
    """Has a page, with one below it."""

    name = "prices"

    def __init__(self, daemon, *links):
        self._daemon, self.links = daemon, links or (PageLink("Prices", "/prices"),)

    @property
    def pages(self):
        return self.links

    @property
    def routes(self):
        return [Route("/prices", self.answer), Route("/prices/{name}", self.answer)]

    async def answer(self, request):
        where = {"path": "/prices"} if request.path_params else {}
        return await self._daemon.page(
            f"Prices {EVIL}" if where else "Prices", "<p>12</p>", **where
        )

    async def run(self, *, task_status=trio.TASK_STATUS_IGNORED):
        task_status.started()
        await trio.sleep_forever()


class Told(Pretend):
    """A daemon with services of plugins."""

    def __init__(self, **fields):
        super().__init__(**fields)
        self.served = Served()

    def links(self):
        return self.served.links


async def get(daemon, routes, path):
    transport = httpx.ASGITransport(make_app(daemon, routes))
    async with httpx.AsyncClient(transport=transport, base_url="http://muxd") as client:
        return await client.get(path)


async def test_a_plugins_page_is_one_of_the_dashboard():
    """It is in the navigation of every page, marked where one is, and in the same layout; and what is
    served later, by a plugin that was installed meanwhile, is there at once."""
    daemon = Told()
    async with shown(daemon) as client, trio.open_nursery() as nursery:
        assert 'href="/prices"' not in await text_of(client, "/")
        routes = daemon.served.routes
        routes += client.dashboard.routes
        app = httpx.ASGITransport(make_app(daemon, routes))
        async with httpx.AsyncClient(transport=app, base_url="http://muxd") as whole:
            await text_of(whole, "/")
            assert (await whole.get("/prices")).status_code == 404
            services = [("prices", Prices(daemon))]
            await start_services(services, nursery, pytest.fail, daemon.served)
            for path in OWN:
                assert '<a class="apart" href="/prices">Prices</a>' in await text_of(whole, path)
            page = await text_of(whole, "/prices")
            check_inert(page)
            assert '<a class="apart" href="/prices" aria-current="page">' in page
            assert page.count("aria-current") == 1
            assert "<h1>Prices</h1></div>\n<p>12</p>" in page
            below = await text_of(whole, "/prices/book")
            check_inert(below)
            assert '<a class="apart" href="/prices" aria-current="page">' in below
            assert "<h1>Prices &lt;script&gt;" in below
            assert (await whole.post("/prices")).status_code == 405
            assert "/prices" in await text_of(whole, "/plugins")
        nursery.cancel_scope.cancel()


async def test_without_the_dashboard_it_is_a_plain_page():
    """Who leaves the dashboard out has the pages of the others all the same."""
    daemon = Told()
    service = Prices(daemon)
    for path, title in (("/prices", "Prices"), ("/prices/a", "Prices &lt;script&gt;")):
        answer = await get(daemon, service.routes, path)
        assert answer.status_code == 200
        assert f"<h1>{title}" in answer.text
        assert "<p>12</p>" in answer.text
        assert not re.search("<(link|script|nav)", answer.text)


async def test_many_pages_of_plugins_leave_room():
    """A dozen are in the navigation; all of them are on the page of the plugins."""
    daemon = Told()
    daemon.served.links += [PageLink(f"Page {n}", f"/page/{n}") for n in range(30)]
    async with shown(daemon) as client:
        now = await text_of(client, "/")
        assert now.count('class="apart"') == 12
        assert 'href="/page/29"' in await text_of(client, "/plugins")


async def test_muxds_own_paths_go_first():
    """No plugin hides an answer of muxd's, and of two plugins the one that started earlier is asked."""

    def says(words):
        async def answer(_request):
            return PlainTextResponse(words)

        return answer

    daemon = Told()
    routes = [Route("/v1/status", says("mine")), Route("/a", says("one")), Route("/a", says("two"))]
    assert (await get(daemon, routes, "/v1/status")).json()["now"].startswith("2026")
    assert (await get(daemon, routes, "/a")).text == "one"


@pytest.mark.parametrize(
    ("title", "path", "words"),
    [
        ("", "/a", "a word or two"),
        ("x" * 41, "/a", "a word or two"),
        ("a\nb", "/a", "a word or two"),
        (5, "/a", "is a text"),
        ("a", "a", "one on this host"),
        ("a", "//evil.example/", "one on this host"),
        ("a", "https://evil.example/", "one on this host"),
        ("a", '/"><b>', "one on this host"),
        ("a", None, "is a text"),
    ],
)
def test_a_link_leads_to_a_page_of_this_muxd(title, path, words):
    """A title that is none, or a path that leads elsewhere, is refused with words that help."""
    with pytest.raises((ValueError, TypeError), match=words):
        PageLink(title, path)


async def test_pages_that_are_none_leave_out_their_plugin():
    """The dashboard is never given what is no link: the plugin is named."""
    daemon, failed = Told(), {}
    async with trio.open_nursery() as nursery:
        bad = [("bad", Prices(daemon, ("Prices", "/prices")))]
        await start_services(bad, nursery, failed.__setitem__, daemon.served)
        nursery.cancel_scope.cancel()
    assert "muxd.abc.PageLink, not" in str(failed["bad"])
    assert not daemon.served.routes
    assert not daemon.served.links
