"""The real browser keeps the laws of a page source."""

from __future__ import annotations

import muxd
from muxd.browser.find import find_browser
from muxd.browser.generation import open_generation
from muxd.browser.launch import LaunchPlan
from muxd.browser.sessions import SessionFiles
from muxd.testing.page_contract import PageSourceContract


class TestGeneration(PageSourceContract):
    """One life of the real browser."""

    def with_pages(self, tmp_path, test):
        async def main():
            plan = LaunchPlan(found=find_browser(), profile=tmp_path / "profile")
            async with open_generation(3, plan, SessionFiles(tmp_path / "sessions")) as life:
                await test(life)

        muxd.run(main)
