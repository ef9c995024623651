"""Bodies made at random of waits and blocks of both worlds: none upsets trio."""

from __future__ import annotations

import asyncio
import contextlib
import random

import pytest
import trio

from muxd.bridge import Abandoned, Leash, background_errors, bridged, open_nursery, run


@pytest.fixture(params=[True, False], ids=["direct", "by trio"], autouse=True)
def _steps(request, monkeypatch):
    """Everything holds in both ways of making a step."""
    monkeypatch.setattr("muxd.coroutine_driver.DIRECT_STEPS", request.param)


async def _of_asyncio(steps):
    for _kind, seconds, _steps in steps:
        await asyncio.sleep(seconds)


async def _perform(steps, rng):
    """A body made of random waits in random blocks of both worlds."""
    loop = asyncio.get_running_loop()
    for kind, seconds, inner in steps:
        with contextlib.suppress(TimeoutError):
            if kind == "asyncio sleep":
                await asyncio.sleep(seconds)
            elif kind == "trio sleep":
                await trio.sleep(seconds)
            elif kind == "event":
                event = trio.Event()
                loop.call_later(seconds, event.set)
                await event.wait()
            elif kind == "queue":
                queue = asyncio.Queue()
                loop.call_later(seconds, queue.put_nowait, 1)
                await queue.get()
            elif kind == "self":
                asyncio.current_task().cancel()
                try:
                    with contextlib.suppress(asyncio.CancelledError):
                        await trio.sleep(seconds)
                finally:
                    asyncio.current_task().uncancel()
            elif kind == "scope":
                with trio.CancelScope() as scope:
                    scope.cancel()
                    await asyncio.sleep(seconds)
            elif kind == "move on":
                with trio.move_on_after(seconds, shield=rng.random() < 0.3):
                    await _perform(inner, rng)
            elif kind == "timeout":
                async with asyncio.timeout(seconds):
                    await _perform(inner, rng)
            elif kind == "nursery":
                async with open_nursery() as nursery:
                    nursery.start_soon(_perform, inner, rng)
                    await _perform(inner, rng)
            elif kind == "group":
                async with asyncio.TaskGroup() as group:
                    group.create_task(_of_asyncio(inner))
                    await _perform(inner, rng)
            elif kind == "gather":
                await asyncio.gather(_of_asyncio(inner), _of_asyncio(inner))
            elif kind == "bridged":
                await bridged(_perform)(inner, rng)


def _invent(rng, depth):
    leaves = ["asyncio sleep", "trio sleep", "event", "queue", "self", "scope"]
    blocks = ["move on", "timeout", "nursery", "group", "gather", "bridged"]
    steps = []
    for _ in range(rng.randint(1, 4)):
        kind = rng.choice(leaves + 2 * blocks if depth else leaves)
        inner = _invent(rng, depth - 1) if kind in blocks else []
        steps.append((kind, rng.choice([0, 0, 0.001, 0.002]), inner))
    return steps


@pytest.mark.parametrize("seed", range(40))
def test_no_mixture_upsets_trio(seed):
    """Whatever is mixed and cancelled when, the run ends in time, in order and with no error."""
    rng = random.Random(seed)
    steps = _invent(rng, 3)

    async def main():
        with background_errors() as background, trio.fail_after(10):
            with trio.move_on_after(rng.choice([0, 0.001, 0.003, 0.01, 5])):
                await _perform(steps, rng)
            await asyncio.sleep(0)
            await trio.lowlevel.checkpoint()
        assert background.errors == []
        assert asyncio.current_task().cancelling() == 0

    run(main)


@pytest.mark.parametrize("seed", range(40))
def test_no_mixture_can_not_be_let_go(seed):
    """Whatever is mixed, some of it stubborn, and let go when, its task ends and trio goes on."""
    rng = random.Random(seed)
    steps = _invent(rng, 3)

    async def stubborn():
        for _ in range(rng.randint(1, 5)):
            with contextlib.suppress(BaseException):
                await _perform(steps, rng)

    async def main():
        leash = Leash()

        async def hold():
            with contextlib.suppress(Abandoned):
                await leash.run(stubborn)

        with background_errors() as background, trio.fail_after(10):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(hold)
                await trio.sleep(rng.choice([0.001, 0.003, 0.01]))
                leash.let_go()
            await asyncio.sleep(0.01)
        assert background.errors == []
        assert leash.drivers == set()

    run(main)
