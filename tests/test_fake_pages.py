"""The fake keeps the laws that the real browser keeps."""

from __future__ import annotations

import trio

from muxd.testing import FakePages
from muxd.testing.page_contract import PageSourceContract


class TestFakePages(PageSourceContract):
    """Pages in memory."""

    def with_pages(self, tmp_path, test):
        trio.run(test, FakePages(3))
