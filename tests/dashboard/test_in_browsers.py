"""The dashboard in a real browser, on a daemon that only tells: for everyone, on every screen."""

from __future__ import annotations

import contextlib
import queue
import threading

import pytest
import trio
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

from muxd.abc import PageLink
from muxd.browser.find import find_browser
from muxd.builtin._dashboard.service import Dashboard
from muxd.control.server import listen_on_port, serve_web
from muxd.events import BrowserDown, BrowserUp, JobNews
from muxd.record import Outcome, utc_text

from .pretend import NOON, Pretend, many

pytestmark = pytest.mark.browser

TOKEN = "t" * 43
PAGES = ("/", "/jobs", "/jobs/plan", "/runs", "/runs/{failed}", "/plan?job=plan&interval=20m",
         "/browser", "/plugins", "/news", "/jobs/nothing")  # fmt: skip


def a_bad_day():
    """Everything that a page can show is on one."""
    daemon = Pretend(trouble=0.4, hours=4)
    daemon.running("news_scraping")
    daemon.told["running"]["progress"] = {"done": 3, "total": 12, "text": "page three"}
    daemon.paused |= {"plan": "crashed the browser 3x", "inbox": "by a person"}
    daemon.healthy = {"state": "ailing", "stuck": [], "ailing": ["the browser was lost 4 times"]}
    daemon.lines = [
        {
            "at": utc_text(NOON),
            "level": level,
            "event": "said",
            "items": 3,
            "exception": "Traceback",
        }
        for level in ("info", "warning", "error")
    ]
    daemon.links = lambda: [
        PageLink(title, f"/{number}")
        for number, title in enumerate(
            ["Watches", "Shots", "Status", "Prices of all shops in town"]
        )
    ]
    daemon.told |= {
        "warnings": ["memory is short"],
        "waiting": [
            {"id": "01w", "job": "reply", "priority": 1, "cause": "retry", "attempt": 2,
             "released_at": utc_text(NOON - 3), "reason": "news_scraping runs", "held": False}
        ],
        "waiting_total": 3,
        "skipped": [{"job": "plan", "note": "", "since": utc_text(NOON), "probe_at": None}],
        "drained": {"job": "*", "note": "repairs", "since": utc_text(NOON), "probe_at": None},
    }  # fmt: skip
    return daemon


async def serve(daemon, ready):
    """Serve the dashboard of this daemon until cancelled; `ready` gets its link, and how to end it."""
    async with daemon.store.open(), trio.open_nursery() as nursery:
        await daemon.remember()
        dashboard = Dashboard(daemon)
        await nursery.start(dashboard.run)
        for number in range(1, 8):
            news = {
                "text": "-1\n+2",
                "url": "https://shop.example/a",
                "files": ("diff.png", "a.txt"),
            }
            daemon.tell(
                JobNews(at=NOON - 60 * number, job="plan", run="01r", title="it is new", **news)
            )
        dashboard._life.told(BrowserUp(at=NOON - 900, generation=1, pid=1, version="v"))
        dashboard._life.measured(NOON - 800, 300_000_000)
        dashboard._life.told(BrowserDown(at=NOON - 700, generation=1, reason="recycled"))
        dashboard._life.told(BrowserUp(at=NOON - 690, generation=2, pid=2, version="v"))
        dashboard._life.measured(NOON - 300, 350_000_000)
        listener = listen_on_port("127.0.0.1", 0)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"

        async def web(task_status):
            await serve_web(
                daemon, listener, TOKEN, routes=dashboard.routes, task_status=task_status
            )

        await nursery.start(web)
        token = trio.lowlevel.current_trio_token()
        cancel = nursery.cancel_scope.cancel
        ready.put((url, lambda: token.run_sync_soon(cancel)))


@contextlib.contextmanager
def served(daemon):
    """The dashboard of this daemon, in a thread of its own."""
    ready = queue.SimpleQueue()
    thread = threading.Thread(target=trio.run, args=(serve, daemon, ready))
    thread.start()
    url, end = ready.get(timeout=30)
    try:
        yield url
    finally:
        end()
        thread.join(30)


@pytest.fixture(scope="module")
def browser():
    found = find_browser()
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=found.path, args=["--no-sandbox"])
        yield made
        made.close()


@contextlib.contextmanager
def visitor(browser, url, **options):
    """A page that came in by the link; its complaints are gathered."""
    context = browser.new_context(**options)
    context.set_default_timeout(20_000)
    page = context.new_page()
    page.complaints = []
    page.on("console", lambda m: m.type == "error" and page.complaints.append(m.text))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.goto(f"{url}/?token={TOKEN}")
    page.wait_for_url(f"{url}/")
    yield page
    context.close()


def violations(page, *rules):
    options = {"resultTypes": ["violations"]} | ({"runOnly": rules} if rules else {})
    found = Axe().run(page, options=options).response["violations"]
    return [
        (rule["id"], [(node["html"][:160], node.get("failureSummary", "")[:200]) for node in rule["nodes"][:3]])
        for rule in found
    ]  # fmt: skip


@pytest.fixture(scope="module")
def bad_day():
    """Where it is served, and a run of it that failed."""
    daemon = a_bad_day()
    failed = next(r.id for r in daemon.records if r.outcome is Outcome.failed)
    with served(daemon) as url:
        yield url, failed


@pytest.mark.parametrize("path", PAGES)
def test_everyone_can_use_it(browser, bad_day, path):
    """No page has a mistake that axe knows of, in light or dark; and none breaks the policy."""
    url, failed = bad_day
    with visitor(browser, url) as page:
        page.goto(url + path.format(failed=failed))
        page.emulate_media(color_scheme="light")
        assert violations(page) == []
        page.emulate_media(color_scheme="dark")
        assert violations(page, "color-contrast") == []
        assert [text for text in page.complaints if "404" not in text] == []


@pytest.mark.parametrize("script", [True, False])
def test_it_fits_a_phone(browser, script):
    """No page is wider than the screen, with a script or without; all its parts are there, and its buttons
    do what they say: without a script they lead back to where they are."""
    daemon = a_bad_day()
    daemon.pause = lambda job, note, *, seconds, by: daemon.paused.update({job: note})
    failed = next(r.id for r in daemon.records if r.outcome is Outcome.failed)
    phone = {"viewport": {"width": 390, "height": 844}, "java_script_enabled": script}
    with served(daemon) as url, visitor(browser, url, **phone) as page:
        for path in PAGES if script else PAGES[:2]:
            page.goto(url + path.format(failed=failed))
            box = page.locator("main").bounding_box()
            assert box["x"] + box["width"] <= 390
            assert page.locator("header").bounding_box()["width"] <= 390
            if script:
                assert page.evaluate("document.documentElement.scrollWidth") <= 390, path
            if path == "/jobs":  # nor is a button of a row beyond its edge
                edge = page.locator(".wide").evaluate(
                    "wide => [wide.scrollWidth, wide.clientWidth]"
                )
                assert edge[0] <= edge[1]
        page.goto(url)
        assert page.locator("#time rect.run").count() > 10
        assert page.locator("text=memory is short").is_visible()
        page.goto(f"{url}/jobs/learn")
        page.locator("summary").click()
        page.get_by_label("Why").fill("on a <i>phone</i>")
        page.get_by_role("button", name="Pause learn").click()
        page.locator("dd", has_text="on a <i>phone</i>").wait_for()
        assert page.url == f"{url}/jobs/learn"


def test_by_keyboard_alone(browser):
    """The way in skips to the content, each stop is seen, and what is pressed stays in focus."""
    daemon = Pretend()
    with served(daemon) as url, visitor(browser, url) as page:
        page.goto(f"{url}/jobs")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id || location.hash") in ("main", "#main")
        stops = set()
        for _ in range(12):
            page.keyboard.press("Tab")
            stops.add(
                page.evaluate(
                    "(e => e.getAttribute('aria-label') || e.textContent.trim() || e.id)"
                    "(document.activeElement)"
                )
            )
            outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert outline != "none"
        assert {"Run analytics now", "Pause analytics"} <= stops
        page.get_by_label("Pause plan").focus()
        daemon.paused["learn"] = "by a test"
        page.evaluate("document.dispatchEvent(new Event('muxd:stale'))")
        page.get_by_label("Resume learn").wait_for()
        focused = page.evaluate("document.activeElement.getAttribute('aria-label')")
        assert focused == "Pause plan"


def test_nothing_moves_while_nothing_happens(browser):
    """No frame is asked for, no request is made; the countdowns change, once a second."""
    daemon = Pretend(many(60), hours=1)
    with served(daemon) as url, visitor(browser, url) as page:
        page.wait_for_function("document.querySelector('.script:not([hidden])')")
        asked = []
        page.on("request", lambda request: asked.append(request.url))
        before = page.locator("[data-until]").first.inner_text()
        page.wait_for_function(
            "text => document.querySelector('[data-until]').textContent !== text",
            arg=before,
        )
        page.evaluate(
            "window.frames_ = 0; window.requestAnimationFrame = () => { window.frames_ += 1 }"
        )
        page.wait_for_timeout(2_000)
        assert page.evaluate("window.frames_") < 5  # Playwright may want one
        assert page.evaluate("document.getAnimations().length") == 0
        assert asked == []
        assert page.complaints == []
