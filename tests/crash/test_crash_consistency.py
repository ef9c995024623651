"""Killed at any instant, over and over, a daemon's core loses no release and tells no lies.

The real scheduler, channel, worker, runner, book and ledger (a file, each write synchronised), with
pages of nothing, on a clock fifty times as fast as real. ``MUXD_CRASHES`` says how often it is killed,
``MUXD_SEED`` by which chance.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
import trio

pytestmark = pytest.mark.long

KILLS = int(os.environ.get("MUXD_CRASHES", "200"))
SEED = int(os.environ.get("MUXD_SEED", random.randrange(10**6)))
AT_ONCE = 2
ROOT = Path(__file__).parents[2]


async def kill(directory, kills, seed):
    """Have one program kill so often; returns what it counted."""
    directory.mkdir()
    command = [sys.executable, "-m", "tests.crash.kill", str(directory), str(kills), str(seed)]
    done = await trio.run_process(
        command, cwd=ROOT, capture_stdout=True, stderr=subprocess.STDOUT, check=False
    )
    assert done.returncode == 0, done.stdout.decode()
    return json.loads(done.stdout)


async def test_no_kill_breaks_what_the_ledger_promises(tmp_path):
    """After each of hundreds of kills and at the end all rules hold, see `tests/crash/rules.py`.

    What a witness outside was told of before the kill is in the ledger, whole; what had an outcome
    keeps it; what had none gets one at the next start; runs don't overlap; further tries are made
    once, and only where that is wanted; and each release of the timetable, also those that passed
    while nobody was there, has exactly one record.
    """
    found = {}
    with trio.fail_after(120 + 2 * KILLS):
        async with trio.open_nursery() as nursery:

            async def part(number):
                counted = await kill(tmp_path / str(number), KILLS // AT_ONCE, SEED + number)
                for kind, count in counted.items():
                    found[kind] = found.get(kind, 0) + count

            for number in range(AT_ONCE):
                nursery.start_soon(part, number)
    # It was no idle test: all that there is happened, and many times.
    for kind in ("slot ok", "slot missed", "slot interrupted", "slot coalesced", "catch_up ok"):
        assert found[kind] > KILLS / 20, found
    for kind in ("manual ok", "manual interrupted", "slot failed", "slot empty"):
        assert found[kind] > KILLS / 50, found
