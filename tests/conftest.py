"""What all tests share: in which order they come, and what spares time without proving less."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

LONGEST = (
    "tests/e2e/test_guard.py",
    "tests/e2e/test_commands.py",
    "tests/e2e/test_daemon.py",
    "tests/faults/test_world.py",
    "tests/faults/test_ending.py",
    "tests/faults/test_pages.py",
    "tests/faults/test_processes.py",
    "tests/browser/test_leaks_real.py",
    "tests/test_guard.py",
    "tests/faults/test_starting.py",
    "tests/faults/test_bodies.py",
    "tests/browser/test_generation.py",
    "tests/browser/test_hostile_bodies.py",
    "tests/e2e/test_ledger.py",
)
"""Files that take a minute or more: begun first, so that none is at work alone at the end."""
LAST = ("tests/simulation/test_promises.py", "tests/simulation/test_mutants.py")
"""Files of many tests that need nothing but the processor: whoever has nothing else to do takes one."""
ALIKE = (
    *(
        f"tests/slotting/test_{name}.py"
        for name in (
            "contract", "crowding", "infeasible", "many", "oracles", "pictures", "response", "solve",
            "stability",
        )
    ),
    "tests/builtin/test_ledger_crashes.py",
    "tests/builtin/test_ledger_damage.py",
    "tests/builtin/test_ledger_stateful.py",
    "tests/cli/test_completion.py",
    "tests/cli/test_doctor.py",
    "tests/cli/test_import.py",
    "tests/cli/test_plan.py",
    "tests/cli/test_plan_crontab.py",
    "tests/cli/test_plugins_commands.py",
    "tests/cli/test_simulate.py",
    "tests/cli/test_top.py",
    "tests/dashboard/test_pages.py",
    "tests/telling/test_notifier.py",
    "tests/telling/test_ways.py",
    "tests/test_civil.py",
    "tests/test_docs.py",
    "tests/test_gaps.py",
    "tests/test_guard.py",
    "tests/test_layers.py",
    "tests/test_replan.py",
    "tests/test_slotter_plugins.py",
    "tests/test_tutorial.py",
    "tests/upkeep/test_recycling.py",
)  # fmt: skip
"""Files of tests that are the same on every Python, and take long enough to be spared on others."""


def pytest_configure():
    # Playwright's driver then keeps what Node has compiled of it: a fifteenth of a daemon's life.
    kept = Path(__file__).parents[1] / ".pytest_cache" / "node"
    os.environ.setdefault("NODE_COMPILE_CACHE", str(kept))


def pytest_collection_modifyitems(items):
    """The longest files first."""
    places = {path: place for place, path in enumerate(LONGEST)}
    places |= dict.fromkeys(LAST, len(LONGEST) + 1)
    items.sort(key=lambda item: places.get(_file(item.nodeid), len(LONGEST)))
    for item in items:
        if _file(item.nodeid) in ALIKE:
            item.add_marker(pytest.mark.long)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """With `--dist loadfile` a file stays together, but for those whose tests share nothing."""
    from xdist.scheduler import LoadFileScheduling

    class Files(LoadFileScheduling):
        def _split_scope(self, nodeid):
            return nodeid if _file(nodeid) in LAST else _file(nodeid)

    if config.getvalue("dist") != "loadfile":
        return None
    config.option.loadscopereorder = False  # it would begin with the files of most tests
    return Files(config, log)


def _file(nodeid):
    return nodeid.partition("::")[0]
