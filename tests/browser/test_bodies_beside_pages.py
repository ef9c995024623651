"""What bodies have beside their page, in a real browser: requests in its session, pages that it opens."""

from __future__ import annotations

import asyncio

import httpx
import pytest
import trio

import muxd
from muxd.testing import Answer

ENGINE = "headless-shell"

pytestmark = pytest.mark.browser


@pytest.fixture
def site(muxd_site):
    def cookies(request):
        return {"cookies": request.cookies, "agent": request.headers.get("user-agent", "")}

    def login(request):
        headers = {"Set-Cookie": "user=ann; Path=/; HttpOnly", "Location": "/echo"}
        return Answer(status=302, headers=headers)

    def logout(request):
        return Answer("gone", headers={"Set-Cookie": "user=; Path=/; Max-Age=0"})

    def echo_body(request):
        return {"sent": request.body.decode(), "kind": request.headers.get("content-type", "")}

    return muxd_site(
        {
            "/": "<h1>Home</h1><script>document.cookie = 'seen=1; path=/'</script>",
            "/echo": cookies,
            "/login": login,
            "/logout": logout,
            "/body": echo_body,
            "/popup": "<h1>Popup</h1>",
            "/opener": "<a href=/popup target=_blank>open</a>",
        }
    )


def test_requests_share_the_session(muxd_run, site):
    """Cookies of the page are sent, those of answers are the page's; redirects, errors, tasks of all kinds."""

    async def body(run):
        await run.page.goto(site.url)
        agent = await run.page.evaluate("navigator.userAgent")
        told = (await run.http.get(f"{site.url}/echo")).json()
        assert told == {"cookies": "seen=1", "agent": agent}
        assert run.http is run.http

        answer = await run.http.get(f"{site.url}/login", follow_redirects=True)
        assert answer.json()["cookies"] == "seen=1; user=ann"
        assert [each.status_code for each in answer.history] == [302]
        assert "user=ann" in await run.page.evaluate("fetch('/echo').then(answer => answer.text())")
        given = await run.http.get(f"{site.url}/echo", headers={"Cookie": "seen=2"})
        assert given.json()["cookies"] == "user=ann; seen=2"
        assert (await run.http.get(f"{site.url}/logout")).text == "gone"
        assert [c["name"] for c in await run.context.cookies()] == ["seen"]

        posted = (await run.http.post(f"{site.url}/body", json={"a": [1]})).json()
        assert posted == {"sent": '{"a":[1]}', "kind": "application/json"}
        missing = await run.http.get(f"{site.url}/nothing")
        assert missing.status_code == 404
        with pytest.raises(httpx.HTTPStatusError):
            missing.raise_for_status()
        with pytest.raises(httpx.ConnectError, match="ECONNREFUSED"):
            await run.http.get("http://127.0.0.1:1/")
        for address in ("shop.example/a", "ftp://shop.example/", "", "https://"):
            with pytest.raises(httpx.UnsupportedProtocol, match="begin with http://"):
                await run.http.get(address)
        with pytest.raises(httpx.ConnectError, match="EPROTO"):  # it has no TLS
            await run.http.get(site.url.replace("http:", "https:"))
        site.drop("/popup", times=1)
        with pytest.raises(httpx.ReadError, match="ECONNRESET"):
            await run.http.get(f"{site.url}/popup")
        site.hang("/popup")
        with pytest.raises(httpx.ReadTimeout):
            await run.http.get(f"{site.url}/popup", timeout=0.2)

        found = []

        async def ask():
            found.append((await run.http.get(f"{site.url}/echo")).status_code)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            nursery.start_soon(ask)
        async with muxd.open_nursery() as nursery:
            nursery.start_soon(ask)
        await asyncio.gather(ask(), ask())
        assert found == [200] * 5
        return run

    record = muxd_run(body)
    assert record.outcome == "ok", record.error
    assert record.left is None
    client = muxd_run.returned._workspace._http.client
    assert client.is_closed


def test_a_client_is_the_runs_alone(muxd_run, site):
    """A request that is under way at the deadline ends with it; later ones are refused."""
    kept = []

    async def body(run):
        kept.append(run.http)
        site.hang("/popup")
        await run.http.get(f"{site.url}/popup", timeout=None)

    record = muxd_run(body, timeout="1s")
    assert record.outcome == "timed_out"
    assert record.duration < 8
    assert record.harm is None

    async def late(run):
        with pytest.raises(RuntimeError, match="closed"):
            await kept[0].get(site.url)

    assert muxd_run(late).outcome == "ok"


def test_every_page_that_a_run_opens(muxd_run, site):
    """Its own, new ones and popups, with Playwright's calls and trio's; errors are the run's."""
    seen, marks, all_seen, raised = [], [], None, None

    async def mark(page):
        await trio.lowlevel.checkpoint()
        await page.evaluate("window.mark = 1")
        seen.append(page)
        if len(seen) == 3:
            all_seen.set()

    async def body(run):
        nonlocal all_seen
        all_seen = trio.Event()
        await run.every_page(mark)
        assert seen == [run.page]
        await run.page.goto(f"{site.url}/opener")
        async with run.page.expect_popup() as popup:
            await run.page.get_by_text("open").click()
        page = await run.context.new_page()
        with trio.fail_after(10):
            await all_seen.wait()
        assert set(seen) == {run.page, await popup.value, page}
        with pytest.raises(
            TypeError, match=r"an `async def` function of a page: .* gives NoneType"
        ):
            await run.every_page(lambda page: None)

    record = muxd_run(body)
    assert (record.outcome, record.left) == ("ok", "2 pages"), record.error

    async def wrong(page):
        marks.append(page)
        if len(marks) > 1:
            raised.set()
            raise LookupError("no banner here")

    async def stays(page):
        if len(marks) > 1:
            await trio.sleep_forever()

    async def fails(run):
        nonlocal raised
        raised = trio.Event()
        await run.every_page(stays)
        await run.every_page(wrong)
        await run.context.new_page()
        with trio.fail_after(10):
            await raised.wait()

    record = muxd_run(fails)
    assert record.outcome == "failed"
    assert "no banner here" in record.error
    marks.clear()
    ended = []

    async def stubborn(page):
        if page is not marks[0]:
            raised.set()
            try:
                with trio.CancelScope(shield=True):
                    await trio.sleep_forever()
            finally:
                ended.append(page)

    async def has_a_stubborn_one(run):
        nonlocal raised
        raised = trio.Event()
        marks.append(run.page)
        await run.every_page(stubborn)
        await run.context.new_page()
        await raised.wait()

    record = muxd_run(has_a_stubborn_one)
    assert record.outcome == "ok", record.error
    assert record.duration < 8
    assert len(ended) == 1
    marks.clear()

    async def opens(run):  # and nothing of the run before is called any more
        await run.context.new_page()
        await trio.sleep(0.05)

    assert muxd_run(opens).outcome == "ok"
    assert marks == []


def test_files_and_expectations(muxd_run, site, monkeypatch):
    """A screenshot is kept as it was made; `muxd.expect` is Playwright's."""
    monkeypatch.setattr("muxd.browser.evidence.EVIDENCE_BOUND", 20.0)

    async def body(run):
        await run.page.goto(site.url)
        await muxd.expect(run.page.locator("h1")).to_have_text("Home")
        await run.page.screenshot(path=run.artifact("home.png"))
        run.progress(1, 1, "seen")

    record = muxd_run(body)
    assert record.outcome == "ok", record.error
    assert muxd_run.files["home.png"].read_bytes().startswith(b"\x89PNG")

    async def wrong(run):
        await run.page.goto(site.url)
        run.artifact("note.txt").write_text("seen")
        await muxd.expect(run.page.locator("h1")).to_have_text("Away", timeout=100)

    record = muxd_run(wrong)
    assert record.error_type == "AssertionError"
    assert {"note.txt", "summary.json", "screenshot.png"} <= set(muxd_run.files)


def test_nurseries_and_mistakes(muxd_run, site):
    """Children may await Playwright in muxd's nursery; elsewhere, and in each other mistake, one error helps."""

    async def read(run, found):
        page = await run.context.new_page()
        await page.goto(site.url)
        found.append(await page.inner_text("h1"))

    async def children(run):
        found = []
        async with muxd.open_nursery() as nursery:
            nursery.start_soon(read, run, found)
            nursery.start_soon(read, run, found)
        return found

    assert muxd_run(children).outcome == "ok"
    assert muxd_run.returned == ["Home", "Home"]

    async def plain_children(run):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(read, run, [])

    async def not_awaited(run):
        run.page.goto(site.url)
        await run.page.title()

    async def returned(run):
        return run.page.title()

    async def used(run):
        title = run.page.title()
        return title.upper()

    async def takes_page(page):
        await page.goto(site.url)

    async def synchronous(run):
        from playwright.sync_api import sync_playwright

        with sync_playwright() as playwright:
            playwright.chromium.launch().new_page().goto(site.url)

    for body, words in {
        plain_children: "muxd.open_nursery()",
        not_awaited: "the call of Page.goto() is not awaited, so it did nothing",
        returned: "the body returned a coroutine of Page.title()",
        used: "in place of `title`: write `await`",
        takes_page: "a body is given the run, not its page: write `await run.page.goto(...)`",
        synchronous: "write `await run.page.goto(...)` in place of `page.goto(...)`",
    }.items():
        record = muxd_run(body)
        assert (record.outcome, record.error_type) == ("failed", "muxd.errors.BodyMistake"), body
        assert words in record.error, record.error
        assert record.harm is None
