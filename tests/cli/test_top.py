"""``muxd top``: its screen, driven by keys, before a daemon that is made up."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest
from faketop import NOON, FakeDaemon, a_job, at
from textual.widgets import DataTable, Static

from muxd.cli import topview
from muxd.cli.topapp import TopApp, _Details, _PastScreen, _Question
from muxd.login import login_note

PATIENCE = 20.0
RUN = {
    "id": "01kgc7qth00ms9",
    "job": "learn",
    "started_at": at(-12),
    "expected": 20.0,
    "deadline": at(108),
    "attempt": 1,
    "cause": "slot",
}
QUEUED = {
    "id": "01bbxxxx2",
    "job": "plan",
    "cause": "slot",
    "priority": 50,
    "released_at": at(-5),
    "reason": "learn is running",
    "held": False,
}
FAILED = {
    "id": "01kgc7qth00ms8",
    "job": "news",
    "outcome": "failed",
    "ended_at": at(-300),
    "error_type": "a.b.TimeoutError",
    "error": "no \x1b[2J answer\nat all",
}


class Top:
    """The app, its keys and what is on its screen."""

    def __init__(self, app, pilot):
        self.app, self.pilot = app, pilot

    async def until(self, what):
        """Wait for something; it fails when that takes too long."""
        async with asyncio.timeout(PATIENCE):
            while not what():
                await self.pilot.pause(0.02)

    async def press(self, *keys):
        await self.pilot.press(*keys)
        await self.pilot.pause()

    def text(self, name):
        return str(self.app.screen_stack[0].query_one(f"#{name}", Static).content)

    def rows(self):
        table = self.app.screen_stack[0].query_one("#jobs", DataTable)
        return [[cell.plain for cell in table.get_row(row)] for row in table.rows]

    @property
    def chosen(self):
        return self.app._selected["name"]

    def told(self):
        return [note.message for note in self.app._notifications]


def drive(daemon, scenario, *, size=(80, 24), past=lambda job: []):
    """Run `scenario` on the screen, once that shows something."""

    async def main():
        app = TopApp(daemon, past, every=0.05)
        async with app.run_test(size=size) as pilot:
            top = Top(app, pilot)
            await top.until(lambda: top.rows() or daemon.gone)
            await scenario(top)

    asyncio.run(main())


@pytest.fixture
def daemon():
    return FakeDaemon(
        a_job("learn", due=300),
        a_job("news", every=600, due=30),
        a_job("plan", due=120, last=None),
        a_job("reply", due=60),
    )


def test_what_it_shows(daemon):
    """Browser, run in progress, today, warnings, queue, jobs by their next release, failures."""
    daemon.changes = {
        "running": RUN,
        "waiting": [QUEUED],
        "waiting_total": 1,
        "failures": [FAILED],
        "warnings": ["plugin shop is left out"],
    }

    async def scenario(top):
        await top.until(lambda: top.text("failures"))
        head = top.text("head").splitlines()
        assert head[0].startswith("muxd     running, up 2h, process 7; 4 jobs, 34% of the time")
        assert head[1] == "browser  156.0.7632.5, up 1h, generation 3, 412 MB, 2 pages"
        assert head[2].startswith("running  learn  12s of about 20s  ━━━")
        assert head[2].endswith("1m48s to its deadline")
        assert head[3] == "today    134 ok, 2 failed, 1 missed"
        assert head[4] == "! plugin shop is left out"
        assert top.text("queue") == "queue    plan  5s, by slot, priority 50: learn is running"
        assert top.text("failures") == (
            "failed   news  5m ago: failed  TimeoutError: no \\x1b[2J answer at all"
        )
        assert top.rows() == [
            ["learn", "1h", "running", "5m", "ok", "1m30s", "12s"],
            ["plan", "1h", "queued", "2m", "", "", ""],
            ["news", "10m", "", "30s", "ok", "1m30s", "12s"],
            ["reply", "1h", "", "1m", "ok", "1m30s", "12s"],
        ]

    drive(daemon, scenario)


def test_in_a_rehearsal_its_clock_is_the_timetables():
    """The time of day; what a run is to take is how long that really is."""
    status = FakeDaemon().status() | {
        "speed": 60.0,
        "timetable_now": at(3600),
        "running": RUN | {"expected": 600},
    }
    first, _, running, *_ = (line.plain for line in topview.head(status, NOON))
    assert "at 13:00:00 (60x real time); 0 jobs" in first
    assert " of about 10s " in running


def test_who_is_logged_out_is_told_how_to_get_in():
    """Once for each session, however many jobs wait for it."""
    waits = {"note": login_note("shop"), "since": at(-60), "probe_at": None}
    status = FakeDaemon().status() | {"paused": [{"job": job} | waits for job in ("a", "b")]}
    *_, last = (line.plain for line in topview.head(status, NOON))
    assert last == "! logged out: log in again with `muxd login shop`"


@pytest.mark.parametrize("size", [(80, 24), (60, 20), (200, 60)])
def test_everything_fits(daemon, size):
    """Nothing is outside the screen, and no line is broken; the table has most of it."""
    daemon.changes = {
        "running": RUN,
        "waiting": [QUEUED | {"reason": "x" * 300}] * 9,
        "waiting_total": 40,
        "failures": [FAILED | {"error": "y" * 300}] * 5,
        "warnings": ["z" * 500] * 9,
    }

    async def scenario(top):
        await top.until(lambda: "more" in top.text("queue"))
        await top.pilot.pause()
        low = size[1] < 30
        parts = {part.id: part for part in top.app.screen.query("#head, #queue, #failures")}
        assert parts["head"].size.height == 4 + (2 if low else 6)
        assert parts["queue"].size.height == (3 if low else 8)
        assert parts["failures"].size.height == (2 if low else 5)
        assert top.app._table.size.height >= size[1] / 3
        assert top.app._table.virtual_size.width <= size[0]

    drive(daemon, scenario, size=size)


def test_keys(daemon):
    """r runs, p pauses and resumes the job that the cursor is on; the screen says so."""

    async def scenario(top):
        assert top.chosen == "news"
        await top.press("down", "r")
        await top.until(lambda: daemon.asked)
        assert daemon.asked == [("run", "reply")]
        await top.until(lambda: "reply runs as soon as it can" in top.told())
        await top.press("p")
        await top.until(lambda: ["reply", "1h", "paused"] in [row[:3] for row in top.rows()])
        await top.press("p")
        await top.until(lambda: not any(row[2] for row in top.rows()))
        assert daemon.asked[1:] == [("pause", "reply"), ("resume", "reply")]
        await top.press("q")
        await top.until(lambda: top.app._exit)

    drive(daemon, scenario)


def test_ctrl_c_ends_it(daemon):
    """From anywhere, as it does with any command."""

    async def scenario(top):
        await top.press("enter")
        await top.until(lambda: isinstance(top.app.screen, _Details))
        await top.press("ctrl+c")
        await top.until(lambda: top.app._exit)

    drive(daemon, scenario)


def test_cancel_asks_before(daemon):
    """c cancels the run in progress, else the one that waits; only after a yes."""
    daemon.changes = {"running": RUN, "waiting": [QUEUED], "waiting_total": 1}

    async def scenario(top):
        await top.until(lambda: top.rows()[0][2] == "running")
        await top.press("home", "c")
        await top.until(lambda: isinstance(top.app.screen, _Question))
        await top.press("n")
        await top.press("c", "r", "p")  # keys of the screen below mean nothing here
        await top.until(lambda: isinstance(top.app.screen, _Question))
        await top.press("y")
        await top.until(lambda: daemon.asked)
        await top.press("down", "c", "y")
        await top.until(lambda: len(daemon.asked) == 2)
        assert daemon.asked == [("cancel", RUN["id"]), ("cancel", QUEUED["id"])]
        await top.press("down", "c")
        await top.until(lambda: "news neither runs nor waits" in top.told())
        assert len(daemon.asked) == 2

    drive(daemon, scenario)


def test_what_is_refused_is_said(daemon):
    """With the reason as it is: it is no markup."""
    daemon.refuses = True

    async def scenario(top):
        await top.press("r")
        await top.until(lambda: "muxd is stopping: [b]no[/b] new run is taken" in top.told())

    drive(daemon, scenario)


def test_details(daemon):
    """Enter shows what is known of a job; escape closes that."""
    daemon.changes = {"running": RUN, "failures": [FAILED]}

    async def scenario(top):
        await top.until(lambda: top.text("failures"))
        await top.press("home", "down", "enter")
        await top.until(lambda: isinstance(top.app.screen, _Details))
        text = str(top.app.screen.query_one(Static).content)
        for part in ("job       news", "plugin    shop", "every     10m, at 1m", "in 30s"):
            assert part in text
        assert "failed    5m ago: TimeoutError: no \\x1b[2J answer at all" in text
        await top.press("escape")
        assert len(top.app.screen_stack) == 1

    drive(daemon, scenario)


def test_history(daemon):
    """h shows the runs of a job as soon as they have been read; meanwhile the screen is alive."""
    go_on = threading.Event()
    run = {
        "id": "01kgc7qth00ms9",
        "outcome": "failed",
        "released_at": at(-60),
        "ended_at": at(-50),
        "duration": 9.5,
        "lateness": 0.25,
        "error": "no",
        "error_type": "ValueError",
        "result": None,
    }
    asked = []

    def past(job):
        asked.append(job)
        assert go_on.wait(PATIENCE)
        if len(asked) > 1:
            raise ValueError("the ledger is damaged")
        return [run] * 3

    async def scenario(top):
        await top.press("h")
        await top.until(lambda: isinstance(top.app.screen, _PastScreen))
        before = daemon.looked
        await top.until(lambda: daemon.looked > before + 1)
        go_on.set()
        table = top.app.screen.query_one(DataTable)
        await top.until(lambda: table.row_count == 3)
        cells = [cell.plain for cell in table.get_row_at(0)]
        assert cells[1:] == ["h00ms9", "failed", "9.5s", "250ms", "ValueError: no"]
        await top.press("escape")
        assert len(top.app.screen_stack) == 1
        await top.press("h")
        await top.until(
            lambda: "the ledger is damaged" in str(top.app.screen.query_one("#title").content)
        )
        assert asked == ["news", "news"]

    drive(daemon, scenario, past=past)


def test_the_cursor_stays_on_its_job(daemon):
    """Whatever comes before it, and when the order, the jobs or the screen's size are others."""

    async def scenario(top):
        await top.press("down", "down")
        assert top.chosen == "plan"
        await top.press("s")
        assert [row[0] for row in top.rows()] == ["learn", "news", "plan", "reply"]
        assert top.chosen == "plan"
        daemon.all["attribution"] = a_job("attribution")
        await top.until(lambda: len(top.rows()) == 5)
        assert top.chosen == "plan"
        await top.pilot.resize_terminal(100, 40)
        await top.until(lambda: top.app._table.size.width == 100)
        assert top.chosen == "plan"
        del daemon.all["plan"]
        await top.until(lambda: len(top.rows()) == 4)
        assert top.chosen in daemon.all

    drive(daemon, scenario)


def test_the_daemon_goes_and_comes(daemon):
    """It says that there is none, shows what was, and goes on when there is one again."""

    async def scenario(top):
        daemon.gone = True
        await top.until(lambda: "waiting for muxd to come back" in top.text("head"))
        assert len(top.rows()) == 4
        await top.press("r")
        await top.until(lambda: any("muxd start" in told for told in top.told()))
        daemon.gone = False
        await top.until(lambda: top.text("head").startswith("muxd     running"))
        await top.until(lambda: "muxd is there again: process 7" in top.told())
        assert daemon.asked == []

    drive(daemon, scenario)


def test_a_daemon_that_does_not_answer_is_no_dead_screen(daemon, monkeypatch):
    """Keys work, the silence is said, and quitting waits for no answer."""
    monkeypatch.setattr("muxd.cli.topapp.SILENT", 0.5)
    stuck = threading.Event()

    async def scenario(top):
        daemon.status = lambda **_: stuck.wait(PATIENCE)
        await top.until(lambda: "does not answer" in top.text("head"))
        await top.press("enter")
        await top.until(lambda: isinstance(top.app.screen, _Details))

    drive(daemon, scenario)
    stuck.set()


def test_very_many_jobs_in_pages(monkeypatch):
    """So many at once; ] and [ show others."""
    monkeypatch.setattr("muxd.cli.topfeed.PAGE", 10)
    daemon = FakeDaemon(*(a_job(f"job{number:02}") for number in range(25)))

    async def scenario(top):
        for keys, first, count in (
            ("]", "job10", 10),
            ("]", "job20", 5),
            ("]", "job20", 5),
            ("[", "job10", 10),
        ):
            await top.press(*keys)
            await top.until(lambda f=first, c=count: [top.rows()[0][0], len(top.rows())] == [f, c])

    drive(daemon, scenario)


def test_it_asks_no_more_often_than_it_should(daemon):
    """Once a period, however many keys are pressed."""

    async def scenario(top):
        before, began = daemon.looked, time.monotonic()
        await top.press(*["down", "up"] * 5)
        assert daemon.looked - before <= (time.monotonic() - began) / 0.05 + 2

    drive(daemon, scenario)


def test_what_an_older_daemon_does_not_tell(daemon):
    """It tells less; nothing breaks."""
    told = daemon.status(upcoming=1)
    for key in ("now", "today", "failures", "warnings", "paused_whole", "drained", "skipped"):
        del told[key]
    del told["browser"]["pages"]
    told["waiting"] = [{k: v for k, v in QUEUED.items() if k not in ("reason", "held")}]
    assert "no run has ended" in topview.head(told, NOON)[3].plain
    assert topview.failures(told, NOON, 5) == []
    assert topview.states(told) == {"plan": "queued"}
    assert "plan" in topview.queue(told | {"waiting_total": 1}, NOON, 5)[0].plain


def test_it_needs_a_terminal(muxd):
    """In a pipe it says what else to use."""
    result = muxd("top")
    assert result.exit_code == 2
    assert "muxd top needs a terminal; `muxd status` doesn't" in result.stderr
