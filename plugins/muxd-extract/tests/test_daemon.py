"""The plugin in a real daemon: its jobs have slots, and its rows are on the dashboard."""

from __future__ import annotations

import httpx
import pytest

PAGE = """
[[plugins.extract.page]]
name = "{name}"
url = "{url}"
row = "li"
fields.text = ""
"""


@pytest.mark.browser
@pytest.mark.nightly
def test_twenty_pages_in_a_daemon(muxd_daemon, muxd_site):
    """Twenty tables are twenty jobs with a slot each; their rows are in the data, and on their pages."""
    site = muxd_site({"/": "<ul><li>one<li>two &amp; a half</ul>"})
    config = "".join(PAGE.format(name=f"p{n}", url=site.url) for n in range(20))
    daemon = muxd_daemon(plugins=["extract"], config=config)
    timetable = daemon.status()["timetable"]
    assert (timetable["jobs"], timetable["feasible"], timetable["collisions"]) == (20, True, 0)
    assert daemon.run("p3").result == "2 rows: 2 new"
    assert "two & a half" in daemon.call("data", "p3")
    transport = httpx.HTTPTransport(uds=str(daemon.state_dir / "control.sock"))
    with httpx.Client(transport=transport, base_url="http://muxd") as client:
        page = client.get("/extract").text
        assert 'href="/extract" aria-current="page"' in page
        assert "2 rows: 2 new" in page
        assert "two &amp; a half" in client.get("/extract/p3").text
        assert client.get("/extract/nothing").status_code == 404
