"""Jobs that read the account's numbers."""

from __future__ import annotations

import csv
import re
from typing import TYPE_CHECKING, Any

import trio
from playwright.async_api import expect

from muxd_demo.studio import number_in, settled

if TYPE_CHECKING:
    from muxd import Run
    from muxd_demo.studio import Studio

__all__ = [
    "analytics",
    "attribution",
    "data_collection",
    "enhanced_metrics",
    "metrics_scraper",
    "velocity_tracker",
]

_COUNT = re.compile(r"\d")
"""In a tile once its number has come."""


async def metrics_scraper(run: Run, studio: Studio) -> list[dict[str, Any]]:
    """Read the counters of the newest posts on the timeline."""
    page = await studio.open(run, "/")
    feed = page.get_by_role("feed", name="Timeline")
    await settled(feed)
    articles: list[list[str]] = await feed.get_by_role("article").evaluate_all(
        "all => all.map(a => [a.dataset.post, "
        "...[...a.querySelectorAll('[data-number]')].map(n => n.textContent)])"
    )
    return [
        {"post": int(post), "views": number_in(views), "likes": number_in(likes)}
        for post, views, likes, _ in articles
    ]


async def analytics(run: Run, studio: Studio) -> dict[str, int]:
    """Read the totals, and the longest curve that there is."""
    page = await studio.open(run, "/analytics")
    await settled(page.get_by_role("table", name="Top posts"))
    async with page.expect_response("**/api/analytics?range=90d") as answer:
        await page.get_by_role("tab", name="90 days").click()
    curve = (await (await answer.value).json())["daily"]
    totals = {}
    for name in ("impressions", "likes", "shares", "followers"):
        tile = page.get_by_test_id(name)
        await expect(tile).to_have_text(_COUNT)
        totals[name] = number_in(await tile.inner_text())
    return totals | {"days": len(curve), "best_day": max(curve)}


async def velocity_tracker(run: Run, studio: Studio) -> dict[str, float]:
    """Open the newest post and see how fast it is being read."""
    page = await studio.open(run, "/")
    feed = page.get_by_role("feed", name="Timeline")
    await settled(feed)
    await feed.get_by_role("article").first.get_by_role("link").click()
    impressions = page.get_by_test_id("impressions")
    await expect(impressions).to_have_text(_COUNT)
    first, since = await impressions.inner_text(), trio.current_time()
    await expect(impressions).not_to_have_text(first)
    second = await impressions.inner_text()
    gained = number_in(second) - number_in(first)
    return {
        "impressions": number_in(second),
        "per_second": round(gained / (trio.current_time() - since), 1),
    }


async def enhanced_metrics(run: Run, studio: Studio) -> list[dict[str, Any]]:
    """For the two best posts, read where their readers came from."""
    page = await studio.open(run, "/analytics")
    top = page.get_by_role("table", name="Top posts")
    await settled(top)
    links = await top.get_by_role("link").evaluate_all("all => all.map(a => a.pathname)")
    found = []
    for path in links[:2]:
        await studio.open(run, path)
        await settled(page.get_by_role("region", name="Post"))
        names = await page.locator("#sources dt").all_inner_texts()
        values = await page.locator("#sources dd.num").all_inner_texts()
        sources = dict(zip(names, map(number_in, values), strict=True))
        found.append({"post": int(path.rpartition("/")[2]), "sources": sources})
    return found


async def data_collection(run: Run, studio: Studio) -> list[dict[str, Any]]:
    """Walk three pages of the archive and keep every row."""
    page = await studio.open(run, "/archive")
    posts = page.get_by_role("table", name="All posts")
    older = page.get_by_role("link", name="Older")
    kept: list[dict[str, Any]] = []
    for number in (1, 2, 3):
        await expect(page.get_by_test_id("place")).to_contain_text(f"Page {number} ")
        await settled(posts)
        for row in await posts.locator("tbody tr").all_inner_texts():
            post, text, topic, impressions, clicks = row.split("\t")
            kept.append(
                {"post": number_in(post), "text": text, "topic": topic}
                | {"impressions": number_in(impressions), "clicks": number_in(clicks)}
            )
        if number == 3 or not await older.is_visible():
            break
        await older.click()
    return kept


async def attribution(run: Run, studio: Studio) -> dict[str, Any]:
    """Have the slow report built, download it, and check the file against the page."""
    page = await studio.open(run, "/reports")
    async with page.expect_response("**/api/reports"):
        await page.get_by_role("button", name="Build report").click()
    rows = page.get_by_role("table", name="Attribution").locator("tbody tr")
    await expect(rows.first).to_be_visible()
    shown = await rows.count()
    async with page.expect_download() as download:
        await page.get_by_role("link", name="Download CSV").click()
    text = await trio.Path(await (await download.value).path()).read_text("utf-8")
    lines = list(csv.DictReader(text.splitlines()))
    if len(lines) != shown:
        raise ValueError(f"the page shows {shown} rows, the file has {len(lines)}")
    best = max(lines, key=lambda line: int(line["followers"]))
    return {"posts": shown, "best": int(best["post"]), "followers": int(best["followers"])}
