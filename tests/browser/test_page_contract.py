"""The real browser keeps the laws of a page source."""

from __future__ import annotations

import pytest

from muxd.testing.page_contract import PageSourceContract


class TestGeneration(PageSourceContract):
    """One life of the real browser."""

    @pytest.fixture(autouse=True)
    def _lent(self, lent):
        self.lent = lent

    def with_pages(self, tmp_path, test):
        self.lent(lambda life, _site: test(life))
