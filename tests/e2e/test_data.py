"""What jobs save and know, in the real daemon."""

from __future__ import annotations

from muxd.body.reading import DataReader

JOBS = """
import muxd


@muxd.job(interval="60d", duration="5s")
async def counter(run):
    run.state["runs"] = run.state.get("runs", 0) + 1
    await run.page.set_content("<ul><li>one<li>two</ul>")
    items = [{"name": name} for name in await run.page.locator("li").all_inner_texts()]
    saved = await run.save([*items, {"name": f"run {run.state['runs']}"}], key="name")
    if run.state["runs"] == 2 and run.last.failure is None:
        raise ValueError("as it should")
    good = run.last.good.id if run.last.good else None
    return f"{len(saved.new)} new, {saved.same} same, after {good}"
"""


def test_a_job_keeps_rows_and_a_state(muxd_home):
    """Rows of all runs, the state of the good ones; shown while it runs and after a kill -9."""
    muxd_home.write("jobs", JOBS)
    muxd_home.start()
    first = muxd_home.json("run", "counter")
    assert (first["outcome"], first["left"]) == ("ok", None)
    assert first["result"].startswith("3 new, 0 same, after ")
    failed = muxd_home.json("run", "counter", code=1)
    assert (failed["error"], failed["left"]) == ("as it should", None)
    second = muxd_home.json("run", "counter")
    assert second["result"] == f"0 new, 3 same, after {first['id']}"

    rows = DataReader(muxd_home.state).rows("counter")
    assert [(row["name"], row["run"]) for row in rows] == [
        ("one", second["id"]),
        ("two", second["id"]),
        ("run 1", first["id"]),
        ("run 2", second["id"]),
    ]
    told = muxd_home.json("data", "counter", "--forget-state")
    assert told == {"job": "counter", "forgotten": True}
    anew = muxd_home.json("run", "counter")
    assert anew["result"] == f"0 new, 3 same, after {second['id']}"
    muxd_home.kill()

    # Without a daemon the same job goes on where it was.
    alone = muxd_home.json("run", "counter")
    assert (alone["result"], alone["left"]) == (f"0 new, 3 same, after {anew['id']}", None)
    assert muxd_home.json("data", "counter", "--state") == {"runs": 2}
