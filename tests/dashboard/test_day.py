"""What the dashboard remembers between two looks."""

from __future__ import annotations

import attrs
import pytest
import trio

from muxd.builtin._dashboard import day as module
from muxd.builtin._dashboard.day import Day
from muxd.builtin._dashboard.life import Life
from muxd.events import BrowserDown, BrowserUp, EventsMissing, RunEnded

from .conftest import shown
from .pretend import NOON


def ended(daemon, number, at=NOON):
    return attrs.evolve(
        daemon.records[0], id=f"02new{number}", released_at=at, started_at=at, ended_at=at + 5
    )


async def tell(daemon, *events):
    for event in events:
        daemon.bus.publish(event)
    await trio.testing.wait_all_tasks_blocked()


async def test_what_ends_is_there_at_the_next_look(daemon):
    """Whether the ledger was read before or not, each run is there once."""
    async with shown(daemon) as client:
        day = client.dashboard._day
        late = [ended(daemon, n) for n in range(3)]
        await daemon.store.write(late[0])
        await tell(daemon, RunEnded(at=NOON, record=late[0]))
        before = len(await day.since(0))
        assert before == len(daemon.records) + 1
        await daemon.store.write(late[1])
        await tell(daemon, RunEnded(at=NOON, record=late[1]))
        found = await day.since(0)
        assert len(found) == before + 1
        assert len({bar.id for bar in found}) == len(found)
        assert found[-1].id == "02new1"


async def test_missed_events_are_made_up_for(daemon):
    """A dashboard that was not told everything asks the ledger."""
    async with shown(daemon) as client:
        day = client.dashboard._day
        before = len(await day.since(0))
        await daemon.store.write(ended(daemon, 1))
        assert len(await day.since(0)) == before
        await tell(daemon, EventsMissing(at=NOON, count=7))
        assert len(await day.since(0)) == before + 1


async def test_it_remembers_so_many(daemon, monkeypatch):
    """The newest: memory is bounded, whatever a day brings."""
    monkeypatch.setattr(module, "MOST", 100)
    async with daemon.store.open():
        await daemon.remember()
        day = Day(daemon)
        assert len(await day.since(0)) <= module.PAGE
        assert len(await day.since(NOON - 600)) < 20


def test_the_memory_of_each_browser_is_a_line_of_its_own():
    """A new one begins anew; what is read of none is nobody's."""
    life = Life()
    life.measured(1.0, 5)
    for number in (1, 2):
        up = 10.0 * number
        life.told(BrowserUp(at=up, generation=number, pid=number, version="v"))
        life.measured(up + 1, 100 * number)
        life.measured(up + 2, None)
        life.told(BrowserDown(at=up + 5, generation=number, reason="died"))
    assert list(life.readings) == [(11.0, 100), (15.0, 0), (21.0, 200), (25.0, 0)]
    first, second = life.generations
    assert (first.runs, first.most, first.down, first.reason) == (2, 100, 15.0, "died")
    assert second.most == 200


@pytest.mark.parametrize("path", ["/", "/browser"])
async def test_what_happens_is_on_the_page(daemon, path):
    """A browser's coming and going, once told, is shown."""
    async with shown(daemon) as client:
        await tell(daemon, BrowserUp(at=NOON - 9, generation=7, pid=99, version="v"))
        await tell(daemon, BrowserDown(at=NOON - 4, generation=7, reason="killed by a test"))
        daemon.told["browser"] = daemon.status()["browser"] | {
            "up": False, "last_loss": "killed by a test"
        }  # fmt: skip
        text = (await client.get(path)).text
        assert "killed by a test" in text
        assert "The browser is gone" in text
