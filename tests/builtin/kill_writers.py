"""Kills writers of a ledger: ``kill_writers.py DIRECTORY KILLS SEED``.

Prints the ids of all records whose writing was acknowledged. Each writer is a fork that first
checks that everything acknowledged before it was born is there.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path

import trio
from test_ledger_crashes import integrity, written

from muxd.builtin.ledger import Ledger


async def write_until_killed(directory: Path, first: int, known: list[str], to: int) -> None:
    """Write pairs of records, acknowledging each pair with a line."""
    async with Ledger(directory).open() as ledger:
        for run_id in known:
            assert await ledger.get(run_id) == written(run_id), f"lost {run_id}"
        os.write(to, b"ready\n")
        for number in range(first, first + 10_000):
            await ledger.write(written(f"a-{number}"), written(f"b-{number}"))
            os.write(to, f"{number}\n".encode())


def one_life(directory: Path, first: int, known: list[str], least: int, delay: float) -> list[str]:
    """Start a writer, kill it `delay` seconds after so many writes; gives what it acknowledged."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(reading)
            trio.run(write_until_killed, directory, first, known, writing)
        finally:
            os._exit(1)
    os.close(writing)
    with os.fdopen(reading, "rb") as lines:
        ready, *told = [lines.readline() for _ in range(1 + least)]  # however slow the disk is
        time.sleep(delay)
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        assert ready == b"ready\n"
        assert os.WTERMSIG(status) == signal.SIGKILL
        numbers = [int(line) for line in (*told, *lines) if line.endswith(b"\n")]
    return [f"{half}-{number}" for number in numbers for half in "ab"]


def main(directory: Path, kills: int, seed: int) -> None:
    """Kill that many writers, looking at the file after each."""
    rng = random.Random(seed)
    acknowledged: list[str] = []
    latest: list[str] = []
    for life in range(kills):
        latest = one_life(directory, life * 10_000, latest, life % 3, rng.uniform(0, 0.03))
        acknowledged += latest
        if life % 2:  # the other half leave the dead writer's journal to the next writer
            assert integrity(directory / "ledger.sqlite3") == "ok"
    sys.stdout.write("\n".join(acknowledged))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
