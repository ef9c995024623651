"""What flags and engines save: a launch, a page, a page load, memory.

    python contrib/bench/launching.py [--rounds 6] [VARIANT]...

Each variant is a browser of its own, launched anew in each round; they take turns in an order that
changes, and each is compared with the bare one of its own round. That is there twice: how far the
second is from 1 shows how far a ratio can be trusted. The page is muxd's sample page, loaded three
times with an empty cache.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
from _bench import shuffled

import muxd
from muxd.browser.find import find_browser
from muxd.browser.launch import LaunchPlan
from muxd.browser.measuring import measure_load, measured_launch
from muxd.samplepage import open_sample_page

if TYPE_CHECKING:
    from collections.abc import Iterable

VARIANTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "the bare one": ("chromium", ()),
    "the same again": ("chromium", ()),
    "headless shell": ("headless-shell", ()),
    "no spare renderer": (
        "chromium",
        ("--disable-features=SpareRendererForSitePerProcess",),
    ),
    "GPU in the browser": ("chromium", ("--in-process-gpu",)),
    "no GPU": ("chromium", ("--disable-gpu",)),
    "no rasterizer": ("chromium", ("--disable-gpu", "--disable-software-rasterizer")),
    "two renderers": ("chromium", ("--renderer-process-limit=2",)),
    "no small services": (
        "chromium",
        (
            "--disable-features=Translate,AutofillServerCommunication,CertificateTransparency"
            "ComponentUpdater,GlobalMediaControls,DialMediaRouteProvider,InterestFeedContentSuggestions",
        ),
    ),
    "network in the browser": ("chromium", ("--enable-features=NetworkServiceInProcess2",)),
    "small disk cache": ("chromium", ("--disk-cache-size=10000000",)),
    "no pictures": ("chromium", ("--blink-settings=imagesEnabled=false",)),
}
LOADS = 3


async def once(engine: str, args: tuple[str, ...], url: str) -> dict[str, float]:
    """One life of one variant."""
    with tempfile.TemporaryDirectory() as folder:
        found = find_browser(engine=engine)
        plan = LaunchPlan(found=found, profile=Path(folder) / "profile", args=args)
        async with measured_launch(plan) as (life, launch):
            loads = [await measure_load(life, url, ()) for _ in range(LOADS)]
    first = attrs.asdict(launch)
    return {
        "launch": first["seconds"],
        "page": first["main_page"],
        "fresh": first["fresh_page"],
        "CPU": first["cpu"],
        "memory": first["memory"],
        "load": statistics.median(load.seconds for load in loads),
        "load CPU": sum(load.cpu for load in loads),
        "then": statistics.median(load.memory for load in loads),
    }


async def measure(names: list[str], rounds: int) -> None:
    """Let all take turns; print after each round."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    with open_sample_page() as url:
        for number, order in enumerate(shuffled(names, rounds), 1):
            for name in order:
                found[name].append(await once(*VARIANTS[name], url))
            print(f"after {number} rounds", flush=True)
            show(found)


def show(found: dict[str, list[dict[str, float]]]) -> None:
    """The bare one in seconds and bytes, the others as ratios to it."""
    bare = found["the bare one"]
    columns = list(bare[0])
    print(f"{'':24}" + "".join(f"{column:>9}" for column in columns))
    values = [middle(each[column] for each in bare) for column in columns]
    print(
        f"{'the bare one':24}"
        + "".join(f"{v / 1e6:7.0f}MB" if v > 1e5 else f"{v:8.2f}s" for v in values)
    )
    for name, rounds in found.items():
        if rounds is bare:
            continue
        pairs = zip(rounds, bare, strict=True)
        ratios = [{column: own[column] / base[column] for column in columns} for own, base in pairs]
        print(
            f"{name:24}"
            + "".join(f"{middle(r[column] for r in ratios):9.2f}" for column in columns)
        )


def middle(values: Iterable[float]) -> float:
    """The median."""
    return statistics.median(values)


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("variants", nargs="*", metavar="VARIANT", help=", ".join(VARIANTS))
    parser.add_argument("--rounds", type=int, default=6)
    given = parser.parse_args()
    names = [
        "the bare one",
        *(name for name in given.variants or VARIANTS if name != "the bare one"),
    ]
    muxd.run(measure, names, given.rounds)


if __name__ == "__main__":
    main()
