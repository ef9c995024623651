"""How many runs of a job went together, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from muxd.cli.output import duration_text, harmless
from muxd.sizes import format_size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from muxd.soak import Soak

__all__ = ["print_soak"]

MOST = 5
"""How many kinds of what runs left are named."""


def print_soak(soak: Soak) -> None:
    """Print it, and the lines to copy."""
    outcomes = ", ".join(f"{count} {outcome}" for outcome, count in soak.outcomes.items())
    click.echo(f"\n{soak.runs} runs: {outcomes}")
    for line in _lines(soak):
        click.echo(harmless(line))
    if soak.duration is None:
        click.echo("too few ended well to say which duration and timeout the job should have")
        return
    click.echo("\nfor muxd.toml, if the job does not say so itself:\n")
    for line in _table(soak):
        click.echo(line)


def _lines(soak: Soak) -> Iterator[str]:
    if (known := soak.durations) is not None:
        yield (
            f"durations: p50 {duration_text(known.p50)}, p95 {duration_text(known.p95)} (of those that "
            f"ended well), longest {duration_text(soak.longest)}"
        )
    for what, counts in (("left", soak.left), ("harm", soak.harms)):
        for text, count in list(counts.items())[:MOST]:
            yield f"{what}: {text} ({count} of {soak.runs} runs)"
    if not soak.left:
        yield "left: nothing"
    if soak.memory:
        grown = "" if soak.growth is None else f", {_signed(round(soak.growth))} a run once warm"
        first, last = format_size(soak.memory[0]), format_size(soak.memory[-1])
        yield f"browser: {first} after the first run, {last} after the last{grown}"
    if soak.outcomes.get("timed_out"):
        yield "some met their timeout: look at one with `muxd history show` before you set another"


def _table(soak: Soak) -> Iterator[str]:
    yield f"[jobs.{_key(soak.job)}]"
    yield f'duration = "{soak.duration}"'
    if soak.timeout is not None:
        yield f'timeout = "{soak.timeout}"'


def _key(name: str) -> str:
    return name if "." not in name else f'"{name}"'


def _signed(size: int) -> str:
    return f"-{format_size(-size)}" if size < 0 else f"+{format_size(size)}"
