"""The wall clock by itself: the kernel's timer, what stands in for it, and what counts as a jump."""

from __future__ import annotations

import asyncio
import math
import os
import sys
import time

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from muxd import _timerfd
from muxd.clock import TOLERANCE, Readings, ScaledClock, WallClock, read_clocks

linux = pytest.mark.skipif(sys.platform != "linux", reason="timerfd is Linux's")


class Machine:
    """The machine's clocks, and a hand on them that sets the wall's."""

    stepped = 0.0

    def read(self):
        real = read_clocks()
        return Readings(wall=real.wall + self.stepped, boot=real.boot, awake=real.awake)


INSTANTS = st.floats(-1e6, 1e6)


@given(awake=st.floats(0, 1e6), slept=st.just(0) | st.floats(1, 1e6), stepped=st.just(0) | INSTANTS)
def test_the_reports_add_up_to_what_happened(awake, slept, stepped):
    """From the readings alone: reported sleep and steps are those that happened, to the tolerance."""
    readings = [Readings(1e9, 1e5, 1e4)]
    clock = WallClock(read=lambda: readings[-1], kernel_timer=False)

    async def main():
        await clock.sleep_until(0)
        readings.append(Readings(1e9 + awake + slept + stepped, 1e5 + awake + slept, 1e4 + awake))
        totals = {"sleep": 0.0, "step": 0.0}
        for _ in range(3):
            jump = await clock.sleep_until(0)
            if jump is None:
                break
            assert abs(jump.seconds) > TOLERANCE
            totals[jump.kind] += jump.seconds
        assert jump is None
        assert totals["sleep"] == pytest.approx(slept, abs=1e-5)
        assert totals["step"] == pytest.approx(stepped, abs=TOLERANCE + 1e-5)

    trio.run(main)


def open_files():
    return len(os.listdir("/proc/self/fd"))


@linux
@pytest.mark.parametrize("opener", ["open_timerfd", "open_by_ctypes"])
async def test_kernel_timer_rings_at_its_instant_and_frees_its_descriptor(opener, monkeypatch):
    """By the standard library or by ctypes: never early, and no descriptor stays, cancelled or not."""
    monkeypatch.setattr(_timerfd, "open_timerfd", getattr(_timerfd, opener))
    clock = WallClock()
    before = open_files()
    with trio.fail_after(10):
        for _ in range(20):
            t = time.time() + 0.002
            assert await clock.sleep_until(t) is None
            assert time.time() >= t
            with trio.move_on_after(0.001):
                await clock.sleep_until(math.inf)
    assert open_files() == before


@linux
async def test_the_wall_clock_waits_for_the_kernel_and_polls_nothing(monkeypatch):
    """While the wall clock sleeps, trio wakes for nothing: there is no deadline and no reading."""
    readings = []
    clock = WallClock(read=lambda: readings.append(1) or read_clocks())
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(clock.sleep_until, time.time() + 3600)
            await trio.testing.wait_all_tasks_blocked()
            looked = len(readings)
            seconds = trio.lowlevel.current_statistics().seconds_to_next_deadline
            await trio.sleep(0.6)
            assert len(readings) == looked
            assert seconds > 5  # fail_after's, not a slice's
            nursery.cancel_scope.cancel()


@linux
async def test_a_ring_makes_the_sleeper_look_at_once(monkeypatch):
    """When the kernel's timer rings before its time, as it does when the clock is set, the jump is
    found at once."""
    machine = Machine()
    rung = trio.Event()

    class Alarm(_timerfd.WallAlarm):
        async def wait(self):
            await rung.wait()

    monkeypatch.setattr("muxd.clock.WallAlarm", Alarm)
    clock = WallClock(read=machine.read)
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:

            async def sleeper():
                jump = await clock.sleep_until(math.inf)
                assert jump is not None
                assert jump.seconds == pytest.approx(-50, abs=0.1)

            nursery.start_soon(sleeper)
            await trio.testing.wait_all_tasks_blocked()
            machine.stepped -= 50
            rung.set()


@linux
async def test_a_jump_between_arming_and_reading_is_found(monkeypatch):
    """The alarm is armed before the clocks are read, so that no jump falls between the two."""
    machine = Machine()
    clock = WallClock(read=machine.read)
    await clock.sleep_until(0)

    class Alarm(_timerfd.WallAlarm):
        def __init__(self, deadline):
            machine.stepped += 600  # the last moment before it is armed
            super().__init__(deadline)

    monkeypatch.setattr("muxd.clock.WallAlarm", Alarm)
    with trio.fail_after(5):
        jump = await clock.sleep_until(math.inf)
    assert jump is not None
    assert jump.kind == "step"


@pytest.mark.parametrize("error", [OSError(38, "no such call"), OSError(24, "too many files")])
async def test_without_a_kernel_timer_it_sleeps_in_slices(error, monkeypatch):
    """Where no kernel timer is to be had the clock works all the same, and notices jumps."""

    def refuse(_deadline):
        raise error

    monkeypatch.setattr(_timerfd, "open_timerfd", refuse)
    machine = Machine()
    clock = WallClock(read=machine.read, kernel_timer=True)
    with trio.fail_after(10):
        t = clock.now() + 0.6
        assert await clock.sleep_until(t) is None
        assert clock.now() >= t
        machine.stepped += 100
        assert (await clock.sleep_until(math.inf)) is not None


@linux
@pytest.mark.parametrize("failing", ["timerfd_settime", "both"])
def test_ctypes_failures_are_errors_and_leak_nothing(failing, monkeypatch):
    """A C library without the calls, or a kernel that refuses one, gives OSError and no open file."""

    class Libc:
        timerfd_create = staticmethod(_timerfd._libc().timerfd_create)

        @staticmethod
        def timerfd_settime(*_args):
            _timerfd.ctypes.set_errno(22)
            return -1

    monkeypatch.setattr(_timerfd, "_libc", lambda: object() if failing == "both" else Libc)
    before = open_files()
    with pytest.raises(OSError, match=r"timerfd"):
        _timerfd.open_by_ctypes(1)
    assert open_files() == before


@linux
def test_a_clock_set_while_the_timer_is_armed_is_no_failure(monkeypatch):
    """ECANCELED from arming means that the timer is armed and the clock was set: both are dealt with."""

    class Libc:
        timerfd_create = staticmethod(_timerfd._libc().timerfd_create)

        @staticmethod
        def timerfd_settime(*_args):
            _timerfd.ctypes.set_errno(125)
            return -1

    monkeypatch.setattr(_timerfd, "_libc", lambda: Libc)
    os.close(_timerfd.open_by_ctypes(1))


def test_it_works_in_a_guest_run():
    """With trio as a guest of asyncio the clocks sleep and wake as they do without."""

    async def main():
        with trio.fail_after(10):
            for clock in (WallClock(), WallClock(kernel_timer=False), ScaledClock(60)):
                t = clock.now() + 0.01 * clock.speed
                assert await clock.sleep_until(t) is None
                assert clock.now() >= t

    async def host():
        loop = asyncio.get_running_loop()
        ended = loop.create_future()
        trio.lowlevel.start_guest_run(
            main,
            run_sync_soon_threadsafe=loop.call_soon_threadsafe,
            done_callback=ended.set_result,
            host_uses_signal_set_wakeup_fd=True,
        )
        (await ended).unwrap()

    asyncio.run(host())


def test_the_machines_clocks_are_read_together():
    """The real readings are near Unix time, and their differences hold still from one to the next."""
    first, second = read_clocks(), read_clocks()
    assert first.wall == pytest.approx(time.time(), abs=5)
    assert second.awake >= first.awake
    assert second.wall - second.awake == pytest.approx(first.wall - first.awake, abs=0.05)
    assert second.boot - second.awake == pytest.approx(first.boot - first.awake, abs=0.05)
