"""The body of every check: walks through a flow, judges what it cost, and remembers it."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import trio

from muxd.errors import MuxdError
from muxd_check.errors import BudgetExceeded, CheckFailed
from muxd_check.judge import over_budget
from muxd_check.vitals import NAMES, Vitals
from muxd_check.walk import walk
from muxd_check.witness import Witness

if TYPE_CHECKING:
    from muxd import Run
    from muxd_check.settings import Flow

__all__ = ["KEPT", "check"]

KEPT = 1000
"""How many checks of a flow are remembered with their figures."""


async def check(run: Run) -> dict[str, Any]:
    """Do what the flow's table (`run.config`) says; gives the figures.

    Raises:
      StepFailed: a step could not be done, or what it expects is not so.
      BudgetExceeded: it cost more than it may.
    """
    flow: Flow = run.config
    witness, vitals = Witness(flow), Vitals()
    began, started = time.time(), trio.current_time()
    figures: dict[str, Any] = {}
    problem: CheckFailed | None = None
    try:
        if flow.size is not None:
            await run.page.set_viewport_size({"width": flow.size[0], "height": flow.size[1]})
        await witness.attend(run)
        await vitals.measure(run.page)
        await walk(run, flow, witness, vitals)
        took = trio.current_time() - started
        await vitals.settle(run.page)
        figures = _figures(took, witness, vitals)
        days = await witness.tls_days()
        figures["tls_days"] = round(min(days.values()), 1) if days else None
        if wrong := over_budget(flow, figures, witness, vitals, days):
            raise BudgetExceeded("; ".join(wrong))
    except CheckFailed as error:
        problem = error
    figures = figures or _figures(trio.current_time() - started, witness, vitals)
    await _remember(run, began, figures, problem)
    if problem is not None:
        report = {"problem": str(problem), **figures, "pages": vitals.documents()}
        report |= {"console": witness.console.first, "failed": witness.failed.first}
        await trio.Path(run.artifact("report.json")).write_text(json.dumps(report, indent=1))
        raise problem
    return {name: value for name, value in figures.items() if value is not None}


def _figures(took: float, witness: Witness, vitals: Vitals) -> dict[str, Any]:
    found: dict[str, Any] = {"took": round(took, 3)}
    for name in NAMES:
        worst = vitals.worst(name)
        found[name] = None if worst is None else round(worst[0], 4)
    return found | {
        "console_errors": witness.console.count,
        "failed_requests": witness.failed.count,
        "requests": witness.requests,
        "transfer": witness.transfer,
    }


async def _remember(
    run: Run, began: float, figures: dict[str, Any], problem: CheckFailed | None
) -> None:
    """Keep the figures for the status page: of so many checks, the oldest of them is written over."""
    place = int(began // run.job.interval) % KEPT
    row = {"place": place, "at": round(began, 3), "good": problem is None, **figures}
    row["problem"] = None if problem is None else str(problem)[:500]
    try:
        await run.save([row], key="place")
    except MuxdError as error:  # what was found counts for more
        run.log.warning("the figures of this check are not kept", error=str(error))
