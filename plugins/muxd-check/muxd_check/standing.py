"""How a flow does: what the records, and the figures of its checks, say of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import attrs

from muxd import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from muxd import Record
    from muxd.abc import Controlled
    from muxd_check.settings import Flow

__all__ = ["DOWN", "Standing", "standing_of"]

DOWN = (Outcome.failed, Outcome.timed_out, Outcome.empty)
"""What says that the site is down. A lost browser, or a run that was not to be, says nothing of it."""
SPANS = {"24 hours": 86_400.0, "7 days": 604_800.0, "30 days": 2_592_000.0}
"""Of what uptime is told."""
SHOWN = 60
"""How many checks have their figures drawn."""
LOOKED_AT = 50
"""Among how many of the newest runs one is looked for that says something."""


@attrs.frozen(kw_only=True)
class Standing:
    """How a flow does, at one moment."""

    flow: Flow
    is_up: bool | None
    """None: nothing is known yet."""
    newest: Record | None
    """The run that says so."""
    since: float | None
    """When the first run after the last one that said otherwise ended, as far as is known."""
    uptime: Mapping[str, float | None]
    """The share of the checks that found it up, 0 to 1, in each of `SPANS`; None: there were none."""
    bars: Sequence[tuple[int, int]]
    """How many runs there were, and how many good ones, in each part of the longest span."""
    checks: Sequence[Mapping[str, Any]]
    """The figures of the newest checks, oldest first."""

    @property
    def word(self) -> str:
        """In a word."""
        return "not checked yet" if self.is_up is None else "up" if self.is_up else "down"

    def series(self, name: str) -> list[float]:
        """The values of one figure, oldest first."""
        return [float(row[name]) for row in self.checks if row.get(name) is not None]


async def standing_of(daemon: Controlled, flow: Flow) -> Standing:
    """Ask the store and the data file. Raises `MuxdError`: they can't be read."""
    now = time.time()
    store = daemon.store
    recent = await store.history(job=flow.name, limit=LOOKED_AT)
    telling = [each for each in recent if each.outcome is Outcome.ok or each.outcome in DOWN]
    newest = telling[0] if telling else None
    uptime: dict[str, float | None] = {}
    bars: list[tuple[int, int]] = []
    for span, seconds in SPANS.items():
        found = await store.statistics(job=flow.name, since=now - seconds)
        of_job = found.jobs.get(flow.name)
        counts = {} if of_job is None else of_job.by_outcome
        good, bad = counts.get(Outcome.ok, 0), sum(counts.get(each, 0) for each in DOWN)
        uptime[span] = good / (good + bad) if good + bad else None
        bars = [] if of_job is None else [(part.runs, part.ok) for part in of_job.trend]
    rows = await daemon.data(flow.name).rows(limit=None)
    checks = sorted((row for row in rows if "at" in row), key=lambda row: float(row["at"]))
    return Standing(
        flow=flow,
        is_up=None if newest is None else newest.outcome is Outcome.ok,
        newest=newest,
        since=_since(telling),
        uptime=uptime,
        bars=bars,
        checks=checks[-SHOWN:],
    )


def _since(telling: Sequence[Record]) -> float | None:
    """Of records, newest first: when the first of those ended that say what the newest says."""
    since = None
    for record in telling:
        if (record.outcome is Outcome.ok) is not (telling[0].outcome is Outcome.ok):
            break
        since = record.ended_at
    return since
