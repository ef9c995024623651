"""A plugin's slotter makes the timetable; one that fails is left out and named, and muxd's takes over."""

from __future__ import annotations

import asyncio
import threading
from textwrap import dedent

import pytest
import trio
from structlog.testing import capture_logs

from muxd.bus import Bus
from muxd.config import Config, PluginsConfig, SlottingConfig
from muxd.discovery import BUILTINS
from muxd.errors import PluginError
from muxd.planner import Planner
from muxd.planning import make_timetable, slot_with
from muxd.plugins import BrokenPlugins, load_plugins
from muxd.slotting import Timetable, solve
from muxd.testing import MemoryStore

JOBS = """
import muxd

@muxd.job(interval="30m", duration="40s")
async def one(run): ...

@muxd.job(interval="30m", duration="40s")
async def two(run): ...

@muxd.job(interval="1h", duration="40s", preferred_phase="10m", pinned=True)
async def pin(run): ...
"""
SLOTTER = """
import muxd
from muxd.abc import Slotter
from muxd.slotting import Slot, Timetable

class Spaced(Slotter):
    "A job every so many seconds, in the order of their names; pins where they are."
    name = "spaced"

    def solve(self, demands, *, fixed, headroom):
        return Timetable(slots=tuple(
            Slot.of(demand, demand.wish if demand.pinned else {step} * (n + 1))
            for n, demand in enumerate(demands)
        ))

@muxd.hookimpl
def muxd_slotter():
    return Spaced()
"""
RAISES = """
import muxd
from muxd.abc import Slotter

class Lost(Slotter):
    name = "lost"

    def solve(self, demands, *, fixed, headroom):
        raise RuntimeError("I have lost my way")

@muxd.hookimpl
def muxd_slotter():
    return Lost()
"""
SPACED = {"one": 100, "pin": 600, "two": 300}
"""By `SLOTTER` with a step of 100; the demands come by name."""


@pytest.fixture
def load(tmp_path):
    """Load plugins from files of a jobs directory, and muxd's own; nothing that is installed."""

    def load(*, strict=False, **sources):
        directory = tmp_path / "jobs"
        directory.mkdir()
        for name, source in sources.items():
            (directory / f"{name}.py").write_text(dedent(source), "utf-8")
        config = Config(plugins=PluginsConfig(jobs_dirs=(directory,), strict=strict))
        return load_plugins(config, entry_points=(), builtins=BUILTINS)

    return load


async def planned(plugins, store=None):
    """The timetable that the daemon would have in force."""
    store = store or MemoryStore()
    with trio.fail_after(20), capture_logs() as logs:
        async with store.open():
            planner = Planner(plugins, store, Bus(), SlottingConfig())
            await planner.begin()
            phases = await store.phases()
    for slot in planner.timetable.slots:
        assert phases[slot.name] == (slot.interval, slot.phase)
    return planner.timetable, logs


def of_muxd(plugins):
    return make_timetable(plugins.jobs, slot=solve).phases


async def test_a_plugins_slotter_makes_the_daemons_timetable(load):
    """A file in a jobs directory with a slotter comes before muxd's own."""
    plugins = load(jobs=JOBS, slots=SLOTTER.format(step=100))
    table, logs = await planned(plugins)
    assert table.phases == SPACED
    assert logs == []
    assert plugins.problems == ()


def test_it_makes_any_timetable_of_the_plugins(load):
    """`slot_with` of what the plugins offer is what a timetable is made with."""
    plugins = load(jobs=JOBS, slots=SLOTTER.format(step=100))
    assert [plugin for plugin, _ in plugins.slotters()] == ["slots", "muxd.slotter"]
    table = make_timetable(plugins.jobs, slot=slot_with(plugins.slotters(), pytest.fail))
    assert table.phases == SPACED


async def test_without_one_muxd_has_its_own(load):
    """Nobody offers one: the phases are those of muxd's solver."""
    plugins = load(jobs=JOBS)
    table, _ = await planned(plugins)
    assert table.phases == of_muxd(plugins)


async def test_one_that_raises_is_left_out_and_named(load):
    """muxd's own takes over; the problem has the plugin, the hook and the error, and is logged."""
    plugins = load(jobs=JOBS, lost=RAISES)
    table, logs = await planned(plugins)
    assert table.feasible
    assert table.phases == of_muxd(plugins)
    (problem,) = plugins.problems
    assert isinstance(problem, PluginError)
    assert (problem.plugin, problem.hook) == ("lost", "muxd_slotter")
    assert "I have lost my way" in str(problem)
    assert [(log["log_level"], log["event"]) for log in logs] == [("error", str(problem))]
    assert {p.name: p.state for p in plugins.found}["lost"] == "left out"


async def test_one_that_breaks_the_first_law_is_left_out_too(load):
    """A timetable in which a pinned job is elsewhere is refused, and says which."""
    wild = SLOTTER.format(step=100).replace("demand.wish if demand.pinned else ", "")
    plugins = load(jobs=JOBS, wild=wild)
    table, _ = await planned(plugins)
    assert table.phases == of_muxd(plugins)
    (problem,) = plugins.problems
    assert problem.plugin == "wild"
    assert "job 'pin' is pinned to 600 and not there" in str(problem)


async def test_the_next_plugin_is_asked_before_muxd(load):
    """Of two plugins with a slotter the second makes the timetable when the first fails."""
    plugins = load(a_lost=RAISES, b_spaced=SLOTTER.format(step=100), jobs=JOBS)
    table, _ = await planned(plugins)
    assert table.phases == SPACED
    assert [problem.plugin for problem in plugins.problems] == ["a_lost"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("raise RuntimeError('not today')", "not today"),
        ("return 'first fit'", "returned 'first fit', not a muxd.abc.Slotter"),
    ],
)
async def test_a_hook_that_fails_is_left_out(load, body, words):
    """A hook that raises, or returns something else, costs its own plugin only."""
    hook = f"import muxd\n\n@muxd.hookimpl\ndef muxd_slotter():\n    {body}\n"
    plugins = load(jobs=JOBS, bad=hook)
    table, _ = await planned(plugins)
    assert table.phases == of_muxd(plugins)
    (problem,) = plugins.problems
    assert words in str(problem)


async def test_a_hook_may_decline(load):
    """A plugin that returns None has no slotter to offer today, and that is no fault."""
    plugins = load(
        jobs=JOBS, modest="import muxd\n\n@muxd.hookimpl\ndef muxd_slotter():\n    return None\n"
    )
    table, logs = await planned(plugins)
    assert table.phases == of_muxd(plugins)
    assert (plugins.problems, logs) == ((), [])


async def test_where_broken_plugins_are_fatal_so_is_a_broken_slotter(load):
    """With ``plugins.strict`` the daemon does not start."""
    plugins = load(jobs=JOBS, lost=RAISES, strict=True)
    with pytest.raises(BrokenPlugins, match="I have lost my way"):
        await planned(plugins)


class Ends:
    """A slotter that raises."""

    def __init__(self, error):
        self.error = error

    def solve(self, demands, *, fixed, headroom):
        raise self.error


class Muxds:
    def solve(self, demands, *, fixed, headroom):
        return Timetable(slots=())


@pytest.mark.parametrize("error", [SystemExit(0), asyncio.CancelledError(), GeneratorExit()])
def test_whatever_a_slotter_raises_it_is_left_out(error):
    """Also an exit, which would end `muxd plan` without a word and with code 0."""
    failed = {}
    slot = slot_with([("p", Ends(error)), ("muxd.slotter", Muxds())], failed.__setitem__)
    assert slot([], fixed={}, headroom=0.5).slots == ()
    assert failed == {"p": error}


def test_ctrl_c_while_muxd_solves_is_no_slotters_fault():
    """In the main thread it ends the command."""
    slot = slot_with([("muxd.slotter", Ends(KeyboardInterrupt()))], pytest.fail)
    with pytest.raises(KeyboardInterrupt):
        slot([], fixed={}, headroom=0.5)


def test_a_slotter_that_hangs_is_left_out():
    """It is left to itself after its bound, and the next one is asked; the last one has no bound."""
    free = threading.Event()

    class Hangs:
        def solve(self, demands, *, fixed, headroom):
            free.wait(60)

    failed = {}
    slotters = [("p", Hangs()), ("muxd.slotter", Muxds())]
    slot = slot_with(slotters, failed.__setitem__, bound=0.2)
    try:
        assert slot([], fixed={}, headroom=0.5).slots == ()
        assert slot([], fixed={}, headroom=0.5).slots == ()
        assert not free.is_set()
    finally:
        free.set()
    assert [(name, str(error)) for name, error in failed.items()] == [
        ("p", "its slotter took longer than 200ms")
    ]
