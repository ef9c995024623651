"""What ``muxd dev`` shows, and what it loads; that it works is shown in tests/e2e."""

from __future__ import annotations

import attrs
import pytest

from muxd.abc import LaunchOptions
from muxd.cli import dev, devscreen
from muxd.cli.devscreen import DevScreen
from muxd.config import Config, PluginsConfig
from muxd.develop import Tried
from muxd.errors import ConfigError, PluginError, UnknownJob
from muxd.project import project_at
from muxd.record import Outcome, Record
from muxd.release import Cause

CONSOLE = """\
log: one
uncaught: TypeError: x is undefined
    at https://shop.example/a.js:3
warning: two
"""


@pytest.fixture
def screen(place):
    def show_trace(yes):
        return DevScreen(Config(), place, lambda t: t.replace("s3cret", "***"), show_trace=yes)

    return show_trace


def record(outcome, error=None):
    return Record(
        id="r",
        job="tea",
        plugin="tea",
        cause=Cause.manual,
        attempt=1,
        released_at=0.0,
        started_at=0.0,
        ended_at=2.5,
        session="main",
        outcome=outcome,
        error=error,
        error_type="ValueError" if error else None,
    )


def test_a_run_is_shown(screen, place, capsys):
    """Result, errors of the page apart from the console, failed requests, files; secrets and commands
    to the terminal are not.
    """
    files = {
        "console.txt": CONSOLE,
        "network.txt": "404  GET https://shop.example/b.png\n",
        "screenshot.png": "",
        "summary.json": "",
        "prices.csv": "",
    }
    for name, text in files.items():
        (place / name).write_text(text)
    screen(False).tried(Tried(record(Outcome.ok), [{"tea": "s3cret"}, "\x1b[31mred"], folder=place))
    said = capsys.readouterr().out
    assert "  tea  ok  2.5s\n  result:\n    [{'tea': '***'}, '\\x1b[31mred']\n" in said
    assert (
        "  page errors:\n    TypeError: x is undefined\n        at https://shop.example/a.js:3\n"
        in said
    )
    assert "  console:\n    log: one\n    warning: two\n" in said
    assert "  network:\n    404  GET https://shop.example/b.png\n" in said
    assert f"  screenshot: {place}/screenshot.png\n" in said
    assert f"  prices.csv: {place}/prices.csv\n" in said
    assert "summary.json" not in said


def test_odd_results(screen, capsys):
    """Long ones are cut, texts are as they are, and one that can't be shown costs nothing."""

    class Odd:
        def __repr__(self):
            raise OSError("no")

    for returned in (list(range(1000)), "a\n" * 1000, Odd()):
        screen(False).tried(Tried(record(Outcome.ok), returned, folder=None))
    said = capsys.readouterr().out
    assert said.count("\n") < 150
    assert "... (1000 lines)" in said
    assert "no" in said


def test_errors_and_ends(screen, place, capsys):
    """An error has its traceback if there is one; a run that was ended by a save just says so."""
    shown = screen(False)
    shown.tried(Tried(record(Outcome.failed, "bad tea"), None, folder=None))
    assert "  error:\n    ValueError: bad tea\n" in capsys.readouterr().out
    (place / "traceback.txt").write_text("Traceback:\n  line 3\n")
    shown.tried(Tried(record(Outcome.failed, "bad tea"), None, folder=place))
    said = capsys.readouterr().out
    assert "  traceback:\n    Traceback:\n      line 3\n" in said
    assert "error:" not in said
    shown.tried(Tried(record(Outcome.cancelled, "saved meanwhile"), None, folder=place))
    assert "  ended:\n    saved meanwhile\n" in capsys.readouterr().out
    shown.wrong(PluginError("tea", "import", "NameError: x (tea.py:3)"))
    said = capsys.readouterr().out
    assert "tea: import: NameError: x (tea.py:3)\n" in said
    assert "disable" not in said, "it is no remedy for who is writing it"


def test_traces(screen, place, capsys, monkeypatch):
    """The viewer is opened if that is wanted and there is a screen, one at a time; else it is said how."""
    opened = []

    class Viewer:
        def __init__(self, command, **_):
            opened.append(self)
            assert command[-2:] == ["show-trace", str(place / "trace.zip")]
            self.ended = False

        def poll(self):
            return None

        def terminate(self):
            self.ended = True

    monkeypatch.setattr(devscreen.subprocess, "Popen", Viewer)
    (place / "trace.zip").write_text("")
    for wanted, display in ((False, ":0"), (True, "")):
        monkeypatch.setenv("DISPLAY", display)
        monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
        monkeypatch.setattr(devscreen, "has_screen", lambda there=bool(display): there)
        screen(wanted).tried(Tried(record(Outcome.ok), None, folder=place))
        assert f"playwright show-trace {place}/trace.zip" in capsys.readouterr().out
    assert opened == []
    monkeypatch.setattr(devscreen, "has_screen", lambda: True)
    shown = screen(True)
    for _ in range(2):
        shown.tried(Tried(record(Outcome.ok), None, folder=place))
    assert [viewer.ended for viewer in opened] == [True, False]


def test_what_is_loaded(place, write):
    """Jobs of the plugins that a save concerns, or those that are named, as the configuration has them
    now; strictness and disabled plugins are the daemon's.
    """
    text = "import muxd\n\n\n@muxd.job(interval='1h')\nasync def {}(run): ...\n"
    for name in ("tea", "ice"):
        write(f"{name}.py", text.format(name))
    config = Config(plugins=PluginsConfig(strict=True, disable=("tea",)))
    project = project_at(place)
    load = dev._loading(project, (), lambda: config)
    assert [job.name for job in load(())[1]] == ["ice", "tea"]
    assert [job.name for job in load([place / "tea.py"])[1]] == ["tea"]
    config = attrs.evolve(config, jobs={"tea": {"timeout": "5s"}})
    load = dev._loading(project, ("tea",), lambda: config)
    assert [(job.name, job.timeout) for job in load(())[1]] == [("tea", 5.0)]
    config = attrs.evolve(config, jobs={"tea": {"timeout": "5 parsecs"}})
    with pytest.raises(ConfigError, match="5 parsecs"):
        load(())
    config = Config()
    with pytest.raises(UnknownJob, match="did you mean 'tea'"):
        dev._loading(project, ("tae",), lambda: config)(())
    write("tea.py", "import nothing_there\n")
    plugins, jobs = load(())
    assert [problem.plugin for problem in plugins.problems] == ["tea"]
    assert jobs == []


def test_another_start_of_the_browser_is_told_once(place, write):
    """Nobody tries new launch options on a browser that was started without them and is not told; a
    plugin that is broken for the moment wants nothing else.
    """
    text = """
import muxd
from muxd.abc import LaunchOptions


@muxd.hookimpl
def muxd_launch_options():
    return LaunchOptions(args=["{}"])
"""
    write("tea.py", text.format("--lang=de"))
    told = []
    load = dev._loading(project_at(place), (), Config)
    launched = load(())[0].launch_options(LaunchOptions())
    minding = dev._minding(load, LaunchOptions(), launched, told.append)
    minding(())
    write("tea.py", "import nothing_there\n")
    minding(())
    assert told == []
    write("tea.py", text.format("--lang=fr"))
    minding(())
    minding(())
    (said,) = told
    assert "muxd_launch_options has changed: start muxd dev anew" in said
