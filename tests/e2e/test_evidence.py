"""Evidence as a user meets it: a job that fails, and the command that shows why."""

from __future__ import annotations

import stat

import pytest

from .conftest import PATIENT_EYE

JOBS = """
import os

import muxd


@muxd.job(interval="60d", duration="5s", timeout="20s")
async def broken(run):
    await run.page.set_content("<title>Shop</title><h1>prices</h1><p>" + os.environ["SHOP_KEY"])
    await run.page.evaluate("console.log('on the page')")
    raise LookupError("no price; the key was " + os.environ["SHOP_KEY"])


@muxd.job(interval="60d", duration="5s", timeout="20s")
async def fine(run):
    await run.page.set_content("<h1>fine</h1>")
"""
KEY = "key-of-the-shop-12345"


def configure(home, line):
    home.config.write_text(f"{home.config.read_text()}[evidence]\n{line}\n")


def test_a_run_that_failed_can_be_looked_into(muxd_home):
    """Of `muxd run`, alone and in the daemon: page, traceback, console; no secret."""
    home = muxd_home
    home.environ["SHOP_KEY"] = KEY
    home.write("shop", PATIENT_EYE + JOBS)
    configure(home, 'mask_env = ["SHOP_KEY"]')
    alone = home.call("run", "broken", code=1)
    assert "no price; the key was ***" in alone
    home.call("run", "fine")
    home.start("--log-format", "console")
    home.call("run", "broken", code=1)
    newest, fine, first = home.history()
    assert (newest["outcome"], fine["outcome"], first["outcome"]) == ("failed", "ok", "failed")
    for record in (newest, first):
        told = home.json("history", "show", record["id"])
        assert told["error"] == "no price; the key was ***"
        evidence = told["evidence"]
        assert {"screenshot.png", "page.html", "console.txt"} <= set(evidence["files"])
        assert "trace.zip" in evidence["files"]
        assert evidence["title"] == "Shop"
        assert "raise LookupError" in evidence["traceback"]
        assert "log: on the page" in evidence["console"]
    assert home.json("history", "show", fine["id"])["evidence"] is None
    artifacts = home.state / "artifacts"
    assert {folder.name for folder in artifacts.iterdir()} == {newest["id"], first["id"]}
    assert stat.S_IMODE(artifacts.stat().st_mode) == 0o700
    for file in artifacts.rglob("*.*"):
        assert KEY.encode() not in file.read_bytes()
    line = f"muxd history show {newest['id'][-6:]}"
    home.wait(lambda: line in home.output.read_text(), 20, "the line on the console")


@pytest.mark.nightly
def test_it_can_be_switched_off(muxd_home):
    """Then the record is all there is."""
    home = muxd_home
    home.environ["SHOP_KEY"] = KEY
    home.write("shop", PATIENT_EYE + JOBS)
    configure(home, "enabled = false")
    home.call("run", "broken", code=1)
    assert home.json("history", "show", "last-failed")["evidence"] is None
    assert not (home.state / "artifacts").exists()


@pytest.mark.nightly
def test_traced_runs_that_end_well_leave_nothing(muxd_home):
    """In the daemon every run can be traced: of good ones nothing is kept, and the browser goes on."""
    home = muxd_home
    home.environ["SHOP_KEY"] = KEY
    home.write("shop", PATIENT_EYE + JOBS)
    configure(home, 'trace = "always"')
    home.start()
    for _ in range(2):
        home.call("run", "fine")
    assert not (home.state / "artifacts").exists()
    home.call("run", "broken", code=1)
    told = home.json("history", "show", "last")
    assert "trace.zip" in told["evidence"]["files"]
    assert told["browser_generation"] == 1
