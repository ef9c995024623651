"""What muxd promises holds over simulated years in which everything goes wrong."""

from __future__ import annotations

import os

import pytest

from muxd.simulation import simulate

from .scenarios import DAYS, scenario_of, told

SCENARIOS = round(float(os.environ.get("MUXD_SIMULATED_DAYS", "1000")) / DAYS)
PARTS = 20


@pytest.mark.long
@pytest.mark.timeout(0)
@pytest.mark.parametrize("part", range(PARTS))
def test_no_promise_is_broken(part):
    """Over a thousand days, of many sets of jobs, with faults at every step."""
    runs = 0
    for seed in range(part, SCENARIOS, PARTS):
        report = simulate(scenario_of(seed))
        assert not report.broken_count, told(report)
        runs += report.runs
    assert runs > 0 or part >= SCENARIOS
