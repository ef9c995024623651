"""A real daemon that is steered by commands: reload, cancel, restart, install, and the trail of it."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import time
import zipfile
from pathlib import Path

import pytest

from muxd.control.client import ControlClient
from muxd.state import StateDir

from .conftest import JOBS

FURTHER = """
import trio
import muxd


@muxd.job(interval="60d", duration="20s", timeout="5m")
async def patient(run):
    await run.page.set_content("<h1>patient</h1>")
    await trio.sleep_forever()


@muxd.job(interval="{interval}", preferred_phase="40s", duration="2s")
async def further(run):
    pass
"""

LISTENER = """
import muxd
from muxd.abc import Sink


class Listener(Sink):
    name = "listener"

    async def handle(self, event):
        pass


@muxd.hookimpl
def muxd_sinks():
    return [Listener()]
"""


def client(home):
    return ControlClient(StateDir(home.state))


def test_a_daemon_is_steered(muxd_home):
    """What was edited is taken over while the browser stays; a run is cancelled; it is restarted.

    Nothing else moves; a broken file and a wrong configuration change nothing; each has its entry in
    the audit trail, with who it was.
    """
    home = muxd_home
    home.write("jobs", JOBS)
    home.write("listener", LISTENER)
    home.start()
    before = home.json("status")
    places = {job["name"]: job["phase"] for job in client(home).jobs()["jobs"]}

    home.write("further", FURTHER.format(interval="10m"))
    told = home.json("reload")
    assert [row["job"] for row in told["added"]] == ["further", "patient"]
    assert (told["removed"], told["changed"], told["moved"]) == ([], [], [])
    assert told["added"][0]["next_at"]

    home.write("further", FURTHER.format(interval="20m"))
    with home.config.open("a") as config:
        config.write('[jobs.fresh]\nenabled = false\n[browser]\nargs = ["--mute-audio"]\n')
    (home.jobs / "listener.py").unlink()
    told = home.json("reload")
    assert told["removed"] == ["fresh"]
    assert [row["job"] for row in told["changed"]] == ["further", "patient"]
    assert {"code", "interval"} <= set(told["changed"][0]["what"])
    gone = "the end of what plugin 'listener' gives by muxd_sinks"
    assert told["needs_restart"] == ["browser.args", gone]
    now = {job["name"]: job["phase"] for job in client(home).jobs()["jobs"]}
    assert now["quick"] == places["quick"]

    (home.jobs / "further.py").write_text("def")
    broken = home.json("reload", code=1)
    assert "'further' goes on as it was" in broken["problems"][0]
    assert broken["removed"] == []
    right = home.config.read_text()
    home.config.write_text(right + "nonsense = [")
    for command in ("reload", "restart"):
        home.call(command, "--state-dir", str(home.state), code=2)
        assert home.errors.count("this is not TOML") == 1
    home.config.write_text(right)
    home.write("further", FURTHER.format(interval="20m"))
    home.call("reload")

    told = home.json("run", "patient", "--no-wait")
    home.wait(lambda: (home.told()["running"] or {}).get("job") == "patient", 30, "the run")
    asked = time.monotonic()
    (cancelled,) = home.json("cancel", told["id"][-6:])
    assert (cancelled["was"], cancelled["run"]["outcome"]) == ("running", "cancelled")
    assert time.monotonic() - asked < 30  # within 10 s, on a machine that may be three times slower
    after = home.json("status")
    assert after["pid"] == before["pid"]
    assert after["browser"]["pid"] == before["browser"]["pid"]

    home.call("skip", "further", "--note", "not today")
    home.call("pause", "--all", "--note", "moving")
    again = home.json("restart", "--now")
    assert again["pid"] != before["pid"]
    status = home.json("status")
    assert status["restarts"] == 1
    assert status["paused_whole"]["note"] == "moving"
    assert [skip["job"] for skip in status["skipped"]] == ["further"]
    assert "all jobs are resumed" in home.call("resume", "--all")

    trail = home.json("audit", "-n", "100")
    actions = [entry["action"] for entry in reversed(trail)]
    steps = ["reload", "reload", "reload", "reload", "restart", "reload", "run", "cancel"]
    assert actions == [*steps, "skip", "pause", "restart", "resume"]
    assert all(entry["by"].startswith("uid ") for entry in trail)
    results = [entry["result"] for entry in reversed(trail)]
    assert results[0] == "2 added, 0 removed, 0 changed, 0 moved"
    assert results[3].startswith("refused: ")


@pytest.fixture
def environment(muxd_home, tmp_path, monkeypatch):
    """An environment of its own, with muxd in it, for commands to run from."""
    folder = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True, timeout=120)
    python = folder / "bin" / "python"
    (site,) = folder.glob("lib/python*/site-packages")
    paths = [sysconfig.get_path("purelib"), str(Path(__file__).parents[2])]
    (site / "muxd-of-the-tests.pth").write_text("\n".join(paths))
    commands = sys.modules[type(muxd_home).__module__]
    monkeypatch.setattr(commands, "COMMAND", [str(python), "-m", "muxd"])
    return folder


def wheel(folder, version, *, interval="10m", broken=False):
    """A real small distribution with a plugin."""
    path = folder / f"tiny_muxd_plugin-{version}-py3-none-any.whl"
    info = f"tiny_muxd_plugin-{version}.dist-info"
    code = f"""
import muxd

@muxd.job(interval="{interval}", duration="2s")
async def tiny(run):
    pass
"""
    files = {
        "tiny_muxd_plugin.py": "def" if broken else code,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: tiny-muxd-plugin\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: a test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": "[muxd]\ntiny = tiny_muxd_plugin\n",
    }
    record = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in {**files, f"{info}/RECORD": record}.items():
            archive.writestr(name, text)
    return str(path)


def test_plugins_are_installed_into_a_running_daemon(muxd_home, environment, tmp_path):
    """Its jobs come, change with the next version, and go; what fails, or is broken, changes nothing."""
    offline = ("--", "--no-index", "--no-deps", "--quiet")
    home = muxd_home
    home.write("jobs", JOBS)
    home.start()
    names = lambda: [job["name"] for job in client(home).jobs()["jobs"]]  # noqa: E731

    said = home.call("install", wheel(tmp_path, "1.0"), *offline)
    assert "+ tiny  every 10m at " in said
    assert names() == ["fresh", "quick", "tiny"]
    assert "~ tiny  every 20m" in home.call(
        "install", wheel(tmp_path, "1.1", interval="20m"), *offline
    )
    home.call("install", wheel(tmp_path, "1.2", broken=True), *offline, code=1)
    assert "'tiny' goes on as it was" in home.errors
    assert names() == ["fresh", "quick", "tiny"]

    home.call("install", "there-is-no-such-package", *offline, code=1)
    assert "muxd goes on as it was" in home.errors
    home.call("install", "--upgrade=x", code=2)
    home.call("uninstall", "there-is-no-such-package", code=2)
    home.call("uninstall", "muxd", code=2)

    assert "- tiny" in home.call("uninstall", "tiny-muxd-plugin")
    assert names() == ["fresh", "quick"]
    assert home.json("status")["browser"]["generation"] == 1
