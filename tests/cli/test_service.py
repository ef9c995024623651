"""``muxd service``: the unit is one that systemd takes, and nothing of anybody else's is touched."""

from __future__ import annotations

import getpass
import json
import os
import shutil
import subprocess
import sys

import pytest

from muxd.cli.unitfile import MARK, Unit
from muxd.state import StateDir

SYSTEMCTL = """\
#!/bin/sh
echo "$*" >> {calls}
case "$*" in
*show*) cat {answer} ;;
*enable*) if [ -e {fails} ]; then echo "Failed to connect to bus: no medium" >&2; exit 1; fi ;;
esac
"""


class Systemd:
    """Stands in for a service manager: notes what it is asked."""

    def __init__(self, folder):
        self.calls, self.answer = folder / "calls", folder / "answer"
        self.fails = folder / "fails"
        self.answer.write_text("ActiveState=inactive\n")
        program = folder / "systemctl"
        program.write_text(SYSTEMCTL.format(calls=self.calls, answer=self.answer, fails=self.fails))
        program.chmod(0o755)

    @property
    def asked(self):
        lines = self.calls.read_text().splitlines()
        return [line.removeprefix("--user --no-pager ") for line in lines]


@pytest.fixture
def systemd(tmp_path, monkeypatch):
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return Systemd(folder)


@pytest.fixture
def unit(tmp_path):
    """Where the user's unit is."""
    return tmp_path / "config" / "systemd" / "user" / "muxd.service"


def lines(text, name):
    return [line.partition("=")[2] for line in text.splitlines() if line.startswith(f"{name}=")]


def test_install_writes_enables_and_starts(muxd, systemd, unit):
    """The unit is written before systemd is told to read it; again does it all anew."""
    for _ in range(2):
        done = muxd("service", "install")
        assert done.exit_code == 0, done.output
        assert str(unit) in done.stdout
    assert unit.read_text().startswith(MARK)
    assert systemd.asked[1:4] == ["daemon-reload", "enable muxd.service", "restart muxd.service"]
    assert muxd("service", "show").stdout == unit.read_text()


def test_what_the_command_was_given_is_what_is_started(muxd, systemd, unit, write, place):
    """Configuration, state and job directories are the service's, by their whole paths."""
    write("muxd.toml", '[daemon]\ngrace = "10s"\n')
    write("my jobs/a.py", "")
    done = muxd(
        "service", "install", "--no-start", "--jobs-dir", "my jobs", "--state-dir", "50% of $HOME"
    )
    assert done.exit_code == 0, done.output
    (command,) = lines(unit.read_text(), "ExecStart")
    assert command == (
        f"{sys.executable} -m muxd start --config {place}/muxd.toml "
        f'--state-dir "{place}/50%% of $$HOME" --jobs-dir "{place}/my jobs"'
    )
    (command,) = lines(unit.read_text(), "ExecReload")
    assert command == (
        f"{sys.executable} -m muxd reload --config {place}/muxd.toml "
        f'--state-dir "{place}/50%% of $$HOME"'
    )
    assert lines(unit.read_text(), "TimeoutStopSec") == ["100s"]
    assert "restart muxd.service" not in systemd.asked


def test_variables_that_will_not_be_there_are_told_of(muxd, systemd, monkeypatch):
    """Else a service would run with another configuration than what its installer sees."""
    monkeypatch.setenv("MUXD_TIMEZONE", "Europe/Madrid")
    done = muxd("service", "install")
    assert done.exit_code == 0
    assert "MUXD_TIMEZONE is set here" in done.stderr
    assert "daemon.timezone" in done.stderr


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--system"], "--as USER"),
        (["--as", "root"], "--as is for --system"),
        (["--system", "--as", "nobody-of-that-name"], "there is no user"),
    ],
)
def test_mistakes_are_told_and_nothing_is_written(muxd, systemd, unit, args, said):
    """Exit code 2 and what to do."""
    done = muxd("service", "install", *args)
    assert done.exit_code == 2
    assert said in done.stderr
    assert not unit.exists()


def test_a_daemon_that_was_started_otherwise_is_named(muxd, systemd, unit, tmp_path):
    """The service would fail for it; one that is the service itself is started again."""
    state = StateDir(tmp_path / "state" / "muxd")
    state.prepare()
    with state.hold():
        done = muxd("service", "install")
        assert done.exit_code == 2
        assert str(os.getpid()) in done.stderr
        assert not unit.exists()
        systemd.answer.write_text("ActiveState=activating\n")
        assert muxd("service", "install").exit_code == 0


def test_somebody_elses_unit_is_left_alone(muxd, systemd, unit):
    """What muxd has not written it neither overwrites nor removes."""
    unit.parent.mkdir(parents=True)
    unit.write_text("[Service]\nExecStart=/bin/true\n")
    assert muxd("service", "install").exit_code == 2
    assert muxd("service", "uninstall").exit_code == 2
    assert unit.read_text() == "[Service]\nExecStart=/bin/true\n"


def test_a_systemd_that_refuses_is_told_in_its_own_words(muxd, systemd):
    """Exit code 1, no traceback."""
    systemd.fails.touch()
    done = muxd("service", "install")
    assert done.exit_code == 1
    assert "`systemctl --user enable muxd.service` failed: Failed to connect to bus" in done.stderr
    assert "--system" in done.stderr


def test_without_systemd(muxd, monkeypatch, tmp_path):
    """It says so; the unit can be printed all the same."""
    monkeypatch.setenv("PATH", str(tmp_path))
    done = muxd("service", "install")
    assert done.exit_code == 2
    assert "there is no systemd" in done.stderr
    assert muxd("service", "show").exit_code == 0


def test_uninstall(muxd, systemd, unit):
    """Stopped, disabled, removed; a second time there is nothing to do."""
    muxd("service", "install")
    assert muxd("service", "uninstall").exit_code == 0
    assert systemd.asked[-2:] == ["disable --now muxd.service", "daemon-reload"]
    assert not unit.exists()
    assert muxd("service", "uninstall").exit_code == 2


def test_status(muxd, systemd, unit):
    """What systemd knows, and what muxd has told it; 3 while it does not run, as `muxd status`."""
    assert muxd("service", "status").exit_code == 3
    muxd("service", "install")
    systemd.answer.write_text(
        "ActiveState=active\nSubState=running\nUnitFileState=enabled\nNRestarts=2\n"
        "StatusText=4 jobs, browser 1 is up\n"
    )
    done = muxd("service", "status")
    assert done.exit_code == 0
    assert "active (running)" in done.stdout
    assert "muxd says: 4 jobs, browser 1 is up" in done.stdout
    assert "2 times" in done.stdout
    told = json.loads(muxd("service", "status", "--json").stdout)
    assert told["installed"] is True
    assert told["NRestarts"] == "2"


@pytest.mark.skipif(
    not shutil.which("systemd-analyze") and "CI" not in os.environ,
    reason="there is no systemd here",
)
@pytest.mark.parametrize("user", [None, getpass.getuser()])
def test_systemd_finds_nothing_wrong(tmp_path, user):
    """`systemd-analyze verify` is silent, also where paths hold what systemd gives a meaning."""
    strange = tmp_path / 'a "b" %h $c \\d'
    strange.mkdir()
    command = [sys.executable, "-m", "muxd", "start", "--state-dir", str(strange)]
    place = tmp_path / "muxd.service"
    place.write_text(Unit(command=command, grace=30.0, user=user).text)
    scope = ["--user"] if user is None else []
    done = subprocess.run(
        ["systemd-analyze", *scope, "verify", str(place)],
        capture_output=True,
        text=True,
        check=False,
        env={"XDG_RUNTIME_DIR": str(tmp_path), "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_state_of_a_system_service_is_the_machines(muxd):
    """Not the root user's who installs it."""
    done = muxd("service", "show", "--system", "--as", getpass.getuser())
    (command,) = lines(done.stdout, "ExecStart")
    assert command.endswith("--state-dir /var/lib/muxd")
    assert lines(done.stdout, "User") == [getpass.getuser()]
