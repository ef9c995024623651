"""What muxd promises holds over simulated years in which everything goes wrong."""

from __future__ import annotations

import pytest

from muxd.simulation import simulate

from .scenarios import DAYS, scenario_of, told

SIMULATED = 1000
"""Days. The nightly run simulates a hundred times as many (`make nightly`)."""
PARTS = 20


@pytest.mark.long
@pytest.mark.timeout(0)
@pytest.mark.parametrize("part", range(PARTS))
def test_no_promise_is_broken(part):
    """Over a thousand days, of many sets of jobs, with faults at every step."""
    runs = 0
    for seed in range(part, round(SIMULATED / DAYS), PARTS):
        report = simulate(scenario_of(seed))
        assert not report.broken_count, told(report)
        runs += report.runs
    assert runs > 0
