"""The laws of a store, held over the ledger and over the fake that stands for it in tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio

from muxd.abc import Store
from muxd.builtin.ledger import Ledger
from muxd.errors import LedgerError
from muxd.record import Record
from muxd.testing.contracts import StoreContract
from muxd.testing.statistics_contract import StatisticsContract
from muxd.testing.store import MemoryStore

if TYPE_CHECKING:
    from pathlib import Path


class TestLedger(StoreContract):
    def make_store(self, directory: Path) -> Store:
        return Ledger(directory)


class PlainStore(MemoryStore):
    """One that has nothing but what it must have."""

    statistics = Store.statistics


class TestStatisticsOfAnyStore(StatisticsContract):
    deadline = 30.0

    @pytest.fixture
    def store(self):
        return PlainStore()


class TestMemoryStore(StoreContract):
    @pytest.fixture(autouse=True)
    def _directories(self):
        self.stores: dict[Path, MemoryStore] = {}

    def make_store(self, directory: Path) -> Store:
        return self.stores.setdefault(directory, MemoryStore())

    async def test_it_fails_on_demand(self):
        """With `failure` set every method raises it, and nothing is written."""
        store = MemoryStore()
        with trio.fail_after(10):
            async with store.open():
                store.failure = LedgerError("the disk is full")
                for call in (
                    store.write(Record(id="1", job="a", released_at=0)),
                    store.history(),
                    store.unfinished(),
                    store.get("1"),
                    store.last_releases(),
                    store.learned(),
                    store.phases(),
                    store.set_phases({}),
                    store.pauses(),
                    store.set_pauses({}),
                ):
                    with pytest.raises(LedgerError, match="disk is full"):
                        await call
            with pytest.raises(LedgerError, match="disk is full"):
                async with store.open():
                    pass
            store.failure = None
            async with store.open():
                assert dict(store.records) == {}
