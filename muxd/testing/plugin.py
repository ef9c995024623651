"""Fixtures for tests of plugins: pytest finds them by itself where muxd is installed.

A test run that uses none of them pays for nothing but this module: everything else is imported when a
test asks for it. All of them are plain fixtures, good in tests of any kind, with `pytest-trio`,
`pytest-asyncio`, both, or neither.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from muxd.testing.browserthread import BrowserThread
    from muxd.testing.daemons import MuxdDaemon
    from muxd.testing.pages import FakePages
    from muxd.testing.runs import MuxdRun
    from muxd.testing.schedule import MuxdClock
    from muxd.testing.site import MuxdSite

_kept = pytest.StashKey["list[_Kept]"]()


class _Kept:
    """What has files in a test's ``tmp_path`` that are of use when the test fails."""

    def __init__(self, name: str, source: MuxdRun | MuxdDaemon) -> None:
        self.name, self.source = name, source
        self.failed = False

    def heed(self, report: pytest.TestReport) -> None:
        """Say where they are, once, if this part of the test has failed."""
        if not report.failed or self.failed:
            return
        self.failed = True
        if account := self.source.account():
            report.sections.append((self.name, account))


def _keep(request: pytest.FixtureRequest, name: str, source: MuxdRun | MuxdDaemon) -> _Kept:
    kept = _Kept(name, source)
    request.node.stash.setdefault(_kept, []).append(kept)
    return kept


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--muxd-headed`` and ``--muxd-har``."""
    group = parser.getgroup("muxd")
    group.addoption(
        "--muxd-headed",
        action="store_true",
        help="show the browser's window in tests that use muxd_run",
    )
    group.addoption(
        "--muxd-har",
        choices=("replay", "record"),
        default="replay",
        help="what muxd_run does with the har= that tests give it (default: replay)",
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Say of a failed test where the evidence of its runs is."""
    report = yield
    for kept in item.stash.get(_kept, ()):
        kept.heed(report)
    return report


@pytest.fixture(scope="session")
def _muxd_browser(
    tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Iterator[BrowserThread]:
    from muxd.testing.browserthread import BrowserThread

    headed = bool(pytestconfig.getoption("--muxd-headed"))
    browser = BrowserThread(tmp_path_factory.mktemp("muxd-browser"), headed=headed)
    yield browser
    browser.close()


@pytest.fixture
def muxd_run(
    _muxd_browser: BrowserThread,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    pytestconfig: pytest.Config,
) -> Iterator[MuxdRun]:
    """Runs a job once for real, on a Chromium that all tests share: ``record = muxd_run(job)``.

    If the test fails, screenshots and traces of its runs are in ``tmp_path / "muxd"``.
    """
    from muxd.testing.runs import MuxdRun

    runs = MuxdRun(
        _muxd_browser,
        tmp_path / "muxd",
        place=pytestconfig.rootpath,
        records_har=pytestconfig.getoption("--muxd-har") == "record",
    )
    kept = _keep(request, "muxd_run", runs)
    yield runs
    if not kept.failed:
        runs.tidy()


@pytest.fixture
def muxd_har(request: pytest.FixtureRequest) -> Path:
    """The file of this test's own, for ``muxd_run(job, har=muxd_har)``: ``har/FILE.TEST.har`` beside it.

    `pytest --muxd-har=record` writes it, from what the sites answer; else it answers in their stead.
    """
    name = re.sub(r"[^\w.-]+", "-", f"{request.path.stem}.{request.node.name}").strip("-")
    return request.path.parent / "har" / f"{name}.har"


@pytest.fixture
def muxd_site() -> Iterator[MuxdSite]:
    """Makes local web sites: ``site = muxd_site({"/": "<h1>hello</h1>"})``, then ``site.url``."""
    from muxd.testing.site import MuxdSite

    with MuxdSite().closing() as sites:
        yield sites


@pytest.fixture
def fake_pages() -> FakePages:
    """Pages in memory that keep the laws of `muxd.abc.PageSource`, without a browser."""
    from muxd.testing.pages import FakePages

    return FakePages()


@pytest.fixture
def muxd_clock() -> MuxdClock:
    """Virtual time: ``week = muxd_clock.run(job, days=7)`` has the records of a week, in a moment."""
    from muxd.testing.schedule import MuxdClock

    return MuxdClock()


@pytest.fixture
def muxd_daemon(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MuxdDaemon]:
    """Starts real daemons, each on a directory of its own: ``daemon = muxd_daemon(job)``."""
    from muxd.testing.daemons import MuxdDaemon

    daemons = MuxdDaemon(tmp_path)
    _keep(request, "muxd_daemon", daemons)
    with daemons.stopping():
        yield daemons
