"""All side by side: muxd, other ways to run the same job, and the limit of the browser itself.

    make bench
    python contrib/bench/all.py [--rounds 20] [--only NAME ...] [--stampede 16] [--folder DIR] [--keep DIR]

Each contestant first does some jobs alone on the machine, while its memory (PSS, all processes) is
looked at; then all are started and take turns, in an order that changes with each round. Time is the
median, its ratio the median of the ratios to C in the same round; CPU time is that of all processes,
those that have ended too, over all rounds by the number of jobs: what is done between two jobs is in
it. C is there twice: how far the second is from 1 shows how far a ratio can be trusted.

Other tools are installed into environments of their own, which are removed afterwards. What can't be
installed is left out, and named. Results are printed, and written as bench.json and bench.svg.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
from chart import draw
from contestants import BASE, ENTRIES, browser_path
from environments import Environments
from race import race
from rich.console import Console
from rich.table import Table
from stampede import stampede

FOLDER = Path(__file__).resolve().parents[2] / "build" / "bench"


def machine() -> dict[str, Any]:
    """Where it was measured."""
    node = shutil.which("node")
    return {
        "cores": os.cpu_count(),
        "memory_gb": psutil.virtual_memory().total / 1e9,
        "system": platform.freedesktop_os_release()["PRETTY_NAME"],
        "python": platform.python_version(),
        "browser": _said([browser_path(), "--version"]),
        "load": os.getloadavg()[0],
        "node": _said([node, "--version"]).removeprefix("v") if node else None,
    }


def _said(command: list[str]) -> str:
    told = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    return re.sub(r"(?<=\d) .*", "", told.strip())  # with no more than the first number


def show(results: dict[str, Any]) -> None:
    """Print the tables."""
    console = Console()
    table = Table("how the job is run", title=f"{results['rounds']} rounds")
    for title in ("ms", "to C's", "middle half", "CPU ms", "to C's", "MB"):
        table.add_column(title, justify="right")
    for each in sorted(results["contestants"], key=lambda each: -each["wall"]):
        table.add_row(
            each["label"],
            f"{each['ms']:.0f}",
            f"{each['wall']:.2f}",
            f"{each['wall_low']:.2f} - {each['wall_high']:.2f}",
            f"{each['cpu_ms']:.0f}",
            f"{each['cpu']:.2f}",
            f"{each['memory_mb']:.0f}",
            style="green" if each["name"].startswith("muxd") else None,
        )
    console.print(table)
    for name, why in results["left_out"].items():
        console.print(f"left out: {name}: {why}", markup=False)
    if found := results["stampede"]:
        for label, each in (("a browser for each", found["browsers"]), ("muxd", found["muxd"])):
            console.print(
                f"{found['number']} jobs at once, {label}: {each['seconds']:.1f} s, "
                f"{each['memory_mb']:.0f} MB, {each['late']} later than {found['timeout']:g} s"
            )


def main() -> None:
    """Measure, print and write."""
    names = [entry.name for entry in ENTRIES]
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--rounds", type=int, default=20, help="2 or more (default: 20)")
    parser.add_argument(
        "--only", nargs="+", choices=names, default=names, metavar="NAME", help=", ".join(names)
    )
    parser.add_argument(
        "--stampede", type=int, default=16, help="of how many jobs; 0: none (default: 16)"
    )
    parser.add_argument("--folder", type=Path, default=FOLDER, help="(default: build/bench)")
    parser.add_argument("--keep", type=Path, help="keep the environments there, and use them again")
    options = parser.parse_args()
    if options.rounds < 2:
        parser.error("--rounds: 2 or more")
    with contextlib.ExitStack() as stack:
        place = options.keep
        if place is None:
            place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="muxd-bench-")))
        chosen = [entry for entry in ENTRIES if entry.name in {*options.only, BASE}]
        results = {
            "when": time.strftime("%Y-%m-%d"),
            "machine": machine(),
            "rounds": options.rounds,
            **race(chosen, options.rounds, Environments(place.resolve())),
            "stampede": stampede(options.stampede) if options.stampede else None,
        }
    options.folder.mkdir(parents=True, exist_ok=True)
    (options.folder / "bench.json").write_text(json.dumps(results, indent=2) + "\n")
    (options.folder / "bench.svg").write_text(draw(results))
    show(results)
    print(f"written to {options.folder}")


if __name__ == "__main__":
    main()
