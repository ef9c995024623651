"""Jobs that change something on the site, and look whether it came about."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from playwright.async_api import expect

from muxd_demo.studio import settled

if TYPE_CHECKING:
    from playwright.async_api import Page

    from muxd import Run
    from muxd_demo.studio import Studio

__all__ = ["inbox", "learn", "plan", "posting_queue", "real_outcomes", "reply"]


async def plan(run: Run, studio: Studio) -> list[str]:
    """Queue two ideas on the topics that grow fastest."""
    page = await studio.open(run, "/trends")
    topics = page.get_by_role("list", name="Topics")
    async with page.expect_response("**/api/trends?sort=rate"):
        await page.get_by_role("tab", name="Fastest").click()
    await settled(topics)
    fastest = await topics.locator(".tag").all_inner_texts()

    await studio.open(run, "/queue")
    queue = page.get_by_role("list", name="Queue")
    form = page.get_by_role("form", name="Add an idea")
    planned = []
    for topic in fastest[:2]:
        text = f"More on {topic}: people are asking ({run.id[-8:]})"
        await form.get_by_label("Text").fill(text)
        await form.get_by_label("Topic").select_option(topic)
        await form.get_by_role("button", name="Add to queue").click()
        await expect(queue.get_by_role("listitem").filter(has_text=text)).to_be_visible()
        planned.append(text)
    return planned


async def posting_queue(run: Run, studio: Studio) -> dict[str, Any]:
    """Post what is next in the queue, or a word on the day if it is empty; see it appear."""
    page = await studio.open(run, "/queue")
    await settled(page.get_by_role("list", name="Queue"))
    publish = page.get_by_role("button", name="Publish next")
    if await publish.is_enabled():
        async with page.expect_response("**/api/queue/publish") as answer:
            await publish.click()
        posted = await (await answer.value).json()
        await studio.open(run, "/")
    else:
        posted = await _write(await studio.open(run, "/"), f"Quiet day ({run.id[-8:]})")
    await expect(page.locator(f'article[data-post="{posted["id"]}"]')).to_contain_text(
        posted["text"]
    )
    return {"id": posted["id"], "text": posted["text"]}


async def _write(page: Page, text: str) -> dict[str, Any]:
    await settled(page.get_by_role("feed", name="Timeline"))
    await page.get_by_label("What have you seen?").fill(text)
    async with page.expect_response("**/api/posts") as answer:
        await page.get_by_role("button", name="Post", exact=True).click()
    written: dict[str, Any] = await (await answer.value).json()
    return written


async def reply(run: Run, studio: Studio) -> dict[str, str] | None:
    """Answer the newest reader who waits for a reply; None if nobody does."""
    page = await studio.open(run, "/inbox")
    letters = page.get_by_role("list", name="Conversations")
    await settled(letters)
    await page.get_by_role("tab", name="Unanswered").click()
    await settled(letters)
    waiting = letters.get_by_role("button")
    if not await waiting.count():
        return None
    sender = await waiting.first.locator("b").inner_text()
    await waiting.first.click()
    conversation = page.get_by_role("region", name="Conversation")
    await expect(conversation.get_by_role("heading", name=sender)).to_be_visible()
    text = f"Thank you, {sender.split()[0]}! A good question; more soon."
    await conversation.get_by_label("Your reply").fill(text)
    await conversation.get_by_role("button", name="Send").click()
    await expect(conversation.get_by_test_id("reply").last).to_have_text(text)
    return {"to": sender, "text": text}


async def inbox(run: Run, studio: Studio) -> dict[str, int]:
    """Count what is new in the inbox and mark it read."""
    page = await studio.open(run, "/inbox")
    letters = page.get_by_role("list", name="Conversations")
    await settled(letters)
    unread = await letters.locator('[data-read="false"]').count()
    await page.get_by_role("button", name="Mark all read").click()
    await expect(page.get_by_role("status")).to_have_text("All read")
    return {"conversations": await letters.get_by_role("button").count(), "unread": unread}


async def learn(run: Run, studio: Studio) -> dict[str, str]:
    """See which topic does best and make it the account's focus."""
    page = await studio.open(run, "/analytics")
    top = page.get_by_role("table", name="Top posts")
    await settled(top)
    topics = await top.locator(".tag").all_inner_texts()
    [(best, _)] = Counter(topics).most_common(1)

    await studio.open(run, "/settings")
    account = page.get_by_role("form", name="Account")
    await settled(account)
    focus = account.get_by_label("Focus")
    before = await focus.input_value()
    await focus.select_option(best)
    await account.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("status")).to_have_text("Saved")
    await page.reload()
    await expect(focus).to_have_value(best)
    return {"focus": best, "before": before}


async def real_outcomes(run: Run, studio: Studio) -> dict[str, Any]:
    """Compare what was expected of posts with what came, and confirm the newest open one."""
    page = await studio.open(run, "/outcomes")
    outcomes = page.get_by_role("table", name="Outcomes")
    await settled(outcomes)
    rows = outcomes.locator("tbody tr")
    compared = await rows.count()
    still_open = rows.filter(has=page.get_by_role("button", name="Confirm", exact=True))
    if not await still_open.count():
        return {"compared": compared, "confirmed": None}
    text = await still_open.first.get_by_role("cell").first.inner_text()
    row = rows.filter(has_text=text).first
    await row.get_by_role("button").click()
    await expect(row.get_by_role("button")).to_have_text("Confirmed")
    return {"compared": compared, "confirmed": text}
