"""From ``muxd new`` to a slot: what it writes works as it is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib

import pytest


def run_its_tests(home, folder):
    """The tests of the new plugin, in a process of their own; all of pytest's plugins are there."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-W", "error", folder],
        cwd=home.folder,
        env=home.environ,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


def install(folder, place):
    """Have the plugin installed in this directory, as pip would, but for its builder and network."""
    told = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    shutil.copytree(folder / "src", place, dirs_exist_ok=True)
    name, version = told["name"], told["version"]
    info = place / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    points = told["entry-points"]["muxd"].items()
    (info / "entry_points.txt").write_text(
        "[muxd]\n" + "".join(f"{key} = {value}\n" for key, value in points)
    )


@pytest.mark.parametrize("name", ["prices", "My_Shop.Prices"])
def test_its_test_passes_at_once(muxd_home, name):
    """Not installed yet, unchanged, without a network: the new plugin's own test passes."""
    muxd_home.call("new", name, "--dir", "it")
    run_its_tests(muxd_home, "it")


def test_from_new_to_a_slot_in_a_running_daemon(muxd_home):
    """New, installed, reloaded: the job has its slot and runs, and the browser stays."""
    muxd_home.write(
        "other", "import muxd\n\n\n@muxd.job(interval='1h')\nasync def other(run): ...\n"
    )
    place = muxd_home.folder / "site-packages"
    place.mkdir()
    muxd_home.environ["PYTHONPATH"] = os.pathsep.join(
        filter(None, (str(place), muxd_home.environ.get("PYTHONPATH")))
    )
    muxd_home.start()
    before = muxd_home.told()["browser"]
    told = muxd_home.call("new", "muxd-tea-prices", "--url", "https://tea.example")
    assert told.splitlines()[-1].strip().endswith("muxd reload")
    folder = muxd_home.folder / "muxd-tea-prices"
    jobs = folder / "src" / "muxd_tea_prices" / "jobs.py"
    jobs.write_text(jobs.read_text().replace('"https://tea.example"', '"data:text/html,<h1>tea"'))
    install(folder, place)
    muxd_home.environ["COLUMNS"] = "200"  # a narrow table breaks its lines
    assert "muxd-tea-prices 0.1.0" in muxd_home.call("plugins")
    assert "Read the headings of a page." in muxd_home.call("jobs", "tea_prices")
    assert "tea_prices" in muxd_home.call("plan")
    assert "+ tea_prices  every 1h" in muxd_home.call("reload")
    assert muxd_home.json("run", "tea_prices")["result"] == "1 items: ['tea']"
    after = muxd_home.told()["browser"]
    assert (after["pid"], after["generation"]) == (before["pid"], before["generation"])
