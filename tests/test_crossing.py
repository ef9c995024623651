"""What is trio's, awaited in tasks of asyncio's."""

from __future__ import annotations

import asyncio
import contextvars

import pytest
import trio
import trio.lowlevel

import muxd
from muxd.body.data import here
from muxd.crossing import across

NAME = contextvars.ContextVar("NAME", default="nobody")


def carry_out(body):
    return muxd.run(muxd.bridged(body))


def test_it_gives_what_it_gives_and_raises_what_it_raises():
    """In the same thread, and in the context of who asks; several at a time."""

    async def wait(seconds):
        assert trio.lowlevel.in_trio_task()
        await trio.sleep(seconds)
        return NAME.get(), seconds

    async def fail():
        await trio.lowlevel.checkpoint()
        raise LookupError("no")

    async def child(name, seconds):
        NAME.set(name)
        return await across(lambda: wait(seconds))

    async def body():
        found = await asyncio.gather(child("a", 0.02), child("b", 0.01))
        with pytest.raises(LookupError, match="no"):
            await asyncio.create_task(across(fail))
        return found

    assert carry_out(body) == [("a", 0.02), ("b", 0.01)]


def test_who_is_cancelled_takes_it_along():
    """Nothing goes on for nobody."""
    over = trio.Event()

    async def forever():
        try:
            await trio.sleep_forever()
        finally:
            over.set()

    async def body():
        task = asyncio.create_task(across(forever))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with trio.fail_after(10):
            await over.wait()

    carry_out(body)


def test_where_trio_is_there_it_is_just_awaited():
    """And where there is none, that is said."""

    async def one():
        await trio.lowlevel.checkpoint()
        return trio.lowlevel.current_task()

    async def body():
        assert await here(one) is trio.lowlevel.current_task()

    carry_out(body)
    with pytest.raises(RuntimeError, match="must be called from async context"):
        asyncio.run(across(one))
