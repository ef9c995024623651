"""Parts of pages, which plugins use too."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from muxd.pageparts import MARKS, badge, moment, run_badge
from muxd.record import Outcome


@pytest.mark.parametrize("outcome", Outcome)
def test_each_outcome_has_a_sign_of_its_own(outcome):
    """Who can't tell colours apart can tell outcomes apart."""
    assert f"{MARKS[outcome]}</span> {outcome.replace('_', ' ')}</span>" in badge(outcome)
    assert len(set(MARKS.values())) == len(Outcome)


def test_what_others_wrote_is_text():
    """Neither a word nor an id can become HTML."""
    evil = '"><script>'
    page = badge(evil, evil) + run_badge({"id": evil, "outcome": evil}, evil)
    assert "<script" not in page
    assert "/runs/%22%3E%3Cscript%3E" in page


def test_a_run_leads_to_its_page():
    """What has not ended says so, and has no link."""
    assert run_badge({"id": "r1", "outcome": "timed_out"}).startswith(
        '<a class="plain" href="/runs/r1"><span class="badge o-timed_out">'
    )
    for run in (None, {}, {"id": "r1", "outcome": None}):
        assert run_badge(run) == '<span class="note">not yet</span>'


def test_moments_are_in_the_zone_of_the_timetable():
    """However an instant is given."""
    shown = '<time datetime="2026-03-01T11:00:00+01:00">2026-03-01 11:00</time>'
    assert moment(1772359200, "Europe/Berlin") == shown
    assert moment("2026-03-01T10:00:00Z", ZoneInfo("Europe/Berlin")) == shown
    assert moment(None, "UTC") == '<span class="note">never</span>'
