"""``muxd plan`` has the plugins' slotters make the timetable, as the daemon does."""

from __future__ import annotations

import importlib.metadata
import json

import pytest

SLOTTER = """
    import muxd
    from muxd.abc import Slotter
    from muxd.slotting import Slot, Timetable

    @muxd.job(interval="30m", duration="40s")
    async def own(run): ...

    class Spaced(Slotter):
        name = "spaced"

        def solve(self, demands, *, fixed, headroom):
            ANSWER
            slots = (Slot.of(d, 100 * (n + 1)) for n, d in enumerate(demands))
            return Timetable(slots=tuple(slots))

    @muxd.hookimpl
    def muxd_slotter():
        HOOK
        return Spaced()
"""
JOBS = """
    import muxd

    @muxd.job(interval="30m", duration="40s")
    async def one(run): ...

    @muxd.job(interval="30m", duration="40s", preferred_phase="7m")
    async def two(run): ...
"""


@pytest.fixture(autouse=True)
def own_jobs_only(write):
    """Plugins that happen to be installed are none of these tests' business."""
    points = importlib.metadata.entry_points(group="muxd")
    write("muxd.toml", f"[plugins]\ndisable = {[p.name for p in points]}")


@pytest.fixture
def plan(muxd, write):
    """Plan two jobs, and one of a plugin with a slotter, into which some lines are put."""
    write("jobs/a_jobs.py", JOBS)

    def plan(*args, answer="pass", hook="pass"):
        write("jobs/spaced.py", SLOTTER.replace("ANSWER", answer).replace("HOOK", hook))
        return muxd("plan", "--jobs-dir", "jobs", "--json", *args)

    return plan


def test_the_plugins_slotter_makes_the_plan(plan):
    """What is shown is what the daemon would have."""
    result = plan()
    assert (result.exit_code, result.stderr) == (0, "")
    assert json.loads(result.stdout)["phases"] == {"one": 100, "own": 200, "two": 300}


def test_it_makes_what_would_be_too(plan):
    """A change is tried with the same slotter."""
    phases = json.loads(plan("--without", "one").stdout)["phases"]
    assert phases == {"own": 100, "two": 200}


@pytest.mark.parametrize("where", ["answer", "hook"])
def test_one_that_raises_is_named_and_passed_over(plan, where):
    """muxd's own makes the plan, without the jobs of the plugin that is left out."""
    result = plan(**{where: "raise RuntimeError('no idea')"})
    assert result.exit_code == 0
    phases = json.loads(result.stdout)["phases"]
    assert set(phases) == {"one", "two"}
    assert phases["two"] == 420
    (line,) = result.stderr.splitlines()
    assert line.startswith("muxd: ")
    assert "spaced" in line
    assert "muxd_slotter" in line
    assert "no idea" in line


def test_one_that_raises_may_be_fatal(plan):
    """With --strict-plugins the command fails."""
    result = plan("--strict-plugins", answer="raise RuntimeError('no idea')")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "no idea" in result.stderr
