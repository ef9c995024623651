"""What Prometheus is told: the numbers are right, bounded, and named as it wants them."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest
import trio
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_open
from prometheus_client.parser import text_string_to_metric_families as read_text
from town import MONDAY, Town, a_job
from townhall import Hall, ask, at_once

from muxd.builtin import metrics
from muxd.builtin._metrics_counts import BOUNDS, JOBS, OTHERS, Counts, Histogram
from muxd.builtin._metrics_service import Metrics
from muxd.events import BrowserDown, BrowserUp, EventsMissing, Notified, RunEnded, RunStarted
from muxd.record import CUT_OFF, Outcome, Record
from muxd.release import Cause


def ended(job="a", outcome=Outcome.ok, *, at=0.0, took=2.0, late=0.5, run="r", **fields):
    record = Record(
        id=run,
        job=job,
        released_at=at,
        started_at=at + late,
        ended_at=at + late + took,
        outcome=outcome,
        **fields,
    )
    return RunEnded(at=at, record=record)


def samples(text, read=read_text):
    """{name and labels: value}."""
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in read(text)
        for sample in family.samples
    }


def test_a_histogram_counts_each_value_once():
    """A value is in the bucket whose bound it does not pass; a negative one counts as 0."""
    histogram = Histogram()
    for value in (-1, 0.1, 0.11, 3600, 3601):
        histogram.add(value)
    assert histogram.counts == [2, 1, *[0] * (len(BOUNDS) - 3), 1, 1]
    assert histogram.sum == pytest.approx(7201.21)


def test_what_is_counted():
    """Outcomes, busy time with the run in progress, gaps between slots' runs, browsers by cause."""
    counts = Counts()
    for at, job, cause in ((0, "a", Cause.slot), (10, "b", Cause.slot), (12, "c", Cause.manual)):
        begun = ended(job, at=at, run=job, cause=cause)
        counts.take(RunStarted(at=at, record=begun.record), at)
        assert counts.busy_until(at + 1) == counts.busy + 1
        counts.take(begun, at + 2)
    counts.take(ended("a", Outcome.failed), 30)
    counts.take(
        RunEnded(at=0, record=Record(id="m", job="a", released_at=0, outcome=Outcome.missed)), 30
    )
    assert counts.busy_until(99) == 6
    assert counts.least_gap == 8  # what a person asked for left none
    assert counts.jobs["a"].outcomes == {"ok": 1, "failed": 1, "missed": 1}
    assert sum(counts.jobs["a"].duration.counts) == 2
    assert counts.jobs["b"].last_good == 12.5

    def up(number):
        return BrowserUp(at=0, generation=number, pid=1, version="")

    def down(reason):
        return BrowserDown(at=0, generation=1, reason=reason)

    for event in (
        down("no"),
        up(2),
        down("recycled: 9 runs"),
        up(3),
        down("killed"),
        down("no"),
        up(5),
    ):
        counts.take(event, 40)
    assert counts.generations == {"start": 1, "recycled": 1, "lost": 1}
    assert counts.failed_launches == 2
    counts.take(Notified(at=0, way="webhook", title=""), 0)
    counts.take(Notified(at=0, way="webhook", title="", error="no"), 0)
    counts.take(EventsMissing(at=0, count=7), 0)
    assert counts.notifications == {"sent": 1, "failed": 1}
    assert counts.missing == 7


def test_ten_thousand_jobs_have_a_bounded_number_of_lines():
    """The first jobs that ran have numbers of their own, all others share one; none is lost."""
    counts = Counts()
    for number in range(10_000):
        counts.take(ended(f"job-{number}"), 0)
    assert len(counts.jobs) == JOBS + 1
    assert counts.jobs[OTHERS].outcomes == {"ok": 10_000 - JOBS}
    counts.forget_all_but(["job-1"])
    assert set(counts.jobs) == {"job-1", OTHERS}
    counts.take(ended("new"), 0)
    assert "new" in counts.jobs


@pytest.fixture
def hall():
    jobs = a_job("a", "10m", duration="20s"), a_job("b", "10m", "5m", duration="20s")
    return Hall(Town(*jobs))


async def test_a_town_is_told_as_it_is(autojump_clock, hall):
    """After an hour the numbers are those of the records, in both formats, by what is accepted."""
    service = Metrics(hall, now=hall.town.clock.now, in_thread=at_once)
    async with hall.with_service(service):
        await trio.sleep(3590)
        hall.core.pause("b", "why")
        await trio.sleep(3)
        answer = await ask(service)
        await trio.sleep(2)
        opened = await ask(service, accept="application/openmetrics-text;version=1.0.0")
    assert answer.headers["content-type"].startswith("text/plain")
    told = samples(answer.text)
    runs = [r for r in hall.town.records("a") if r.outcome is Outcome.ok]
    assert told["muxd_runs_total", ("job_name", "a"), ("outcome", "ok")] == len(runs) == 6
    assert told["muxd_run_duration_seconds_count", ("job_name", "a")] == 6
    assert told["muxd_run_duration_seconds_bucket", ("job_name", "a"), ("le", "30.0")] == 6
    assert told["muxd_run_duration_seconds_bucket", ("job_name", "a"), ("le", "10.0")] == 0
    assert told["muxd_busy_seconds_total",] == pytest.approx(12 * 19.9, abs=1)
    assert told["muxd_job_interval_seconds", ("job_name", "a")] == 600
    assert told["muxd_job_last_success_timestamp_seconds", ("job_name", "a")] == runs[-1].ended_at
    assert told["muxd_concurrent_runs_max",] == told["muxd_browsers_max",] == 1
    assert told["muxd_browsers",] == 1
    assert told["muxd_browser_generations_total", ("cause", "start")] == 1
    assert told["muxd_utilisation_ratio",] == pytest.approx(40 / 600, abs=1e-4)
    assert told["muxd_timetable_min_gap_seconds",] == 280
    assert told["muxd_run_min_gap_seconds",] == pytest.approx(280, abs=2)
    assert told["muxd_paused_jobs",] == 1
    assert told["muxd_next_release_timestamp_seconds",] == MONDAY + 3600
    assert told["process_resident_memory_bytes",] > 1e6
    assert opened.headers["content-type"].startswith("application/openmetrics-text")
    assert opened.text.endswith("# EOF\n")
    assert samples(opened.text, read_open)["muxd_paused_jobs",] == 1
    odd = await ask(service, accept="application/openmetrics-text;version=x.y;escaping=z")
    assert odd.status_code == 200


async def test_what_the_last_muxd_was_cut_off_in_is_counted(autojump_clock, hall):
    """Such a run got its record before anybody counted; what is older is another process's."""
    now = hall.town.clock.now()
    lost, older = (
        ended(run=f"r{n}", at=at, outcome=Outcome.interrupted, error_type=CUT_OFF).record
        for n, at in enumerate((now - 2, now - 100))
    )
    async with hall.town.store.open():
        await hall.town.store.write(lost, older)
    service = Metrics(hall, since=now - 1, in_thread=at_once)
    async with hall.with_service(service):
        assert service.counts.jobs["a"].outcomes == {"interrupted": 1}


async def test_who_asks_often_gets_what_is_there(autojump_clock, hall, monkeypatch):
    """Within a second of another the answer is the same: it isn't made again."""
    service = Metrics(hall, in_thread=at_once)
    async with hall.with_service(service):
        await trio.sleep(5)
        first = await ask(service)
        monkeypatch.setattr(service, "_look", None)
        assert (await ask(service)).content == first.content


def test_there_is_nothing_to_serve_without_a_daemon(hall):
    """`muxd run` alone has no metrics; a daemon has one service, with registries apart."""
    assert list(metrics.muxd_services(daemon=None)) == []
    (first,), (second,) = (metrics.muxd_services(daemon=hall) for _ in range(2))
    assert first.counts is not second.counts


async def exposed(hall):
    """All that is told, of a busy town."""
    service = Metrics(hall, in_thread=at_once)
    async with hall.with_service(service):
        for outcome in Outcome:
            service.counts.take(ended(outcome=outcome), 0)
        await trio.sleep(700)
        return (await ask(service)).text


UNITS = "seconds|bytes|ratio"
ABBREVIATED = r"(?:_|^)(?:s|ms|us|ns|sec|secs|b|kb|mb|gb|min|mins|h|hrs?|milliseconds|minutes|hours|percent|kilobytes|megabytes)(?:_|$)"


async def test_names_are_as_prometheus_wants_them(autojump_clock, hall):
    """Base units, help, `_total` for counters alone, no kind in a name, no reserved ending."""
    told = await exposed(hall)
    kinds = dict(re.findall(r"^# TYPE (\S+) (\w+)$", told, re.MULTILINE))
    about = dict(re.findall(r"^# HELP (\S+) (.+)$", told, re.MULTILINE))
    assert len(kinds) > 35
    for name, kind in kinds.items():
        assert about[name].endswith("."), name
        assert re.fullmatch(r"(?:muxd|process)_[a-z_]+", name)
        assert name.endswith("_total") == (kind == "counter"), name
        allowed = name.removesuffix("_min_gap_seconds")  # the least, not minutes
        assert not re.search(ABBREVIATED, allowed), name
        assert not re.search(r"_(?:counter|gauge|histogram|summary|count|sum|bucket)$", name)
        assert not name.startswith("muxd_") or "total" not in name[:-6]
        if kind == "histogram":
            assert re.search(rf"_(?:{UNITS})$", name)


@pytest.mark.skipif(not shutil.which("promtool"), reason="there is no promtool here")
async def test_promtool_has_nothing_to_say(autojump_clock, hall):
    """`promtool check metrics` finds no fault."""
    told = await exposed(hall)
    done = subprocess.run(  # noqa: ASYNC221 - time stands still meanwhile
        ["promtool", "check", "metrics"],
        input=told,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
