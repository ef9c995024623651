"""Runs on fake pages in virtual time, with all that a body has beside its page."""

from __future__ import annotations

import attrs
import pytest
import trio

from muxd.artifacts import Artifacts
from muxd.body.data import Data
from muxd.body.memory import Memory
from muxd.book import RunBook
from muxd.bus import Bus
from muxd.evidence import Evidence
from muxd.job import Job
from muxd.runner import Runner
from muxd.testing import FakePages, MemoryStore
from muxd.workplace import Workplace


async def at_once(call, *args, **_options):
    """In place of a thread: virtual time and threads don't mix."""
    await trio.lowlevel.checkpoint()
    return call(*args)


@attrs.define
class Bench:
    """A runner, and what its runs leave."""

    runner: Runner
    book: RunBook
    pages: FakePages
    artifacts: Artifacts
    workplace: Workplace
    bus: Bus

    async def run(self, body, **fields):
        job = Job("job", body, **({"interval": "1h", "timeout": "60s"} | fields))
        with trio.fail_after(1000):
            release = await self.book.release(job, released_at=trio.current_time())
            return await self.runner.run(release, self.pages)

    def files(self, record):
        return {name: path.read_bytes() for name, path in self.artifacts.files(record.id).items()}


@pytest.fixture
async def bench(tmp_path):
    store, bus = MemoryStore(), Bus()
    artifacts = Artifacts(tmp_path / "artifacts")
    evidence = Evidence(artifacts, in_thread=at_once)
    data = Data(tmp_path, real_now=trio.current_time, in_thread=at_once)
    workplace = Workplace(
        artifacts=artifacts,
        memory=Memory(data, store, real_now=trio.current_time),
        in_thread=at_once,
        publish=bus.publish,
        real_now=trio.current_time,
    )
    async with store.open(), data, trio.open_nursery() as nursery:
        book = RunBook(store, bus, real_now=trio.current_time)
        runner = Runner(
            book, nursery, real_now=trio.current_time, evidence=evidence, workplace=workplace
        )
        yield Bench(runner, book, FakePages(), artifacts, workplace, bus)
        nursery.cancel_scope.cancel()
