"""Every command works beside hostile plugins; ``muxd plugins disable`` and ``enable``."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest

from muxd.state import StateDir

HOSTILE = tomllib.loads((Path(__file__).parent.parent / "hostile_plugins.toml").read_text("utf-8"))
HONEST = """
import muxd

@muxd.job(interval="1h", duration="5s")
async def honest(run): ...
"""
WITHOUT_PLUGINS = {
    # command: its exit code where no daemon runs
    ("stop",): 3,
    ("status",): 3,
    ("config",): 0,
    ("config", "--json"): 0,
    ("browser", "show"): None,
    ("plugins", "disable", "trap"): 0,
    ("plugins", "enable", "trap"): 0,
    ("--help",): 0,
    ("--version",): 0,
    ("start", "--help"): 0,
    ("plugins", "--help"): 0,
    ("plugins", "disable", "--help"): 0,
}
WITH_PLUGINS = {
    ("jobs", "--json"): "jobs",
    ("plugins", "--json"): "jobs",
    ("history", "--json"): "history",
    ("plan", "--json"): "plan",
    ("pause", "honest"): None,
    ("resume", "honest"): "history",
    ("run", "nobody"): "jobs",
    ("start", "--speed", "9999"): None,
    ("doctor", "--engine", "webkit"): None,  # another process imports them
}


@pytest.fixture
def trap(write, place):
    """A plugin that tells if it is imported."""
    write("jobs/trap.py", f"open({str(place / 'sprung')!r}, 'w').close()\n{HONEST}")
    write("muxd.toml", "[plugins]\njobs_dirs = ['jobs']\n[daemon]\nstate_dir = 'state'\n")
    return place / "sprung"


@pytest.fixture
def hostile(write, place):
    """All hostile plugins at once beside an honest one; little patience."""
    for name, fields in HOSTILE.items():
        text = fields["source"].lstrip("\n")
        if "hook" not in fields:
            text += f"\nimport muxd\n\n@muxd.job(interval='1d', duration='5s')\nasync def {name}(run): ...\n"
        write(f"jobs/{name}.py", text)
    write("jobs/honest.py", HONEST)
    write(
        "muxd.toml",
        "[plugins]\njobs_dirs = ['jobs']\npatience = '0.5s'\ndisable = ['demo']\n"
        "[daemon]\nstate_dir = 'state'\n",
    )
    (place / "state").mkdir()
    path = sys.path[:]
    yield
    sys.path[:] = path


@pytest.mark.parametrize("command", WITHOUT_PLUGINS, ids=" ".join)
def test_a_command_that_needs_no_plugin_imports_none(muxd, trap, command):
    """Nothing that a plugin does at import can be in its way."""
    result = muxd(*command)
    assert not trap.exists()
    code = WITHOUT_PLUGINS[command]
    assert code is None or result.exit_code == code, result.output


def test_the_trap_springs(muxd, trap):
    """Commands that need jobs import it: the test above can fail."""
    muxd("jobs")
    assert trap.exists()


@pytest.mark.parametrize("command", WITH_PLUGINS, ids=" ".join)
def test_every_command_works_beside_all_hostile_plugins(muxd, hostile, command):
    """stdout is the one JSON document; each that was left out has its line, with the remedy."""
    started = time.monotonic()
    result = muxd(*command)
    assert time.monotonic() - started < 60
    if "--json" in command:
        assert result.exit_code == 0, result.stderr
        document = json.loads(result.stdout)
        if command[0] == "jobs":
            assert "honest" in {job["name"] for job in document}
    else:
        assert "internal error" not in result.stderr
    lines = result.stderr.splitlines()
    at = {
        None: (),
        "jobs": ("jobs",),
        "history": ("jobs", "history"),
        "plan": ("jobs", "history", "plan"),
    }
    for name, fields in HOSTILE.items():
        told = [line for line in lines if line.startswith(f"muxd: plugin {name!r} is left out: ")]
        if "hook" in fields and fields.get("command", "jobs") in at[WITH_PLUGINS[command]]:
            assert told, f"{name} is not told of"
            assert f": {fields['hook']}: " in told[0]
            assert fields["reason"] in told[0]
            assert told[0].endswith(f"; mend it, or `muxd plugins disable {name}`")
        else:
            assert not told


def test_peace_from_all_of_them(muxd, hostile):
    """What `disable` was told is neither imported nor told of any more."""
    assert muxd("plugins", "disable", *HOSTILE).exit_code == 0
    started = time.monotonic()
    result = muxd("plugins", "--json")
    assert time.monotonic() - started < 10
    assert result.stderr == ""
    states = {plugin["name"]: plugin["state"] for plugin in json.loads(result.stdout)}
    assert {states[name] for name in HOSTILE} == {"disabled"}
    assert states["honest"] == "active"


def test_disable_and_enable(muxd, trap, place):
    """Names are kept a line each, told once, and gone again when enabled."""
    file = place / "state" / "disabled-plugins"
    result = muxd("plugins", "disable", "trap", "trap")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "trap: disabled\n", "")
    assert file.read_text() == "trap\n"
    assert (place / "state").stat().st_mode & 0o777 == 0o700
    assert muxd("plugins", "disable", "trap").stdout == "trap: was disabled before\n"
    (listed,) = [p for p in json.loads(muxd("plugins", "--json").stdout) if p["name"] == "trap"]
    assert (listed["state"], listed["disabled_by"]) == ("disabled", "muxd plugins disable")
    assert not trap.exists()
    assert "by muxd plugins disable" in muxd("plugins").stdout
    assert muxd("plugins", "enable", "trap").stdout == "trap: enabled\n"
    assert file.read_text() == ""
    assert muxd("plugins", "enable", "trap").stdout == "trap: was not disabled\n"
    muxd("jobs")
    assert trap.exists()


def test_a_plugin_that_is_not_installed_can_be_disabled(muxd, trap, place):
    """It stays out should it come back; the warning has a guess, as it may be a slip."""
    result = muxd("plugins", "disable", "trapp")
    assert (result.exit_code, result.stdout) == (0, "trapp: disabled\n")
    assert "no plugin 'trapp' is installed; did you mean 'trap'?" in result.stderr
    assert (place / "state" / "disabled-plugins").read_text() == "trapp\n"


def test_what_the_configuration_disables_stays_so(muxd, trap, write, place):
    """enable says which file has it, exit code 2; the others are enabled all the same."""
    write("muxd.toml", "[plugins]\njobs_dirs = ['jobs']\ndisable = ['trap']\n")
    muxd("plugins", "disable", "other", "--state-dir", "state")
    result = muxd("plugins", "enable", "trap", "other", "--state-dir", "state")
    assert (result.exit_code, result.stdout) == (2, "other: enabled\n")
    assert result.stderr == (
        f"muxd: trap stays disabled: take it out of [plugins] disable in {place / 'muxd.toml'}\n"
    )
    listed = {p["name"]: p["disabled_by"] for p in json.loads(muxd("plugins", "--json").stdout)}
    assert listed["trap"] == str(place / "muxd.toml")
    assert not trap.exists()


def test_a_daemon_that_runs_goes_on_with_what_it_has(muxd, trap, place):
    """The commands say so, with its process."""
    import os

    with StateDir(place / "state").hold():
        for command in ("disable", "enable"):
            said = muxd("plugins", command, "trap").stdout.splitlines()[1]
            assert said == (
                f"the running muxd (process {os.getpid()}) goes on with the plugins that it has "
                "loaded, until `muxd reload`"
            )


@pytest.mark.parametrize("name", ["", " x", "#x", "a\nb"])
def test_what_is_no_name_is_refused(muxd, trap, place, name):
    """A line of the file is a name: nothing that would be read as another one is written."""
    result = muxd("plugins", "disable", name)
    assert result.exit_code == 2
    assert "is no name of a plugin" in result.stderr
    assert not (place / "state" / "disabled-plugins").exists()


def test_a_file_that_cannot_be_read_disables_nobody(muxd, trap, place):
    """It is a warning to those that load plugins, and an error to those that would change it."""
    (place / "state").mkdir()
    (place / "state" / "disabled-plugins").write_bytes(b"\xff\xfe")
    result = muxd("jobs", "--json")
    assert result.exit_code == 0
    assert "disabled-plugins: it can't be read" in result.stderr
    assert "honest" in result.stdout
    result = muxd("plugins", "disable", "trap")
    assert result.exit_code == 2
    assert "mend or remove it" in result.stderr


def test_a_broken_configuration_is_no_hindrance(muxd, trap, write, place):
    """disable needs to know the state directory only: all else is a warning."""
    write("muxd.toml", "[daemon]\nspede = 1\nstate_dir = 'state'\n[plugins]\njobs_dirs = ['no']\n")
    result = muxd("plugins", "disable", "trap")
    assert result.exit_code == 0
    assert result.stderr.count("muxd: warning: ") == 3
    assert (place / "state" / "disabled-plugins").read_text() == "trap\n"


def test_options_before_the_subcommand_are_not_lost(muxd, trap):
    """They would be another directory's: say where they go."""
    result = muxd("plugins", "--state-dir", "elsewhere", "disable", "trap")
    assert result.exit_code == 2
    assert "give --state-dir behind 'disable'" in result.stderr


def test_muxds_own_parts_can_be_disabled_with_a_warning(muxd, trap):
    """Another plugin may do what they do."""
    result = muxd("plugins", "disable", "muxd.slotter")
    assert result.exit_code == 0
    assert "muxd.slotter is part of muxd" in result.stderr


LINGERS = """
import atexit, concurrent.futures, os, threading, time
import muxd

pool = concurrent.futures.ThreadPoolExecutor()
pool.submit(int).result()
atexit.register(lambda: print("noise at the exit"))

def later():
    time.sleep(0.2)
    print("noise of a thread")
    os.write(1, b"noise of a descriptor\\n")

threading.Thread(target=later).start()
print("noise of the import")
os.system("echo noise of a child")

@muxd.job(interval="1h")
async def lingers(run): ...
"""


def call(place, *args, timeout=60):
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "muxd", *args],
        cwd=place,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    return done, time.monotonic() - started


def test_what_goes_on_after_the_command_cannot_spoil_it(write, place):
    """Threads, exit handlers and child processes write to stderr; idle threads hold nothing up."""
    write("jobs/lingers.py", LINGERS)
    # While one that is slow to load keeps the command waiting, the thread of the other prints.
    write("jobs/slow.py", "import time\ntime.sleep(0.1)\n")
    write("jobs/slower.py", "import time\ntime.sleep(0.3)\n")
    done, _ = call(place, "jobs", "--json", "--jobs-dir", "jobs", "--state-dir", "state")
    assert done.returncode == 0
    assert "lingers" in {job["name"] for job in json.loads(done.stdout)}
    assert done.stderr.count("noise") == 5
    assert "still at work" not in done.stderr


def test_a_thread_that_never_ends_does_not_hold_up_the_command(write, place):
    """The command's own exit code comes within a bound; the thread is named."""
    write(
        "jobs/lingers.py",
        "import atexit, threading, time\n"
        "threading.Thread(target=time.sleep, args=(3600,), name='endless').start()\n",
    )
    done, took = call(place, "plugins", "--strict-plugins", "--jobs-dir", "jobs")
    assert done.returncode == 1
    assert "'endless'" in done.stderr
    assert took < 25
