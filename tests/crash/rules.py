"""What must hold in a ledger after any death, checked row by row as other programs see it."""

from __future__ import annotations

import contextlib
import re
import shutil
import sqlite3
import tempfile
from collections import defaultdict
from itertools import pairwise

SHARED = re.compile(r": (\d+) releases, from .* share this record$")
"""What says so, where many that were missed are in one record."""
QUERY = (
    "SELECT id, job, cause, attempt, first_id, released_us, started_us, ended_us, outcome, "
    "error_type, error FROM runs ORDER BY id"
)
CUT_OFF = "muxd.errors.RunCutOff"


class Broken(AssertionError):
    """A rule does not hold."""


def rows_of(path):
    """All rows as dictionaries by their ids; the file must be whole.

    They are read from a copy: the next life is to find things as the dead one left them.
    """
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        for part in ("", "-wal", "-journal"):
            with contextlib.suppress(FileNotFoundError):
                shutil.copy(f"{path}{part}", f"{folder}/copy{part}")
        file = stack.enter_context(contextlib.closing(sqlite3.connect(f"{folder}/copy")))
        check = file.execute("PRAGMA integrity_check").fetchall()
        hold(check == [("ok",)], f"the file is damaged: {check}")
        file.row_factory = sqlite3.Row
        return {row["id"]: dict(row) for row in file.execute(QUERY)}


def hold(condition, said):
    """Raise `Broken` unless it does."""
    if not condition:
        raise Broken(said)


def check_witnessed(rows, told):
    """Whatever was told to have been written is there."""
    for what, run_id, *more in told:
        row = rows.get(run_id)
        hold(row is not None, f"{what} was told of run {run_id}, which is not in the ledger")
        if what == "written":
            outcome, started = more
            hold(not outcome or row["outcome"] == outcome, f"{outcome} was told of {row}")
            hold(not started or row["started_us"] is not None, f"a start was told of {row}")
        elif what == "RunStarted":
            hold(row["started_us"] is not None, f"a start was told of {row}")
        elif what == "RunEnded":
            hold(row["outcome"] is not None, f"an end was told of {row}")


def check_final(before, rows):
    """A run that has an outcome is never changed, and none disappears."""
    for run_id, row in before.items():
        hold(run_id in rows, f"{row} disappeared")
        if row["outcome"] is not None:
            hold(rows[run_id] == row, f"{row} was changed to {rows[run_id]}")


def is_owed(row):
    """Whether it waits to be caught up with."""
    return row["outcome"] is None and row["cause"] == "catch_up" and row["started_us"] is None


def check_recovered(before, rows):
    """What a life found unfinished has an outcome when it has recovered, unless it is owed."""
    for run_id, row in before.items():
        if row["outcome"] is None and not is_owed(row):
            hold(rows[run_id]["outcome"] is not None, f"{rows[run_id]} was not recovered")


def check_order(rows):
    """A run starts after its release and ends after its start, and one runs at a time."""
    ran = []
    for row in rows.values():
        released, started, ended = (row[f"{what}_us"] for what in ("released", "started", "ended"))
        hold(started is None or started >= released, f"started before its release: {row}")
        hold(ended is None or ended >= released, f"ended before its release: {row}")
        hold(None in (started, ended) or ended >= started, f"ended before its start: {row}")
        hold((ended is None) == (row["outcome"] is None), f"an end and no outcome: {row}")
        if started is not None:
            ran.append(row)
    running = [row for row in ran if row["outcome"] is None]
    hold(len(running) <= 1, f"two runs are under way: {running}")
    ran.sort(key=lambda row: row["started_us"])
    for one, next_one in pairwise(ran):
        # When a run ended that a death cut off, nobody saw.
        if one["outcome"] is not None and one["error_type"] != CUT_OFF:
            over = one["ended_us"] <= next_one["started_us"]
            hold(over, f"two runs at once: {one} and {next_one}")


def check_tries(rows, jobs):
    """A further try has a first one, is made once, and only of what is to be tried again."""
    tries = defaultdict(list)
    for row in rows.values():
        if row["cause"] == "retry":
            tries[row["first_id"]].append(row)
        else:
            hold(row["attempt"] == 1 and row["first_id"] is None, f"not a first try: {row}")
    for first_id, later in tries.items():
        hold(first_id in rows, f"tries of a run that isn't there: {later}")
        chain = sorted((rows[first_id], *later), key=lambda row: row["attempt"])
        attempts = [row["attempt"] for row in chain]
        hold(attempts == list(range(1, len(chain) + 1)), f"tried more than once at a time: {chain}")
        job = jobs[chain[0]["job"]]
        hold(len(chain) <= 1 + max(job.retries, 1), f"tried too often: {chain}")
        for row in chain[:-1]:
            hold(row["outcome"] not in (None, "ok"), f"tried again without need: {chain}")
            if row["outcome"] == "interrupted" and row["started_us"] is not None:
                hold(job.on_interrupt == "retry", f"tried again, although it may do harm: {chain}")


def check_slots(rows, jobs, *, since, until):
    """Each release of the timetable has one record: by job, and the instant it was meant for.

    Args:
      rows: all of them.
      jobs: by name.
      since: when there was the first timetable, Unix seconds.
      until: releases before this must be there; None: what is there must have no gaps.
    """
    found = defaultdict(list)
    for row in rows.values():
        if row["cause"] in ("slot", "catch_up"):
            shared = SHARED.search(row["error"] or "")
            step = jobs[row["job"]].interval * 1_000_000
            found[row["job"]] += (
                row["released_us"] + number * step
                for number in range(int(shared[1]) if shared else 1)
            )
    for name, job in jobs.items():
        instants = sorted(found[name])
        hold(len(set(instants)) == len(instants), f"a release of {name} has two records")
        step, phase = job.interval * 1_000_000, job.preferred_phase * 1_000_000
        for at in instants:
            hold(at % step == phase, f"{name} was released outside its slot, at {at}")
        for one, next_one in pairwise(instants):
            hold(
                next_one - one == step, f"releases of {name} between {one} and {next_one} are lost"
            )
        if until is None:
            continue
        first = (-(-(since * 1e6 - phase) // step)) * step + phase
        if first < (until * 1e6):
            hold(instants and instants[0] <= first, f"the first release of {name} is lost")
            hold(instants[-1] + step >= until * 1e6, f"the last releases of {name} are lost")
