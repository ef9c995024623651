"""The plugin of pytest: it costs a test run nothing that doesn't use it, and its names stay."""

from __future__ import annotations

import inspect
import subprocess
import sys
import tomllib
from importlib.metadata import entry_points
from pathlib import Path

import pytest

import muxd.testing
from muxd.testing import FakePages

ROOT = Path(__file__).parents[2]

CALLS = {
    "MuxdRun.__call__": "self job har **fields",
    "MuxdSite.__call__": "self pages",
    "MuxdClock.run": "self *jobs days start timezone bodies seed",
    "MuxdDaemon.__call__": "self *jobs plugins config speed",
    "Site.fail": "self path status times",
    "Site.hang": "self path times",
    "Site.drop": "self path times",
    "Site.mend": "self path",
    "TestedDaemon.run": "self job",
    "TestedDaemon.history": "self job",
    "TestedDaemon.wait_until": "self condition seconds what",
    "Schedule.of": "self job outcome",
}

UNUSED = """
import sys


def test_nothing_is_imported():
    ours = {name for name in sys.modules if name.partition(".")[0] == "muxd"}
    assert ours == {"muxd", "muxd.testing", "muxd.testing.plugin"}
    assert not {"trio", "attrs", "structlog", "playwright", "asyncio"} & sys.modules.keys()
"""


def run_pytest(folder, *args):
    """A pytest of its own, with no plugin but ours."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "muxd", *args]
    environ = {"PATH": "/usr/bin:/bin", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return subprocess.run(
        command,
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_pytest_finds_it():
    """What is installed has the entry point that is declared."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
    installed = entry_points(group="pytest11", name="muxd")
    assert {point.value for point in installed} == {declared["pytest11"]["muxd"]}


def test_who_does_not_use_it_pays_nothing(tmp_path):
    """A test run that uses no fixture of muxd imports three small modules and nothing else."""
    (tmp_path / "test_unused.py").write_text(UNUSED)
    done = run_pytest(tmp_path, "-W", "error")
    assert done.returncode == 0, done.stdout + done.stderr
    told = run_pytest(tmp_path, "--fixtures").stdout
    for name in ("muxd_run", "muxd_site", "fake_pages", "muxd_clock", "muxd_daemon"):
        assert f"\n{name} -- " in told


def test_fake_pages(fake_pages):
    """Each test has pages in memory of its own."""
    assert isinstance(fake_pages, FakePages)
    assert fake_pages.leased == 0


@pytest.mark.parametrize("name", muxd.testing.__all__)
def test_every_public_name_is_there(name):
    """All that ``__all__`` promises can be imported."""
    assert getattr(muxd.testing, name).__doc__


def test_a_name_that_is_not_public_is_an_attribute_error():
    """A misspelt name fails as in any module, and completion offers the public ones."""
    assert dir(muxd.testing) == sorted(muxd.testing.__all__)
    with pytest.raises(AttributeError, match=r"'muxd.testing' has no attribute 'MuxdRnu'"):
        _ = muxd.testing.MuxdRnu


@pytest.mark.parametrize("name", CALLS)
def test_signatures_stay(name):
    """A parameter that goes, comes or moves is a decision, made here too."""
    kind, _, method = name.partition(".")
    marks = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    found = inspect.signature(getattr(getattr(muxd.testing, kind), method)).parameters.values()
    assert " ".join(marks.get(p.kind, "") + p.name for p in found) == CALLS[name]
