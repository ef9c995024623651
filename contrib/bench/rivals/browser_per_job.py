"""Worker: plain Playwright, one driver, a browser for each job."""

from __future__ import annotations

import asyncio
import os
import sys
import time

from orphans import adopt, reap
from playwright.async_api import async_playwright


async def main(url: str, browser_path: str) -> None:
    """Do the job for each line on stdin, and print how long it took."""
    adopt()
    async with async_playwright() as playwright:
        while await asyncio.to_thread(sys.stdin.readline):
            reap()
            begun = time.perf_counter()
            browser = await playwright.chromium.launch(
                executable_path=browser_path or None, chromium_sandbox=os.geteuid() != 0
            )
            page = await browser.new_page()
            await page.goto(url)
            await page.wait_for_selector("li")
            texts = await page.locator("li").all_inner_texts()
            assert len(texts) == 50, texts
            await browser.close()
            print(time.perf_counter() - begun, flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
