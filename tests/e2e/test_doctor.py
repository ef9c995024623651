"""``muxd doctor`` with a real browser."""

from __future__ import annotations

import os
import tempfile

import pytest

JOBS = """
import muxd


@muxd.job(interval="1h", duration="1s", block=["image"])
async def plain(run):
    raise AssertionError("measuring runs no job")


@muxd.job(interval="1h", duration="1s", block=[])
async def all_of_it(run):
    raise AssertionError("measuring runs no job")
"""


@pytest.mark.nightly
def test_what_blocking_saves_is_shown_beside_a_running_daemon(muxd_home):
    """Each list that a job blocks is measured on a page of muxd's own, and nothing is left of it."""
    home = muxd_home
    home.write("jobs", JOBS)
    home.start()
    with tempfile.TemporaryDirectory() as temporary:  # a short name: Chromium makes a socket there
        home.environ["TMPDIR"] = temporary
        found = home.json("doctor", "--measure", "--rounds", "1")
        assert os.listdir(temporary) == []
    levels = {check["name"]: check["level"] for check in found["checks"]}
    assert (levels["browser"], levels["launch"]) == ("ok", "ok")
    assert "error" not in levels.values(), found["checks"]
    said = {check["name"]: check["message"] for check in found["checks"]}
    assert said["daemon"] == f"process {home.pid} is running, with 2 jobs"
    assert said["leftovers"] == f"process {home.pid} lives, and holds the lock and the socket"
    assert ", schema " in said["ledger"]
    assert set(found["launch"]) == {"seconds", "main_page", "fresh_page", "cpu", "memory"}
    (page,) = found["pages"]
    assert (page["page"], page["block"], page["jobs"]) == ("the sample page", ["image"], ["plain"])
    assert (page["without"]["requests"], page["with"]["requests"]) == (27, 7)
    assert page["without"]["size"] > 1_900_000 > 300_000 > page["with"]["size"] > 100_000
    assert min(page["with"]["cpu"], page["with"]["seconds"], page["with"]["memory"]) > 0
    assert home.json("status")["state"] == "running"
    assert home.history() == []


def test_what_is_measured_is_a_table_for_people(muxd_home):
    """With the headless shell, a list and a page of one's own; a page that isn't there is an error."""
    home = muxd_home
    home.environ["COLUMNS"] = "300"  # the folder's name may be long
    page = home.folder / "page.html"
    page.write_text("<h1>mine</h1><img src=there.png>")
    (home.folder / "there.png").write_bytes(b"no picture")
    args = (
        "doctor",
        "--measure",
        "--rounds",
        "1",
        "--engine",
        "headless-shell",
        "--block",
        "image",
    )
    told = home.call(*args, page.as_uri())
    assert "ok      launch: headless-shell 1" in told
    assert "loaded in" in told
    assert f"{page.as_uri()}  image    2 -> 1" in told
    told = home.call(*args, "http://127.0.0.1:1/", code=1)
    assert "error   page: http://127.0.0.1:1/ can't be loaded: net::ERR_" in told


def test_a_browser_that_does_not_launch_is_an_error(muxd_home):
    """A program that is no browser: its launch fails, with a remedy."""
    muxd_home.environ["MUXD_BROWSER"] = "/bin/false"
    found = muxd_home.json("doctor", code=1)
    levels = {check["name"]: check["level"] for check in found["checks"]}
    assert (levels.pop("browser"), levels.pop("launch")) == ("ok", "error")
    assert "error" not in levels.values(), found["checks"]
