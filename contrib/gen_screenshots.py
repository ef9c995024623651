"""Takes the pictures of the dashboard that are in docs/images, light and dark.

``python contrib/gen_screenshots.py`` shows the dashboard of a pretended daemon, with sixteen jobs and most of
a day behind them, to a browser. What is on it is made, so that it is the same each time.
"""

from __future__ import annotations

import io
import json
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from PIL import Image  # noqa: E402
from playwright.async_api import async_playwright  # noqa: E402

from muxd import open_nursery, run  # noqa: E402
from muxd.browser.find import find_browser  # noqa: E402
from muxd.builtin._dashboard.service import Dashboard  # noqa: E402
from muxd.control.server import listen_on_port, serve_web  # noqa: E402
from muxd.record import utc_text  # noqa: E402
from tests.dashboard.pretend import NOON, Pretend  # noqa: E402

if TYPE_CHECKING:
    from playwright.async_api import Browser

IMAGES = ROOT / "docs" / "images"
TOKEN = "t" * 43
SIZE = {"width": 1440, "height": 900}
PAGE = """<!doctype html><meta charset=utf-8><style>
body { margin: 0; font: 15px Georgia, serif; color: #222 }
header { background: #7b1c2b; color: #fff; padding: 14px 40px; font-size: 22px }
main { display: grid; grid-template-columns: repeat(3, 1fr); gap: 28px; padding: 32px 40px }
i { display: block; height: 110px; background: linear-gradient(120deg, #d9c9a3, #7f9da8) }
h2 { font-size: 17px; margin: 10px 0 4px }
p { color: #777; margin: 0 }
</style><header>The Daily Example</header><main>%s</main>"""
NEWS = (
    "Trams run on time again", "River walk to reopen", "Market moves indoors",
    "Library adds hours", "A bridge for cyclists", "Orchard days in autumn",
)  # fmt: skip

TOLD = [
    {"at": NOON - 60 * minutes, "job": job, "run": None, "title": title}
    for minutes, job, title in (
        (190, "trends", "3 new topics"), (77, "inbox", "2 messages from Ann"),
        (11, "velocity_tracker", "tea costs 2.80, was 3.10"),
    )
]  # fmt: skip


async def main() -> None:
    """Take both."""
    daemon = busy()
    async with async_playwright() as playwright, daemon.store.open(), open_nursery() as nursery:
        browser = await playwright.chromium.launch(
            executable_path=find_browser().path, args=["--no-sandbox"]
        )
        daemon.picture = await look(browser)
        with tempfile.TemporaryDirectory() as folder:
            daemon.folder = Path(folder)
            (daemon.folder / "news.json").write_text(json.dumps(TOLD), "utf-8")
            await daemon.remember()
            dashboard = Dashboard(daemon)
            await nursery.start(dashboard.run)
            listener = listen_on_port("127.0.0.1", 0)
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            await nursery.start(
                partial(serve_web, daemon, listener, TOKEN, routes=dashboard.routes)
            )
            await take(browser, url, "light", IMAGES / "dashboard.png")
            await take(browser, url, "dark", IMAGES / "dashboard-dark.png")
            nursery.cancel_scope.cancel()
        await browser.close()


def busy() -> Pretend:
    """Something runs, and something waits for it."""
    daemon = Pretend()
    daemon.running("news_scraping", since=14.0)
    daemon.told["running"]["progress"] = {"done": 5, "total": 12, "text": "sections"}
    waits = {"id": "01wait", "cause": "slot", "attempt": 1, "held": False}
    daemon.told["waiting"] = [
        waits | {"job": "inbox", "priority": 0, "released_at": utc_text(NOON - 4),
                 "reason": "news_scraping is running"},
    ]  # fmt: skip
    daemon.told["waiting_total"] = 1
    return daemon


async def look(browser: Browser) -> bytes:
    """What the page of the run in progress shows."""
    page = await browser.new_page(viewport={"width": 900, "height": 506})
    await page.set_content(
        PAGE % "".join(f"<div><i></i><h2>{h}</h2><p>{'lorem ' * 12}</p></div>" for h in NEWS)
    )
    picture = await page.screenshot(type="jpeg", quality=80)
    await page.close()
    return picture


async def take(browser: Browser, url: str, scheme: str, file: Path) -> None:
    """The start page, whole."""
    context = await browser.new_context(
        viewport=SIZE, color_scheme=scheme, timezone_id="Europe/Berlin", locale="en-GB"
    )
    page = await context.new_page()
    await page.clock.set_fixed_time(NOON * 1000)
    await page.goto(f"{url}/?token={TOKEN}")
    await page.wait_for_url(f"{url}/")
    await page.get_by_role("heading", name="Running").wait_for()
    await page.wait_for_timeout(2000)
    picture = Image.open(io.BytesIO(await page.screenshot(full_page=True)))
    # 256 colours are enough, and a third of the size.
    picture.quantize(256, dither=Image.Dither.NONE).save(file, optimize=True)
    await context.close()


if __name__ == "__main__":
    run(main)
