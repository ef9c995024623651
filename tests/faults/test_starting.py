"""What a start may meet: no browser, one that fails, a profile or a directory that is taken."""

from __future__ import annotations

import os
import subprocess
import tempfile
import tomllib
from pathlib import Path

import pytest

from .daemons import HONEST, age, chromium, end_tree, lives_on


def browser_that(home, script):
    """A program in the browser's place; `$COUNT` is a file with a line for each launch."""
    program, counted = home.folder / "browser.sh", home.folder / "launches"
    program.write_text(f"#!/bin/sh\necho launch >> {counted}\n{script.format(count=counted)}\n")
    program.chmod(0o755)
    home.environ["MUXD_BROWSER"] = str(program)
    return counted


def test_launches_that_fail_five_times_then_work(muxd_home):
    """muxd tries again, ever more slowly; the run that waits meanwhile is ok."""
    home = muxd_home
    home.write("honest", HONEST)
    counted = browser_that(
        home, f'[ $(wc -l < {{count}}) -le 5 ] && exit 1\nexec {chromium()} "$@"'
    )
    home.start(until="starting")
    asked = home.request("honest")
    assert asked.wait(60) == 0
    (record,) = home.history()
    assert record["outcome"] == "ok"
    assert len(counted.read_text().splitlines()) == 6
    assert home.output.read_text().count('"browser_down"') == 5


def test_a_browser_that_never_launches(muxd_home):
    """After some tries `muxd start` says what the browser said, and exits with 1."""
    home = muxd_home
    home.write("honest", HONEST)
    counted = browser_that(home, "echo out of order >&2; exit 1")
    home.start(until="")
    assert home.daemon.wait(60) == 1
    assert len(counted.read_text().splitlines()) == 6
    assert "out of order" in home.output.read_text()
    assert "Traceback" not in home.output.read_text()
    home.nothing_is_left()


@pytest.mark.parametrize("named", [None, "chromium"])
def test_no_browser_at_all(muxd_home, named):
    """Nothing is begun; the message says how to get one."""
    home = muxd_home
    home.write("honest", HONEST)
    empty = home.folder / "empty"
    empty.mkdir()
    home.environ |= {"PATH": str(empty), "PLAYWRIGHT_BROWSERS_PATH": str(empty)}
    del home.environ["MUXD_BROWSER"]
    if named:
        home.environ["MUXD_BROWSER"] = str(empty / named)
    home.call("start", code=2 if named else 1)
    remedy = "give the path of Chrome or Chromium" if named else "muxd browser install"
    assert remedy in home.errors
    assert "Traceback" not in home.errors
    home.nothing_is_left()


@pytest.mark.chromium
def test_profile_held_by_another_living_browser(muxd_home):
    """It is somebody's window: muxd says whose, touches nothing, and does not start."""
    home = muxd_home
    home.write("honest", HONEST)
    profile = home.state / "profile"
    profile.mkdir(parents=True)
    options = ["--headless=new", "--no-sandbox", "--no-first-run", "--disable-gpu"]
    other = subprocess.Popen(
        [chromium(), *options, f"--user-data-dir={profile}", "about:blank"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        age((profile / "SingletonLock").is_symlink, 20, "the other browser to have the profile")
        home.start(until="")
        assert home.daemon.wait(60) == 2
        assert str(other.pid) in home.output.read_text()
        assert "Traceback" not in home.output.read_text()
        assert other.poll() is None
    finally:
        end_tree(other)
    home.start()
    lives_on(home)


@pytest.mark.chromium
def test_profile_locked_by_a_dead_browser(muxd_home):
    """A lock whose owner is gone is no lock."""
    home = muxd_home
    home.write("honest", HONEST)
    profile = home.state / "profile"
    profile.mkdir(parents=True)
    dead = subprocess.Popen(["true"])
    dead.wait()
    (profile / "SingletonLock").symlink_to(f"{os.uname().nodename}-{dead.pid}")
    (profile / "SingletonCookie").symlink_to("1234567890")
    (profile / "SingletonSocket").symlink_to(f"{tempfile.gettempdir()}/gone/SingletonSocket")
    home.start()
    lives_on(home)


def test_leftovers_of_a_dead_daemon(muxd_home):
    """Neither its lock nor its socket stands in the way."""
    home = muxd_home
    home.write("honest", HONEST)
    home.state.mkdir()
    (home.state / "muxd.lock").write_text("1 daemon\n")
    (home.state / "control.sock").write_text("")
    (home.state / "tmp").mkdir()
    (home.state / "tmp" / "old").write_text("old")
    home.start()
    lives_on(home)


def test_two_daemons(muxd_home):
    """The second names the first and exits with 2; the first does not notice."""
    home = muxd_home
    home.write("honest", HONEST)
    home.start()
    first, pid = home.daemon, home.json("status")["pid"]
    for _ in range(3):
        home.call("start", code=2)
        assert str(pid) in home.errors
        assert "muxd stop" in home.errors
    assert first.poll() is None
    assert home.json("status")["pid"] == pid
    lives_on(home)


def test_two_daemons_begun_at_once(muxd_home):
    """One of them wins, whichever: there is never more than one."""
    home = muxd_home
    home.write("honest", HONEST)
    home.start(until="")
    first = home.daemon
    home.start(until="")
    second = home.daemon
    age((home.state / "control.sock").exists, 60, "one to be up")
    age(lambda: [first.poll(), second.poll()].count(None) == 1, 30, "the other to give up")
    winner, loser = (first, second) if first.poll() is None else (second, first)
    home.daemon = winner
    assert loser.returncode == 2
    lives_on(home)


def test_start_beside_hostile_plugins(muxd_home):
    """All of them at once cost the others nothing but the time that they were given."""
    home = muxd_home
    hostile = tomllib.loads(Path(__file__).parents[1].joinpath("hostile_plugins.toml").read_text())
    for name, fields in hostile.items():
        source = fields["source"].lstrip("\n")
        if "hook" not in fields:
            source += "\n" + HONEST.replace("honest", name)
        (home.jobs / f"{name}.py").write_text(source)
    home.write("honest", HONEST)
    text = home.config.read_text()
    home.config.write_text(text.replace("[plugins]", '[plugins]\npatience = "1.5s"'))
    home.start(until="")
    home.wait(lambda: home.running_state() == "running", 90, "the daemon to be up")
    lives_on(home)
    told = home.output.read_text()
    for name, fields in hostile.items():
        if "hook" in fields and fields.get("command") != "plan":
            assert f"plugin {name!r} is left out: {fields['hook']}: " in told, name
    home.daemon.terminate()
    assert home.daemon.wait(60) == 0
    home.nothing_is_left()
