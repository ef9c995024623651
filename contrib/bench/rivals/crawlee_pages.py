"""Worker: Crawlee for Python, one browser, one request at a time.

A crawl of one request is mostly its start and its end, half a second of it waiting. So each line asks
for a crawl of `BATCH` requests, and what is printed is the time from the end of the first to the end
of the last, by the number between: Crawlee's own pace.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
import uuid
from datetime import timedelta
from typing import TYPE_CHECKING

from crawlee import ConcurrencySettings, Request
from crawlee.browsers import BrowserPool
from crawlee.crawlers import PlaywrightCrawler
from crawlee.statistics import Statistics
from crawlee.storage_clients import MemoryStorageClient

if TYPE_CHECKING:
    from crawlee.crawlers import PlaywrightCrawlingContext

BATCH = 6


async def main(url: str, browser_path: str) -> None:
    """Do `BATCH` jobs for each line on stdin, and print how long one took."""
    pool = BrowserPool.with_default_plugin(
        headless=True,
        browser_launch_options={
            "executable_path": browser_path or None,
            "chromium_sandbox": os.geteuid() != 0,
        },
        # One browser for all.
        retire_browser_after_page_count=1_000_000,
        identify_inactive_browsers_interval=timedelta(hours=1),
    )
    async with pool:
        while await asyncio.to_thread(sys.stdin.readline):
            print(await crawl(pool, url), flush=True)


async def crawl(pool: BrowserPool, url: str) -> float:
    """One crawl; seconds for each job but the first."""
    ends: list[float] = []
    crawler = PlaywrightCrawler(
        browser_pool=pool,
        concurrency_settings=ConcurrencySettings(
            min_concurrency=1, max_concurrency=1, desired_concurrency=1
        ),
        max_request_retries=0,
        configure_logging=False,
        storage_client=MemoryStorageClient(),
        statistics=Statistics.with_default_state(log_message="", save_error_snapshots=False),
    )

    @crawler.router.default_handler
    async def handle(context: PlaywrightCrawlingContext) -> None:
        await context.page.wait_for_selector("li")
        texts = await context.page.locator("li").all_inner_texts()
        assert len(texts) == 50, texts
        ends.append(time.perf_counter())

    requests = [Request.from_url(url, unique_key=str(uuid.uuid4())) for _ in range(BATCH)]
    await crawler.run(requests)
    assert len(ends) == BATCH
    return (ends[-1] - ends[0]) / (BATCH - 1)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
