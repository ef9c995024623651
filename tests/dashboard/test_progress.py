"""How far the run in progress says that it is, as people see it: pages, `muxd status`, `muxd top`."""

from __future__ import annotations

import re

from muxd.cli.output import progress_text
from muxd.cli.status import _in_progress
from muxd.cli.toldclock import ToldClock
from muxd.cli.topview import _running
from muxd.record import utc_text
from muxd.units import format_share

from .conftest import shown
from .pretend import NOON

RUNNING = {"id": "01r", "job": "learn", "started_at": utc_text(NOON), "expected": 20.0}


def test_it_is_said_in_few_words():
    """So much of so much, in percent that reach 100 only at the end; without a total just so much."""
    assert format_share(3, 12) == "3 of 12 (25 %)"
    assert format_share(999, 1000) == "999 of 1,000 (99 %)"
    assert format_share(1000, 1000) == "1,000 of 1,000 (100 %)"
    assert format_share(1_234_567.5, None) == "1,234,567.5"
    told = {"done": 3, "total": None, "text": "page three"}
    assert progress_text(told) == "3, page three"


def test_status_and_top_show_it():
    """Both, beside how long the run has taken; and nothing where the run says nothing."""
    told = {"done": 3, "total": 12, "text": "page three"}
    for progress, words in ((told, "3 of 12 (25 %), page three"), (None, None)):
        running = RUNNING | {"progress": progress}
        status = _in_progress(running, ToldClock({"timezone": "UTC"}, NOON + 5), NOON + 5)
        top = "".join(
            part if isinstance(part, str) else part[0] for part in _running(running, NOON)
        )
        for text in (status, top):
            assert (words in text) if words else ("of 12" not in text and "None" not in text)


async def test_the_dashboard_shows_it(daemon):
    """On its first page and on the run's, with a bar where there is a total; a text stays a text."""
    daemon.running("plan")
    running = daemon.told["running"]
    async with shown(daemon) as client:
        assert "<progress" not in (await client.get("/")).text
        running["progress"] = {"done": 3, "total": 12, "text": "<b>page</b> three"}
        for path in ("/", f"/runs/{running['id']}"):
            page = (await client.get(path)).text
            if "<progress" not in page:
                assert path != "/"  # the pretended store knows no run that has not ended
                continue
            assert re.search(r'<progress max="12" value="3" aria-label="[^"]+">', page)
            assert "3 of 12 (25 %)" in page
            assert "&lt;b&gt;page&lt;/b&gt; three" in page
        running["progress"] = {"done": 3, "total": None, "text": ""}
        page = (await client.get("/")).text
        assert "<progress" not in page
        assert '<p class="progress"><span>3</span></p>' in page
