"""Looking on at a run: as often as once a second, however many look."""

from __future__ import annotations

import attrs
import trio

from muxd.looking import Looking
from muxd.runner import Runner
from muxd.testing import FakePages


@attrs.frozen
class Running:
    id: str


class Page:
    def __init__(self, takes=0.1):
        self.looks, self.takes, self.run = 0, takes, Running("a")

    async def look(self):
        self.looks += 1
        await trio.sleep(self.takes)
        return b"%d" % self.looks

    def looking(self):
        return Looking(self.look, lambda: self.run)


async def test_many_who_look_cost_one_picture_a_second(autojump_clock):
    """Ten of them for ten seconds: about ten pictures; and none when nobody looks."""
    page = Page()
    looking = page.looking()

    async def look_on():
        for _ in range(50):
            assert await looking.look()
            await trio.sleep(0.2)

    async with trio.open_nursery() as nursery:
        for _ in range(10):
            nursery.start_soon(look_on)
    took = trio.current_time()
    assert took / 1.2 - 1 <= page.looks <= took / 1.0
    before = page.looks
    await trio.sleep(100)
    assert page.looks == before


async def test_a_run_that_has_ended_is_not_shown(autojump_clock):
    """Not its last picture, not one that was being taken; nor another's in its place."""
    page = Page()
    looking = page.looking()
    assert await looking.look("a") == b"1"
    assert await looking.look("b") is None
    page.run = Running("b")
    assert await looking.look() == b"2"
    async with trio.open_nursery() as nursery:
        found = []

        async def look():
            found.append(await looking.look())

        await trio.sleep(2)
        nursery.start_soon(look)
        await trio.sleep(0.05)
        page.run = None
    assert found == [None]
    assert await looking.look() is None


async def test_a_page_that_shows_nothing_is_not_asked_by_each_in_turn(autojump_clock):
    """Ten who look at a page that hangs wait a second together, not one after another."""
    page = Page(takes=1.0)
    page.look = _nothing(page)
    looking = Looking(page.look, lambda: page.run)
    async with trio.open_nursery() as nursery:
        for _ in range(10):
            nursery.start_soon(looking.look)
    assert trio.current_time() <= 1.1


def _nothing(page):
    async def look():
        page.looks += 1
        await trio.sleep(1.0)

    return look


async def test_a_source_without_pictures_has_none():
    """A runner at rest, and pages that can't be seen: None, and no error."""
    async with trio.open_nursery() as nursery:
        assert await Runner(None, nursery, real_now=lambda: 0.0).look() is None
    pages = FakePages()
    async with pages.lease("main") as lease:
        assert await pages.look(lease) is None
