"""The clocks: one contract for all of them, then what the virtual and the scaled do by themselves.

`test_wall_clock.py` has what is the wall clock's alone.
"""

from __future__ import annotations

import gc
import math
import time
from functools import partial

import attrs
import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from muxd.clock import (
    TOLERANCE,
    ClockJump,
    Readings,
    ScaledClock,
    WallClock,
    read_clocks,
)
from muxd.testing import VirtualClock


class Machine:
    """The machine's clocks, with a hand on them: real readings, shifted as a jump would."""

    def __init__(self):
        self.stepped = self.slept = 0.0

    def read(self):
        real = read_clocks()
        return Readings(
            wall=real.wall + self.stepped + self.slept,
            boot=real.boot + self.slept,
            awake=real.awake,
        )

    def step(self, seconds):
        self.stepped += seconds

    def suspend(self, seconds):
        self.slept += seconds


@attrs.frozen
class Subject:
    """A clock under the contract, and the hand on it that makes its time jump."""

    clock: object
    hand: object


def wall():
    # The kernel's timer can't be made to ring by a test, so a hand needs the sliced sleep.
    machine = Machine()
    return Subject(WallClock(read=machine.read, kernel_timer=False), machine)


def virtual():
    clock = VirtualClock()
    return Subject(clock, clock)


def scaled(speed, subject):
    return Subject(ScaledClock(speed, subject.clock), subject.hand)


SUBJECTS = {
    "wall": wall,
    "virtual": virtual,
    "scaled wall": lambda: scaled(60, wall()),
    "slow wall": lambda: scaled(0.25, wall()),
    "scaled virtual": lambda: scaled(60, virtual()),
    "twice scaled virtual": lambda: scaled(3, scaled(7, virtual())),
}
KERNEL = {
    "kernel timer": WallClock,
    "scaled kernel timer": partial(ScaledClock, 60),
}


@pytest.fixture(params=SUBJECTS)
async def subject(request):
    """Every clock in turn, with a hand on it; in real time, since two of them know no other."""
    with trio.fail_after(20):
        yield SUBJECTS[request.param]()


@pytest.fixture(params=SUBJECTS | KERNEL)
async def clock(request):
    """Every clock in turn."""
    with trio.fail_after(20):
        if request.param in KERNEL:
            yield KERNEL[request.param]()
        else:
            yield SUBJECTS[request.param]().clock


async def test_contract_sleeps_until_the_instant(clock):
    """`sleep_until` returns None at the instant: never before, and soon after."""
    for real_seconds in (0.02, 0.001):
        began = time.monotonic()
        t = clock.now() + real_seconds * clock.speed
        assert await clock.sleep_until(t) is None
        assert clock.now() >= t
        assert real_seconds - 0.001 <= time.monotonic() - began < real_seconds + 2


async def test_contract_an_instant_gone_by_needs_no_sleep(clock):
    """An instant that has come is returned from at once, yet is a checkpoint and cancellable."""
    t = clock.now()
    for gone in (t, t - 86400, 0.0, -1.0, -math.inf):
        with trio.testing.assert_checkpoints():
            assert await clock.sleep_until(gone) is None
    with trio.CancelScope() as scope:
        scope.cancel()
        await clock.sleep_until(t)
    assert scope.cancelled_caught


async def test_contract_speed_is_what_time_runs_at(clock):
    """Timetable time passes at `speed` seconds a real second, and `real` maps it back."""
    before, t, began = time.monotonic(), clock.now(), time.monotonic()
    real = clock.real(t)
    await clock.sleep_until(t + 0.1 * clock.speed)
    least, passed, ended = time.monotonic() - began, clock.now() - t, time.monotonic()
    assert least - 0.05 <= passed / clock.speed <= ended - before + 0.05
    assert clock.real(t + 10 * clock.speed) - real == pytest.approx(10, abs=1e-5)


async def test_contract_not_a_number_is_refused(clock):
    """NaN is no instant."""
    with pytest.raises(ValueError, match="nan"):
        await clock.sleep_until(math.nan)


async def test_contract_cancelled_sleepers_wake(clock):
    """A sleep, even one without end, ends when it is cancelled, and can be begun again."""
    for t in (math.inf, clock.now() + 1e6, 1e300):
        with trio.move_on_after(0.01) as scope:
            await clock.sleep_until(t)
        assert scope.cancelled_caught
    assert await clock.sleep_until(clock.now()) is None


@pytest.mark.parametrize(("seconds", "kind"), [(3600, "step"), (-3600, "step"), (7200, "sleep")])
async def test_contract_a_jump_ends_the_sleep_with_a_report(subject, seconds, kind):
    """Whoever sleeps when time jumps is told, within a second, how far and why; others sleep on."""
    clock, hand = subject.clock, subject.hand
    reports, late = [], []

    async def sleeper(t):
        reports.append(await clock.sleep_until(t))

    for _ in range(3):  # who is kept from the processor is told late: not three times
        reports.clear()
        async with trio.open_nursery() as nursery:
            began, t = time.monotonic(), clock.now()
            nursery.start_soon(sleeper, t + 60 * clock.speed)  # gone by after the jump, or far away
            nursery.start_soon(sleeper, math.inf)
            await trio.testing.wait_all_tasks_blocked()
            jumped_at = time.monotonic()
            (hand.step if kind == "step" else hand.suspend)(seconds)
        late.append(time.monotonic() - jumped_at)
        assert [report.kind for report in reports] == [kind, kind]
        for report in reports:
            assert report.seconds == pytest.approx(seconds * clock.speed, abs=0.01 * clock.speed)
        passed = seconds + time.monotonic() - began
        assert clock.now() - t == pytest.approx(passed * clock.speed, abs=0.5 * clock.speed)
        if late[-1] < 1 + 0.5:
            break
    assert min(late) < 1 + 0.5


async def test_contract_a_jump_between_two_sleeps_is_reported_once(subject):
    """A jump that comes while its task is not asleep is the next sleep's; then time is normal."""
    clock, hand = subject.clock, subject.hand
    await clock.sleep_until(0)
    hand.step(-600)
    jump = await clock.sleep_until(0)
    assert jump is not None
    assert jump.kind == "step"
    assert jump.seconds == pytest.approx(-600 * clock.speed, abs=0.01 * clock.speed)
    assert await clock.sleep_until(0) is None


async def test_contract_a_sleep_and_a_step_are_two_reports(subject):
    """A machine that wakes with a wrong clock: the sleep is reported, then the step."""
    clock, hand = subject.clock, subject.hand
    await clock.sleep_until(0)
    hand.suspend(3600)
    hand.step(-3600)
    jumps = [await clock.sleep_until(0) for _ in range(3)]
    assert [jump and jump.kind for jump in jumps] == ["sleep", "step", None]
    assert [round(jump.seconds / clock.speed) for jump in jumps if jump] == [3600, -3600]


async def test_contract_a_cancelled_sleep_loses_no_report(subject):
    """If the sleep is cancelled as time jumps, the task's next sleep has the report."""
    clock, hand = subject.clock, subject.hand
    await clock.sleep_until(0)
    hand.step(600)
    with trio.CancelScope() as scope:
        scope.cancel()
        await clock.sleep_until(0)
    assert scope.cancelled_caught
    jump = await clock.sleep_until(0)
    assert jump is not None
    assert jump.kind == "step"


async def test_contract_what_was_before_the_first_sleep_is_no_jump(subject):
    """A task that has never slept is not told what happened before."""
    subject.clock.now()
    subject.hand.step(600)
    assert await subject.clock.sleep_until(0) is None


async def test_contract_small_steps_are_reported_when_they_add_up(subject):
    """Steps within the tolerance end no sleep, and are reported together once they exceed it."""
    clock, hand = subject.clock, subject.hand
    await clock.sleep_until(0)
    small = TOLERANCE * 0.7
    hand.step(small)
    t = clock.now() + 0.01 * clock.speed
    assert await clock.sleep_until(t) is None
    assert clock.now() >= t
    hand.step(small)
    jump = await clock.sleep_until(0)
    assert jump is not None
    assert jump.seconds == pytest.approx(2 * small * clock.speed, abs=0.01 * clock.speed)


async def test_contract_tasks_that_end_leave_nothing_behind(clock):
    """What is kept for each sleeping task goes with it."""
    while not hasattr(clock, "_watches"):
        clock = clock._base
    before = len(clock._watches)
    async with trio.open_nursery() as nursery:
        for _ in range(50):
            nursery.start_soon(clock.sleep_until, 0)
    await trio.testing.wait_all_tasks_blocked()
    gc.collect()
    assert len(clock._watches) <= before + 1


async def test_virtual_days_pass_in_no_time(autojump_clock):
    """Under `autojump_clock` the virtual clock is exact, and a month takes no real time."""
    clock = VirtualClock(start=1_000_000_000)
    began = time.monotonic()
    for day in range(1, 31):
        assert await clock.sleep_until(1_000_000_000 + day * 86400) is None
        assert clock.now() == 1_000_000_000 + day * 86400
    assert time.monotonic() - began < 5
    scaled_clock = ScaledClock(60, clock)
    t = clock.now()
    assert await scaled_clock.sleep_until(scaled_clock.now() + 3600) is None
    assert clock.now() == t + 60


async def test_a_virtual_step_back_makes_a_sleeper_wait_longer(autojump_clock):
    """After a step back of ten minutes the same instant is ten minutes farther away."""
    clock = VirtualClock()
    t = clock.now() + 60
    async with trio.open_nursery() as nursery:

        async def sleeper():
            assert await clock.sleep_until(t) == ClockJump(-600, "step")
            assert trio.current_time() - began == 30
            assert await clock.sleep_until(t) is None
            assert trio.current_time() - began == 660

        began = trio.current_time()
        nursery.start_soon(sleeper)
        await trio.sleep(30)
        clock.step(-600)


async def test_virtual_alarms_do_not_pile_up(autojump_clock):
    """A sleep that ended, at its instant or by cancellation, leaves no alarm in the virtual clock."""
    clock = VirtualClock()
    for _ in range(3):
        await clock.sleep_until(clock.now() + 1)
        with trio.move_on_after(1):
            await clock.sleep_until(math.inf)
    assert not clock._alarms


async def test_a_machine_can_not_sleep_backwards():
    """A virtual sleep of negative length is refused."""
    with pytest.raises(ValueError, match="-1"):
        VirtualClock().suspend(-1)


@given(
    speed=st.floats(0.01, 10_000),
    ahead=st.floats(0, 1e8),
    origin=st.none() | st.floats(1e9, 2e9),
)
def test_scaled_sleep_never_ends_early_by_rounding(speed, ahead, origin):
    """However speed and instant round, at the base clock's instant the scaled one is not before. It
    begins with what it is told to."""

    async def main():
        base = VirtualClock()
        clock = ScaledClock(speed, base, origin=origin)
        assert clock.now() == (base.now() if origin is None else origin)
        t = clock.now() + ahead
        assert await clock.sleep_until(t) is None
        assert clock.now() >= t
        assert clock.now() == pytest.approx(t, abs=1e-4 * max(speed, 1))

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


@pytest.mark.parametrize("speed", [0, -1, math.inf, math.nan])
async def test_a_senseless_speed_is_refused(speed):
    """A speed must be finite and above 0."""
    with pytest.raises(ValueError, match="speed must be"):
        ScaledClock(speed)
