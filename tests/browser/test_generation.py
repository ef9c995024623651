"""One life of the browser: lent, watched, cleaned, closed, killed."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from functools import partial

import psutil
import pytest
import trio

import muxd
from muxd.bridge import bridged
from muxd.browser import generation
from muxd.browser.generation import CLEAN_BOUND, REVOKE_BOUND, open_generation
from muxd.browser.processes import browsers_of_profile, children_of
from muxd.errors import BrowserLost, ProfileInUse, SessionError
from tests.e2e.conftest import alive
from tests.faults.house import waited
from tests.variants import nightly


def line_of(process):
    """Its command line; nothing of one that has just ended."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.cmdline()
    return []


def our_driver():
    (driver,) = [p for p in children_of(os.getpid()) if "run-driver" in line_of(p)]
    return driver


def everything_below(pid):
    return psutil.Process(pid).children(recursive=True)


def gone(processes, seconds=3):
    _, alive = psutil.wait_procs(processes, timeout=seconds)
    return [p for p in alive if p.status() != psutil.STATUS_ZOMBIE] == []


def test_a_page_in_each_session_is_in_the_one_browser(browse, plan):
    """main, named and fresh sessions share one browser process, and not their cookies."""

    async def test(life, site):
        for session, before in [("main", ""), ("me", ""), ("fresh", ""), ("main", "visitor=1")]:
            async with life.lease(session) as lease:
                await bridged(lease.page.goto)(site.url + "/cookie")
                assert site.seen[-1] == ("/cookie", before) or site.seen[-1][0] == "/favicon.ico"
                text = await bridged(lease.page.inner_text)("p")
                assert text == before
            assert len(browsers_of_profile(plan.profile)) == 1

    browse(test)


def test_a_named_session_is_kept_only_when_it_is_saved(browse, sessions):
    """keep_session makes the cookies outlive the browser; without it a run leaves no trace."""

    async def first(life, site):
        for keep in (False, True):
            async with life.lease("shop") as lease:
                await bridged(lease.page.goto)(site.url + "/cookie")
                if keep:
                    await life.keep_session(lease, "shop")
            assert (sessions.load("shop") is not None) == keep

    async def second(life, site):
        async with life.lease("shop") as lease:
            (cookie,) = await bridged(lease.context.cookies)()
            assert cookie["name"] == "visitor"

    browse(first)
    browse(second)
    assert sessions.path("shop").stat().st_mode & 0o777 == 0o600


def test_a_disk_that_hangs_keeps_nobody_from_the_browser(browse, sessions, monkeypatch):
    """A session that can't be written within its bound is an error of its run; what was saved
    before is there, and the next save is the next state."""

    async def test(life, site):
        async with life.lease("shop") as lease:
            await bridged(lease.page.goto)(site.url + "/cookie")
            await life.keep_session(lease, "shop")
        before = sessions.load("shop")
        within = generation.within
        monkeypatch.setattr(generation, "SAVE_BOUND", 1.0)  # the disk's; reading has patience
        monkeypatch.setattr(
            generation, "within", lambda _bound, *call, **how: within(20.0, *call, **how)
        )
        stuck = sessions.folder / ".shop.new"
        os.mkfifo(stuck)  # opening it to write waits for somebody who reads
        async with life.lease("shop") as lease:
            await bridged(lease.context.clear_cookies)()
            with pytest.raises(
                SessionError, match="'shop' was not saved: the disk does not answer"
            ):
                await life.keep_session(lease, "shop")
        assert sessions.load("shop") == before
        with open(stuck, "rb"):  # noqa: ASYNC230 - who writes is there already
            async with life.lease("shop") as lease:
                await bridged(lease.context.clear_cookies)()
                with contextlib.suppress(SessionError):  # the pipe can't be made durable
                    await life.keep_session(lease, "shop")
        assert life.lost is None

    browse(test)


def test_the_profile_is_private_and_survives(browse, plan):
    """The profile directory has mode 0700, and main's cookies outlive a browser that was closed."""

    async def first(life, site):
        async with life.lease("main") as lease:
            await bridged(lease.page.goto)(site.url + "/cookie")

    async def second(life, site):
        async with life.lease("main") as lease:
            assert [c["name"] for c in await bridged(lease.context.cookies)()] == ["visitor"]

    browse(first)
    browse(second)
    assert plan.profile.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("victim", ["browser", "driver"])
def test_death_is_noticed_at_once(browse, victim, plan):
    """kill -9 of the browser or the driver is noticed within a second, idle or not."""

    async def test(life, site):
        async with life.lease("main") as lease:
            below = everything_below(os.getpid())
            pid = life.pid if victim == "browser" else our_driver().pid
            os.kill(pid, signal.SIGKILL)
            with trio.fail_after(20):  # the system's work
                while alive(pid):  # noqa: ASYNC110 - another process
                    await trio.sleep(0.01)
            here = threading.get_native_id()
            before, begun = waited(here), trio.current_time()
            with trio.fail_after(20):
                loss = await life.wait_lost(lease)
            # That the system gave the processor to others is no time that muxd took.
            assert trio.current_time() - begun - (waited(here) - before) < 1
            assert isinstance(loss, BrowserLost)
            # The browser follows its driver: on a busy machine both are seen dead at once.
            assert any(each in str(loss) for each in (str(pid), str(life.pid), "closed"))
        with pytest.raises(BrowserLost):
            async with life.lease("main"):
                pytest.fail("a lost browser gave a page")
        leader = [p for p in below if p.pid == life.pid]
        assert gone(leader, seconds=20)  # the system's work

    browse(test)
    assert browsers_of_profile(plan.profile) == []


@pytest.mark.parametrize("frozen", [nightly("browser"), "driver"])
def test_a_frozen_browser_is_killed(browse, frozen, plan):
    """SIGSTOP of the browser or the driver: no page within the bound means kill; nothing stays."""

    async def test(life, site):
        driver = our_driver().pid
        pid = life.pid if frozen == "browser" else driver
        async with life.lease("main") as lease:
            os.kill(pid, signal.SIGSTOP)
            before = trio.current_time()
            await life.revoke(lease)
        assert trio.current_time() - before < REVOKE_BOUND + CLEAN_BOUND + 2
        assert isinstance(life.lost, BrowserLost)

    browse(test)
    assert browsers_of_profile(plan.profile) == []
    assert [p for p in children_of(os.getpid()) if "run-driver" in line_of(p)] == []


def test_a_body_that_closes_the_shared_context_loses_the_browser(browse):
    """Closing main's context is closing the browser: it's noticed, and named as the reason."""

    async def test(life, site):
        async with life.lease("main") as lease:
            await bridged(lease.context.close)()
            with trio.fail_after(2):
                assert isinstance(await life.wait_lost(lease), BrowserLost)

    browse(test)


def test_a_leftover_of_a_dead_muxd_is_killed_and_a_strangers_browser_is_not(plan, sessions):
    """A driven browser on our profile is a leftover; one opened by hand gets a clear message."""

    command = [
        str(plan.found.path),
        "--headless",
        "--no-sandbox",
        f"--user-data-dir={plan.profile}",
        "about:blank",
    ]

    async def main():
        async with (
            open_generation(1, plan, sessions) as first,
            open_generation(2, plan, sessions) as second,
        ):
            assert first.pid != second.pid
            await first.wait_gone()
        async with trio.open_nursery() as nursery:
            run_stranger = partial(trio.run_process, capture_stderr=True, check=False)
            stranger = await nursery.start(run_stranger, command)
            while not (plan.profile / "SingletonLock").is_symlink():  # noqa: ASYNC110 - a file
                await trio.sleep(0.05)
            with pytest.raises(ProfileInUse, match=str(stranger.pid)):
                async with open_generation(3, plan, sessions):
                    pytest.fail("took a stranger's profile")
            stranger.kill()
        async with open_generation(4, plan, sessions) as life:  # the lock is stale now
            assert life.lost is None

    async def bounded():
        with trio.fail_after(60):
            await main()

    muxd.run(bounded)


def test_a_lock_of_a_machine_that_had_another_name_is_known(plan, sessions, monkeypatch):
    """A dead muxd's browser has left its lock, and the machine's name is new, as a container's is."""
    lock = plan.profile / "SingletonLock"

    async def main():
        async with open_generation(1, plan, sessions):
            left = lock.readlink()
        assert not lock.is_symlink()
        lock.symlink_to(left)
        monkeypatch.setattr("socket.gethostname", lambda: "new")
        async with open_generation(2, plan, sessions) as life:
            assert life.lost is None

    async def bounded():
        with trio.fail_after(60):
            await main()

    muxd.run(bounded)
