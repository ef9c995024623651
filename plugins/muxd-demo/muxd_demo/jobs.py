"""The sixteen jobs, with what the timetable needs to know of each.

The intervals and the preferred phases are those of a deployment that started all of them with
``setInterval`` and then spread them by hand. The durations are generous for an hour played in a
minute: 30 s of the timetable are then half a second. Timeouts are real time at every speed.
"""

from __future__ import annotations

import inspect
from functools import partial
from typing import TYPE_CHECKING, Any

from muxd import Job
from muxd_demo.listening import news_scraping, session_check, sync_follower, trends
from muxd_demo.measuring import (
    analytics,
    attribution,
    data_collection,
    enhanced_metrics,
    metrics_scraper,
    velocity_tracker,
)
from muxd_demo.publishing import inbox, learn, plan, posting_queue, real_outcomes, reply

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from muxd_demo.studio import Studio

__all__ = ["demo_jobs"]


def demo_jobs(studio: Studio) -> Iterator[Job]:
    """All sixteen, for one site."""

    def job(body: Callable[..., Awaitable[Any]], interval: str, **fields: Any) -> Job:
        doc = inspect.getdoc(body) or ""
        fields = {"description": doc.partition("\n")[0], "timeout": "90s"} | fields
        return Job(body.__name__, partial(body, studio=studio), interval=interval, **fields)

    # What the account says
    yield job(posting_queue, "5m", duration="45s", priority="critical")
    yield job(reply, "60m", preferred_phase="15m", duration="50s", priority="high")
    yield job(inbox, "15m", duration="35s", priority="high")
    yield job(plan, "60m", preferred_phase="0m", duration="65s", priority="high")
    yield job(learn, "60m", preferred_phase="30m", duration="50s")
    yield job(real_outcomes, "2h", preferred_phase="55m", duration="55s", priority="low")

    # What is measured
    yield job(metrics_scraper, "10m", preferred_phase="3m", duration="30s", expects_result=True)
    yield job(analytics, "30m", preferred_phase="7m", duration="35s", expects_result=True)
    yield job(velocity_tracker, "30m", preferred_phase="17m", duration="60s", expects_result=True)
    yield job(enhanced_metrics, "30m", duration="45s", expects_result=True)
    yield job(data_collection, "60m", preferred_phase="45m", duration="55s", expects_result=True)
    yield job(attribution, "2h", preferred_phase="50m", duration="60s", priority="low")

    # What others do
    yield job(sync_follower, "30m", preferred_phase="27m", duration="55s", expects_result=True)
    yield job(news_scraping, "60m", duration="75s", session="fresh", expects_result=True)
    yield job(trends, "2h", duration="60s", priority="low", expects_result=True)
    yield job(session_check, "20m", duration="30s", priority="background")
