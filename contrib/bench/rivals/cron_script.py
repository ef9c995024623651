"""A script as cron would start it: its own process, driver and browser, for one job.

cron_script.py URL [BROWSER]
"""

from __future__ import annotations

import os
import sys

from playwright.sync_api import sync_playwright


def main(url: str, browser_path: str = "") -> None:
    """Do the job, once and for all."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=browser_path or None, chromium_sandbox=os.geteuid() != 0
        )
        page = browser.new_page()
        page.goto(url)
        page.wait_for_selector("li")
        texts = page.locator("li").all_inner_texts()
        assert len(texts) == 50, texts
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
