"""At the very end no record is lost in silence."""

from __future__ import annotations

import structlog
import trio

from muxd.book import RunBook
from muxd.bus import Bus
from muxd.errors import LedgerError
from muxd.job import Job
from muxd.record import Outcome
from muxd.testing import MemoryStore


async def body(run):
    pass


async def one_run(book):
    release = await book.release(Job("job", body, interval="1h"), released_at=1.0)
    record = await book.start(release, generation=1)
    return await book.end(record, Outcome.ok)


async def test_what_waits_is_written_although_it_is_not_its_time(autojump_clock):
    """A ledger that has just come back gets everything at the end, without waiting for a retry."""
    store = MemoryStore()
    async with store.open():
        book = RunBook(store, Bus(), real_now=trio.current_time)
        store.failure = LedgerError("disk full")
        record = await one_run(book)
        store.failure = None
        assert book.unwritten
        await book.finish()
        assert not book.unwritten
        assert (await store.get(record.id)).outcome is Outcome.ok


async def test_what_can_not_be_written_is_in_the_log_whole(autojump_clock):
    """With a ledger that stays broken the log is the record, at level critical."""
    store = MemoryStore()
    async with store.open():
        book = RunBook(store, Bus(), real_now=trio.current_time)
        store.failure = LedgerError("disk full")
        record = await one_run(book)
        with structlog.testing.capture_logs() as logs:
            await book.finish()
        told = [log["record"] for log in logs if log["log_level"] == "critical"]
        assert [one["id"] for one in told] == [record.id]
        assert told[0]["outcome"] == "ok"
