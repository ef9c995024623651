"""The metrics, with their names, kinds and about: what Prometheus is told."""

from __future__ import annotations

import platform
from datetime import datetime
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import attrs
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)

import muxd
from muxd.builtin._metrics_counts import BOUNDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from prometheus_client.core import Metric

    from muxd.builtin._metrics_counts import Counts, Histogram, PerJob

__all__ = ["Look", "families"]


@attrs.frozen(kw_only=True)
class Look:
    """All that there is to tell at one moment; nothing in it changes any more."""

    status: Mapping[str, Any]
    """As `Controlled.status` gives it."""
    health: Mapping[str, Any]
    """As `Controlled.health` gives it."""
    jobs: Mapping[str, PerJob]
    intervals: Mapping[str, float]
    """Of those jobs that are on the timetable, real seconds."""
    counts: Counts
    """All but its jobs."""
    busy: float
    now: float
    """Unix seconds."""

    @classmethod
    def at(cls, counts: Counts, *, monotonic: float, **fields: Any) -> Look:
        """A look with a copy of these counts."""
        jobs = {name: each.copy() for name, each in counts.jobs.items()}
        still = attrs.evolve(
            counts,
            jobs={},
            generations=counts.generations.copy(),
            notifications=counts.notifications.copy(),
        )
        return cls(jobs=jobs, counts=still, busy=counts.busy_until(monotonic), **fields)


def families(look: Look) -> Iterator[Metric]:
    """All metrics, but those of the process."""
    yield from _of_runs(look)
    yield from _of_jobs(look)
    yield from _of_queue(look)
    yield from _of_timetable(look)
    yield from _of_browser(look)
    yield from _of_muxd(look)


def _of_runs(look: Look) -> Iterator[Metric]:
    runs = CounterMetricFamily(
        "muxd_runs",
        "Releases that have ended, by outcome: also those that never became a run (missed, coalesced).",
        labels=("job_name", "outcome"),
    )
    duration = HistogramMetricFamily(
        "muxd_run_duration_seconds", "How long runs had the browser.", labels=("job_name",)
    )
    lateness = HistogramMetricFamily(
        "muxd_run_lateness_seconds", "From the release to the start of runs.", labels=("job_name",)
    )
    for name, job in look.jobs.items():
        for outcome, count in job.outcomes.items():
            runs.add_metric((name, outcome), count)
        _add(duration, name, job.duration)
        _add(lateness, name, job.lateness)
    yield from (runs, duration, lateness)
    told = look.status["runs"]
    yield _gauge("muxd_concurrent_runs", "Runs in progress.", told["now"])
    about = "The most runs that ever were in progress at a time: never more than 1."
    yield _gauge("muxd_concurrent_runs_max", about, told["most_at_once"])
    yield _counter("muxd_busy_seconds", "For how long runs had the browser, in all.", look.busy)
    about = (
        "The least time from the end of a run to the next start by a slot, since the start of muxd."
    )
    yield _gauge("muxd_run_min_gap_seconds", about, look.counts.least_gap)


def _of_jobs(look: Look) -> Iterator[Metric]:
    good = GaugeMetricFamily(
        "muxd_job_last_success_timestamp_seconds",
        "When the last run that ended well did so.",
        labels=("job_name",),
    )
    interval = GaugeMetricFamily(
        "muxd_job_interval_seconds", "From one release of a job to its next.", labels=("job_name",)
    )
    for name, job in look.jobs.items():
        if job.last_good is not None:
            good.add_metric((name,), job.last_good)
        if name in look.intervals:
            interval.add_metric((name,), look.intervals[name])
    yield from (good, interval)
    yield _gauge("muxd_jobs", "Jobs on the timetable.", look.status["timetable"]["jobs"])
    yield _gauge("muxd_paused_jobs", "Jobs that are paused.", look.status["paused_total"])
    whole = look.status.get("paused_whole") or look.status.get("drained")
    yield _gauge("muxd_paused", "1 while all of muxd is paused or drained.", bool(whole))


def _of_queue(look: Look) -> Iterator[Metric]:
    status = look.status
    yield _gauge(
        "muxd_queue_length", "Releases that wait for the browser.", status["waiting_total"]
    )
    waits = [look.now - _instant(each["released_at"]) for each in status["waiting"]]
    yield _gauge(
        "muxd_queue_wait_seconds",
        "For how long the release that waits longest has waited; 0 if none does.",
        max(0.0, *waits) if waits else 0.0,
    )


def _of_timetable(look: Look) -> Iterator[Metric]:
    told = look.status["timetable"]
    yield _gauge(
        "muxd_utilisation_ratio",
        "The share of the browser's time that the timetable asks for.",
        told["utilisation"],
    )
    yield _gauge(
        "muxd_timetable_min_gap_seconds",
        "The least time between two runs as planned; negative where they collide.",
        told["min_gap"] / look.status["speed"],  # real seconds, as all others are
    )
    about = "Pairs of jobs whose runs collide at some time, as planned."
    yield _gauge("muxd_timetable_collisions", about, told["collisions"])
    upcoming = look.status["upcoming"]
    due = _instant(upcoming[0]["at"]) if upcoming else None
    yield _gauge("muxd_next_release_timestamp_seconds", "When the next release is due.", due)


def _of_browser(look: Look) -> Iterator[Metric]:
    told = look.status["browser"]
    yield _gauge("muxd_browsers", "Browsers that are up: 0 or 1.", told["now"])
    about = "The most browsers that ever were up at a time: never more than 1."
    yield _gauge("muxd_browsers_max", about, told["most_at_once"])
    generations = CounterMetricFamily(
        "muxd_browser_generations",
        "Browsers that came up: the first (start), after one that was recycled or lost.",
        labels=("cause",),
    )
    for cause, count in look.counts.generations.items():
        generations.add_metric((cause,), count)
    yield generations
    about = "Launches of the browser that failed."
    yield _counter("muxd_browser_launch_failures", about, look.counts.failed_launches)
    about = "Memory of the browser with its driver and helpers, as last measured."
    yield _gauge("muxd_browser_memory_bytes", about, told["memory"])
    about = "Runs that the browser that is up has made."
    yield _gauge("muxd_browser_runs", about, told["runs"])
    about = "When the browser that is up came up."
    yield _gauge("muxd_browser_start_timestamp_seconds", about, _instant(told["up_since"]))


def _of_muxd(look: Look) -> Iterator[Metric]:
    status, health = look.status, look.health
    build = GaugeMetricFamily(
        "muxd_build_info", "1, and what runs.", labels=("version", "python", "browser")
    )
    browser = status["browser"]["version"] or ""
    build.add_metric((muxd.__version__, platform.python_version(), browser), 1)
    yield build
    about = "When muxd was up: from then on releases come."
    yield _gauge("muxd_start_timestamp_seconds", about, _instant(status["started_at"]))
    about = "How often the guard had to start muxd again."
    yield _counter("muxd_restarts", about, status["restarts"])
    about = "How much faster than real time the timetable runs."
    yield _gauge("muxd_speed_ratio", about, status["speed"])
    yield _gauge("muxd_stuck", "1 if only a new start would help.", bool(health["stuck"]))
    about = "1 if something is wrong that muxd tries to mend."
    yield _gauge("muxd_ailing", about, bool(health["ailing"]))
    yield _gauge(
        "muxd_unwritten_records",
        "Records that could not be written to the ledger yet.",
        health["unwritten"],
    )
    resources = status["resources"] or {}
    about = "Memory that was left when it was looked last, before a run."
    yield _gauge("muxd_memory_free_bytes", about, resources.get("memory_free"))
    about = "What was left of the disk with the state directory then."
    yield _gauge("muxd_disk_free_bytes", about, resources.get("disk_free"))
    left_out = len(status["plugins_left_out"])
    yield _gauge("muxd_plugins_left_out", "Plugins that are left out, being broken.", left_out)
    notifications = CounterMetricFamily(
        "muxd_notifications",
        "Messages to people, once for each way: sent, or given up.",
        labels=("result",),
    )
    for result, count in look.counts.notifications.items():
        notifications.add_metric((result,), count)
    yield notifications
    about = "Events that came faster than they were counted: so much is missing in these numbers."
    yield _counter("muxd_events_missing", about, look.counts.missing)


def _gauge(name: str, about: str, value: float | None) -> Metric:
    """With no sample where the value is not known."""
    found = GaugeMetricFamily(name, about)
    if value is not None:
        found.add_metric((), float(value))
    return found


def _counter(name: str, about: str, value: float | None) -> Metric:
    found = CounterMetricFamily(name, about)
    if value is not None:
        found.add_metric((), float(value))
    return found


def _add(family: HistogramMetricFamily, job: str, histogram: Histogram) -> None:
    sums = list(accumulate(histogram.counts))
    if not sums[-1]:
        return
    bounds = [*map(str, BOUNDS), "+Inf"]
    family.add_metric((job,), list(zip(bounds, sums, strict=True)), histogram.sum)


def _instant(text: str | None) -> Any:
    """Unix seconds of what `utc_text` made; None for None."""
    return None if text is None else datetime.fromisoformat(text).timestamp()
