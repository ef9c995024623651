"""The real browser keeps the laws of a page source."""

from __future__ import annotations

import pytest

from muxd.testing.page_contract import PageSourceContract


class TestGeneration(PageSourceContract):
    """One life of the real browser."""

    observe_bound = 20.0

    @pytest.fixture(autouse=True)
    def _lent(self, lent, monkeypatch):
        self.lent = lent
        # One test waits for it, the others need what there is to see.
        monkeypatch.setattr("muxd.browser.evidence.EVIDENCE_BOUND", 8.0)

    def with_pages(self, tmp_path, test):
        self.lent(lambda life, _site: test(life))
