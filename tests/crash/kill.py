"""Kills a daemon's core at random instants, starts it again, and checks the ledger each time.

    python -m tests.crash.kill DIRECTORY KILLS SEED

Prints one line; on a broken rule, which, and how to have it happen again (the instants of kills are
never quite the same, so it may take some tries).
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

from tests.crash import rules
from tests.crash.life import begin, jobs_of

AN_AGE = 200
"""After so many kills a new ledger is begun: each check reads all of it."""
TOO_LONG = 20.0
"""Within this time, seconds, a life that was told to stop has ended."""
STILL_DOWN = (0.0,) * 12 + (3.0, 3.0, 15.0, 15.0, 60.0, 200.0)
"""For how long nobody starts it again, in its own seconds."""


class World:
    """One ledger and the lives that wrote it."""

    def __init__(self, directory, seed):
        self.directory, self.rng = directory, random.Random(seed)
        self.jobs = {job.name: job for job in jobs_of(self.rng)}
        self.began, self.skipped = time.monotonic(), 0.0
        self.rows, self.since, self.lives = {}, None, 0

    def live(self, *, orderly):
        """One life, and what must hold after it; returns what it told."""
        self.lives += 1
        self.skipped += self.rng.choice(STILL_DOWN)
        reading, writing = os.pipe()
        seed = self.rng.random()
        child = os.fork()
        if child == 0:
            os.close(reading)
            begin(
                self.directory,
                writing,
                self.directory / "log.txt",
                seed=seed,
                began=self.began,
                skipped=self.skipped,
            )
        os.close(writing)
        told = []
        if orderly or self.rng.random() < 0.7:
            told += _read(reading, until="up")
            time.sleep(3.0 if orderly else self.rng.random() * 0.5)
        else:
            time.sleep(0.003 * 10 ** (self.rng.random() * 2))
        if orderly or self.rng.random() < 0.15:
            os.kill(child, signal.SIGTERM)
            if orderly:
                told += _read(reading)
                ended = _wait(child)
                rules.hold(ended == 0, f"a life that was told to stop ended with {ended}")
            else:
                time.sleep(self.rng.random() * 0.1)
        if not orderly:
            os.kill(child, signal.SIGKILL)
            told += _read(reading)
            _wait(child)
        os.close(reading)
        self._check(told)
        return told

    def _check(self, told):
        planned = [line[1] for line in told if line[0] == "planned"]
        if self.since is None and planned:
            self.since = planned[0]
        ledger = self.directory / "ledger.sqlite3"
        if not ledger.exists():
            rules.hold(not self.rows, "the ledger disappeared")
            return
        try:
            rows = rules.rows_of(ledger)
        except rules.sqlite3.OperationalError as error:
            # It was killed before the tables were made.
            rules.hold(not self.rows and "no such table" in str(error), f"{error}")
            return
        runs = [
            line for line in told if line[0] in ("written", "RunReleased", "RunStarted", "RunEnded")
        ]
        rules.check_witnessed(rows, runs)
        rules.check_final(self.rows, rows)
        if any(line[0] == "recovered" for line in told):
            rules.check_recovered(self.rows, rows)
        rules.check_order(rows)
        rules.check_tries(rows, self.jobs)
        rules.check_slots(rows, self.jobs, since=self.since, until=None)
        for line in told:
            if line[0] == "over":
                rules.hold(line[1] <= 1, "two runs at once")
                rules.hold(line[2] == 0, "records were not written")
        self.rows = rows

    def end(self):
        """A last life, which is told to stop; then all releases must be there."""
        self.skipped += 150.0
        told = self.live(orderly=True)
        stopped = next(line[1] for line in told if line[0] == "stopping")
        rules.check_slots(self.rows, self.jobs, since=self.since, until=stopped - 15.0)
        waiting = [row for row in self.rows.values() if row["outcome"] is None]
        rules.hold(all(map(rules.is_owed, waiting)), f"left without an outcome: {waiting}")


def _read(pipe, *, until=None):
    """All that is told, up to a word of that name."""
    text = bytearray()
    while chunk := os.read(pipe, 1 << 16):
        text += chunk
        if until is not None and f'["{until}"'.encode() in text and text.endswith(b"\n"):
            break
    return [json.loads(line) for line in bytes(text).split(b"\n")[:-1]]


def _wait(child):
    end = time.monotonic() + TOO_LONG
    while time.monotonic() < end:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    raise rules.Broken(f"a life that was told to stop was still there after {TOO_LONG:g} s")


def main(directory, kills, seed):
    """Kill so often; raises `Broken`."""
    counts = {}
    for age, first in enumerate(range(0, kills, AN_AGE)):
        folder = directory / str(age)
        folder.mkdir()
        world = World(folder, f"{seed}/{age}")
        for _ in range(min(AN_AGE, kills - first)):
            world.live(orderly=False)
        world.end()
        for row in world.rows.values():
            key = f"{row['cause']} {row['outcome']}"
            counts[key] = counts.get(key, 0) + 1
    return counts


if __name__ == "__main__":
    where, number, chance = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    begun_at = time.monotonic()
    try:
        report = main(where, number, chance)
    except rules.Broken as broken:
        sys.exit(
            f"{broken}\nagain: python -m tests.crash.kill DIRECTORY {number} {chance}   ({where})"
        )
    took = time.monotonic() - begun_at
    counted = {"kills": number, "seed": chance, "seconds": round(took, 1), **report}
    sys.stdout.write(json.dumps(counted) + "\n")
