"""The sixteen jobs as declarations, and the plugin that declares them."""

from __future__ import annotations

from importlib.metadata import entry_points

import pluggy
import pytest
from muxd_demo.plugin import DemoPlugin

from muxd import Section, hookspecs
from muxd.slotting import Demand, solve

INTERVALS = {
    "plan": 3600, "reply": 3600, "learn": 3600, "data_collection": 3600, "news_scraping": 3600,
    "analytics": 1800, "velocity_tracker": 1800, "sync_follower": 1800, "enhanced_metrics": 1800,
    "metrics_scraper": 600, "posting_queue": 300, "attribution": 7200, "real_outcomes": 7200,
    "inbox": 900, "trends": 7200, "session_check": 1200,
}  # fmt: skip
"""The statement's thirteen, and three more."""
TWO_MINUTES_AT_60 = 2 * 3600


@pytest.fixture
def jobs():
    return {job.name: job for job in DemoPlugin().muxd_jobs()}


@pytest.fixture
def timetable(jobs):
    return solve(
        [
            Demand(
                name=job.name,
                interval=job.interval,
                duration=job.slot_duration,
                priority=job.priority,
                preferred_phase=job.preferred_phase,
            )
            for job in jobs.values()
        ]
    )


def test_the_sixteen_have_the_statements_intervals(jobs):
    """Names and intervals are those that the statement gives."""
    assert {name: job.interval for name, job in jobs.items()} == INTERVALS


def test_each_job_says_what_it_does(jobs):
    """Each has one line for people, and more time than it is expected to take."""
    for job in jobs.values():
        assert job.description.endswith("."), job.name
        assert job.duration < job.timeout <= 90, job.name


def test_posting_goes_before_all_else(jobs):
    """What the account says is more urgent than what it measures."""
    first, *others = sorted(jobs.values(), key=lambda job: -job.priority)
    assert first.name == "posting_queue"
    assert first.priority > others[0].priority
    assert len({job.priority for job in jobs.values()}) >= 4


def test_the_set_fits_without_a_collision(timetable):
    """There is a timetable for all sixteen, with room to spare between any two runs."""
    assert timetable.feasible, timetable.warnings
    assert timetable.min_gap >= 20
    assert not timetable.warnings


def test_two_minutes_of_rehearsal_show_every_job(timetable):
    """An hour a minute, any two minutes hold at least 60 runs and each of the sixteen."""
    for start in range(0, TWO_MINUTES_AT_60, 300):
        shown = [slot.name for _, slot in timetable.releases(start, start + TWO_MINUTES_AT_60)]
        assert len(shown) >= 60
        assert set(shown) == set(INTERVALS)


def test_the_entry_point_names_the_plugin():
    """The installed distribution has one entry point in muxd's group: the plugin object."""
    [point] = [each for each in entry_points(group=hookspecs.PROJECT) if each.name == "demo"]
    assert isinstance(point.load(), DemoPlugin)


def test_the_plugin_keeps_to_the_hooks():
    """It registers, every hook in it is one that muxd knows, and they give what they are to give."""
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    plugin = DemoPlugin()
    manager.register(plugin, name="demo")
    manager.check_pending()
    section = Section("demo")
    [jobs] = manager.hook.muxd_jobs(section=section)
    [services] = manager.hook.muxd_services(daemon=None, section=section)
    assert len(list(jobs)) == 16
    assert list(services) == [plugin.site]


def test_two_plugins_share_nothing():
    """Each plugin object has a site of its own: no state hides in a module."""
    assert DemoPlugin().site is not DemoPlugin().site
