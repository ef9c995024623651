"""``muxd plan``."""

from __future__ import annotations

import importlib.metadata
import json

import pytest
import trio

from muxd.builtin.ledger import Ledger
from muxd.record import Outcome, Record

JOBS = {
    "jobs": [
        {"name": "feed", "interval": 600, "duration": 20, "preferred_phase": 180},
        {"name": "post", "interval": 300, "duration": 10, "priority": 5},
        {"name": "daily", "interval": 86400, "duration": 60, "preferred_phase": 0, "pinned": True},
    ]
}
FILE = """
    import muxd

    @muxd.job(interval="10m", duration="20s")
    async def alpha(run): ...

    @muxd.job(interval="30m", duration="45s", preferred_phase="7m")
    async def beta(run): ...
"""


def ran(job, number, seconds):
    """The record of a good run that took so long."""
    start = 1_750_000_000 + 600 * number
    return Record(
        id=f"{job}{number:02d}",
        job=job,
        outcome=Outcome.ok,
        released_at=start,
        started_at=start,
        ended_at=start + seconds,
    )


@pytest.fixture(autouse=True)
def own_jobs_only(write):
    """Plugins that happen to be installed are none of these tests' business."""
    points = importlib.metadata.entry_points(group="muxd")
    write("muxd.toml", f"[plugins]\ndisable = {[p.name for p in points]}")


@pytest.fixture
def jobs_file(write):
    def with_jobs(document=JOBS):
        write("jobs.json", json.dumps(document))
        return "jobs.json"

    return with_jobs


def test_a_jobs_file_as_json(muxd, jobs_file):
    """The document has the promised keys; pins are kept; nothing collides."""
    result = muxd("plan", "--jobs-file", jobs_file(), "--json")
    assert result.exit_code == 0
    document = json.loads(result.stdout)
    assert list(document)[:6] == [
        "phases", "feasible", "min_gap", "collisions", "utilisation", "warnings"
    ]  # fmt: skip
    assert set(document["phases"]) == {"feed", "post", "daily"}
    assert document["phases"]["daily"] == 0
    assert document["feasible"] is True
    assert document["collisions"] == 0
    assert document["min_gap"] > 0
    assert document["utilisation"] == pytest.approx(20 / 600 + 10 / 300 + 60 / 86400, abs=1e-5)
    assert document["warnings"] == []


def test_a_jobs_file_for_people(muxd, jobs_file):
    """A table of jobs, a bar of the hour, the proof, and the old way beside it."""
    result = muxd("plan", "--jobs-file", jobs_file())
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    heads = ["job", "every", "phase", "next", "takes", "ends", "in", "moved", "by", "why"]
    assert lines[0].split() == heads
    assert lines[1].split()[:3] == ["A", "feed", "10m"]
    assert lines[3].split()[-2:] == ["1m", "pinned"]
    assert "no run waits: each ends within its own duration" in result.stdout
    assert any(line.startswith(":00") and ":50" in line for line in lines)
    bar = next(line for line in lines if set(line) <= set("ABC·") and "A" in line)
    assert len(bar) == 120
    assert bar.count("B") == 12
    assert "no collision, ever (checked for all 3 pairs of jobs)" in result.stdout
    old = next(line for line in lines if line.startswith("setInterval"))
    assert old.split()[3] == "3"
    assert next(line for line in lines if line.startswith("this timetable")).split()[2:4] == [
        "1",
        "0%",
    ]


def test_a_set_that_cannot_fit_says_why(muxd, jobs_file):
    """The plan is made all the same; the reason and a remedy are under it."""
    path = jobs_file(
        [
            {"name": "seven", "interval": 420, "duration": 50},
            {"name": "ten", "interval": 600, "duration": 20},
        ]
    )
    result = muxd("plan", "--jobs-file", path)
    assert result.exit_code == 0
    assert "1 pairs of jobs collide" in result.stdout
    assert (
        "! seven (every 7m, 50s) and ten (every 10m, 20s) can't avoid each other" in result.stdout
    )
    assert "! Checked: with seven every 7m30s instead of 7m" in result.stdout
    document = json.loads(muxd("plan", "--jobs-file", path, "--json").stdout)
    assert (document["feasible"], document["collisions"]) == (False, 1)
    assert len(document["warnings"]) == 2


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_a_wrong_file_is_one_clear_message(muxd, jobs_file, form):
    """File, job, key, value and what is allowed, on stderr, with exit code 2."""
    path = jobs_file({"jobs": [{"name": "feed", "interval": "10m", "duration": 20}]})
    result = muxd("plan", "--jobs-file", path, *form)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "jobs.json: jobs[0] (feed).interval: give a whole number" in result.stderr
    assert 'not "10m"' in result.stderr
    assert "Traceback" not in result.stderr


def test_a_missing_file(muxd):
    """A file that is not there is the user's mistake."""
    result = muxd("plan", "--jobs-file", "none.json")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "none.json: can't be read: No such file or directory" in result.stderr


def test_jobs_of_plugins(muxd, write):
    """Without a file, the jobs of all plugins are planned; brackets and colours do no harm."""
    write("jobs/some.py", FILE)
    result = muxd("plan", "--jobs-dir", "jobs", "--json")
    assert result.exit_code == 0
    document = json.loads(result.stdout)
    assert document["phases"]["beta"] == 420
    assert [job["name"] for job in document["jobs"]] == ["alpha", "beta"]


def test_phases_in_force_stay(muxd, write, place):
    """What the daemon has in force is what is shown, unless it is asked to plan anew."""
    write("jobs/some.py", FILE)
    state = place / "state"
    state.mkdir(mode=0o700)

    async def remember():
        with trio.fail_after(10):
            async with Ledger(state).open() as opened:
                await opened.set_phases({"alpha": (600, 111), "beta": (1800, 777)})

    trio.run(remember)
    shown = json.loads(muxd("plan", "--jobs-dir", "jobs", "--state-dir", "state", "--json").stdout)
    assert shown["phases"] == {"alpha": 111, "beta": 777}
    anew = json.loads(
        muxd("plan", "--jobs-dir", "jobs", "--state-dir", "state", "--anew", "--json").stdout
    )
    assert anew["phases"]["beta"] == 420


def test_declared_beside_learned(muxd, write, place):
    """What past runs took stands beside what jobs declare, once there is any; so in the JSON."""
    write("jobs/some.py", FILE)
    state = place / "state"
    state.mkdir(mode=0o700)
    args = ("plan", "--jobs-dir", "jobs", "--state-dir", "state")
    assert "p95" not in muxd(*args).stdout

    async def remember():
        with trio.fail_after(10):
            async with Ledger(state).open() as opened:
                await opened.write(*(ran("beta", n, 30 + 10 * (n % 3)) for n in range(20)))

    trio.run(remember)
    lines = muxd(*args).stdout.splitlines()
    columns = ["takes", "said", "p50", "p95", "spread", "drift", "ends", "in"]
    assert lines[0].split()[4:12] == columns
    alpha, beta = (line.split()[5:] for line in lines[1:3])
    assert alpha[:6] == ["20s", "20s", "-", "-", "-", "-"]
    assert beta[:4] == ["50s", "45s", "40s", "50s"]
    assert beta[4].endswith("%")
    first, second = json.loads(muxd(*args, "--json").stdout)["jobs"]
    assert (first["declared"], first["learned"]) == (20, None)
    assert second["declared"] == 45
    assert (second["duration"], second["response_bound"]) == (50, 50)
    assert second["response_bound_uneven"] > 50
    assert {"runs": 20, "p50": 40, "p95": 50}.items() <= second["learned"].items()
    assert {"spread", "drift"} <= set(second["learned"])


def test_why_a_job_was_moved(muxd, jobs_file, monkeypatch):
    """The one that has what a job wished for is named: in the table, below it where the terminal
    is narrow, and in the JSON."""
    path = jobs_file(
        [
            {
                "name": "first",
                "interval": 600,
                "duration": 60,
                "preferred_phase": 0,
                "pinned": True,
            },
            {"name": "other", "interval": 600, "duration": 60, "preferred_phase": 30},
        ]
    )
    lines = muxd("plan", "--jobs-file", path).stdout.splitlines()
    assert lines[2].rstrip().endswith("its wish is taken by first")
    jobs = json.loads(muxd("plan", "--jobs-file", path, "--json").stdout)["jobs"]
    assert [job["why"] for job in jobs] == ["pinned", "its wish is taken by first"]
    monkeypatch.setenv("COLUMNS", "80")
    lines = muxd("plan", "--jobs-file", path).stdout.splitlines()
    assert "why" not in lines[0]
    assert "other: its wish is taken by first" in lines


def test_pictures_and_pages_in_files(muxd, jobs_file, place):
    """The picture and the page are written beside what is printed; a place that can't be written
    to is the user's mistake."""
    path = jobs_file()
    result = muxd("plan", "--jobs-file", path, "--svg", "a.svg", "--html", "a.html", "--hours", "2")
    assert result.exit_code == 0
    drawn, page = ((place / name).read_text("utf-8") for name in ("a.svg", "a.html"))
    assert drawn.startswith("<svg ")
    assert page.startswith("<!doctype html>")
    assert drawn.strip() in page
    assert "02:00" in drawn
    failed = muxd("plan", "--jobs-file", path, "--html", "none/a.html")
    assert failed.exit_code == 2
    assert "none/a.html: can't be written: No such file" in failed.stderr


def test_pixels_need_a_browser(muxd, jobs_file, place, monkeypatch):
    """Without a browser there is no PNG, and the message says how to get one."""
    monkeypatch.setenv("PATH", str(place))
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(place))
    monkeypatch.delenv("MUXD_BROWSER", raising=False)
    monkeypatch.setattr("muxd.browser.find._ON_MAC", {})
    result = muxd("plan", "--jobs-file", jobs_file(), "--png", "a.png")
    assert result.exit_code == 1
    assert "there is no browser on this machine" in result.stderr
    assert "muxd browser install" in result.stderr
    assert not (place / "a.png").exists()


def test_no_jobs(muxd):
    """Nothing to plan is no mistake: it says where jobs come from."""
    result = muxd("plan")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "install a plugin" in result.stderr
    assert json.loads(muxd("plan", "--json").stdout)["phases"] == {}


def test_headroom_can_be_chosen(muxd, jobs_file):
    """Less headroom comes nearer to the wishes; a share that is none is refused."""
    path = jobs_file(
        [{"name": f"j{i}", "interval": 600, "duration": 5, "preferred_phase": i} for i in range(4)]
    )

    def moved(share):
        result = muxd("plan", "--jobs-file", path, "--headroom", share, "--json")
        return sum(job["moved_by"] for job in json.loads(result.stdout)["jobs"])

    assert moved("0") < moved("1")
    assert muxd("plan", "--jobs-file", path, "--headroom", "7").exit_code == 2


def test_what_would_be(muxd, jobs_file):
    """A change is tried beside the plan there is: what moves, and what becomes of the gap."""
    path = jobs_file()
    now = json.loads(muxd("plan", "--jobs-file", path, "--json").stdout)
    tried = muxd("plan", "--jobs-file", path, "--what-if", "job=post duration=40s", "--json")
    document = json.loads(tried.stdout)
    assert document["phases"] == now["phases"]
    assert document["change"]["moved"] == {}
    assert document["change"]["min_gap_before"] == now["min_gap"]
    assert document["min_gap"] < now["min_gap"]
    people = muxd("plan", "--jobs-file", path, "--what-if", "job=feed interval=20m").stdout
    assert "No other job moves." in people


def test_jobs_added_and_left_out(muxd, write, jobs_file):
    """Jobs of a file can be tried beside the others, and the plan without one."""
    path = jobs_file()
    write("more.json", json.dumps([{"name": "more", "interval": 900, "duration": 5}]))
    result = muxd("plan", "--jobs-file", path, "--add", "more.json", "--without", "feed", "--json")
    change = json.loads(result.stdout)["change"]
    assert (change["added"], change["removed"], change["moved"]) == (["more"], ["feed"], {})
    again = muxd("plan", "--jobs-file", path, "--add", path)
    assert again.exit_code == 2
    assert "there is a job 'feed' already" in again.stderr


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("interval=20m", "name the job, as in 'job=NAME interval=20m'"),
        ("job=fed interval=20m", "did you mean 'feed'?"),
        ("job=feed intervall=20m", "did you mean 'interval'?"),
        ("job=feed interval=soon", "interval must be a duration such as"),
        ("job=feed interval=0s", "above 0 and at most 366 days"),
        ("job=feed interval=1.5s", "whole seconds"),
        ("job=feed pinned=maybe", "pinned must be yes or no, not 'maybe'"),
        ("job=post pinned=yes", "a pinned job needs a phase"),
        ("job=feed priority=high", "priority must be a whole number"),
        ("job=feed interval", "not of the form FIELD=VALUE"),
    ],
)
def test_a_change_that_cannot_be(muxd, jobs_file, change, words):
    """A change that can't be made is the user's mistake, and says what would be right."""
    result = muxd("plan", "--jobs-file", jobs_file(), "--what-if", change)
    assert (result.exit_code, result.stdout) == (2, "")
    assert words in result.stderr


def test_other_ways_beside(muxd, jobs_file):
    """The same jobs under other schedulers' phases: all ways, and muxd without any waiting."""
    path = jobs_file()
    ways = json.loads(muxd("plan", "--jobs-file", path, "--compare", "--json").stdout)["compared"]
    by_way = {entry["way"]: entry for entry in ways}
    assert len(by_way) == 6
    assert by_way["muxd"]["share_waiting"] == 0
    assert by_way["muxd"]["peak_starts"] == 1
    assert by_way["setInterval, cron"]["peak_starts"] == 3
    assert by_way["setInterval, cron"]["share_waiting"] > 0.3
    text = muxd("plan", "--jobs-file", path, "--compare").stdout
    assert all(way in text for way in by_way)
