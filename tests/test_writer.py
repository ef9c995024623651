"""What writing records costs those who wait for it, while the store fails."""

from __future__ import annotations

import trio

from muxd.record import Record
from muxd.testing.store import MemoryStore
from muxd.writer import BOUND, RecordWriter


class Stuck(MemoryStore):
    """A store that does not answer, and counts how often it was asked."""

    asked = 0

    async def write(self, *records):
        self.asked += 1
        await trio.sleep_forever()


def released(number):
    return Record(id=f"{number:04}", job="a", released_at=1_795_521_600.0 + number)


async def test_who_waits_for_an_attempt_that_fails_makes_none_of_its_own(autojump_clock):
    """Twenty at once are told after one bound, not after twenty; all records are kept."""
    store = Stuck()
    async with store.open():
        writer = RecordWriter(store)
        begun = trio.current_time()
        async with trio.open_nursery() as nursery:
            for number in range(20):
                nursery.start_soon(writer.write, released(number))
        assert trio.current_time() - begun == BOUND
        assert store.asked == 1
        assert len(writer.pending) == 20


async def test_the_last_attempt_waits_for_no_pause(autojump_clock):
    """At the end what waits is tried once more at once, and then is in the log."""
    store = Stuck()
    async with store.open():
        writer = RecordWriter(store)
        assert not await writer.write(released(0))
        begun = trio.current_time()
        await writer.finish()
        assert trio.current_time() - begun == BOUND
        assert (store.asked, writer.lost, writer.pending) == (2, 1, ())
