"""The evidence of runs on a real Chromium: what is kept, what is never kept, and its bounds."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import os
import signal
import stat
import time
import zipfile

import attrs
import pytest
import trio

from muxd.artifacts import Artifacts
from muxd.book import RunBook
from muxd.browser.evidence import EVIDENCE_BOUND
from muxd.bus import Bus
from muxd.evidence import LARGEST, Evidence
from muxd.job import Job
from muxd.record import Outcome
from muxd.runner import Runner
from muxd.secrets import Secrets
from muxd.testing import MemoryStore

ENGINE = "headless-shell"

TIMEOUT = 4.0
"""Of bodies that wait for it, seconds: time to open their page on a busy machine."""
SEEN = {"screenshot.png", "page.html", "summary.json", "traceback.txt"}

COOKIE = "c00kie-Zx81/Qp=="
PASSWORD = "hunter2&\"correct'horse"
TOKEN = "tok-9f8e7d6c5b4a"
QUERY = "q-1122334455aabb"
BEARER = "bearer.Zm9vYmFyYmF6"
LITERAL = "staple+battery/77"
SECRETS = (COOKIE, PASSWORD, TOKEN, QUERY, BEARER, LITERAL)

LOGIN = """<title>Login</title><form><input id=user><input id=password type=password value="preset-secret">
<input name=plain value=harmless></form><p id=out></p>"""


@attrs.frozen
class Kept:
    """What there is of a run."""

    record: object
    files: dict
    folder: object

    @property
    def summary(self):
        return json.loads(self.files["summary.json"])

    def text(self, name):
        return self.files[name].decode()


@pytest.fixture
def perform(lent, tmp_path, monkeypatch):
    """Run bodies one after another, with evidence; gives what is kept of each (None: nothing)."""

    def perform(*bodies, trace="retries", timeout=30.0, look_within=20.0, **fields):
        monkeypatch.setattr("muxd.browser.evidence.EVIDENCE_BOUND", look_within)
        kept = []
        artifacts = Artifacts(tmp_path / "artifacts")
        evidence = Evidence(artifacts, secrets=Secrets([LITERAL]), trace=trace)

        async def test(life, site):
            store = MemoryStore()
            async with store.open(), trio.open_nursery() as nursery:
                book = RunBook(store, Bus(), real_now=time.time)
                runner = Runner(book, nursery, real_now=time.time, evidence=evidence)
                for body in bodies:

                    async def call(run, body=body):
                        return await body(run, site)

                    job = Job("job", call, interval="1h", timeout=timeout, **fields)
                    release = await book.release(job, released_at=time.time())
                    record = await runner.run(release, life)
                    folder = artifacts.find(record.id)
                    files = {f.name: f.read_bytes() for f in folder.iterdir()} if folder else None
                    kept.append(files and Kept(record, files, folder))
                    kept[-1] = kept[-1] or record
                nursery.cancel_scope.cancel()

        lent(test)
        return kept

    return perform


async def good(run, site):
    await run.page.goto(site.url)


async def fails(run, site):
    await run.page.goto(site.url)
    await run.page.evaluate("console.log('about to fail'); fetch('/nowhere')")
    await run.page.wait_for_timeout(200)
    raise LookupError("no such price")


def test_of_a_body_that_raised_everything_is_there(perform):
    """Picture, HTML, console, failed requests, the body's own traceback, a summary; only ours."""
    (kept,) = perform(fails)
    assert set(kept.files) == SEEN | {"console.txt", "network.txt", "trace.zip"}, kept.summary
    assert kept.files["screenshot.png"].startswith(b"\x89PNG")
    assert "<h1>hello</h1>" in kept.text("page.html")
    assert "log: about to fail" in kept.text("console.txt")
    assert "404  GET http://127.0.0.1" in kept.text("network.txt")
    traceback = kept.text("traceback.txt")
    assert traceback.rstrip().endswith("LookupError: no such price")
    assert 'raise LookupError("no such price")' in traceback
    assert "/muxd/runner.py" not in traceback
    assert "/trio/" not in traceback
    assert kept.summary["run"]["outcome"] == "failed"
    assert kept.summary["url"].startswith("http://127.0.0.1")
    assert kept.summary["missing"] == {}
    assert stat.S_IMODE(kept.folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in kept.folder.iterdir()} == {0o600}


async def waits_for_nothing(run, site):
    await run.page.goto(site.url + "/second")
    await run.page.wait_for_selector("#nothing")


@pytest.mark.parametrize("session", ["main", "fresh"])
def test_of_a_body_that_was_late_the_page_is_there(perform, session):
    """It is looked at before its page is closed; the traceback says which call it hung in."""
    (kept,) = perform(waits_for_nothing, session=session, timeout=TIMEOUT)
    assert kept.record.outcome is Outcome.timed_out
    assert set(kept.files) >= SEEN
    assert "<h1>second</h1>" in kept.text("page.html")
    assert 'wait_for_selector("#nothing")' in kept.text("traceback.txt")
    assert "DeadlineExceeded" in kept.text("traceback.txt")


async def hangs(run, site):
    await run.page.goto(site.url)
    await run.page.evaluate("console.log('last words'); while (true) {}")


def test_a_page_that_hangs_costs_its_picture_and_nothing_else(perform):
    """Console, network and traceback are there; what could not be had says why; in time."""
    kept, after = perform(hangs, good, timeout=TIMEOUT, look_within=EVIDENCE_BOUND)
    assert kept.record.outcome is Outcome.timed_out
    assert kept.record.duration < TIMEOUT + 10
    assert "last words" in kept.text("console.txt")
    assert "while (true)" in kept.text("traceback.txt")
    assert {"screenshot", "html"} <= set(kept.summary["missing"])
    assert after.outcome is Outcome.ok


async def crashes_page(run, site):
    await run.page.goto(site.url)
    await run.page.evaluate("console.log('last words')")
    with contextlib.suppress(Exception):
        await run.page.goto("chrome://crash")
    await run.page.evaluate("new Promise(() => {})")  # ends when the page is seen to be gone


async def kills_browser(run, site):
    await run.page.goto(site.url)
    session = await run.browser.new_browser_cdp_session()
    info = await session.send("SystemInfo.getProcessInfo")
    (browser,) = [each["id"] for each in info["processInfo"] if each["type"] == "browser"]
    os.kill(browser, signal.SIGKILL)
    await trio.sleep_forever()


def test_of_a_page_that_crashed_its_last_words_are_there(perform):
    """The renderer is dead: its console is kept, and the traceback through the body."""
    (kept,) = perform(crashes_page)
    assert kept.record.outcome is Outcome.crashed
    assert "last words" in kept.text("console.txt")
    assert 'evaluate("new Promise' in kept.text("traceback.txt")


def test_of_a_browser_that_died_there_is_the_traceback(perform):
    """Nothing can be asked any more, and nobody waits for an answer."""
    (kept,) = perform(kills_browser)
    assert kept.record.outcome is Outcome.crashed
    assert set(kept.files) == {"traceback.txt", "summary.json"}
    assert "kills_browser" in kept.text("traceback.txt")
    assert kept.record.duration < 10


def test_a_good_run_leaves_nothing(perform, tmp_path):
    """No folder, no file, traced or not."""
    assert [kept.outcome for kept in perform(good, good, trace="always")] == [Outcome.ok] * 2
    root = tmp_path / "artifacts"
    assert not root.exists() or list(root.iterdir()) == []


async def logs_in(run, site):
    """Shows every secret in every place that a page has."""
    page, where = run.page, "http://shop.example"

    async def answer(route):
        await route.fulfill(
            body=LOGIN,
            content_type="text/html",
            headers={"set-cookie": f"sid={COOKIE}; Path=/", "content-type": "text/html"},
        )

    async def refuse(route):
        await route.fulfill(status=403, json={"access_token": TOKEN, "echo": BEARER})

    await page.route(f"{where}/**", answer)
    await page.route(f"{where}/api**", refuse)
    await page.set_extra_http_headers({"Authorization": f"Bearer {BEARER}"})
    await page.goto(f"{where}/login?token={QUERY}")
    await page.fill("#user", "me")
    await page.fill("#password", PASSWORD)
    await page.evaluate(
        """([where, token, literal]) => {
            console.log("cookie is " + document.cookie);
            console.log("password is " + document.querySelector("#password").value);
            console.warn(btoa("me:" + document.querySelector("#password").value));
            console.log(encodeURIComponent(literal), JSON.stringify({literal, token: token}));
            document.querySelector("#out").textContent = document.cookie + " " + literal;
            document.title = "Login of " + document.cookie;
            return fetch(where + "/api?access_token=" + token, {
                method: "POST", body: "password=" + document.querySelector("#password").value
            }).then(answer => answer.text());
        }""",
        [where, TOKEN, LITERAL],
    )
    await page.evaluate(
        "history.pushState(null, '', '/next?' + new URLSearchParams({key: 'k-998877'}))"
    )
    raise RuntimeError(f"refused: {await page.evaluate('document.cookie')} {LITERAL}")


def contents(kept):
    """Every byte that is kept, and what is in the trace besides."""
    yield from kept.files.items()
    if "trace.zip" in kept.files:
        with zipfile.ZipFile(io.BytesIO(kept.files["trace.zip"])) as trace:
            assert trace.testzip() is None
            for name in trace.namelist():
                yield f"trace.zip/{name}", trace.read(name)


@pytest.mark.parametrize("session", ["main", "fresh"])
def test_no_secret_is_in_any_byte(perform, session):
    """Cookie, typed password, token in a URL, header and what the config names: nowhere."""
    (kept,) = perform(logs_in, trace="always", session=session, timeout=30)
    assert set(kept.files) == SEEN | {"console.txt", "network.txt", "trace.zip"}, kept.summary
    for name, content in contents(kept):
        for secret in (*SECRETS, "preset-secret", "k-998877"):
            plain = secret.encode()
            for form in (
                plain,
                base64.b64encode(b"me:" + plain),
                json.dumps(secret)[1:-1].encode(),
            ):
                assert form not in content, (name, secret)
    for text in (kept.record.error, json.dumps(kept.summary)):
        assert "refused: " in text or "refused" in text
        assert COOKIE not in text
        assert LITERAL not in text
    assert "cookie is sid=***" in kept.text("console.txt")
    assert "403  POST http://shop.example/api?access_token=***" in kept.text("network.txt")
    assert 'value="harmless"' in kept.text("page.html")


def test_a_trace_can_still_be_read(perform):
    """Each line of a masked trace is JSON, and it tells of the actions."""
    (kept,) = perform(logs_in, trace="always", timeout=30)
    actions = []
    with zipfile.ZipFile(io.BytesIO(kept.files["trace.zip"])) as trace:
        for name in trace.namelist():
            if name.endswith((".trace", ".network")):
                lines = trace.read(name).decode().splitlines()
                actions += [json.loads(line).get("method") for line in lines if line]
    assert {"goto", "fill"} <= set(actions)


def test_after_a_bad_run_the_next_is_traced_with_pictures(perform):
    """By default each run is traced, and the one after one that failed with what the page showed."""
    runs = perform(fails, fails, good, fails)
    assert [kept_of(kept) for kept in runs] == ["calls", "pictures", "nothing", "calls"]


def kept_of(kept):
    if "trace.zip" not in getattr(kept, "files", ()):
        return "nothing"
    with zipfile.ZipFile(io.BytesIO(kept.files["trace.zip"])) as trace:
        entries = {name: trace.read(name) for name in trace.namelist()}
    log = b"".join(content for name, content in entries.items() if name.endswith(".trace"))
    assert b"set_content" in log or b"setContent" in log or b"goto" in log
    return "pictures" if b'"frame-snapshot"' in log else "calls"


async def traces_itself(run, site, folder):
    await run.context.tracing.start(snapshots=True)
    await run.page.goto(site.url)
    await run.context.tracing.stop(path=folder / "own.zip")
    raise LookupError("after its own trace")


@pytest.mark.parametrize("session", ["main", "fresh"])
def test_a_body_that_traces_gets_its_own_trace(perform, tmp_path, session):
    """Ours gives way to it, and the next run is traced by us again."""

    async def own(run, site):
        await traces_itself(run, site, tmp_path)

    first, second = perform(own, fails, trace="always", session=session, timeout=30)
    assert zipfile.is_zipfile(tmp_path / "own.zip")
    assert first.record.error == "after its own trace"
    assert "trace.zip" not in first.files
    assert "trace.zip" in second.files


async def shows_much(run, site):
    await run.page.goto(site.url)
    await run.page.evaluate("""() => {
        for (let i = 0; i < 500; i++) console.log(i + "-" + "spam".repeat(1000));
        document.body.style.display = "none";  // laying it out is not what this is about
        document.body.append("x".repeat(2_500_000));
    }""")
    raise LookupError("too much")


async def shows_far_too_much(run, site):
    await run.page.goto(site.url)
    await run.page.evaluate("() => document.body.append('x'.repeat(500_000_000))")
    raise LookupError("far too much")


async def spams_for_ever(run, site):
    await run.page.goto(site.url)
    await run.page.evaluate(
        "() => { setInterval(() => { for (let i = 0; i < 2000; i++) console.log('spam', i) }, 1) }"
    )
    await trio.sleep_forever()


@pytest.mark.parametrize(
    ("body", "trace"),
    [(shows_much, "never"), (shows_far_too_much, "never"), (spams_for_ever, "always")],
)
def test_much_is_cut_off(perform, body, trace):
    """However much a page has, each file has its bound, and so has the time that it takes."""
    timeout = 4 if body is spams_for_ever else 20
    look_within = 20.0 if body is shows_much else EVIDENCE_BOUND
    (kept,) = perform(body, trace=trace, timeout=timeout, look_within=look_within)
    assert kept.record.duration < timeout + 10 + 5  # and what masking may take
    assert {"summary.json", "traceback.txt"} <= set(kept.files)
    for name, content in kept.files.items():
        assert len(content) <= LARGEST.get(name, 100_000) + 1, name
    if body is shows_much and "html" in kept.summary["missing"]:
        assert "could not be had in" in kept.summary["missing"]["html"]  # a busy machine
    elif body is shows_much:
        assert kept.text("page.html").rstrip().endswith("-->")
        lines = kept.text("console.txt").splitlines()
        assert 90 < len(lines) <= 100  # 200 kB of lines of 2 kB
        spam = [line for line in lines if "favicon" not in line]  # which may come late
        assert spam[-1].startswith("log: 499-spam")


async def popup_shows(run, site):
    await run.page.goto(site.url)
    async with run.page.expect_popup() as popup:
        await run.page.evaluate("window.open('/second')")
    await (await popup.value).evaluate("console.log('from the popup')")
    raise LookupError("in a popup")


def test_popups_are_looked_at_too(perform):
    """Their URLs are in the summary, their console among the lines."""
    (kept,) = perform(popup_shows)
    assert [url.rpartition("/")[2] for url in kept.summary["pages"]] == ["", "second"]
    assert "from the popup" in kept.text("console.txt")


async def closes_its_page(run, site):
    await run.page.close()
    raise LookupError("no page")


def test_a_page_that_the_body_closed_is_no_loss(perform):
    """What is left is kept, and the summary says what isn't there."""
    (kept,) = perform(closes_its_page)
    assert set(kept.files) == {"traceback.txt", "summary.json", "trace.zip"}
    assert "open any more" in kept.summary["missing"]["screenshot"]


async def raises_in_a_listener(run, site):
    def bang(_request):
        raise LookupError("from the listener")

    run.page.on("request", bang)
    await run.page.goto(site.url)


def test_an_error_of_a_listener_is_not_lost_to_the_look(perform):
    """Whoever's call gets it, it is charged to its run, with its traceback."""
    (kept,) = perform(raises_in_a_listener)
    assert kept.record.outcome is Outcome.failed
    assert "from the listener" in kept.text("traceback.txt")
