"""The pages of the dashboard, as they come: whole without a script, and nothing in them runs."""

from __future__ import annotations

import json
import re
import threading
from html import unescape

import attrs
import pytest
import trio.testing

from muxd.builtin._dashboard import headlines
from muxd.events import JobNews
from muxd.login import login_name, login_note
from muxd.record import Outcome, utc_text

from .conftest import shown
from .pretend import NOON, SIXTEEN, Pretend, many

EVIL = "<script>alert(1)</script><img src=x onerror=alert(1)>'\"><b>\u202e\ud800{{7*7}}"
LOGGED_OUT = {"job": "plan", "note": login_note("shop"), "since": None, "probe_at": None}
PAGES = ("/", "/?w=30m", "/?w=6h", "/?w=day", "/jobs", "/runs", "/plan", "/plugins", "/browser",
         "/news")  # fmt: skip


async def text_of(client, path, status=200):
    answer = await client.get(path)
    assert answer.status_code == status, (path, answer.text[:500])
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    return answer.text


def check_inert(text):
    """No script but the dashboard's own file, no style or handler in the page: the policy forbids."""
    assert re.findall(r"<script[^>]*>[^<]*", text) == re.findall(
        r'<script type="module" src="/static/[0-9a-f]{12}/dashboard.js">', text
    )
    bare = re.sub(r'"[^"]*"', '""', text)
    assert not re.search(r"<[^>]*\s(style|on\w+)\s*=", bare)
    assert "<style" not in text
    assert "javascript:" not in text


async def test_each_page_is_whole_without_a_script(daemon):
    """All that there is to see is in the first answer."""
    daemon.running("plan")
    daemon.told["waiting"] = [
        {"id": "01w", "job": "reply", "priority": 1, "cause": "retry", "attempt": 2,
         "released_at": utc_text(NOON - 3), "reason": "plan is running", "held": False}
    ]  # fmt: skip
    daemon.told["waiting_total"] = 8
    daemon.paused |= {"learn": "on holiday", "reply": login_note("shop")}
    async with shown(daemon) as client:
        for path in PAGES:
            text = await text_of(client, path)
            check_inert(text)
            assert re.search(r"<h1>[^<]+</h1>", text)
        now = await text_of(client, "/")
        assert all(f">{name}</a>" in now for name in SIXTEEN)
        for words in (
            "8 runs wait",
            "plan is running",
            "and 7 more",
            "on holiday",
            "Last failures",
        ):
            assert words in now
        assert 'src="/v1/page.jpg?run=01running"' in now
        assert len(re.findall('class="run o-ok"', now)) > 20
        assert len(re.findall('class="next', now)) > 40
        assert 'class="running"' in now
        jobs = await text_of(client, "/jobs")
        assert jobs.count('aria-label="Run ') == len(SIXTEEN)
        assert 'action="/v1/jobs/learn/resume"' in jobs
        assert 'action="/v1/jobs/plan/pause"' in jobs
        for path in ("/", "/jobs", "/jobs/reply"):
            asked = await text_of(client, path)
            assert asked.count('aria-label="Log in to the session shop"') == 1
            assert '<input type="hidden" name="session" value="shop">' in asked


async def test_a_login_that_waits_or_is_open_is_a_link_away(daemon):
    """From where it runs, waits, and is told of: to its page while it lasts, then to its runs; no link
    leads to the page of a job that is none."""
    record = attrs.evolve(daemon.records[-1], id="01login", job=login_name("shop"), outcome=None)
    daemon.told["running"] = record.as_dict() | {"expected": None, "deadline": None}
    daemon.told["waiting"] = [
        {"id": "01w", "job": login_name("main"), "priority": 1, "cause": "person", "attempt": 1,
         "released_at": utc_text(NOON - 3), "reason": "it runs", "held": False}
    ]  # fmt: skip
    daemon.told["waiting_total"] = 1
    async with shown(daemon) as client:
        await daemon.store.write(record, attrs.evolve(record, id="01past", outcome=Outcome.ok))
        now = await text_of(client, "/")
        assert 'href="/login/01login">Open the login</a>' in now
        assert 'href="/login/01w">login:main</a>' in now
        assert 'href="/login/01login">Open the login</a>' in await text_of(client, "/runs/01login")
        past = await text_of(client, "/runs/01past")
        assert "Run again" not in past
        for text in (now, past, await text_of(client, "/runs")):
            assert 'href="/jobs/login' not in text


async def test_what_others_wrote_is_text(daemon):
    """Names, notes, errors, results, logs, evidence: of pages and of plugins, and never markup."""
    bad = attrs.evolve(
        daemon.records[-1], id="01bad", outcome=Outcome.failed, error=EVIL, error_type=EVIL,
        result=EVIL, left=EVIL, harm=EVIL, plugin=EVIL, session=EVIL, ended_at=NOON - 1,
        started_at=NOON - 2, released_at=NOON - 3,
    )  # fmt: skip
    daemon.records.append(bad)
    daemon.paused["plan"] = EVIL
    daemon.healthy = {"state": "ailing", "stuck": [], "ailing": [EVIL]}
    daemon.told |= {
        "warnings": [EVIL],
        "skipped": [{"job": "plan", "note": EVIL, "since": utc_text(NOON), "probe_at": None}],
        "drained": {"job": "*", "note": EVIL, "since": utc_text(NOON), "probe_at": None},
        "browser": daemon.status()["browser"] | {"up": False, "last_loss": EVIL, "version": EVIL},
    }
    news = dict.fromkeys(("job", "run", "title", "text", "url"), EVIL)
    daemon.lines = [
        {"at": utc_text(NOON), "level": EVIL, "event": EVIL, EVIL: EVIL, "exception": EVIL}
    ]
    paths = ["/jobs/plan", "/runs/01bad", "/runs?job=" + EVIL[:90].replace("\ud800", "")]
    async with shown(daemon) as client:
        daemon.tell(JobNews(at=NOON, files=(EVIL, f"{EVIL}.png"), **news))
        await trio.testing.wait_all_tasks_blocked()
        for path in (*PAGES, *paths, "/plan?job=%3Cscript%3E&interval=1m"):
            text = await text_of(client, path)
            check_inert(text)
            assert "<b>\u202e" not in text
            assert "<img src=x" not in text
            assert "49}}" not in text
        run = unescape(await text_of(client, "/runs/01bad"))
        assert run.count("<script>alert(1)</script>") >= 6


async def test_evidence_is_shown_as_text_or_served_apart(daemon, tmp_path):
    """The picture inline; console and network to read, cut; the page and the trace to download only."""
    for name, text in {
        "screenshot.png": "png", "page.html": EVIL[:60], "trace.zip": "zip",
        "console.txt": "<script>steal()</script>\n" + "x" * 200_000, "network.txt": "404  GET /",
    }.items():  # fmt: skip
        (tmp_path / name).write_text(text)
        daemon.files[name] = tmp_path / name
    async with shown(daemon) as client:
        text = await text_of(client, f"/runs/{daemon.records[0].id}")
        check_inert(text)
        assert len(text) < 100_000
        own = f"/v1/runs/{daemon.records[0].id}/files/"
        assert f'<img src="{own}screenshot.png"' in text
        assert "&lt;script&gt;steal()" in text
        assert "404  GET /" in text
        for name in daemon.files:
            assert f'href="{own}{name}"' in text
        assert "alert" not in text
        kept = await client.get(f"{own}page.html")
        assert kept.headers["content-disposition"].startswith("attachment")
        assert "sandbox" in kept.headers["content-security-policy"]


async def test_many_jobs_cost_a_page_no_more():
    """The picture shares lanes, lists are paged: each job is reached, and each page is small."""
    daemon = Pretend(many(800), hours=1)
    names, path = [], "/jobs"
    async with shown(daemon) as client:
        assert len(await text_of(client, "/")) < 250_000
        assert len(await text_of(client, "/plan")) < 300_000
        while path:
            text = await text_of(client, path)
            assert len(text) < 80_000
            names += re.findall(r'<th scope="row"><a href="/jobs/([^"]+)"', text)
            found = re.search(r'href="(/jobs\?after=[^"]+)" rel="next"', text)
            path = found and unescape(found[1])
        assert names == [slot.name for slot in daemon.timetable.slots]
        begun = await text_of(client, "/jobs?from=feed-00777")
        assert re.search(r'scope="row"><a href="/jobs/([^"]+)"', begun)[1] == "feed-00777"


async def test_an_empty_muxd_says_what_to_do():
    """No jobs, no runs: no error either, and the next step."""
    async with shown(Pretend({})) as client:
        for path in PAGES:
            await text_of(client, path)
        assert "No jobs yet" in await text_of(client, "/")


async def test_what_is_not_there_is_told(daemon):
    """An unknown job, run or page: 404 with words; a ledger that fails: 500 with its reason."""
    async with shown(daemon) as client:
        assert "There is no job" in await text_of(client, "/jobs/nothing", 404)
        assert "There is no run" in await text_of(client, "/runs/nothing", 404)
        assert (await client.get("/nothing")).status_code == 404
        for path in ("/static/0/../pages.py", "/static/0/%2e%2e%2fpages.py", "/static/0/x.css"):
            assert (await client.get(path)).status_code == 404
        assert "not possible" not in await text_of(client, "/?w=nonsense")


async def test_the_runs_page_goes_through_all_of_them(daemon):
    """By job and outcome, page by page, newest first, none twice."""
    seen, path = [], "/runs?job=posting_queue&outcome=ok"
    async with shown(daemon) as client:
        while path:
            text = await text_of(client, path)
            seen += re.findall(r'href="/runs/(01run\d+)"', text)
            found = re.search(r'href="(/runs\?[^"]*)" rel="next"', text)
            path = found and unescape(found[1])
    wanted = [r for r in daemon.records if r.job == "posting_queue" and r.outcome.good]
    wanted.sort(key=lambda record: record.ended_at, reverse=True)
    assert seen == [record.id for record in wanted]


async def test_a_change_can_be_tried_on_the_plan_page(daemon):
    """What moves, what becomes of the gap; nothing is changed; a mistake is explained."""
    async with shown(daemon) as client:
        before = daemon.timetable
        tried = await text_of(client, "/plan?job=plan&interval=20m&duration=")
        assert "smallest gap" in tried
        assert "→" in tried
        assert "Nothing was changed" in tried
        assert "→" in await text_of(client, "/plan?job=plan&without=yes")
        assert "interval must be" in await text_of(client, "/plan?job=plan&interval=soon")
        assert "no job" in await text_of(client, "/plan?job=plam&interval=1h")
        assert "→" not in await text_of(client, "/plan?job=plan")
        assert daemon.timetable is before


async def test_the_files_may_be_kept_for_good(daemon):
    """Their address changes with what is in them, so nobody ever has an old one."""
    async with shown(daemon) as client:
        text = await text_of(client, "/")
        for path in re.findall(r'(?:href|src)="(/static/[^"]+)"', text):
            answer = await client.get(path)
            assert answer.status_code == 200
            assert "immutable" in answer.headers["cache-control"]


@pytest.mark.parametrize("state", ["stuck", "starting", "draining", "ailing"])
async def test_the_headline_says_how_it_is(daemon, state):
    """Whatever is not well is the first thing to be read, in words."""
    daemon.healthy = {"state": state, "stuck": ["the slot of 'plan' is stuck"], "ailing": []}
    async with shown(daemon) as client:
        text = await text_of(client, "/")
        assert "All is well" not in text
        assert "the slot of &#39;plan&#39; is stuck" in text


@pytest.mark.parametrize(
    ("told", "headline"),
    [
        ({}, "All is well"),
        ({"waiting_total": 7}, "All is well"),
        ({"waiting_total": 8}, "8 runs wait"),
        ({"warnings": ["memory is short"], "paused_total": 1}, "Something needs a look"),
        ({"paused_total": 1}, "1 of 16 jobs is paused"),
        ({"paused_total": 2}, "2 of 16 jobs are paused"),
        ({"paused_total": 1, "paused": [LOGGED_OUT]}, "Logged out of shop"),
    ],
)
async def test_not_all_is_well_while_there_is_something_to_see(daemon, told, headline):
    """What muxd gets on with, but people should know of at a glance, is the headline too."""
    daemon.told |= told
    async with shown(daemon) as client:
        assert f"<h1>{headline}</h1>" in await text_of(client, "/")


async def test_in_a_rehearsal_the_timetables_clock_counts(daemon):
    """At 60 times the speed an hour of the picture is a minute; runs from before it are left out."""
    start = daemon.midnight + 9 * 3600
    daemon.told |= {
        "speed": 60.0, "timetable_now": utc_text(start), "started_at": utc_text(NOON - 30),
        "upcoming": [{"job": "plan", "at": utc_text(NOON + 10)}],
    }  # fmt: skip
    daemon.records = [
        attrs.evolve(
            daemon.records[0], id="01new", job="plan", speed=60.0, released_at=NOON - 20,
            started_at=NOON - 20, ended_at=NOON - 19, outcome=Outcome.ok,
        ),
        attrs.evolve(daemon.records[0], id="01old", ended_at=NOON - 100, speed=60.0),
    ]  # fmt: skip
    async with shown(daemon) as client:
        text = await text_of(client, "/")
    assert "60\N{MULTIPLICATION SIGN} time" in text
    assert "plan · 09:10:00 · next" in text
    assert "plan · 08:40:00 · ok, 1s" in text
    assert "01old" not in text


async def test_a_disk_that_stalls_costs_no_news_and_has_one_writer(tmp_path, monkeypatch):
    """A save that takes too long is given up; what came meanwhile is kept once that one has ended."""
    free, writing, most = threading.Event(), [], 0

    def save(path, news):
        nonlocal most
        writing.append(news)
        most = max(most, len(writing))
        free.wait(60)
        real(path, news)
        writing.remove(news)

    real = headlines._save
    for name, value in (("_save", save), ("LAST_BOUND", 0.05), ("PAUSE", 0.01)):
        monkeypatch.setattr(headlines, name, value)
    kept = headlines.Headlines(tmp_path)
    try:
        with trio.fail_after(60):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(kept.keep)
                for n in range(3):
                    kept.add(JobNews(at=NOON + n, job="plan", run="01run", title=str(n)))
                    await trio.sleep(0.1)
                free.set()
                while True:
                    later = headlines.Headlines(tmp_path)
                    await later.load()
                    if len(later.newest()) == 3:
                        break
                    await trio.sleep(0.01)
                nursery.cancel_scope.cancel()
    finally:
        free.set()
    assert most == 1


async def test_news_of_jobs_are_there_after_a_restart_as_well(tmp_path):
    """The newest first, with their text, their address if it is one of the web, and their pictures."""
    for n, url in enumerate(["https://shop.example/1", "javascript:alert(1)", "/prices/3"], 1):
        news = JobNews(
            at=NOON + n, job="plan", run=f"01run{n}", title=f"it is {n} EUR\nnow", text="-2\n+1",
            url=url, files=("diff.png", "before.txt"),
        )  # fmt: skip
        if n == 1:
            (tmp_path / "news.json").write_text(json.dumps([attrs.asdict(news)]))
            continue
        daemon = Pretend(hours=1)
        daemon.folder = tmp_path
        async with shown(daemon) as client:
            daemon.tell(news)
            await trio.testing.wait_all_tasks_blocked()
            text = await text_of(client, "/news")
            check_inert(text.replace("<bdi>javascript:alert(1)</bdi>", ""))
            assert re.findall(r"it is (\d) EUR now", text) == [str(k) for k in range(n, 0, -1)]
            assert re.findall(r"it is (\d) EUR now", await text_of(client, "/"))[:1] == [str(n)]
    assert '<pre tabindex="0">-2\n+1</pre>' in text
    assert re.findall(r'<a href="([^"]*)" rel="noreferrer', text) == [
        "/prices/3", "https://shop.example/1"
    ]  # fmt: skip
    assert 'src="/v1/runs/01run3/files/diff.png"' in text
    assert 'href="/v1/runs/01run3/files/before.txt" download' in text
    (tmp_path / "news.json").write_text('[{"at": 1}]')
    daemon = Pretend(hours=1)
    daemon.folder = tmp_path
    async with shown(daemon) as client:
        assert "There are none yet" in await text_of(client, "/news")
