"""``muxd jobs``, ``muxd plugins`` and ``muxd config``."""

from __future__ import annotations

import json

import trio

from muxd.builtin.ledger import Ledger
from muxd.cli.status import _show, _show_jobs
from muxd.cli.toldclock import ToldClock
from muxd.login import login_note
from muxd.pause import WHOLE, Pause

JOBS = """
import muxd

@muxd.job(interval="30m", preferred_phase="7m", pinned=True)
async def headlines(run):
    "Read the [bold]headlines[/bold]."

@muxd.job(interval="1h", session="fresh")
async def prices(run):
    "Compare prices."
"""
TOML = """
[plugins]
disable = ["demo"]
jobs_dirs = ["jobs"]

[jobs.headlines]
duration = "90s"

[jobs.prices]
enabled = false
"""


def test_jobs_shows_every_job_as_it_will_run(muxd, write):
    """A line a job: plugin, interval, phase, duration as overridden; disabled ones are marked."""
    write("jobs/news.py", JOBS)
    write("muxd.toml", TOML)
    result = muxd("jobs")
    assert result.exit_code == 0, result.stderr
    head, first, second, *_ = result.stdout.splitlines()
    assert head.split("  ")[0] == "job"
    assert first.split()[:7] == ["headlines", "news", "30m", "7m!", "1m30s", "4m30s", "50"]
    assert "Read the [bold]headlines[/bold]." in first
    assert second.startswith("prices (disabled)")
    assert "! the phase is pinned" in result.stdout


def test_resume_all_tells_who_stays_paused(muxd, write, place):
    """First the pause of all ends, then each job's own; what waits for a login stays, and it is told."""
    slip = '[daemon]\nstate_dir = "state"\ngrace = "soon"\n'  # keeps nobody from it
    write("muxd.toml", slip)
    (place / "state").mkdir(mode=0o700)

    async def fill():
        notes = {WHOLE: "moving", "news": "broken", "orders": login_note("shop")}
        async with Ledger(place / "state").open() as opened:
            await opened.set_pauses(
                {job: Pause(job=job, note=note, since=1e9) for job, note in notes.items()}
            )

    trio.run(fill)
    stays = f"orders stays paused: {login_note('shop')}"
    said = muxd("resume", "--all").stdout.splitlines()
    assert said == ["all jobs are resumed", "news stays paused: broken", stays]
    assert muxd("resume", "--all").stdout.splitlines() == ["news is resumed", stays]
    told = json.loads(muxd("resume", "--all", "--json").stdout)
    assert (told["resumed"], [each["job"] for each in told["still_paused"]]) == ([], ["orders"])
    assert muxd("resume", "orders").stdout == "orders is resumed\n"
    assert muxd("resume", "--all").exit_code == 3


def test_some_jobs_by_name(muxd, write):
    """Names with ``*`` and ``?`` choose jobs; one that chooses none is the user's mistake."""
    write("jobs/news.py", JOBS)
    write("muxd.toml", TOML)
    names = [job["name"] for job in json.loads(muxd("jobs", "pr*", "--json").stdout)]
    assert names == ["prices"]
    names = [job["name"] for job in json.loads(muxd("jobs", "pr*", "head?ines", "--json").stdout)]
    assert names == ["headlines", "prices"]
    none = muxd("jobs", "pr")
    assert none.exit_code == 2
    assert "no job is named pr " in none.stderr


def test_jobs_for_programs(muxd, write):
    """``--json`` is one list with stable keys and seconds, sorted by name."""
    write("jobs/news.py", JOBS)
    write("muxd.toml", TOML)
    headlines, prices = json.loads(muxd("jobs", "--json").stdout)
    assert headlines == {
        "name": "headlines",
        "plugin": "news",
        "enabled": True,
        "interval": 1800,
        "preferred_phase": 420,
        "pinned": True,
        "duration": 90.0,
        "timeout": 270.0,
        "priority": 50,
        "session": "main",
        "retries": 0,
        "overlap": "coalesce",
        "misfire": "run_once",
        "expects_result": False,
        "idempotent": False,
        "block": None,
        "needs_login": False,
        "description": "Read the [bold]headlines[/bold].",
    }
    assert (prices["name"], prices["enabled"], prices["session"]) == ("prices", False, "fresh")
    assert prices.keys() == headlines.keys()


def test_jobs_without_any_says_what_to_do(muxd, write):
    """No job is no error, but the next step is named."""
    write("muxd.toml", '[plugins]\ndisable = ["demo"]')
    result = muxd("jobs")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "install a plugin, or name a directory with --jobs-dir" in result.stderr


def test_a_broken_plugin_is_told_and_costs_nothing_else(muxd, write):
    """The other jobs are shown, the problem is one line on stderr, the exit code 0."""
    write("jobs/news.py", JOBS)
    write("jobs/broken.py", "import no_such_module")
    result = muxd("jobs", "--jobs-dir", "jobs", "--json")
    assert result.exit_code == 0
    assert "headlines" in {job["name"] for job in json.loads(result.stdout)}
    (line,) = result.stderr.splitlines()
    assert line == (
        "muxd: plugin 'broken' is left out: import: ModuleNotFoundError: "
        "No module named 'no_such_module'; correct the name, or install it beside muxd (broken.py:1); "
        "mend it, or `muxd plugins disable broken`"
    )


def test_what_a_plugin_prints_does_not_spoil_the_output(muxd, write):
    """A print at import goes to stderr: stdout is still one JSON document."""
    write("jobs/news.py", "print('hello')\n" + JOBS)
    result = muxd("jobs", "--jobs-dir", "jobs", "--json")
    assert json.loads(result.stdout)
    assert "hello" in result.stderr


def test_plugins_shows_each_with_its_state(muxd, write):
    """Active, disabled and left out ones are listed, with the reason; that is no failure."""
    write("jobs/news.py", JOBS)
    write("jobs/broken.py", "1 / 0")
    write("muxd.toml", '[plugins]\ndisable = ["demo", "muxd.ledger"]\njobs_dirs = ["jobs"]')
    result = muxd("plugins")
    assert result.exit_code == 0
    lines = {line.split()[0]: line for line in result.stdout.splitlines()}
    assert "active" in lines["news"]
    assert "disabled" in lines["muxd.ledger"]
    assert "left out" in lines["broken"]
    assert "import: ZeroDivisionError: division by zero (broken.py:1)" in lines["broken"]


def test_plugins_for_programs(muxd, write):
    """``--json`` is one list with stable keys; the problem is an object or null."""
    write("jobs/broken.py", "1 / 0")
    document = json.loads(muxd("plugins", "--jobs-dir", "jobs", "--json").stdout)
    found = {plugin["name"]: plugin for plugin in document}
    own, broken = found["muxd.ledger"], found["broken"]
    assert own["state"] == "active"
    assert own["distribution"] == "muxd"
    assert own["hooks"] == ["muxd_store"]
    assert own["problem"] is None
    assert broken == {
        "name": "broken",
        "state": "left_out",
        "distribution": None,
        "version": None,
        "location": broken["location"],
        "jobs": [],
        "hooks": [],
        "problem": {
            "hook": "import",
            "reason": "ZeroDivisionError: division by zero (broken.py:1)",
        },
        "disabled_by": None,
    }
    assert broken["location"].endswith("jobs/broken.py")


def test_strict_plugins_fail(muxd, write):
    """``--strict-plugins`` makes a broken plugin exit code 1, with every problem named."""
    write("jobs/one.py", "1 / 0")
    write("jobs/two.py", "x = 1")
    result = muxd("plugins", "--jobs-dir", "jobs", "--strict-plugins")
    assert (result.exit_code, result.stdout) == (1, "")
    first, second = result.stderr.splitlines()
    assert first.startswith("muxd: plugin 'one' is left out: import:")
    assert second.startswith("muxd: plugin 'two' is left out: hooks:")


def test_config_shows_every_value_and_its_origin(muxd, write, place):
    """Each key has its value and where it came from: option, variable, file or default."""
    write("jobs/news.py", JOBS)
    write("muxd.toml", TOML)
    result = muxd("config", "--state-dir", "st", env={"MUXD_TIMEZONE": "Asia/Tokyo"})
    assert result.exit_code == 0, result.stderr
    lines = [line.split() for line in result.stdout.splitlines()]
    file = str(place / "muxd.toml")
    assert ["daemon.state_dir", str(place / "st"), "--state-dir"] in lines
    assert ["daemon.timezone", "Asia/Tokyo", "MUXD_TIMEZONE"] in lines
    assert ["browser.headed", "false", "default"] in lines
    assert ["jobs.headlines.duration", "90s", file] in lines


def test_config_for_programs(muxd, write, place):
    """``--json`` names the file and gives each key its value and origin."""
    write("muxd.toml", "[daemon]\ngrace = '1m'")
    document = json.loads(muxd("config", "--json").stdout)
    file = str(place / "muxd.toml")
    assert document["file"] == file
    assert document["values"]["daemon.grace"] == {"value": 60.0, "from": file}
    assert document["values"]["browser.path"] == {"value": None, "from": "default"}


def test_config_names_every_mistake(muxd, write):
    """All mistakes of a file come at once, a line each, with exit code 2."""
    write("muxd.toml", "[daemon]\nspede = 2\ngrace = 'x'")
    result = muxd("config")
    assert (result.exit_code, result.stdout) == (2, "")
    head, *lines = result.stderr.splitlines()
    assert head == "muxd: 2 problems in the configuration:"
    assert sorted(line.split(": ")[1] for line in lines) == ["daemon.grace", "daemon.spede"]


def test_config_checks_the_values_of_jobs_too(muxd, write):
    """A wrong value in ``[jobs.NAME]`` is found when it meets the job: file, key, remedy."""
    write("jobs/news.py", JOBS)
    write("muxd.toml", '[plugins]\njobs_dirs = ["jobs"]\n[jobs.headlines]\nretries = 99')
    result = muxd("config")
    assert result.exit_code == 2
    assert (
        "muxd.toml: jobs.headlines.retries: 99 is not possible: give an integer from 0 to 20"
        in result.stderr
    )


def test_an_override_of_no_job_is_a_warning(muxd, write):
    """It is told on stderr with a guess; the command goes on."""
    write("jobs/news.py", JOBS)
    write("muxd.toml", '[plugins]\njobs_dirs = ["jobs"]\n[jobs.headlins]\nretries = 1')
    result = muxd("jobs")
    assert result.exit_code == 0
    assert "muxd: warning: " in result.stderr
    assert "did you mean 'headlines'?" in result.stderr


def test_config_names_a_browser_that_is_not_there(muxd, write):
    """The path of a browser is checked."""
    write("muxd.toml", '[browser]\npath = "/nope"')
    result = muxd("config")
    assert result.exit_code == 2
    assert "'/nope'" in result.stderr


def test_jobs_names_an_override_that_does_not_go_with_the_job(muxd, write):
    """What the file sets is checked against what the plugin says, by what needs the jobs."""
    write("jobs/news.py", JOBS)
    write("muxd.toml", '[plugins]\njobs_dirs = ["jobs"]\n[jobs.headlines]\ninterval = "5m"')
    assert muxd("config").exit_code == 0
    result = muxd("jobs")
    assert result.exit_code == 2
    assert "jobs.headlines: preferred_phase, which the plugin sets, would not fit" in result.stderr


def test_an_empty_table_of_no_job_names_the_file(muxd, write, place):
    """The warning says where the table stands."""
    write("muxd.toml", "[jobs.nope]")
    assert f"muxd: warning: {place / 'muxd.toml'}: jobs.nope: no plugin" in muxd("jobs").stderr


def test_a_broken_configuration_keeps_nobody_from_the_daemon(muxd, write):
    """stop, status and history need the state directory only: the rest is a warning to them."""
    write(
        "muxd.toml", "[daemon]\nspede = 2\n[plugins]\njobs_dirs = ['gone']\n[jobs.x]\nretries = 99"
    )
    for command, code in (("status", 3), ("stop", 3), ("history", 0)):
        result = muxd(command)
        assert result.exit_code == code, result.stderr
        lines = [line for line in result.stderr.splitlines() if "muxd: warning: " in line]
        assert len(lines) == 3, result.stderr
    assert muxd("jobs").exit_code == 2


def test_a_file_is_no_state_directory(muxd, write):
    """`history` says so, as `start` does, instead of finding no runs."""
    write("st", "")
    for command in ("history", "status", "stop"):
        result = muxd(command, "--state-dir", "st")
        assert result.exit_code == 2, command
        assert "can't be the state directory: it is not a directory" in result.stderr


def test_status_of_a_daemon_that_starts_has_no_empty_table(capsys):
    """Before there is a browser nothing is due: no heading without rows."""
    told = {
        "pid": 7,
        "state": "starting",
        "speed": 1,
        "timezone": "UTC",
        "state_dir": "st",
        "browser": {"up": False, "last_loss": None},
        "running": None,
        "waiting": [],
        "upcoming": [],
        "runs": {"by_outcome": {}, "most_at_once": 0},
        "ledger": {"warnings": [], "unwritten": 0},
        "timetable": {
            "jobs": 1,
            "feasible": True,
            "min_gap": 30,
            "collisions": 0,
            "utilisation": 0.1,
            "warnings": [],
        },
        "plugins_left_out": {},
    }
    _show(told, 0.0)
    shown = capsys.readouterr().out
    assert "browser   none: being launched" in shown
    assert "next" not in shown
    assert not shown.endswith("\n\n")
    _show(told | {"upcoming": [{"job": "a", "at": "2026-01-31T09:15:00.000000Z"}]}, 0.0)
    assert "next" in capsys.readouterr().out


def test_a_page_of_jobs_is_readable(capsys):
    """A line a job in local time, what is paused with its note, and how to go on."""
    job = {"name": "a", "plugin": "p", "interval": 3600, "phase": 60, "duration": 5, "priority": 50}
    told = {
        "jobs": [
            {**job, "next_at": "2024-01-01T00:01:00Z", "paused": None},
            {**job, "name": "b", "next_at": None, "paused": "site is down"},
        ],
        "total": 7,
        "timezone": "Europe/Berlin",
        "next": "b",
    }
    _show_jobs(told, ToldClock(told, 1704067200.0))
    _, first, second, _, rest = capsys.readouterr().out.splitlines()
    assert first.split() == ["a", "1h", "1m", "5s", "01:01:00"]
    assert second.split() == ["b", "1h", "1m", "5s", "-", "paused:", "site", "is", "down"]
    assert rest == "2 of 7 jobs; go on with --after b"
