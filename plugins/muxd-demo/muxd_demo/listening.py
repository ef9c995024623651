"""Jobs that look at others: news, topics, followers; and at whether the door is still open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from playwright.async_api import expect

from muxd_demo.site.api import SESSION_COOKIE
from muxd_demo.studio import settled

if TYPE_CHECKING:
    from muxd import Run
    from muxd_demo.studio import Studio

__all__ = ["news_scraping", "session_check", "sync_follower", "trends"]


async def news_scraping(run: Run, studio: Studio) -> dict[str, Any]:
    """Collect the town's headlines and read the first piece. It is open to all."""
    page = run.page
    await page.goto(f"{studio.site.address}/news")
    news = page.get_by_role("region", name="News")
    more = page.get_by_role("button", name="Load more")
    await settled(news)
    while await more.is_visible():
        shown = await news.get_by_role("article").count()
        await more.click()
        await expect(news.get_by_role("article").nth(shown)).to_be_visible()
        await settled(news)
    headlines = await news.get_by_role("heading").all_inner_texts()
    await news.get_by_role("link").first.click()
    article = page.get_by_role("article")
    await settled(article)
    return {"headlines": headlines, "lead": await article.locator("p").all_inner_texts()}


async def trends(run: Run, studio: Studio) -> dict[str, Any]:
    """Read the topics in each order, and what is said on the first."""
    page = await studio.open(run, "/trends")
    topics = page.get_by_role("list", name="Topics")
    orders = {}
    for name in ("Most seen", "Fastest", "Most posts"):
        await page.get_by_role("tab", name=name).click()
        await settled(topics)
        orders[name] = await topics.locator(".tag").all_inner_texts()
    await topics.get_by_role("button").first.click()
    topic = page.get_by_role("region", name="Topic")
    first = orders["Most posts"][0]
    await expect(topic.get_by_role("heading", name=first)).to_be_visible()
    return {"orders": orders, "said": await topic.locator(".said").all_inner_texts()}


async def sync_follower(run: Run, studio: Studio) -> list[dict[str, str]]:
    """Walk through the newest four pages of followers."""
    page = await studio.open(run, "/followers")
    table, following = page.get_by_role("table"), page.get_by_role("button", name="Next")
    found = []
    for number in (1, 2, 3, 4):
        await expect(page.get_by_test_id("place")).to_contain_text(f"Page {number} ")
        await settled(table)
        for row in await table.locator("tbody tr").all_inner_texts():
            _, handle, topic, _ = row.split("\t")
            found.append({"handle": handle, "topic": topic})
        if not await following.is_enabled():
            break
        await following.click()
    return found


async def session_check(run: Run, studio: Studio) -> dict[str, Any]:
    """See that the account is signed in, and for how much longer."""
    page = await studio.open(run, "/settings")
    await settled(page.get_by_role("form", name="Account"))
    cookies = await run.context.cookies(studio.site.address)
    [expires] = [c["expires"] for c in cookies if c["name"] == SESSION_COOKIE]
    return {
        "account": await page.get_by_test_id("account").inner_text(),
        "days_left": int((expires - run.released_at) / 86400),
        "sessions": await page.get_by_role("list", name="Sessions").get_by_role("listitem").count(),
    }
