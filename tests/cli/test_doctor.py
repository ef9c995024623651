"""``muxd doctor``, as far as it goes without a browser."""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
from importlib.metadata import entry_points
from pathlib import Path

import attrs
import pytest
import trio

from muxd.body.data import Data
from muxd.body.saving import Saving
from muxd.builtin.ledger import Ledger
from muxd.cli import service
from muxd.cli.doctor import machine, notify, state, unit
from muxd.cli.doctor.check import Look, Subject, looked_at
from muxd.cli.service import place_of, unit_of
from muxd.config import Config, DaemonConfig, NotifyConfig, ResourcesConfig
from muxd.discovery import BUILTINS
from muxd.state import Owner, StateDir

JOB = """
import muxd

@muxd.job(interval="1h", duration="5s")
async def fine(run): ...
"""


@pytest.fixture(autouse=True)
def nowhere(place, monkeypatch):
    """There is no browser."""
    monkeypatch.setenv("PATH", str(place))
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(place))
    return place


def checks(told):
    """What was found, by what was looked at."""
    found = {}
    for check in json.loads(told.stdout)["checks"]:
        found.setdefault(check["name"], []).append(check)
    return found


def test_no_browser_is_an_error_with_a_remedy(muxd):
    """One line says what is wrong, one what to do; exit code 1; the same as JSON."""
    told = muxd("doctor")
    assert told.exit_code == 1
    lines = told.stdout.splitlines()
    at = lines.index("error   browser: there is no browser on this machine")
    assert "`muxd browser install`" in lines[at + 1]
    (check,) = checks(muxd("doctor", "--json"))["browser"]
    assert check["level"] == "error"
    assert "muxd browser install" in check["remedy"]


def test_a_configured_browser_that_is_none_is_an_error(muxd, write):
    """It is named with where it was configured."""
    write("muxd.toml", "[browser]\npath = 'chrome'\n")
    told = muxd("doctor")
    assert told.exit_code == 1
    assert "muxd.toml" in told.stdout
    assert "not an executable file" in told.stdout


def test_a_headless_shell_with_a_window_is_an_error(muxd, write, nowhere):
    """The mistake in the configuration is found before anything is launched."""
    (nowhere / "chromium-headless-shell").write_text("#!/bin/sh\n")
    (nowhere / "chromium-headless-shell").chmod(0o755)
    write("muxd.toml", "[browser]\nengine = 'headless-shell'\nheaded = true\n")
    told = muxd("doctor")
    assert told.exit_code == 1
    assert 'engine = "chromium"' in told.stdout


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["https://a.example"], "add --measure"),
        (["--block", "image"], "add --measure"),
        (["--measure", "a.example"], "no URL"),
        (["--measure", "--block", "images"], "did you mean 'image'"),
        (["--measure", "--rounds", "0"], "--rounds"),
        (["--engine", "opera"], "headless-shell"),
    ],
)
def test_what_can_not_be_meant_is_refused(muxd, args, said):
    """Exit code 2, and what to give instead."""
    refused = muxd("doctor", *args)
    assert refused.exit_code == 2
    assert said in refused.stderr


NAMES = [
    "configuration", "browser", "sandbox", "fonts", "/dev/shm", "memory", "disk", "clock",
    "time zone", "state", "plugins", "ledger", "data", "daemon", "leftovers", "dashboard",
    "notifications", "service",
]  # fmt: skip


def test_mistakes_and_broken_plugins_cost_their_own_lines_only(muxd, write, place):
    """Each mistake and each broken plugin is named; everything else is looked at all the same."""
    write("jobs/fine.py", JOB)
    write("jobs/broken.py", "1 / 0")
    write("jobs/odd.py", "import muxd\n@muxd.hookimpl\ndef muxd_jbos(): ...\n")
    write(
        "muxd.toml",
        """
        [plugins]
        jobs_dirs = ["jobs"]
        disable = ["demo"]
        strict = true
        [daemon]
        grace = "soon"
        speed = 0
        [jobs.fine]
        interval = "never"
        """,
    )
    told = muxd("doctor", "--json")
    assert told.exit_code == 1
    found = checks(told)
    assert list(found) == NAMES
    wrong = [check["message"] for check in found["configuration"]]
    assert len(wrong) == 3
    for key in ("daemon.grace", "daemon.speed", "jobs.fine.interval"):
        assert any(key in message for message in wrong), key
    broken, odd, rest = found["plugins"]
    assert (broken["level"], odd["level"], rest["level"]) == ("error", "error", "ok")
    assert "'broken'" in broken["message"]
    assert "`muxd plugins disable broken`" in broken["remedy"]
    assert "muxd_jobs" in odd["message"]
    installed = len(entry_points(group="muxd"))
    assert rest["message"] == f"{len(BUILTINS) + installed} active, 1 disabled; 1 jobs"
    assert found["ledger"][0]["message"] == "there is none yet"


def test_a_plugin_that_ends_the_process_ends_another_one(muxd, write):
    """The doctor lives, and says that muxd would not."""
    write("jobs/deadly.py", "import os\nos._exit(0)\n")
    told = muxd("doctor", "--json", "--jobs-dir", "jobs")
    assert told.exit_code == 1
    found = checks(told)
    assert list(found) == NAMES
    assert [check["level"] for check in found["plugins"]] == ["error"]
    assert "does not survive" in found["plugins"][0]["message"]
    assert [check["level"] for check in found["ledger"]] == ["warning"]


def test_a_job_that_the_configuration_makes_impossible_is_told(muxd, write):
    """What shows only when the configuration meets the job is one of its mistakes, too."""
    write("jobs/fine.py", JOB)
    write("muxd.toml", "[plugins]\njobs_dirs = ['jobs']\n[jobs.fine]\npreferred_phase = '2h'\n")
    (wrong,) = checks(muxd("doctor", "--json"))["configuration"]
    assert wrong["level"] == "error"
    assert "jobs.fine" in wrong["message"]
    hook = "@muxd.hookimpl\ndef muxd_sinks(section):\n    raise section.wrong('to', 'nobody')\n"
    write("jobs/late.py", f"import muxd\n{hook}")
    write("muxd.toml", "[plugins]\njobs_dirs = ['jobs']\n[plugins.late]\nto = 1\n")
    (wrong,) = checks(muxd("doctor", "--json"))["configuration"]
    assert wrong["message"].endswith("muxd.toml: plugins.late.to: nobody")


def test_what_a_job_writes_into_names_is_harmless(muxd, place):
    """Control characters of a file's name do nothing to the terminal."""
    (place / "jobs").mkdir()
    (place / "jobs" / "a\x1b[31mb.py").write_text("1 / 0")
    assert "\x1b[31m" not in muxd("doctor", "--jobs-dir", "jobs").stdout


# Each look on its own


@pytest.fixture
def subject(tmp_path):
    """A machine of which nothing is known, and a state directory that is not there."""
    state = StateDir(tmp_path / "state")
    config = Config(daemon=DaemonConfig(state_dir=state.root))
    return Subject(config=config, problems=(), state=state, owner=None, root=tmp_path / "root")


def levels(findings):
    return [finding.level for finding in findings]


@pytest.mark.parametrize(
    ("look", "bound", "said"),
    [
        (lambda _: 1 / 0, 30, "ZeroDivisionError: division by zero"),
        (lambda _: sys.exit(3), 30, "SystemExit: 3"),
        (lambda _: threading.Event().wait(30), 0.2, "within 0.2 s"),
    ],
)
def test_a_look_that_fails_or_hangs_is_one_line(subject, look, bound, said):
    """It is a warning of its own, and the doctor goes on."""
    (check,) = looked_at(Look("it", look, bound), subject)
    assert (check.name, check.level) == ("it", "warning")
    assert said in check.message


def test_root_has_no_sandbox(subject, monkeypatch):
    """As Chromium refuses to start with it."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert levels(machine.sandbox(subject)) == ["warning"]


@pytest.mark.parametrize(
    ("key", "value", "remedy"),
    [
        ("kernel/unprivileged_userns_clone", "0", "sysctl -w kernel.unprivileged_userns_clone=1"),
        ("user/max_user_namespaces", "0", "sysctl -w user.max_user_namespaces=10000"),
        (
            "kernel/apparmor_restrict_unprivileged_userns",
            "1",
            "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
        ),
        ("kernel/other", "0", "seccomp.json"),
    ],
)
def test_who_takes_the_sandbox_away_is_named(subject, monkeypatch, tmp_path, key, value, remedy):
    """With what gives it back; unless there is a helper, or the browser launched all the same."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(machine, "NAMESPACES", "raise SystemExit(1)")
    file = subject.root / "proc" / "sys" / key
    file.parent.mkdir(parents=True)
    file.write_text(f"{value}\n")
    (finding,) = machine.sandbox(subject)
    assert finding.level == "error"
    assert remedy in finding.remedy
    subject.launched = True
    assert levels(machine.sandbox(subject)) == ["ok"]


def test_a_machine_without_fonts(subject, nowhere, monkeypatch):
    """None at all is a warning, with and without fontconfig; scripts that lack are named."""
    monkeypatch.setenv("HOME", str(nowhere))
    assert levels(machine.fonts(subject)) == ["warning"]
    font = subject.root / "usr/share/fonts/x/a.ttf"
    font.parent.mkdir(parents=True)
    font.touch()
    assert levels(machine.fonts(subject)) == ["ok"]
    program = nowhere / "fc-list"
    program.write_text('#!/bin/sh\ncase "$1" in :|:lang=en|:lang=ko) echo Sans;; esac\n')
    program.chmod(0o755)
    (finding,) = machine.fonts(subject)
    assert finding.level == "ok"
    assert finding.message == (
        "1 fonts; boxes instead of Japanese, Chinese, Arabic, emoji, if a page has any"
    )


def test_little_memory_and_little_disk(subject):
    """Below the floors runs are held: a warning that names them."""
    short = ResourcesConfig(memory_floor=10**18, disk_floor=10**18)
    subject.config = attrs.evolve(subject.config, resources=short)
    subject.root = Path("/")
    for look, key in ((machine.memory, "memory_floor"), (machine.disk, "disk_floor")):
        (finding,) = look(subject)
        assert finding.level == "warning"
        assert key in finding.message


def test_the_clock_can_be_asked(subject):
    """The kernel answers, and nobody needs a right for it."""
    (finding,) = machine.clock(subject)
    assert "time service" in finding.message


def test_a_time_zone_without_a_name(subject, monkeypatch):
    """It is UTC then, which is hardly what was meant."""
    monkeypatch.setenv("TZ", "CET-1CEST")
    assert levels(machine.time_zone(subject)) == ["warning"]
    daemon = attrs.evolve(subject.config.daemon, timezone="Europe/Berlin")
    subject.config = attrs.evolve(subject.config, daemon=daemon)
    assert levels(machine.time_zone(subject)) == ["ok"]


def test_who_can_get_at_the_state(subject):
    """Nobody else; what others could read is named."""
    assert levels(state.permissions(subject)) == ["ok"]
    subject.state.prepare()
    session = subject.state.sessions / "shop.json"
    session.parent.mkdir(mode=0o700)
    session.touch(0o600)
    assert levels(state.permissions(subject)) == ["ok"]
    session.chmod(0o644)
    (finding,) = state.permissions(subject)
    assert finding.level == "warning"
    assert str(session) in finding.message
    subject.state.root.joinpath("profile").mkdir(0o700)
    if os.geteuid() == 0:
        os.chown(subject.state.profile, 54321, 54321)
        (finding,) = state.permissions(subject)
        assert finding.level == "error"
        assert "chown -R 0 " in finding.remedy


def test_what_a_dead_muxd_left(subject):
    """Lock, socket and the lock of the browser are named, and who takes care of them."""
    assert levels(state.leftovers(subject)) == ["ok"]
    subject.state.prepare()
    subject.state.profile.mkdir()
    subject.state.lock_file.write_text("12345 daemon\n")
    (subject.state.profile / "SingletonLock").symlink_to("elsewhere-12345")
    lock, browser = state.leftovers(subject)
    assert (lock.level, browser.level) == ("warning", "warning")
    assert "muxd.lock" in lock.message
    assert "elsewhere" in browser.message
    with subject.state.hold():
        subject.owner = subject.state.owner()
        assert levels(state.leftovers(subject)) == ["ok"]


def told(subject, **settings):
    """What is found of these settings in ``[notify]``."""
    origins = {f"notify.{key}": "muxd.toml" for key in settings}
    subject.config = Config(notify=NotifyConfig(**settings), origins=origins)
    return list(notify.notify(subject))


def test_who_is_told_of_nothing(subject):
    """Nobody, that is fine; but not if it was said of what; nor a way that lacks something."""
    assert levels(told(subject)) == ["ok"]
    (finding,) = told(subject, on=("failure",))
    assert (finding.level, "nobody is there" in finding.message) == ("warning", True)
    (finding,) = told(subject, webhook="https://example.org/")
    assert finding.level == "error"
    assert "MUXD_NOTIFY_WEBHOOK_SECRET" in finding.remedy
    (finding,) = told(subject, webhook="https://example.org/", webhook_secret="s" * 16)
    assert (finding.level, finding.message[:12]) == ("ok", "1 to be told")
    screen, nothing = told(subject, desktop=True, on=())
    assert "libnotify" in screen.remedy
    assert "on is empty" in nothing.message


def test_a_url_that_apprise_does_not_understand(subject):
    """It is told by its number and scheme, and nothing else of it."""
    (finding,) = told(subject, urls=("ntfys://ntfy.sh/topic", "slock://secret/secret"))
    assert finding.level == "error"
    assert "number 2 of notify.urls, slock://..." in finding.message
    assert "secret" not in f"{finding.message}{finding.remedy}"


def test_a_port_that_is_taken(subject):
    """Somebody else has it: muxd would run without. A daemon may have it, and should."""
    web = pytest.importorskip("muxd.config").WebConfig
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        subject.config = attrs.evolve(subject.config, web=web(port=port))
        assert levels(state.dashboard(subject)) == ["warning"]
        subject.owner = Owner(1)
        assert levels(state.dashboard(subject)) == ["ok"]
    assert levels(state.dashboard(subject)) == ["warning"]
    subject.owner = None
    assert levels(state.dashboard(subject)) == ["ok"]
    subject.config = attrs.evolve(subject.config, web=web(enabled=False))
    assert levels(state.dashboard(subject)) == ["ok"]


def test_the_unit(subject, nowhere, monkeypatch):
    """None, as it should be, changed, for another state, and of a program that is gone."""
    place = place_of(system=False)
    monkeypatch.setattr(service, "SYSTEM_PLACE", nowhere)
    assert levels(unit.service(subject)) == ["ok"]
    text = unit_of(subject.config, system=False, user=None).text
    place.parent.mkdir(parents=True)
    for written, level, said in (
        (text, "ok", "as this muxd writes it"),
        (text.replace("RestartSec=5s", "RestartSec=6s"), "warning", "not what this muxd"),
        (text.replace(str(subject.state.root), "/else/where"), "ok", "/else/where"),
        (text.replace(sys.executable, "/no/python"), "error", "/no/python, which is not there"),
        ("[Service]\nExecStart=/bin/sh -c x\n", "ok", "not muxd's own"),
    ):
        place.write_text(written)
        (finding,) = unit.service(subject)
        assert finding.level == level, finding
        assert said in finding.message


def test_a_unit_that_systemd_has_given_up(subject, nowhere, monkeypatch):
    """systemd's word for it is told, and what it has in memory."""
    monkeypatch.setattr(service, "SYSTEM_PLACE", nowhere)
    place = place_of(system=False)
    place.parent.mkdir(parents=True)
    place.write_text(unit_of(subject.config, system=False, user=None).text)
    program = nowhere / "systemctl"
    told = "ActiveState=failed\\nResult=start-limit-hit\\nNeedDaemonReload=yes\\n"
    program.write_text(f"#!/bin/sh\nprintf '{told}'\n")
    program.chmod(0o755)
    _, failed, old = unit.service(subject)
    assert "start-limit-hit" in failed.message
    assert "daemon-reload" in old.remedy


def test_a_damaged_data_file(subject):
    """It is an error that says what becomes of it; nothing is changed, or made."""
    assert [finding.message for finding in state.data(subject)] == ["no job has saved anything"]
    root = subject.state.root
    assert not root.exists()

    async def save():
        async with Data(root, real_now=lambda: 0.0) as data:
            await data.save(
                Saving(
                    job="a", table="", run="1", key=(), complete=False, at=0.0, items=[{"n": 1}]
                )
            )  # fmt: skip

    trio.run(save)
    (found,) = state.data(subject)
    assert (found.level, found.message[:16]) == ("ok", "1 tables, 1 rows")
    file = root / "data.db"
    file.write_bytes(b"x" * 9000)
    (found,) = state.data(subject)
    assert found.level == "error"
    assert "the next run that saves sets it aside" in found.remedy
    assert file.read_bytes() == b"x" * 9000


async def test_a_damaged_ledger(muxd, tmp_path):
    """It is an error that says what becomes of it; nothing is changed."""
    root = tmp_path / "state" / "muxd"
    root.mkdir(parents=True)
    async with Ledger(root).open():
        pass
    file = root / "ledger.sqlite3"
    (check,) = checks(muxd("doctor", "--json"))["ledger"]
    assert check["level"] == "ok"
    assert "schema" in check["message"]
    text = bytearray(file.read_bytes())
    text[4096 * 3 : 4096 * 5] = b"\xff" * 8192
    file.write_bytes(text)
    (check,) = checks(muxd("doctor", "--json"))["ledger"]
    assert check["level"] == "error"
    assert "sets it aside" in check["remedy"]
    assert file.read_bytes() == text
