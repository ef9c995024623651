"""Leases with blocking, on Chromium and on its headless shell."""

from __future__ import annotations

import contextlib
import subprocess

import psutil
import pytest
import trio

import muxd
from muxd.bridge import bridged
from muxd.browser.find import find_browser
from muxd.browser.generation import open_generation
from muxd.browser.launch import LaunchPlan
from muxd.browser.profile import claim_profile
from muxd.engine import Engine
from tests.variants import nightly

from .conftest import open_site

HEAVY = {"/heavy", "/a.css", "/a.woff2", "/a.png", "/a.mp4", "/a.js"}


@pytest.fixture
def plan(request, tmp_path):
    """The browser of the engine, which blocks pictures where nobody says."""
    found = find_browser(engine=request.param)
    return LaunchPlan(found=found, profile=tmp_path / "profile", block=("image",))


def asked(site):
    paths = {path for path, _ in site.seen} - {"/favicon.ico"}
    site.seen.clear()
    return paths


async def load(lease, site):
    """Load the page with one of everything, in the page and in a popup; what was asked for."""

    async def load():
        page = lease.page
        for target in (page, None):
            if target is None:
                async with page.expect_popup() as opened:
                    await page.evaluate("void window.open('/heavy')")
                target = await opened.value
            else:
                await target.goto(site.url + "/heavy")
            await target.wait_for_load_state()
            await target.evaluate("document.fonts.ready")
            await target.wait_for_function("document.querySelector('video').networkState === 3")

    await bridged(load)()
    return asked(site)


@pytest.mark.parametrize(
    ("plan", "session"), [("chromium", "main"), ("headless-shell", "fresh")], indirect=["plan"]
)
def test_a_lease_blocks_and_nothing_of_it_is_left(browse, session):
    """What the lease says counts, or what is configured; the next one is as if nothing had been."""

    async def test(life, site):
        for block, prepared, missing in [
            (None, False, {"/a.png"}),
            (("font", "media"), True, {"/a.woff2", "/a.mp4"}),
            ((), True, set()),
        ]:
            if prepared:
                assert await life.prepare(session)
            async with life.lease(session, block=block) as lease:
                assert await load(lease, site) == HEAVY - missing
            assert lease.errors == lease.harms == []
            assert +lease.left == {"page": 1}  # the popup

    browse(test)


@pytest.mark.parametrize("plan", ["headless-shell"], indirect=True)
def test_blocking_ends_however_the_lease_does(browse):
    """By an exception in the middle of a load, or when its pages are taken away."""

    async def test(life, site):
        with contextlib.suppress(ZeroDivisionError):
            async with life.lease("main", block=("font", "image", "stylesheet")) as lease:
                await bridged(lease.page.goto)(site.url + "/heavy", wait_until="commit")
                raise ZeroDivisionError
        async with life.lease("main", block=("image",)) as lease:
            await life.revoke(lease)
        assert +lease.left == {}
        asked(site)
        async with life.lease("main", block=()) as lease:
            assert await load(lease, site) == HEAVY
        assert lease.errors == []

    browse(test)


@pytest.mark.parametrize("plan", ["chromium"], indirect=True)
def test_an_engine_that_only_playwright_knows_does_all_the_rest(browse, monkeypatch):
    """Without Chromium's own protocol runs have pages, sessions and blocking, and clean up."""
    # Chromium plays its part: a browser that nothing is asked of but what Playwright can ask of all.
    monkeypatch.setattr(Engine, "is_chromium", False)

    async def test(life, site):
        for session, block, missing in [("main", ("image",), {"/a.png"}), ("named", (), set())]:
            assert await life.prepare(session)
            async with life.lease(session, block=block) as lease:
                assert await load(lease, site) == HEAVY - missing
                await life.keep_session(lease, session)
            assert lease.errors == lease.harms == []
            assert +lease.left == {"page": 1}  # the popup
        async with life.lease("main", block=()) as lease:
            await bridged(lease.page.goto)(site.url + "/heavy")
            await life.revoke(lease)
        assert "/a.png" in asked(site)

    browse(test)


@pytest.mark.parametrize("plan", ["chromium"], indirect=True)
@pytest.mark.parametrize("closed", [nightly(False), True])
def test_what_a_run_of_fresh_leaves_is_undone_where_a_route_blocks(browse, monkeypatch, closed):
    """Its context is gone by the time, by the run itself or after it: the shared things are clean."""
    monkeypatch.setattr(Engine, "is_chromium", False)

    async def test(life, site):
        async with life.lease("fresh", block=("image",)) as lease:
            assert await load(lease, site) == HEAVY - {"/a.png"}
            lease.browser.on("disconnected", lambda: None)
            if closed:
                await bridged(lease.context.close)()
        assert lease.errors == lease.harms == []
        assert lease.left["listener"] == 1
        async with life.lease("fresh", block=()) as lease:
            assert await load(lease, site) == HEAVY
        assert +lease.left == {"page": 1}  # the popup

    browse(test)


@pytest.mark.parametrize("routed", [nightly(False), True])
@pytest.mark.parametrize("plan", ["chromium"], indirect=True)
def test_a_listener_that_raises_keeps_nothing_from_being_undone(browse, monkeypatch, routed):
    """As the pages close, say: blocking is lifted, settings are put back, the error is the run's."""
    if routed:
        monkeypatch.setattr(Engine, "is_chromium", False)

    def listener(_):
        raise RuntimeError("listener")

    async def test(life, site):
        async with life.lease("main", block=("image",)) as lease:
            await bridged(lease.context.set_offline)(True)
            lease.page.on("close", listener)
        assert [str(error) for error in lease.errors] == ["listener"]
        assert +lease.left == {"setting": 1}
        async with life.lease("main", block=()) as lease:
            assert await load(lease, site) == HEAVY
        assert lease.errors == []

    browse(test)


@pytest.mark.parametrize(
    ("args", "found"),
    [
        (["-no-remote", "-headless", "-profile", "HERE", "-juggler-pipe"], True),
        (["-no-remote", "-profile", "ELSEWHERE", "-juggler-pipe"], False),
        (["-contentproc", "-profile", "HERE"], False),
        (["--inspector-pipe", "--user-data-dir=HERE"], True),
    ],
)
def test_a_firefox_and_a_webkit_of_a_dead_muxd_are_found_by_their_profile(tmp_path, args, found):
    """Theirs are named in other words than Chromium's; helpers and others' are let be."""
    here = tmp_path / "profile"
    here.mkdir()
    args = [each.replace("HERE", str(here)) if each != "ELSEWHERE" else "/nowhere" for each in args]
    with subprocess.Popen(
        ["/bin/sh", "-c", "read line", *args], stdin=-1, start_new_session=True
    ) as left:
        assert claim_profile(here) == ([left.pid] if found else [])
        assert psutil.pid_exists(left.pid) is not found
        left.kill()


def test_the_engines_share_the_profile(tmp_path, sessions):
    """Who changes the engine stays signed in: the cookies of one are there in the other."""
    told = []

    async def visit(engine, site):
        plan = LaunchPlan(found=find_browser(engine=engine), profile=tmp_path / "profile")
        async with open_generation(1, plan, sessions) as life, life.lease("main") as lease:
            await bridged(lease.page.goto)(site.url + "/cookie")
            told.append(await bridged(lease.page.inner_text)("p"))

    async def main():
        with trio.fail_after(60):
            async with open_site() as site:
                for engine in ("chromium", "headless-shell", "chromium"):
                    await visit(engine, site)

    muxd.run(main)
    assert told == ["", "visitor=1", "visitor=1"]
