"""What a job costs each contestant: time and CPU time by turns, memory alone on the machine."""

from __future__ import annotations

import contextlib
import statistics
import threading
from typing import TYPE_CHECKING, Any

import attrs
import psutil
from _bench import Contestant, interleaved, memory, open_site, ratios
from contestants import BASE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from contestants import Entry
    from environments import Environments

__all__ = ["peak_memory", "race"]

ALONE = 4
"""How many jobs each does while its memory is looked at."""
WARM_UP = 2
"""How many rounds don't count."""
EVERY = 0.2
"""Seconds between two looks at its memory."""


@contextlib.contextmanager
def peak_memory(pid: int) -> Iterator[list[int]]:
    """Watch the memory of a process tree; the list's one number is the most that was seen, bytes."""
    most, over = [0], threading.Event()

    def watch() -> None:
        while not over.is_set():
            with contextlib.suppress(psutil.Error):  # it has ended
                most[0] = max(most[0], memory(pid))
            over.wait(EVERY)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield most
    finally:
        over.set()
        thread.join()


@attrs.frozen
class _Alone:
    """What was found of one that was alone on the machine."""

    peak: int
    software: str


def _alone(entry: Entry, url: str, environments: Environments) -> _Alone:
    with entry.start(url, environments) as contestant:
        contestant.job()
        with peak_memory(contestant.pid) as most:
            for _ in range(max(1, ALONE // entry.jobs)):
                contestant.job()
        return _Alone(most[0], entry.software(environments))


def race(entries: Sequence[Entry], rounds: int, environments: Environments) -> dict[str, Any]:
    """Start each alone, to learn its memory, and then have those that could do the job take turns.

    Returns:
      ``contestants``: the costs of each, ratios to `BASE` in the same round among them; ``left_out``:
      why some did not take part, by name.
    """
    alone: dict[str, _Alone] = {}
    contestants: dict[str, Contestant] = {}
    left_out: dict[str, str] = {}

    @contextlib.contextmanager
    def or_leave_out(entry: Entry) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # of whatever kind: the others are measured all the same
            left_out[entry.name] = f"{type(error).__name__}: {error}"
            print(f"  left out: {left_out[entry.name]}", flush=True)

    with open_site() as url, contextlib.ExitStack() as stack:
        for entry in entries:
            print(f"{entry.label}: installing, and looking at its memory", flush=True)
            with or_leave_out(entry):
                alone[entry.name] = _alone(entry, url, environments)
        for entry in entries:
            if entry.name in alone:
                print(f"{entry.label}: starting", flush=True)
                with or_leave_out(entry):
                    contestants[entry.name] = stack.enter_context(entry.start(url, environments))
        print(f"{rounds} rounds", flush=True)
        costs = interleaved(contestants, rounds, warm_up=WARM_UP)
    present = [entry for entry in entries if entry.name in contestants]
    found = {e.name: attrs.evolve(costs[e.name], cpu=costs[e.name].cpu / e.jobs) for e in present}
    return {
        "contestants": [
            {
                "name": entry.name,
                "label": entry.label,
                "software": alone[entry.name].software,
                "ms": 1000 * statistics.median(found[entry.name].walls),
                "cpu_ms": 1000 * found[entry.name].cpu,
                "memory_mb": alone[entry.name].peak / 1e6,
                **ratios(found[entry.name], found[BASE]),
            }
            for entry in present
        ],
        "left_out": left_out,
    }
