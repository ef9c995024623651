"""Who takes part in `all.py`: how users run such jobs, other tools, the limit, and muxd."""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
from _bench import MuxdDaemon, Worker, muxd_daemon, plain, working
from environments import Environments, node_version, python_version

from muxd.browser.find import find_browser

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from _bench import Contestant

__all__ = ["BASE", "ENTRIES", "Entry", "browser_path"]

RIVALS = Path(__file__).with_name("rivals")
CRAWLEE = ("crawlee[playwright]",)
WEBSOCKETS = ("websockets",)
CLUSTER = ("puppeteer-core", "puppeteer-cluster")
NODE_PLAYWRIGHT = ("playwright-core",)
HEADLESS_SHELL = '[browser]\nengine = "headless-shell"\n'


@attrs.frozen(kw_only=True)
class Entry:
    """One way to run the job."""

    name: str
    label: str
    """What the table and the picture call it."""
    start: Callable[[str, Environments], AbstractContextManager[Contestant]]
    """Called with the site's URL. Raises `environments.NotThere` if it can't be had."""
    software: Callable[[Environments], str] = lambda _: f"Playwright {_playwright()}"
    """What it is made of, with versions; called once it has started."""
    jobs: int = 1
    """How many jobs it does each time it is asked for one."""


def browser_path() -> str:
    """The browser that all use, muxd's choice; for those who can't find Playwright's own."""
    if (path := find_browser().path) is not None:
        return str(path)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        return playwright.chromium.executable_path


def _playwright() -> str:
    return python_version(sys.executable, "playwright")


def _ours(script: str, url: str, _: Environments) -> AbstractContextManager[Worker]:
    return working([sys.executable, RIVALS / script, url, browser_path()])


def _theirs(
    script: str, packages: tuple[str, ...], url: str, environments: Environments
) -> AbstractContextManager[Worker]:
    return working([environments.python(*packages), RIVALS / script, url, browser_path()])


def _node(
    script: str, kind: str, packages: tuple[str, ...], url: str, environments: Environments
) -> AbstractContextManager[Worker]:
    modules = environments.node(*packages)
    return working(
        ["node", RIVALS / script, kind, url, browser_path()],
        env={**os.environ, "NODE_PATH": str(modules)},
    )


def _plain(kind: str, url: str, _: Environments) -> AbstractContextManager[Worker]:
    return plain(kind, url)


def _muxd(
    session: str, config: str, url: str, _: Environments
) -> AbstractContextManager[MuxdDaemon]:
    return muxd_daemon(url, session=session, config=config)


def _python_software(packages: tuple[str, ...], environments: Environments) -> str:
    found = environments.python(*packages)
    names = [package.partition("[")[0] for package in packages]
    return ", ".join(f"{name} {python_version(found, name)}" for name in names)


def _node_software(packages: tuple[str, ...], environments: Environments) -> str:
    modules = environments.node(*packages)
    return ", ".join(f"{name} {node_version(modules, name)}" for name in packages)


def _on_node(name: str, label: str, script: str, kind: str, packages: tuple[str, ...]) -> Entry:
    return Entry(
        name=name,
        label=label,
        start=partial(_node, script, kind, packages),
        software=partial(_node_software, packages),
    )


BASE = "C"
"""Whom all are compared with."""
ENTRIES = (
    Entry(
        name="cron",
        label="cron: a process and a browser per job",
        start=partial(_ours, "cron.py"),
    ),
    Entry(
        name="browser",
        label="Playwright, a browser per job",
        start=partial(_ours, "browser_per_job.py"),
    ),
    Entry(
        name="crawlee",
        label="Crawlee, one at a time",
        start=partial(_theirs, "crawlee_pages.py", CRAWLEE),
        software=partial(_python_software, CRAWLEE),
        jobs=6,
    ),
    _on_node(
        "cluster-context",
        "puppeteer-cluster, a context per job",
        "puppeteer_cluster.cjs",
        "context",
        CLUSTER,
    ),
    _on_node(
        "cluster-page",
        "puppeteer-cluster, a page per job",
        "puppeteer_cluster.cjs",
        "page",
        CLUSTER,
    ),
    _on_node(
        "node-context",
        "Playwright on node, a context per job",
        "node_playwright.cjs",
        "context",
        NODE_PLAYWRIGHT,
    ),
    _on_node(
        "node-page",
        "Playwright on node, a page per job",
        "node_playwright.cjs",
        "page",
        NODE_PLAYWRIGHT,
    ),
    Entry(
        name="D",
        label="D: Playwright, a context per job",
        start=partial(_plain, "context"),
    ),
    Entry(name="C", label="C: Playwright, a page per job", start=partial(_plain, "page")),
    Entry(name="C-again", label="C, a second time", start=partial(_plain, "page")),
    Entry(
        name="cdp",
        label="the limit: raw CDP, a page per job",
        start=partial(_theirs, "raw_cdp.py", WEBSOCKETS),
        software=partial(_python_software, WEBSOCKETS),
    ),
    Entry(name="muxd-fresh", label="muxd, session fresh", start=partial(_muxd, "fresh", "")),
    Entry(name="muxd-main", label="muxd, session main", start=partial(_muxd, "main", "")),
    Entry(
        name="muxd-shell",
        label="muxd, session main, headless shell",
        start=partial(_muxd, "main", HEADLESS_SHELL),
    ),
)
"""In the order of the table."""
