"""The whole of it, in a real daemon: from the file of the configuration to the status page."""

from __future__ import annotations

import httpx
import pytest

from muxd import Outcome

FLOW = """
[[plugins.check.flow]]
name = "{name}"
interval = "1h"
duration = "5s"
steps = [{{ goto = "{url}" }}, {{ expect_text = "{text}", within = "300ms" }}]
"""


@pytest.mark.browser
@pytest.mark.nightly
def test_twenty_flows_in_a_daemon(muxd_daemon, muxd_site):
    """Twenty tables are twenty jobs with a slot each; one that is run is on the status page with its
    figures, up or down, and in the file for everybody."""
    site = muxd_site({"/": "<title>Shop</title><h1>Open</h1>"})
    flows = [
        FLOW.format(name=f"shop{n}", url=site.url, text="Open" if n else "Closed")
        for n in range(20)
    ]
    config = 'plugins.check.status_page = "status.html"\n' + "".join(flows)
    daemon = muxd_daemon(plugins=["check"], config=config)
    told = daemon.client.jobs()
    assert len({job["phase"] for job in told["jobs"]}) == 20
    timetable = daemon.status()["timetable"]
    assert (timetable["jobs"], timetable["feasible"], timetable["collisions"]) == (20, True, 0)

    up, down = daemon.run("shop1"), daemon.run("shop0")
    assert (up.outcome, down.outcome) == (Outcome.ok, Outcome.failed)
    assert "step 2 of 2" in down.error
    transport = httpx.HTTPTransport(uds=str(daemon.state_dir / "control.sock"))
    with httpx.Client(transport=transport, base_url="http://muxd") as client:
        page = client.get("/check").text
        files = client.get(f"/v1/runs/{down.id}").json()["files"]
    assert 'href="/check" aria-current="page"' in page
    assert "shop0 is down: step 2 of 2" in page
    assert "✓ up" in page
    assert "LCP" in page
    public = daemon.folder / "status.html"
    daemon.wait_until(lambda: "Down: shop0" in public.read_text(), 60, "write the status page")
    assert site.url not in public.read_text()
    assert "report.json" in [file["name"] for file in files]
