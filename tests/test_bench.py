"""The benchmarks' own sums, and that docs/performance.md shows what was measured."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import attrs
import pytest

BENCH = Path(__file__).parent.parent / "contrib" / "bench"


@pytest.fixture
def bench(monkeypatch):
    """The modules of contrib/bench that these tests ask for."""
    monkeypatch.syspath_prepend(str(BENCH))
    names = ("chart", "environments", "flat")
    return SimpleNamespace(**{name: importlib.import_module(name) for name in names})


def test_the_page_shows_what_was_measured(bench):
    """The table and the picture of docs/performance.md are those of the results beside them."""
    results = json.loads(bench.chart.RESULTS.read_text("utf-8"))
    page = bench.chart.PAGE.read_text("utf-8")
    assert bench.chart.page_with(results, page) == page
    assert bench.chart.table(results) in page
    assert bench.chart.RESULTS.with_suffix(".svg").read_text("utf-8") == bench.chart.draw(results)


def samples(flat, level, *, every=100, launch_at=None):
    """Fifty of them; `level` says how much memory a browser takes that has made so many runs."""
    found = []
    for number in range(1, 51):
        runs = number * every
        phase = runs % launch_at if launch_at else runs
        found.append(
            flat.Sample(
                runs=runs,
                generation=runs // launch_at if launch_at else 0,
                phase=phase,
                python=60_000_000,
                driver=100_000_000,
                browser=round(level(runs, phase)),
                handles=50,
                processes=13,
                temporary=10,
            )
        )
    return found


def failed(flat, seen, seconds):
    return [verdict.what for verdict in flat.judge(seen, seconds) if not verdict.holds]


def test_what_recycling_frees_is_flat(bench):
    """A browser that grows and is recycled is flat if each is as large as the one before it."""
    seen = samples(bench.flat, lambda _, phase: 4e8 + 5e4 * phase, launch_at=1000)
    assert failed(bench.flat, seen, [0.1] * 5000) == []


def test_growth_from_browser_to_browser_is_seen(bench):
    """One that is a little larger than the one before it is not flat, though each is recycled."""
    seen = samples(bench.flat, lambda runs, phase: 4e8 + 5e4 * phase + 1e4 * runs, launch_at=1000)
    assert failed(bench.flat, seen, [0.1] * 5000) == ["memory of browser"]


def test_a_growing_browser_is_seen(bench):
    """One that is never recycled is held to a level line, its warm-up left out."""
    seen = samples(bench.flat, lambda runs, _: 4e8 + 2e4 * runs)
    assert failed(bench.flat, seen, [0.1] * 5000) == ["memory of browser"]
    seen = samples(bench.flat, lambda runs, _: 4e8 - 1e8 * (runs <= 500))
    assert failed(bench.flat, seen, [0.1] * 5000) == []


def test_slower_runs_and_one_more_handle_are_seen(bench):
    """The last runs are compared with the first, and so is all that can be counted."""
    seen = samples(bench.flat, lambda *_: 4e8)
    seen = seen[:25] + [attrs.evolve(each, handles=51, temporary=11) for each in seen[25:]]
    slower = [0.1] * 4500 + [0.106] * 500
    assert failed(bench.flat, seen, slower) == [
        "median time of a run",
        "handles",
        "temporary files",
    ]


def test_what_can_not_be_installed_is_told(bench, monkeypatch, tmp_path):
    """Where there is no node, whoever needs it is left out with that reason; so is a failed command."""
    monkeypatch.setenv("PATH", str(tmp_path))
    environments = bench.environments.Environments(tmp_path)
    with pytest.raises(bench.environments.NotThere, match="there is no node"):
        environments.node("puppeteer-core")
    with pytest.raises(bench.environments.NotThere, match="No package metadata"):
        bench.environments.python_version(sys.executable, "no-such-package")
