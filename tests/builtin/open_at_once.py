"""Processes that open one new ledger at the same instant: ``open_at_once.py DIRECTORY ROUNDS``.

In each round four make, open and write it, and two read it. Exits 0 if none of them failed.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import trio
from test_ledger_crashes import written

from muxd.builtin.ledger import Ledger

WRITERS = 4
READERS = 2


async def write(directory: Path, number: int) -> None:
    """Write ten records, each in a transaction of its own."""
    async with Ledger(directory, patience=30).open() as ledger:
        for at in range(10):
            await ledger.write(written(f"{number}-{at}"))


async def read(directory: Path, number: int) -> None:
    """Open it for reading again and again."""
    for _ in range(10):
        async with Ledger(directory, patience=30).open(readonly=True) as ledger:
            await ledger.history()


def one_round(directory: Path) -> int:
    """Let them go all at once; gives how many failed."""
    directory.mkdir()
    waiting, go = os.pipe()
    children = []
    for number in range(WRITERS + READERS):
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                os.close(go)
                os.read(waiting, 1)  # ends when the parent closes the other end
                trio.run(write if number < WRITERS else read, directory, number)
                code = 0
            except Exception as error:
                sys.stdout.write(f"{error!r}\n")
                sys.stdout.flush()
            finally:
                os._exit(code)
        children.append(pid)
    os.close(waiting)
    os.close(go)
    return sum(os.waitpid(pid, 0)[1] != 0 for pid in children)


if __name__ == "__main__":
    sys.exit(sum(one_round(Path(sys.argv[1], str(at))) for at in range(int(sys.argv[2]))))
