"""Flows of `muxd-check` for real, on a Chromium, against local sites."""

from __future__ import annotations

import datetime
import http.server
import json
import ssl
import threading
import tomllib

import attrs
import pytest
import trustme
from muxd_check.errors import BudgetExceeded, CheckFailed, StepFailed
from muxd_check.plugin import CheckPlugin

import muxd
from muxd import Outcome

SHOP = """<!doctype html><title>Shop: front</title>
<style>body { margin: 0 } main { height: 400px; background: #eee } #ad { height: 0 }</style>
<div id=ad></div><main><h1>Shop</h1><button id=slow>Think</button><a href="/login">Log in</a></main>
<script>
const shift = () => { const ad = document.querySelector("#ad"); ad.className = "here"; ad.style.height = "100px" };
onload = () => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(shift, 50)));
document.querySelector("#slow").onclick = event => {
  const end = performance.now() + 150;
  while (performance.now() < end);
  event.target.textContent = "Thought";
};
</script>"""
LOGIN = """<!doctype html><title>Shop: log in</title><form action="/account">
<input name=user id=user><input name=pw id=pw type=password>
<select name=lang id=lang><option value=en>English<option value=de>Deutsch</select>
<input type=checkbox name=stay id=stay><button>Go</button></form>"""
BAD = """<!doctype html><title>Bad</title><h1>Bad</h1><script>
console.error("the shop is on fire");
Promise.all([fetch("/missing"), fetch("/ignored.json")]).then(() => { document.body.id = "done" });
nothing();
</script>"""


def account(request):
    good = "user=ann&pw=hunter2&lang=de&stay=on" in request.query
    return f"<title>Account</title><p id=hello>{'Hello, ann' if good else 'Who are you?'}</p>"


@pytest.fixture
def checks(muxd_run):
    """Walks all flows of a text in one run, which is quicker: for each its figures, or what was wrong."""

    def walk_all(text):
        jobs = list(CheckPlugin().muxd_jobs(muxd.Section("check", tomllib.loads(text))))

        async def all_of_them(run):
            found = {}
            for job in jobs:
                try:
                    found[job.name] = await job.body(attrs.evolve(run, job=job))
                except CheckFailed as error:
                    found[job.name] = error
            return found

        record = muxd_run(all_of_them, session="fresh", timeout="3m")
        assert record.outcome is Outcome.ok, record
        return muxd_run.returned

    return walk_all


@pytest.fixture
def https_site():
    """A site with a certificate that nobody knows, and that is good for five and a half days."""
    until = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=5, hours=12)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost", not_after=until).configure_cert(context)

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<h1>safe</h1>")

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield f"https://localhost:{server.server_address[1]}/"
        server.shutdown()
        thread.join()


@pytest.mark.browser
def test_what_is_well_and_what_is_wrong(checks, muxd_site, muxd_run, https_site, monkeypatch):
    """A step that fails is named, with what was there instead; what is over the budget is, with the
    first of what was counted; and so is a certificate that ends soon, or that nobody trusts. In a flow that
    goes well every kind of step does what it says, with a secret that stands nowhere; and what the pages
    cost is measured: the shift of the layout, the slow click, the largest picture or text."""
    monkeypatch.setenv("SHOP_PASSWORD", "hunter2")
    site = muxd_site({"/": SHOP, "/login": LOGIN, "/account": account, "/bad": BAD})
    safe = f'steps = [{{ goto = "{https_site}" }}]'
    found = checks(
        f"""
        [[flow]]
        name = "sale"
        steps = [
          {{ goto = "{site.url}/" }},
          {{ name = "the sale has begun", expect_text = "Sale", at = "h1", within = "200ms" }},
        ]
        [[flow]]
        name = "gone"
        steps = [{{ goto = "{site.url}/gone" }}]
        [[flow]]
        name = "bad"
        ignore = ["ignored.json"]
        steps = [{{ goto = "{site.url}/bad" }}, {{ expect_visible = "#done" }}]
        [flow.budget]
        console_errors = 1
        failed_requests = 0
        took = "1ms"
        lcp = "1ms"
        [[flow]]
        name = "shop"
        viewport = "800x600"
        steps = [
          {{ goto = "{site.url}/", status = 200 }},
          {{ expect_title = "Shop: front" }},
          {{ expect_visible = "#ad.here" }},
          {{ wait = "100ms" }},
          {{ click = "#slow" }},
          {{ expect_text = "Thought", at = "#slow" }},
          {{ click = "text=Log in" }},
          {{ expect_url = "{site.url}/log*" }},
          {{ fill = "#user", value = "ann" }},
          {{ fill = "#pw", secret = "SHOP_PASSWORD" }},
          {{ select = "#lang", value = "de" }},
          {{ check = "#stay" }},
          {{ press = "Enter", at = "#user" }},
          {{ expect_text = "/Hello, \\\\w+/" }},
          {{ expect_visible = "#hello" }},
          {{ expect_hidden = "#pw" }},
          {{ expect_status = 200 }},
        ]
        [flow.budget]
        lcp = "20s"
        cls = 0.5
        inp = "20s"
        transfer = "1 MB"
        console_errors = 0
        failed_requests = 0
        [[flow]]
        name = "untrusted"
        {safe}
        [[flow]]
        name = "soon"
        any_certificate = true
        {safe}
        """
    )
    assert isinstance(found["sale"], StepFailed)
    assert str(found["sale"]) == "step 2 of 2, the sale has begun: there is 'Shop'"
    assert str(found["gone"]) == f'step 1 of 1, goto "{site.url}/gone": the answer was 404'
    assert isinstance(found["bad"], BudgetExceeded)
    parts = str(found["bad"]).split("; ")
    assert parts[0].startswith("LCP is ")
    assert parts[0].endswith(f" on {site.url}/bad, more than 1 ms")
    assert parts[1].startswith("all steps took ")
    assert parts[2] == "errors in the console: 2, more than 1: first, the shop is on fire"
    assert parts[3] == f"failed requests: 1, more than 0: first, GET {site.url}/missing: 404"
    assert "ERR_CERT" in str(found["untrusted"])
    host = https_site.split("/")[2]
    ends = f"the certificate of {host} is good for 5.5 more days, fewer than 14"
    assert str(found["soon"]) == ends
    assert json.loads(muxd_run.files["report.json"].read_text())["problem"] == ends

    shop = found["shop"]
    assert isinstance(shop, dict), shop
    assert 0.1 < shop["inp"] < 20
    assert 0.01 < shop["cls"] < 0.5
    assert 0 < shop["fcp"] <= shop["lcp"] < 20
    assert shop["requests"] == 3
    assert shop["transfer"] > len(SHOP)
    [record] = muxd_run.records
    assert "hunter2" not in json.dumps(record.as_dict())
