"""What a reload finds different, what it loads anew, and who installs."""

from __future__ import annotations

import importlib
import sys
from importlib.metadata import EntryPoint
from types import SimpleNamespace

import pytest
import trio

from muxd.config import (
    BrowserConfig,
    Config,
    DaemonConfig,
    NotifyConfig,
    PluginsConfig,
    SlottingConfig,
)
from muxd.errors import UserError
from muxd.installer import installer
from muxd.job import Job
from muxd.plugins import BrokenPlugins, load_plugins
from muxd.reload import Reloader, changes_of, in_force, needs_restart, taken_over

COUNTING = """
import muxd
loaded = __import__("builtins").__dict__.setdefault("_loads_of_a_test", [])
loaded.append(__name__)

@muxd.job(interval="{interval}")
async def {name}(run):
    pass
"""


async def body(run):
    pass


async def other(run):
    pass


def job(name, **fields):
    return Job(name, fields.pop("body", body), **({"interval": "1h"} | fields))


def test_what_is_different_about_jobs():
    """Those that came and went, and of each that changed what; a new place is for new wishes only."""
    before = [job("a"), job("b"), job("c"), job("d")]
    after = [job("b"), job("c", body=other, retries=2), job("d", preferred_phase="5m"), job("e")]
    found = changes_of(before, after)
    assert (found.added, found.removed) == (("e",), ("a",))
    assert found.changed == {"c": ("code", "retries"), "d": ("preferred_phase",)}
    assert found.replaced == {"d"}


def test_what_can_not_change_is_named():
    """What is launched or opened once stays as it was until a restart; the rest is in force."""
    before = Config()
    after = Config(
        browser=BrowserConfig(headed=True, recycle_runs=7),
        daemon=DaemonConfig(grace=5, timezone="Asia/Tokyo"),
        slotting=SlottingConfig(headroom=0.25),
        jobs={"a": {"enabled": False}},
    )
    assert set(needs_restart(before, after)) == {"browser.headed", "daemon.timezone"}
    now = in_force(before, after)
    assert (now.browser.headed, now.browser.recycle_runs) == (False, 7)
    assert (now.daemon.grace, now.daemon.timezone) == (5, None)
    assert now.slotting.headroom == 0.25
    assert now.jobs == after.jobs
    assert needs_restart(now, after) == needs_restart(before, after)


def test_what_is_taken_over_is_named():
    """Who has changed no job, but a setting or what a plugin reads, is told that it counts."""
    before = Config(sections={"watch": {"page": []}, "shot": {}})
    after = Config(
        browser=BrowserConfig(headed=True, recycle_runs=7),
        notify=NotifyConfig(urls=("ntfys://ntfy.sh/x",)),
        sections={"watch": {"page": []}, "shot": {"keep": 3}, "my.own": {"a": 1}},
    )
    assert taken_over(before, before) == []
    assert taken_over(before, in_force(before, after)) == [
        "browser.recycle_runs",
        "notify.urls",
        'plugins."my.own"',
        "plugins.shot",
    ]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A jobs directory with two files; how often files were loaded is in `loads`."""
    jobs = tmp_path / "jobs"
    jobs.mkdir()
    (jobs / "one.py").write_text(COUNTING.format(name="one", interval="1h"))
    (jobs / "two.py").write_text(COUNTING.format(name="two", interval="1h"))
    yield jobs
    __import__("builtins").__dict__.pop("_loads_of_a_test", None)


def loads():
    """The stems of the files that were loaded since the last time."""
    found = __import__("builtins").__dict__.get("_loads_of_a_test", [])
    names = sorted(name.rpartition(".")[2] for name in found)
    found.clear()
    return names


def configured(folder, **fields):
    return Config(
        plugins=PluginsConfig(jobs_dirs=[folder], **fields),
        daemon=DaemonConfig(state_dir=folder.parent / "state"),
    )


def load(folder, before=None, **fields):
    return load_plugins(configured(folder, **fields), entry_points=(), builtins=(), before=before)


def test_only_what_has_changed_is_loaded_again(folder):
    """A file that is as it was keeps its job, the very same; a helper that changed concerns all."""
    first = load(folder)
    first.watch()
    assert loads() == ["one", "two"]
    (folder / "two.py").write_text(COUNTING.format(name="two", interval="2h"))
    (folder / "three.py").write_text(COUNTING.format(name="three", interval="3h"))
    second = load(folder, first)
    assert loads() == ["three", "two"]
    assert second.is_as_before("one", first)
    assert not second.is_as_before("two", first)
    assert [each.interval for each in second.jobs] == [3600, 10800, 7200]
    assert second.jobs[0].body is first.jobs[0].body
    (folder / "_helper.py").write_text("")
    third = load(folder, second)
    assert loads() == ["one", "three", "two"]
    (folder / "one.py").unlink()
    assert [each.name for each in load(folder, third).jobs] == ["three", "two"]


def test_what_was_imported_only_since_has_not_changed(tmp_path, monkeypatch):
    """A module that a body, or a later hook, imports is no change of its plugin; one of it is."""
    package = tmp_path / "lately"
    package.mkdir()
    (package / "__init__.py").write_text(COUNTING.format(name="late", interval="1h"))
    for late in ("one", "two"):
        (package / f"{late}.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    config = Config(plugins=PluginsConfig(), daemon=DaemonConfig(state_dir=tmp_path / "state"))
    points = [EntryPoint("lately", "lately", "muxd")]

    def load(before=None):
        return load_plugins(config, entry_points=points, builtins=(), before=before)

    try:
        first = load()
        first.watch()
        importlib.import_module("lately.one")
        second = load(first)
        assert second.is_as_before("lately", first)
        importlib.import_module("lately.two")
        third = load(second)
        assert third.is_as_before("lately", first)
        (package / "two.py").write_text("mended = True")
        assert not load(third).is_as_before("lately", first)
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] == "lately"]:
            del sys.modules[name]
        __import__("builtins").__dict__.pop("_loads_of_a_test", None)


def test_what_is_broken_now_goes_on_as_it_was(folder):
    """Until it is mended; a new one that is broken is left out. With `strict` both are refused."""
    first = load(folder)
    first.watch()
    (folder / "two.py").write_text("def")
    (folder / "four.py").write_text("import nothing_of_the_kind")
    second = load(folder, first)
    assert [each.name for each in second.jobs] == ["one", "two"]
    assert second.jobs[1].body is first.jobs[1].body
    assert [problem.plugin for problem in second.stale] == ["two"]
    assert [problem.plugin for problem in second.problems] == ["four"]
    with pytest.raises(BrokenPlugins):
        load(folder, first, strict=True)
    third = load(folder, second)
    assert [problem.plugin for problem in third.stale] == ["two"]
    (folder / "two.py").write_text(COUNTING.format(name="two", interval="2h"))
    fourth = load(folder, third)
    assert fourth.stale == ()
    assert fourth.jobs[1].interval == 7200


def test_who_takes_the_name_of_a_broken_one_has_it(folder):
    """The broken one is left out then: two jobs of one name there can't be."""
    first = load(folder)
    first.watch()
    (folder / "two.py").write_text("def")
    (folder / "one.py").write_text(COUNTING.format(name="two", interval="5h"))
    second = load(folder, first)
    assert [(each.name, each.plugin) for each in second.jobs] == [("two", "one")]
    assert second.stale == ()
    assert [problem.plugin for problem in second.problems] == ["two"]


def test_who_installs(tmp_path, monkeypatch):
    """pip; uv where it made the environment; nobody where the system does. Names are no options."""
    monkeypatch.setattr("shutil.which", lambda name: f"/bin/{name}")
    (tmp_path / "pyvenv.cfg").write_text("home = /usr/bin\nversion = 3.11\n")
    pip = installer(tmp_path)
    command = pip.install(["muxd-trends", "./x"], ["--no-deps"])
    assert command[:3] == [sys.executable, "-m", "pip"]
    assert command[-4:] == ["--no-deps", "--", "muxd-trends", "./x"]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tea").mkdir()
    (tmp_path / "tea" / "pyproject.toml").write_text("")
    assert pip.install([], ["-q"], editable=["tea[test]"])[-3:] == ["-q", "-e", "./tea[test]"]
    assert pip.install(["./tea"], [], editable=["./tea"])[-4:] == ["-e", "./tea", "--", "./tea"]
    with pytest.raises(UserError, match=r"may be a package of that name elsewhere: give \./tea"):
        pip.install(["tea"], [])
    with pytest.raises(UserError, match="there is no directory of a project"):
        pip.install([], [], editable=["./coffee"])
    (tmp_path / "tea" / "pyproject.toml").write_text("[project")
    for given in ({"packages": ["./tea"]}, {"packages": [], "editable": ["./tea[test]"]}):
        with pytest.raises(UserError, match=r"^tea/pyproject.toml: this is not TOML: Expected"):
            pip.install(options=[], **given)
    for wrong in ("--upgrade=x", "-e", " "):
        with pytest.raises(UserError, match="is no package"):
            pip.install([wrong], [])
    with pytest.raises(UserError, match="does not remove itself"):
        pip.uninstall(["Muxd"], [])
    with pytest.raises(UserError, match="is not installed"):
        pip.uninstall(["there-is-no-such-package"], [])
    (tmp_path / "pyvenv.cfg").write_text("home = /usr/bin\nuv = 0.5\n")
    assert installer(tmp_path).install(["a"], [])[:3] == ["/bin/uv", "pip", "install"]
    (tmp_path / "EXTERNALLY-MANAGED").write_text("")
    monkeypatch.setattr("sysconfig.get_path", lambda name: str(tmp_path))
    assert installer(tmp_path)  # it is an environment all the same
    with pytest.raises(UserError, match="an environment of its own"):
        installer(tmp_path / "nowhere")


async def test_plugins_are_read_by_one_at_a_time(folder, monkeypatch, autojump_clock):
    """A look before a restart waits for a reload, and for another look: their modules would mix."""
    reloader = Reloader(None, Config(), load(folder), read=Config, start=None, real_now=lambda: 0.0)
    at_work = []

    async def look():
        at_work.append("read")
        await trio.sleep(1)
        return None, SimpleNamespace(undo=lambda: at_work.append("undone"))

    monkeypatch.setattr(reloader, "look", look)
    async with trio.open_nursery() as nursery:
        for _ in range(2):
            nursery.start_soon(reloader.check)
    assert at_work == ["read", "undone"] * 2
