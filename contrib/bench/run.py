"""What a run through the whole daemon costs, beside plain Playwright in one browser.

    python contrib/bench/run.py [--rounds 40] [--json FILE]

C is plain Playwright: one browser, a page for each job. D has a context for each job. The two of muxd
are daemons with default settings whose job has the session ``main`` or ``fresh``: from the release
to the record on disk, as a sink hears of it. All do the same job (`_bench.py`) by turns, in an order
that changes with each round; C is there twice: how far the second is from 1 shows how far a ratio can
be trusted.

Printed are the median time, the median of the ratios to C's in the same round with its quartiles, the
CPU time of Python, driver and browser over all rounds by the number of jobs, so with all that is done
between two jobs, and memory (PSS, all processes) at the end.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
from pathlib import Path

from _bench import CONTESTANTS, interleaved, memory, open_site, ratios

AGAIN = "C again"


def measure(names: list[str], rounds: int) -> dict[str, dict[str, float]]:
    """Let them take turns; what each costs, by name."""
    with contextlib.ExitStack() as stack:
        url = stack.enter_context(open_site())
        entered = {
            name: stack.enter_context(CONTESTANTS["C" if name == AGAIN else name](url))
            for name in names
        }
        costs = interleaved(entered, rounds)
        sizes = {name: memory(contestant.pid) for name, contestant in entered.items()}
    return {
        name: {
            "ms": 1000 * statistics.median(costs[name].walls),
            "cpu_ms": 1000 * costs[name].cpu,
            "memory_mb": sizes[name] / 1e6,
            **ratios(costs[name], costs["C"]),
        }
        for name in names
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--rounds", type=int, default=40, help="how many (default: 40)")
    parser.add_argument("--json", type=Path, help="write the numbers there, too")
    options = parser.parse_args()
    found = measure(["C", AGAIN, *[name for name in CONTESTANTS if name != "C"]], options.rounds)
    for name, numbers in found.items():
        print(
            f"{name:10} {numbers['ms']:6.1f} ms, {numbers['wall']:.2f} x C "
            f"({numbers['wall_low']:.2f} to {numbers['wall_high']:.2f}); "
            f"CPU {numbers['cpu_ms']:6.1f} ms, {numbers['cpu']:.2f} x C; "
            f"{numbers['memory_mb']:.0f} MB"
        )
    if options.json is not None:
        options.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
