"""Worker: as many jobs at once, each with a browser of its own, as timers of one interval do it.

    stampede.py URL BROWSER NUMBER

Prints, for a line on stdin, how long each job took from the common start, in seconds, as JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time

from playwright.async_api import Playwright, async_playwright


async def job(playwright: Playwright, url: str, browser_path: str, begun: float) -> float:
    """One of them; seconds from the common start to its end."""
    browser = await playwright.chromium.launch(
        executable_path=browser_path or None, chromium_sandbox=os.geteuid() != 0, timeout=0
    )
    page = await browser.new_page()
    page.set_default_timeout(0)
    await page.goto(url)
    await page.wait_for_selector("li")
    texts = await page.locator("li").all_inner_texts()
    assert len(texts) == 50, texts
    await browser.close()
    return time.perf_counter() - begun


async def main(url: str, browser_path: str, number: str) -> None:
    """Do it."""
    async with async_playwright() as playwright:
        await asyncio.to_thread(sys.stdin.readline)
        begun = time.perf_counter()
        jobs = (job(playwright, url, browser_path, begun) for _ in range(int(number)))
        print(json.dumps(await asyncio.gather(*jobs)), flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
