"""What blocking costs and saves, by each way to do it.

    python contrib/bench/blocking.py [--rounds 30]

One browser loads muxd's sample page (20 pictures, 2 fonts, 3 scripts, a style sheet) with an empty
cache; the ways take turns within each round, in an order that changes, and each is compared with the
bare load of its own round. That is there twice: how far the second is from 1 shows how far a ratio can
be trusted. "nothing that it loads" is what stopping costs a page of which nothing is blocked.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

from _bench import shuffled

import muxd
from muxd.browser.blocking import Blocking, RoutedBlocking
from muxd.browser.find import find_browser
from muxd.browser.launch import LaunchPlan
from muxd.browser.measuring import Load, measure_load, measured_launch
from muxd.samplepage import open_sample_page

KINDS = ("image", "font", "media")
WAYS: dict[str, tuple[bool, tuple[str, ...]]] = {
    "bare": (False, ()),
    "the same again": (False, ()),
    "kinds, by Chromium": (False, KINDS),
    "kinds, by a route": (True, KINDS),
    "nothing that it loads, by Chromium": (False, ("media", "ads.example", "*.ads.example")),
    "nothing that it loads, by a route": (True, ("media", "ads.example", "*.ads.example")),
}


async def measure(rounds: int, engine: str) -> None:
    """Let all take turns."""
    found: dict[str, list[Load]] = {name: [] for name in WAYS}
    with tempfile.TemporaryDirectory() as folder, open_sample_page() as url:
        plan = LaunchPlan(found=find_browser(engine=engine), profile=Path(folder) / "profile")
        async with measured_launch(plan) as (life, _):
            native = life._blocking
            assert isinstance(native, Blocking)
            for number, order in enumerate(shuffled(WAYS, rounds + 1)):
                for name in order:
                    routed, block = WAYS[name]
                    life._blocking = RoutedBlocking() if routed else native
                    load = await measure_load(life, url, block)
                    if number:  # the first round warms up
                        found[name].append(load)
    bare = found["bare"]
    for name, loads in found.items():
        pairs = list(zip(loads, bare, strict=True))
        wall = statistics.median(own.seconds / base.seconds for own, base in pairs)
        cpu = sum(load.cpu for load in loads) / sum(load.cpu for load in bare)
        memory = statistics.median(own.memory - base.memory for own, base in pairs) / 1e6
        print(f"{name:36} load {wall:5.2f}  CPU {cpu:5.2f}  memory {memory:+6.1f} MB")
    seconds = statistics.median(load.seconds for load in bare)
    cpu_seconds = statistics.mean(load.cpu for load in bare)
    print(f"bare: {seconds:.2f} s, CPU {cpu_seconds:.2f} s")


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--engine", default="chromium")
    given = parser.parse_args()
    muxd.run(measure, given.rounds, given.engine)


if __name__ == "__main__":
    main()
