"""What a body has beside its page, in a real daemon: its progress, and files that are kept with the run."""

from __future__ import annotations

from pathlib import Path

JOBS = """
import os

import muxd
import trio


@muxd.job(interval="60d", duration="5s", timeout="5m")
async def counts(run):
    run.artifact("notes.txt").write_text("seen")
    run.progress(3, 12, "page three")
    while not os.path.exists({go!r}):
        await trio.sleep(0.02)
"""


def test_progress_and_files_of_a_run(muxd_home):
    """Progress is in the status while the run is; its file stays, but for a run that a kill cut off."""
    home = muxd_home
    go = home.folder / "go"
    home.write("shop", JOBS.format(go=str(go)))
    home.config.write_text(f"{home.config.read_text()}[evidence]\nenabled = false\n")
    artifacts = home.state / "artifacts"

    def progress():
        told = home.told()
        return told and told["running"] and told["running"]["progress"]

    home.start()
    home.request("counts")
    found = home.wait(progress, 60, "the run to tell its progress")
    assert found == {"done": 3, "total": 12, "text": "page three"}
    assert "; 3 of 12 (25 %), page three" in home.call("status")
    assert [path.name for path in artifacts.glob(".*/*")] == ["notes.txt"]
    home.kill()

    go.touch()
    home.start()
    assert list(artifacts.iterdir()) == []
    home.call("run", "counts")
    told = home.json("history", "show", "last")
    assert (told["outcome"], told["evidence"]) == ("ok", None)
    assert Path(told["artifacts"]["notes.txt"]["path"]).read_text() == "seen"
    assert "notes.txt" in home.call("history", "show", "last")
    assert home.told()["running"] is None
    assert [path.name for path in artifacts.iterdir()] == [told["id"]]
