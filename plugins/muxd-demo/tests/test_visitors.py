"""The demo's door: its runs are counted, and what was counted is told at the end."""

from __future__ import annotations

import pytest
from muxd_demo.plugin import DemoPlugin
from structlog.testing import capture_logs

import muxd
from muxd.events import Draining, Started
from muxd.testing.contracts import SinkContract


class Page:
    """Takes headers."""

    headers = None

    async def set_extra_http_headers(self, headers):
        """Keep them."""
        self.headers = headers


class Going:
    """A run, as far as the door is concerned."""

    def __init__(self, job):
        self.job, self.page = job, Page()


class TestGuestbook(SinkContract):
    """The laws of sinks."""

    def make_sink(self, directory):
        """As the hook gives it."""
        (book,) = DemoPlugin().muxd_sinks()
        return book


async def test_the_runs_of_the_demo_pass_its_door():
    """Each is let in with its name and out again, however it ends; other plugins' jobs don't pass it."""
    demo = DemoPlugin()
    (porter,), (book,) = demo.muxd_page_wrappers(), demo.muxd_sinks()
    job = next(demo.muxd_jobs())
    assert porter.wants(job.of_plugin("demo"))
    assert not porter.wants(job.of_plugin("another"))
    run = Going(job)
    async with porter.wrap(run):
        assert demo.visitors.now == 1
        assert run.page.headers == {"X-Visitor": job.name}
    with pytest.raises(muxd.MuxdError):
        async with porter.wrap(Going(job)):
            raise muxd.MuxdError
    with capture_logs() as logged:
        await book.handle(Started(at=0.0, jobs=16, speed=1.0))
        await book.handle(Draining(at=1.0, grace=1.0))
    (line,) = logged
    assert (line["in_all"], line["most_at_once"]) == (2, 1)
    assert demo.visitors.now == 0
