"""What a watch remembers, whatever becomes of its runs. No browser."""

from __future__ import annotations

import copy

from muxd_watch.looking import Seen
from muxd_watch.memory import Memory
from muxd_watch.options import WatchOptions


class Life:
    """Runs of one job: what they save stays, their state only if they end well."""

    def __init__(self):
        self.state, self.tables = {}, {}

    def run(self):
        """A new run."""
        return Run(self)


class Run:
    """One run, as far as a memory needs it."""

    def __init__(self, life):
        self.life, self.state, self.data = life, copy.deepcopy(life.state), self

    async def rows(self, table, *, limit):
        """As `JobData.rows`."""
        return list(self.life.tables.get(table, {}).values())

    async def save(self, rows, *, key, table):
        """As `Run.save`."""
        self.life.tables.setdefault(table, {}).update({row[key]: row for row in rows})

    def ends_well(self):
        """Its state is kept."""
        self.life.state = self.state


def watch(**options):
    return WatchOptions(name="it", url="http://x/", **options)


async def test_a_run_that_does_not_end_well_changes_nothing():
    """What counts, and what is to be confirmed, are kept where the next run does not write: after any
    number of runs that fail after they wrote, both are still what they were."""
    life, options = Life(), watch(what="visual", confirm=3)
    run = life.run()
    assert await Memory(run, options).before() is None
    await Memory(run, options).keep(Seen(picture=b"old"), told=True)
    run.ends_well()
    run = life.run()
    await Memory(run, options).wait_for("v", 1, Seen(picture=b"new"))
    run.ends_well()
    for n in range(5):
        memory = Memory(life.run(), options)
        assert (await memory.before()).picture == b"old"
        assert (await memory.pending_seen()).picture == b"new"
        assert memory.pending.times == 1
        if n % 2:
            await memory.keep(Seen(picture=b"lost"))
        else:
            await memory.wait_for("v", 2, Seen(picture=b"lost"))
    assert len(life.tables["seen"]) == 3


async def test_other_options_or_lost_data_begin_anew():
    """A watch that looks at something else compares nothing with what it saw before, nor does one whose
    data somebody has deleted; how often it looks, and what it tells, are no such change."""
    life = Life()
    run = life.run()
    await Memory(run, watch()).keep(Seen(text="a"), told=True)
    run.ends_well()
    assert (await Memory(life.run(), watch(interval="5m", confirm=2)).before()).text == "a"
    assert await Memory(life.run(), watch(select="main")).before() is None
    life.tables.clear()
    assert await Memory(life.run(), watch()).before() is None


async def test_nothing_is_remembered_as_nothing():
    """That a part of the page is not there is kept as that, and what was told of a number stays."""
    life, options = Life(), watch(select="p", missing="empty")
    run = life.run()
    await Memory(run, options).keep(Seen(is_there=False))
    assert await Memory(run, options).before() == Seen(is_there=False)
    life, options = Life(), watch(what="number", select="p", change="5%")
    run = life.run()
    await Memory(run, options).keep(Seen(number=5), told=True)
    await Memory(run, options).keep(Seen(number=6))
    memory = Memory(run, options)
    assert ((await memory.before()).number, memory.told) == (6, 5)
