"""The browser's processes die or hang, at every stage: it costs one run at most."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from functools import partial

import psutil
import pytest
import trio

from muxd.record import Outcome
from tests.variants import nightly

from .house import GONE_WITHIN, LAUNCH_WITHIN, kind_of, open_house

CRASHED = Outcome.crashed
HANG_BOUND = 8.0
"""How long a browser that hangs while idle may keep the next run waiting, before the relaunch."""


def children(kind, but=()):
    """The processes of this kind below the tests: `browser`, `driver`, `gpu-process`, ..."""
    found = []
    for child in psutil.Process(os.getpid()).children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if child not in but and kind_of(child.cmdline()) == kind:
                found.append(child)
    return found


def hit(kind, number=signal.SIGKILL):
    """Send a signal to the process of this kind."""
    found = children(kind)
    assert found, kind
    for process in found:
        process.send_signal(number)


def hit_later(kind, number=signal.SIGKILL, delay=0.3):
    """The same from outside, whatever muxd waits for at that time."""
    threading.Timer(delay, hit, (kind, number)).start()


async def idle(run, url):
    await run.page.goto(url)


def next_run_is_ok(house, *, lateness):
    """A run that is asked for now is ok, begun within `lateness` seconds."""
    record = house.call(partial(one, house))
    assert record.outcome is Outcome.ok, record
    assert record.lateness < lateness, record
    house.is_clean()
    return record


async def one(house):
    release = await house._release(house.job("honest", idle, timeout=20))
    return await house.book.wait_ended(release.id)


@pytest.mark.parametrize("victim", ["browser", nightly("driver")])
def test_killed_while_idle(house, victim):
    """It is noticed at once, and the next browser is there before anybody asks for it."""
    launched = house.supervisor.launched
    next_run_is_ok(house, lateness=LAUNCH_WITHIN)
    hit(victim)
    end = time.monotonic() + LAUNCH_WITHIN
    while house.supervisor.launched == launched or house.supervisor.current is None:
        assert time.monotonic() < end
        time.sleep(0.02)  # the house is in another thread
    next_run_is_ok(house, lateness=LAUNCH_WITHIN)


@pytest.mark.parametrize("victim", ["browser", nightly("driver")])
def test_killed_in_mid_navigation(house, victim):
    """The run is `crashed` and charged; the next is ok on another browser."""

    async def navigates(run, url):
        hit_later(victim)
        await run.page.goto(url + "/never", timeout=0)

    record = house.survives(navigates, CRASHED, timeout=20, kept=False)
    assert house.held < 5
    assert record.harm is not None


@pytest.mark.parametrize(
    ("victim", "session"),
    [
        ("browser", "main"),
        ("driver", "fresh"),
        nightly("browser", "fresh"),
        nightly("driver", "main"),
    ],
)
def test_killed_in_mid_evaluate(house, victim, session):
    """The call ends at once, though the page would compute for ever."""

    async def evaluates(run, url):
        hit_later(victim)
        await run.page.evaluate("while (true) {}")

    house.survives(evaluates, CRASHED, timeout=20, kept=False, session=session)
    assert house.held < 5


def test_killed_while_the_body_sleeps(house):
    """A body that does not talk to the browser is told of its death all the same."""

    async def sleeps(run, url):
        hit_later("browser")
        await trio.sleep(30)

    house.survives(sleeps, CRASHED, timeout=40, kept=False)
    assert house.held < 5


def test_killed_as_pages_close(house):
    """Dying between the end of a run and the end of its pages costs no other run."""

    async def ends(run, url):
        await run.page.goto(url)
        run.page.on("close", lambda _page: hit("browser"))
        return "done"

    record = house.survives(ends, Outcome.ok, CRASHED, timeout=20, kept=False)
    assert record.outcome is CRASHED or record.result == "done"


@pytest.mark.parametrize("delay", [0.0, nightly(0.02), 0.1, nightly(0.3)])
def test_killed_as_it_closes(tmp_path, site, delay):
    """muxd's end is as quick, and leaves as little, if the browser is killed meanwhile."""
    with open_house(tmp_path, site) as house:
        (browser,), (driver,) = children("browser", house.before), children("driver", house.before)
        threading.Timer(delay, _kill_if_there, (browser,)).start()
        began = time.monotonic()
    assert time.monotonic() - began < 2 * GONE_WITHIN
    _, left = psutil.wait_procs([browser, driver], timeout=GONE_WITHIN)
    assert left == []


def _kill_if_there(process):
    with contextlib.suppress(psutil.Error):
        process.kill()


@pytest.mark.parametrize("victim", ["browser", "driver"])
def test_killed_as_it_launches(house, victim):
    """A launch that fails is tried again; the run that waits for it is ok."""
    next_run_is_ok(house, lateness=LAUNCH_WITHIN)
    known = {process.pid for process in children(victim)}
    hit("browser")
    end, killed = time.monotonic() + 3 * LAUNCH_WITHIN, False
    while not killed:
        assert time.monotonic() < end
        for process in children(victim):
            if process.pid not in known:
                _kill_if_there(process)
                killed = True
        time.sleep(0.001)  # there is no event for the birth of a process
    next_run_is_ok(house, lateness=2 * LAUNCH_WITHIN)


def test_browser_hangs_while_idle(house):
    """SIGSTOP: the next run waits until it is given up, and is ok on another; nobody is charged."""
    next_run_is_ok(house, lateness=LAUNCH_WITHIN)
    hit("browser", signal.SIGSTOP)
    record = next_run_is_ok(house, lateness=HANG_BOUND + LAUNCH_WITHIN)
    assert record.harm is None
    assert "no page could be opened in 8 s" in house.supervisor.last_loss


def test_driver_hangs_while_idle(house):
    """The same for Playwright's own process, which must be killed as well."""
    next_run_is_ok(house, lateness=LAUNCH_WITHIN)
    hit("driver", signal.SIGSTOP)
    record = next_run_is_ok(house, lateness=HANG_BOUND + 6 + LAUNCH_WITHIN)
    assert record.harm is None


@pytest.mark.parametrize("victim", ["browser", nightly("driver")])
def test_hangs_during_a_run(house, victim):
    """The deadline holds: what does not answer is killed."""

    async def hangs(run, url):
        hit(victim, signal.SIGSTOP)  # before all that could last until the deadline by itself
        await run.page.goto(url)

    record = house.survives(hangs, Outcome.timed_out, timeout=2, kept=False)
    assert record.harm is not None


def test_hangs_for_a_moment(house):
    """A browser that goes on before the deadline has cost nothing but the time."""

    async def hangs(run, url):
        hit("browser", signal.SIGSTOP)
        hit_later("browser", signal.SIGCONT, 1)
        await run.page.goto(url)
        return await run.page.inner_text("a")

    house.survives(hangs, Outcome.ok, timeout=20)


@pytest.mark.parametrize("how", ["chrome://crash", "kill"])
def test_renderer_crashes(house, how):
    """A page whose process dies ends its run as `crashed`; the browser lives on."""

    async def crashes(run, url):
        await run.page.goto(url)
        if how == "kill":
            hit("renderer")
        else:
            with contextlib.suppress(Exception):
                await run.page.goto(how)
        await trio.sleep(30)

    house.survives(crashes, CRASHED, timeout=40)
    assert house.held < 10


def test_gpu_process_crashes(house):
    """The browser starts another one; the run does not notice."""

    async def goes_on(run, url):
        await run.page.goto(url)
        hit("gpu-process")
        await trio.sleep(0.5)
        await run.page.screenshot()
        return await run.page.inner_text("a")

    house.survives(goes_on, Outcome.ok, timeout=20)


@pytest.mark.parametrize("service", ["network", "storage"])
def test_service_process_crashes(house, service):
    """So it does for the processes of its network and its storage."""

    async def goes_on(run, url):
        await run.page.goto(url)
        killed = []
        for process in children("utility"):
            if any(f"utility-sub-type={service}." in part for part in process.cmdline()):
                process.kill()
                killed.append(process)
        await trio.to_thread.run_sync(psutil.wait_procs, killed, 10)
        await trio.sleep(0.5)
        await run.page.goto(url)
        return await run.page.inner_text("a")

    house.survives(goes_on, Outcome.ok, timeout=20)
