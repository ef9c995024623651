"""`muxd_launch_options`: what plugins want of the browser is put together, or told to be in conflict."""

from __future__ import annotations

import attrs
import pytest

from muxd.abc import LaunchOptions
from muxd.browser.find import FoundBrowser
from muxd.browser.launch import LaunchPlan
from muxd.config import Config
from muxd.engine import Engine
from muxd.launchoptions import Conflict, Say
from muxd.plugins import load_plugins


def options(**fields):
    return LaunchOptions(**fields)


def said(*wanted, first=None):
    """What comes of these, each wanted by another."""
    say = Say.of(first or options(), "[browser] args")
    for n, each in enumerate(wanted):
        say.add(each, f"plugin {n}")
    return say.options


def test_what_several_want_is_put_together():
    """Each switch once, features in one list, all variables; a plugin may name what was there before."""
    first = options(args=["--lang=de", "--disable-features=A"], headed=True, engine="chrome")
    made = said(
        attrs.evolve(first, args=(*first.args, "--mute-audio", "--enable-features=X,Y")),
        options(
            args=["--mute-audio", "--disable-features=B,A", "--enable-features=Z"],
            env={"TZ": "UTC"}, proxy="socks5://localhost:1080", bypass=["a.example"],
        ),
        options(env={"TZ": "UTC", "LANG": "C"}, proxy="socks5://localhost:1080", bypass=["b.example"]),
        first=first,
    )  # fmt: skip
    assert made.args == (
        "--lang=de", "--disable-features=A,B", "--mute-audio", "--enable-features=X,Y,Z"
    )  # fmt: skip
    assert made.env == {"TZ": "UTC", "LANG": "C"}
    assert (made.proxy, made.bypass) == ("socks5://localhost:1080", ("a.example", "b.example"))
    assert (made.headed, made.engine) == (True, "chrome")


@pytest.mark.parametrize(
    ("one", "other", "words"),
    [
        ({"args": ["--lang=de"]}, {"args": ["--lang=fr"]}, "--lang=fr is in conflict with what plugin 0 wants"),
        ({"env": {"TZ": "UTC"}}, {"env": {"TZ": "CET"}}, "env TZ is in conflict with what plugin 0"),
        ({"proxy": "http://a:1"}, {"proxy": "http://b:1"}, "proxy is in conflict with what plugin 0"),
        ({}, {"args": ["--no-sandbox"]}, "--no-sandbox is refused: the sandbox stays on"),
        ({}, {"args": ["--disable-seccomp-filter-sandbox"]}, "the sandbox stays on"),
        ({}, {"args": ["--user-data-dir=/tmp"]}, "the profile is muxd's own"),
        ({}, {"args": ["--remote-debugging-port=9222"]}, "could drive the browser"),
        ({}, {"env": {"TMPDIR": "/x"}}, "TMPDIR is refused"),
        ({}, {"engine": "firefox"}, r"engine is to be read: \[browser\] engine"),
        ({}, {"headed": True}, r"headed is to be read: \[browser\] headed"),
    ],
)  # fmt: skip
def test_a_conflict_says_with_whom(one, other, words):
    """The second of two that want something else is told who the first is; secrets are not told."""
    with pytest.raises(Conflict, match=words):
        said(options(**one), options(**other))


@pytest.mark.parametrize(
    ("fields", "error", "words"),
    [
        ({"args": "--lang=de"}, TypeError, "a list of texts"),
        ({"args": [5]}, TypeError, "5 is no text"),
        ({"args": ["https://example.org"]}, ValueError, "they begin with --"),
        ({"env": {"A=B": "x"}}, ValueError, "can't be a variable"),
        ({"env": {"A": 5}}, ValueError, "can't be a variable"),
        ({"proxy": "localhost:3128"}, ValueError, "give a proxy as http://host:3128"),
        ({"proxy": "http://a/b"}, ValueError, "give a proxy as"),
    ],
)
def test_options_that_are_none_are_refused_where_they_are_made(fields, error, words):
    """The plugin's own line is what the traceback shows."""
    with pytest.raises(error, match=words):
        options(**fields)


def test_the_browser_is_started_with_them(tmp_path):
    """Arguments, environment and proxy arrive where Playwright takes them, once each."""
    found = FoundBrowser(path=None, engine=Engine.chromium, source="test")
    plan = LaunchPlan(found=found, profile=tmp_path / "profile", args=("--lang=de",))
    wanted = said(
        options(args=["--mute-audio"], env={"TZ": "UTC"}, bypass=["a", "b"],
                proxy="http://me:p%40ss@proxy.example:3128"),
        first=plan.wanted,
    )  # fmt: skip
    made = plan.with_options(wanted).options()
    assert made["args"][-2:] == ["--lang=de", "--mute-audio"]
    assert made["env"]["TZ"] == "UTC"
    assert made["proxy"] == {
        "server": "http://proxy.example:3128", "bypass": "a,b", "username": "me", "password": "p@ss"
    }  # fmt: skip
    assert "proxy" not in plan.options()
    assert "p%40ss" not in repr(plan.with_options(wanted))


PLUGIN = """
import attrs, muxd
from muxd.abc import LaunchOptions

@muxd.hookimpl
def muxd_launch_options(options):
    {body}
"""


def test_a_plugin_in_conflict_is_left_out_and_named(tmp_path):
    """The others' options count all the same, and so do those of a plugin with nothing to say."""
    jobs = tmp_path / "jobs"
    jobs.mkdir()
    for name, body in {
        "a": "return attrs.evolve(options, args=(*options.args, '--lang=de'))",
        "b": "return LaunchOptions(args=['--lang=fr'])",
        "c": "return LaunchOptions(args=['--mute-audio']) if options.args == ('--lang=de',) else 5",
        "d": "return ['--lang=de']",
        "e": "return None",
    }.items():
        (jobs / f"{name}.py").write_text(PLUGIN.format(body=body))
    config = Config()
    config = attrs.evolve(
        config,
        plugins=attrs.evolve(config.plugins, jobs_dirs=(jobs,)),
        daemon=attrs.evolve(config.daemon, state_dir=tmp_path / "state"),
    )
    plugins = load_plugins(config, entry_points=())
    assert plugins.launch_options(options()).args == ("--lang=de", "--mute-audio")
    problems = {problem.plugin: problem for problem in plugins.problems}
    assert sorted(problems) == ["b", "d"]
    assert all(problem.hook == "muxd_launch_options" for problem in problems.values())
    assert "--lang=fr is in conflict with what plugin 'a' wants" in problems["b"].reason
    assert "not muxd.abc.LaunchOptions" in problems["d"].reason
