"""Configuration: where values come from, and that every mistake is named at once."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from importlib import resources
from pathlib import Path
from zoneinfo import ZoneInfo

import attrs
import pytest

from muxd.config import SECTIONS, BrowserConfig, Config, DaemonConfig, PluginsConfig
from muxd.configfile import JOB_KEYS, find_file, load_config
from muxd.errors import ConfigError, ConfigProblem
from muxd.job import Job
from muxd.overrides import overridden
from muxd.zone import system_zone, zone


@pytest.fixture(autouse=True)
def _no_user_config(tmp_path, monkeypatch):
    """No test reads the configuration of whoever runs it."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "user"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def load(tmp_path: Path, text: str | None = None, options=None, **environ: str) -> Config:
    if text is not None:
        (tmp_path / "muxd.toml").write_text(text, "utf-8")
    return load_config(options=options, environ=environ, cwd=tmp_path)


def problems_of(tmp_path: Path, text: str, options=None, **environ: str) -> list[ConfigProblem]:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text, options, **environ)
    return list(caught.value.problems)


def test_defaults_hold_without_any_configuration(tmp_path):
    """With nothing configured every value is its default and says so."""
    config = load(tmp_path)
    assert config == Config(daemon=DaemonConfig(state_dir=tmp_path / "state" / "muxd"))
    assert set(config.origins.values()) == {"default"}
    assert set(config.origins) == set(config.values())
    assert config.file is None


def test_every_value_says_where_it_came_from(tmp_path):
    """Command line goes before environment, environment before file, file before default."""
    config = load(
        tmp_path,
        '[daemon]\nstate_dir = "a"\ntimezone = "Asia/Tokyo"\ngrace = "1m"\nlog_format = "json"',
        {"daemon.state_dir": (Path("c"), "--state-dir"), "daemon.speed": (60, "--speed")},
        MUXD_STATE_DIR="b",
        MUXD_TIMEZONE="Europe/Berlin",
    )
    file = str(tmp_path / "muxd.toml")
    assert config.daemon == DaemonConfig(
        state_dir=tmp_path / "c",
        timezone="Europe/Berlin",
        grace=60,
        speed=60,
        log_format="json",
    )
    assert {key: config.origin(key) for key in config.origins if key.startswith("daemon.")} == {
        "daemon.state_dir": "--state-dir",
        "daemon.timezone": "MUXD_TIMEZONE",
        "daemon.grace": file,
        "daemon.speed": "--speed",
        "daemon.restart": "default",
        "daemon.blocked_limit": "default",
        "daemon.log_format": file,
        "daemon.log_files": "default",
        "daemon.log_size": "default",
    }


def test_options_that_were_not_given_change_nothing(tmp_path):
    """None and an empty tuple, which click gives for absent options, leave the file's value."""
    (tmp_path / "jobs").mkdir()
    config = load(
        tmp_path,
        '[plugins]\nstrict = true\njobs_dirs = ["jobs"]',
        {
            "plugins.strict": (None, "--strict-plugins"),
            "plugins.jobs_dirs": ((), "--jobs-dir"),
        },
    )
    assert config.plugins == PluginsConfig(strict=True, jobs_dirs=(tmp_path / "jobs",))


def test_an_option_can_switch_off_what_the_file_switches_on(tmp_path):
    """A given False is a value, not an absence."""
    config = load(tmp_path, "[browser]\nheaded = true", {"browser.headed": (False, "--no-headed")})
    assert config.browser.headed is False


def test_relative_paths_of_a_file_are_relative_to_the_file(tmp_path):
    """A configuration works from any working directory."""
    home = tmp_path / "etc"
    (home / "jobs").mkdir(parents=True)
    file = home / "muxd.toml"
    file.write_text(
        '[plugins]\njobs_dirs = ["jobs"]\n[daemon]\nstate_dir = "../var"\n'
        '[browser]\npath = "bin/chrome"'
    )
    config = load_config(file, environ={}, cwd=tmp_path)
    assert config.plugins.jobs_dirs == (home / "jobs",)
    assert config.daemon.state_dir == home / "../var"
    assert config.browser.path == home / "bin/chrome"


def test_a_browser_can_be_named_as_on_the_command_line(tmp_path):
    """``MUXD_BROWSER=chromium`` is looked up on the PATH; ``~`` is the home directory."""
    assert load(tmp_path, MUXD_BROWSER="sh").browser.path in (Path("/bin/sh"), Path("/usr/bin/sh"))
    assert load(tmp_path, MUXD_BROWSER="no-such-browser").browser.path == (
        tmp_path / "no-such-browser"
    )
    assert load(tmp_path, MUXD_BROWSER="~/chrome").browser.path == Path.home() / "chrome"


def test_jobs_directories_of_the_environment_are_separated_like_a_path(tmp_path):
    """``MUXD_JOBS_DIRS`` holds several directories, separated as in PATH."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    config = load(tmp_path, MUXD_JOBS_DIRS=f"one{os.pathsep}two")
    assert config.plugins.jobs_dirs == (tmp_path / "one", tmp_path / "two")
    assert config.origin("plugins.jobs_dirs") == "MUXD_JOBS_DIRS"


def test_an_empty_variable_counts_as_not_set(tmp_path):
    """``MUXD_STATE_DIR= muxd start`` uses the default."""
    assert load(tmp_path, MUXD_STATE_DIR="").origin("daemon.state_dir") == "default"


@pytest.mark.parametrize("at", range(4))
def test_the_file_is_searched_in_order(tmp_path, at):
    """``--config``, then MUXD_CONFIG, then ./muxd.toml, then the user's directory."""
    places = [tmp_path / "one.toml", tmp_path / "two.toml", tmp_path / "muxd.toml"]
    places.append(tmp_path / "user" / "muxd" / "muxd.toml")
    for place in places[at:]:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("")
    option = Path("one.toml") if at <= 0 else None
    environ = {"MUXD_CONFIG": "two.toml"} if at <= 1 else {}
    assert find_file(option, environ=environ, cwd=tmp_path) == places[at]


def test_a_home_that_is_somebody_elses_is_told(tmp_path, monkeypatch):
    """Where the user's file can't even be looked for, nobody knows what it says."""

    def refused(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "is_file", refused)
    with pytest.raises(ConfigError, match="set HOME to this user's"):
        find_file(environ={}, cwd=tmp_path)


def test_a_named_file_that_is_missing_is_a_mistake(tmp_path):
    """Neither ``--config`` nor MUXD_CONFIG falls back to another file silently."""
    (tmp_path / "muxd.toml").write_text("")
    with pytest.raises(ConfigError, match=r"--config: there is no file '.*nope\.toml'"):
        find_file(Path("nope.toml"), environ={}, cwd=tmp_path)
    with pytest.raises(ConfigError, match="MUXD_CONFIG: there is no file"):
        find_file(environ={"MUXD_CONFIG": "nope.toml"}, cwd=tmp_path)


def test_all_mistakes_are_named_at_once(tmp_path):
    """Unknown keys and wrong values in every place come in one error, each with its remedy."""
    found = problems_of(
        tmp_path,
        """
        [browser]
        headed = "yes"
        [plugin]
        strict = true
        [daemon]
        state = "x"
        speed = 0
        timezone = "Europe/Berlim"
        [slotting]
        headroom = 2
        [jobs.headlines]
        intervall = "3m"
        enabled = "no"
        """,
        {"daemon.grace": ("soon", "--grace")},
        MUXD_LOG_FORMAT="xml",
    )
    file = str(tmp_path / "muxd.toml")
    expected = {
        (file, "browser.headed"): "'yes' is not possible: give true or false",
        (file, "plugin"): "no such section; did you mean 'plugins'?",
        (file, "daemon.state"): "no such key; did you mean 'state_dir'?",
        (file, "daemon.speed"): "0 is not possible: give a number above 0 up to 3600",
        (file, "daemon.timezone"): "did you mean 'Europe/Berlin'?",
        (file, "slotting.headroom"): "2 is not possible: give a number from 0 to 1",
        (file, "jobs.headlines.intervall"): "no such key; did you mean 'interval'?",
        (file, "jobs.headlines.enabled"): "'no' is not possible: give true or false",
        ("--grace", "daemon.grace"): "'soon' is not possible: give a duration such as",
        ("MUXD_LOG_FORMAT", "daemon.log_format"): "'xml' is not possible: give one of auto,",
    }
    assert {(p.source, p.key) for p in found} == set(expected)
    for problem in found:
        assert expected[problem.source, problem.key] in problem.message
        assert str(problem) == f"{problem.source}: {problem.key}: {problem.message}"


def test_no_mistake_hides_another(tmp_path):
    """Values of jobs that no job could have, and directories that are not there, are named beside
    other mistakes of the same file."""
    found = problems_of(
        tmp_path,
        """
        [plugins]
        jobs_dirs = ["nowhere"]
        strict = 3
        [daemon]
        speed = 0
        [jobs.headlines]
        retries = 99
        pinned = true
        duration = "2h"
        timeout = "2d"
        """,
    )
    assert {p.key for p in found} == {
        "plugins.jobs_dirs",
        "plugins.strict",
        "daemon.speed",
        "jobs.headlines.retries",
        "jobs.headlines.timeout",
    }


def test_an_empty_table_of_a_job_says_where_it_stands(tmp_path):
    """``[jobs.nope]`` without a key has an origin too."""
    config = load(tmp_path, "[jobs.nope]")
    assert config.origin("jobs.nope") == str(tmp_path / "muxd.toml")


def lenient(tmp_path, text=None, options=None, **environ):
    if text is not None:
        (tmp_path / "muxd.toml").write_text(text, "utf-8")
    told = []
    config = load_config(
        options=options,
        environ=environ,
        cwd=tmp_path,
        needs=["daemon.state_dir"],
        passed_over=told.append,
    )
    return config, [problem.key for problem in told]


def test_what_does_not_matter_is_passed_over(tmp_path):
    """With `needs`, mistakes elsewhere are told and count as not given; what is right holds."""
    config, told = lenient(
        tmp_path,
        """
        browser = 3
        [plugins]
        jobs_dirs = ["nowhere", "."]
        [daemon]
        state_dir = "st"
        speed = 0
        grace = "1m"
        [jobs.headlines]
        retries = 99
        """,
    )
    assert sorted(told) == [
        "browser",
        "daemon.speed",
        "jobs.headlines.retries",
        "plugins.jobs_dirs",
    ]
    assert config.daemon == DaemonConfig(state_dir=tmp_path / "st", grace=60)
    assert config.plugins.jobs_dirs == (tmp_path,)
    assert config.jobs == {}


@pytest.mark.parametrize("text", ["[daemon]\nstate_dir = 3", "daemon = 3", "[daemon\n"])
def test_what_matters_is_not_passed_over(tmp_path, text):
    """A mistake in what the command needs, or in a file that may have had it, is an error."""
    with pytest.raises(ConfigError):
        lenient(tmp_path, text)


def test_a_broken_file_does_not_matter_where_all_that_matters_is_given(tmp_path):
    """With the state directory in a variable or an option, a file that is no TOML is passed over."""
    config, told = lenient(tmp_path, "[daemon\n", MUXD_STATE_DIR="st")
    assert (config.daemon.state_dir, told) == (tmp_path / "st", [""])
    config, told = lenient(tmp_path, options={"daemon.state_dir": ("so", "--state-dir")})
    assert (config.daemon.state_dir, told) == (tmp_path / "so", [""])


def test_a_wrong_value_in_the_file_is_named_even_if_an_option_overrides_it(tmp_path):
    """The file is wrong whatever the command line says today."""
    (only,) = problems_of(tmp_path, "[daemon]\nspeed = -1", {"daemon.speed": (2, "--speed")})
    assert only.key == "daemon.speed"


@pytest.mark.parametrize(
    ("text", "key", "message"),
    [
        ("browser = 3", "browser", "3 is not possible: it is a table, [browser]"),
        ("jobs = 3", "jobs", "it has a table for each job, [jobs.NAME]"),
        ("[jobs]\nheadlines = 3", "jobs.headlines", "it is a table, [jobs.headlines]"),
        ("[plugins]\ndisable = 'demo'", "plugins.disable", "give a list of texts"),
        ("[plugins]\njobs_dirs = 'jobs'", "plugins.jobs_dirs", "give a list of paths"),
        ("[plugins]\njobs_dirs = ['jobs']", "plugins.jobs_dirs", "/jobs' is not a directory"),
        ("[browser]\npath = ''", "browser.path", "give a path, as a text"),
        ("[browser]\nargs = [1]", "browser.args", "give a list of texts"),
        ("[browser]\nlaunch_timeout = 0", "browser.launch_timeout", "give from 1s to 1h"),
        ("[daemon]\ntimezone = 3", "daemon.timezone", "give the IANA name of a time zone"),
        ("[daemon]\ntimezone = 'Europe'", "daemon.timezone", "give the IANA name"),
        ("[daemon]\ntimezone = '/etc/localtime'", "daemon.timezone", "give the IANA name"),
        ("[daemon]\ntimezone = '../x'", "daemon.timezone", "give the IANA name"),
        ("[daemon]\nspeed = nan", "daemon.speed", "give a number above 0"),
        ("[daemon]\nspeed = true", "daemon.speed", "give a number above 0"),
        ("[daemon]\ngrace = -1", "daemon.grace", "give a duration"),
    ],
)
def test_a_wrong_value_is_refused_with_what_is_allowed(tmp_path, text, key, message):
    """Each kind of value names its file, its key and what would be right."""
    (only,) = problems_of(tmp_path, text)
    assert (only.source, only.key) == (str(tmp_path / "muxd.toml"), key)
    assert message in only.message


@pytest.mark.parametrize(
    ("content", "where", "message"),
    [
        (b"[daemon]\nspeed 3", "muxd.toml:2", "this is not TOML"),
        (b"[daemon]\nspeed = 1\n[daemon]\n", "muxd.toml:3", "this is not TOML"),
        (b"[daemon]\nspeed = \xff", "muxd.toml", "this is not UTF-8"),
    ],
)
def test_a_file_that_is_no_toml_is_refused_with_its_line(tmp_path, content, where, message):
    """A slip of syntax names file and line."""
    (tmp_path / "muxd.toml").write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load(tmp_path)
    assert caught.value.problems[0].source == str(tmp_path / where)
    assert message in caught.value.problems[0].message


def test_a_configuration_made_by_hand_is_checked_too():
    """The classes themselves refuse wrong values and read durations."""
    assert BrowserConfig(launch_timeout="90s").launch_timeout == 90
    with pytest.raises(ValueError, match="give true or false"):
        BrowserConfig(headed=1)


def test_every_setting_says_what_it_is():
    """Every field has the metadata that loading needs, and variables are named once."""
    fields = [field for kind in SECTIONS.values() for field in attrs.fields(kind)]
    variables = [field.metadata["env"] for field in fields if field.metadata["env"]]
    assert len(set(variables)) == len(variables) >= 4
    assert all(name.startswith("MUXD_") for name in variables)


async def body(run):
    """Do nothing."""


JOB = Job("headlines", body, interval="1h", preferred_phase="7m")


def test_overrides_change_the_job(tmp_path):
    """Any field but name and body can be set; what is set says where."""
    config = load(tmp_path, '[jobs.headlines]\ninterval = "2h"\npriority = "high"\nenabled = false')
    job, problems = overridden(JOB, config)
    assert problems == []
    assert (job.interval, job.priority, job.preferred_phase) == (7200, 75, 420)
    assert config.origin("jobs.headlines.interval") == str(tmp_path / "muxd.toml")
    assert config.values()["jobs.headlines.enabled"] is False


def test_every_field_of_a_job_can_be_overridden_but_who_it_is():
    """The keys follow the fields of Job."""
    fields = {field.name for field in attrs.fields(Job)}
    assert set(JOB_KEYS) == (fields - {"name", "body", "plugin"}) | {"enabled"}


def test_all_wrong_overrides_are_named(tmp_path):
    """Each wrong value of a job's table is a problem with file and dotted key."""
    fields = {"interval": "often", "retries": 99, "overlap": "x", "pinned": True}
    file = str(tmp_path / "muxd.toml")
    origins = {f"jobs.headlines.{field}": file for field in fields}
    _, problems = overridden(JOB, Config(jobs={"headlines": fields}, origins=origins))
    assert {p.key for p in problems} == {
        "jobs.headlines.interval",
        "jobs.headlines.retries",
        "jobs.headlines.overlap",
    }
    assert {p.source for p in problems} == {str(tmp_path / "muxd.toml")}
    assert all(" is not possible: give " in p.message for p in problems)


def test_an_override_that_does_not_go_with_the_plugins_own_value_says_so(tmp_path):
    """A shorter interval than the plugin's preferred phase names both sides."""
    config = load(tmp_path, '[jobs.headlines]\ninterval = "5m"')
    _, (problem,) = overridden(JOB, config)
    assert problem.key == "jobs.headlines"
    assert problem.source == str(tmp_path / "muxd.toml")
    assert "preferred_phase, which the plugin sets, would not fit: 420" in problem.message


def test_the_configured_zone_is_used(tmp_path):
    """``daemon.timezone`` is the timetable's zone."""
    assert zone(load(tmp_path, MUXD_TIMEZONE="Asia/Tokyo")) == ZoneInfo("Asia/Tokyo")


@pytest.mark.parametrize("tz", ["Asia/Tokyo", ":Asia/Tokyo", "/usr/share/zoneinfo/Asia/Tokyo"])
def test_the_systems_zone_is_that_of_tz(tz, tmp_path):
    """TZ is understood in the forms that systems use."""
    assert system_zone(environ={"TZ": tz}, localtime=tmp_path / "none").key == "Asia/Tokyo"


def test_the_systems_zone_is_that_of_localtime(tmp_path):
    """A link names the zone; a copy has its rules; without either it is UTC."""
    tokyo = tmp_path / "zoneinfo" / "Asia" / "Tokyo"
    tokyo.parent.mkdir(parents=True)
    tokyo.write_bytes(resources.files("tzdata").joinpath("zoneinfo/Asia/Tokyo").read_bytes())
    link, copy = tmp_path / "link", tmp_path / "copy"
    link.symlink_to(tokyo)
    copy.write_bytes(tokyo.read_bytes())
    assert system_zone(environ={}, localtime=link).key == "Asia/Tokyo"
    noon = datetime(2026, 1, 31, 12, tzinfo=system_zone(environ={}, localtime=copy))
    assert noon.utcoffset() == timedelta(hours=9)
    assert system_zone(environ={"TZ": "CET-1CEST"}, localtime=tmp_path / "no").key == "UTC"
    (tmp_path / "bad").write_text("no zone")
    assert system_zone(environ={}, localtime=tmp_path / "bad").key == "UTC"


SECRET = "tok3n-that-nobody-may-see"


def test_whom_to_tell_is_read_and_never_shown(tmp_path):
    """URLs and secrets come from the file or the environment, and no value or text shows them."""
    config = load(
        tmp_path,
        f'[notify]\nwebhook = "https://example.org/{SECRET}"\nwebhook_secret = "{SECRET}"\n'
        'on = ["pause"]\nquiet = "2h"',
        MUXD_NOTIFY_URLS=f"ntfys://ntfy.sh/{SECRET} tgram://{SECRET}/1",
    )
    assert config.notify.urls == (f"ntfys://ntfy.sh/{SECRET}", f"tgram://{SECRET}/1")
    assert (config.notify.on, config.notify.quiet) == (("pause",), 7200)
    shown = config.values()
    assert shown["notify.urls"] == ("***", "***")
    assert shown["notify.webhook"] == shown["notify.webhook_secret"] == "***"
    assert SECRET not in f"{shown} {config}"
    assert Config().values()["notify.webhook"] is None


@pytest.mark.parametrize(
    ("line", "right"),
    [
        (f'urls = "json://{SECRET}"', "give a list of texts"),
        (f'urls = ["{SECRET}"]', "give a list of URLs that apprise knows"),
        (f'webhook = "ftp://example.org/{SECRET}"', "give the URL of a web server"),
        (f'webhook = "https://[{SECRET}"', "give the URL of a web server"),
        (f'webhook_secret = ["{SECRET}"]', "give a text of 16 characters or more"),
        ('webhook_secret = "short"', "give a text of 16 characters or more"),
        ('on = ["failures"]', "give a list of failure, recovery, pause"),
    ],
)
def test_a_mistake_in_a_secret_does_not_show_it(tmp_path, line, right):
    """The message says what would be right, and not what was given."""
    (problem,) = problems_of(tmp_path, f"[notify]\n{line}")
    assert right in problem.message
    assert SECRET not in problem.message
    assert "short" not in problem.message
