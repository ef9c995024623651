"""What a site has answered, recorded without its secrets, answers in tests in its stead."""

from __future__ import annotations

import json

import pytest

from muxd.errors import UserError, WorldError
from muxd.secrets import Secrets
from muxd.testing import Answer, MuxdRun
from muxd.testing.har import Recording, Replay

TOKEN, SESSION, PASSWORD = "T0k3n-of-the-api-4711", "s3ss10n-0815", "correct h0rse"


LOGIN = "<form action=/login method=post><input name=password type=password><button></form>"
SHOP = """<h1>Tea</h1><script>
    fetch("/api/prices", {headers: {Authorization: "Bearer TOKEN"}}).then(answer => answer.json())
        .then(prices => document.body.insertAdjacentHTML("beforeend", `<p>${prices.tea}`))
</script>"""


def shop(request):
    if request.path == "/login":
        cookies = {"Set-Cookie": f"sid={SESSION}; Path=/; HttpOnly"}
        return Answer("", status=303, headers=cookies | {"Location": "/"})
    return SHOP.replace("TOKEN", TOKEN) if "sid" in request.cookies else LOGIN


PAGES = {"/": shop, "/login": shop, "/api/prices": {"tea": "2.40", "refresh_token": TOKEN}}


@pytest.mark.browser
def test_recorded_and_replayed(request, muxd_run, muxd_site, tmp_path):
    """A login, a redirect and an API: the same without the site, in two runs as it was in two; what is
    not in the file is named; of the secrets there is none in it.
    """
    site = muxd_site(PAGES)

    async def log_in(run):
        await run.page.goto(site.url)
        await run.page.fill("[name=password]", PASSWORD)
        await run.page.click("button")
        return await run.page.inner_text("h1")

    async def price(run):
        await run.page.goto(site.url)
        if await run.page.locator("form").count():
            await log_in(run)
        return await run.page.inner_text("p")

    async def coffee(run):
        await run.page.goto(site.url + "/coffee")

    browser = request.getfixturevalue("_muxd_browser")
    recorded = MuxdRun(browser, tmp_path / "muxd", place=tmp_path, records_har=True)
    for job, returned in ((log_in, "Tea"), (price, "2.40")):
        assert recorded(job, har="tests/tea.har", session="shop").outcome == "ok"
        assert recorded.returned == returned
    assert "recorded" in recorded.account()
    file = tmp_path / "tests" / "tea.har"
    for secret in (TOKEN, SESSION, PASSWORD, PASSWORD.replace(" ", "+")):
        assert secret not in file.read_text()
    assert not list((tmp_path / "muxd").glob("*.har"))
    sent = len(site.requests)
    site.drop()
    for job, returned in ((log_in, "Tea"), (price, "2.40")):
        record = muxd_run(job, har=file, session="shop")
        assert (record.outcome, muxd_run.returned) == ("ok", returned), record.error
    record = muxd_run(coffee, har=file)
    assert record.outcome == "failed"
    assert f"not in {file}: GET {site.url}/coffee" in record.error
    assert "record it anew: pytest --muxd-har=record" in record.error
    assert len(site.requests) == sent, "nothing gets out"


def entry(url, **request):
    return {
        "request": {"method": "POST", "url": url, "headers": [], "queryString": []} | request,
        "response": {
            "status": 200,
            "headers": [{"name": "Set-Cookie", "value": "sid=s3cr3t-1; Path=/\nb=c"}],
            "content": {"text": f'{{"csrf_token": "{TOKEN}", "name": "Ann"}}'},
            "redirectURL": "",
        },
    }


def recorded(tmp_path, *entries):
    raw = tmp_path / "raw.har"
    raw.write_text(json.dumps({"log": {"entries": entries}}))
    return Recording(tmp_path / "har" / "it.har", raw)


def test_what_is_masked(tmp_path):
    """Cookies, credentials, tokens, what is known: wherever they stand. A body with one is left out,
    so that any is answered; an address with one is told, for it won't be found.
    """
    headers = [
        {"name": "cookie", "value": "sid=s3cr3t-1"},
        {"name": "Authorization", "value": f"Bearer {TOKEN}"},
        {"name": "X-Shop", "value": f"of {TOKEN}"},
        {"name": "Accept", "value": "text/html"},
    ]
    query = [{"name": "api_key", "value": "k3y-of-mine"}]
    har = recorded(
        tmp_path,
        entry("https://a.example/1", headers=headers, postData={"text": f"t={TOKEN}"}),
        entry("https://a.example/2?api_key=k3y-of-mine", queryString=query),
        entry("https://a.example/3", postData={"text": "q=known secret&page=2"}),
        entry("https://a.example/5", postData={"params": [{"name": "pin", "value": TOKEN}]}),
        entry("https://a.example/4", postData={"text": "q=tea"}, cookies=[{"value": "s3cr3t-1"}]),
    )
    assert har.keep(Secrets(["known secret"]), after=False) == [
        "POST https://a.example/2?api_key=***"
    ]
    text = har.file.read_text()
    for secret in (TOKEN, "s3cr3t-1", "k3y-of-mine", "known secret"):
        assert secret not in text
    first, second, third, fifth, fourth = json.loads(text)["log"]["entries"]
    values = [header["value"] for header in first["request"]["headers"]]
    assert values == ["***", "***", "of ***", "text/html"]
    assert second["request"]["queryString"][0]["value"] == "***"
    for each in (first, third, fifth):
        assert "postData" not in each["request"]
    assert fourth["request"]["postData"] == {"text": "q=tea"}
    assert first["response"]["headers"][0]["value"] == "sid=***; Path=/\nb=***"
    assert json.loads(first["response"]["content"]["text"]) == {"csrf_token": "***", "name": "Ann"}
    assert not har.raw.exists()


def test_runs_of_one_test_share_a_file(tmp_path):
    """The first begins it anew, further ones are put behind."""
    for number, after in ((1, False), (2, True), (3, False), (4, True)):
        recorded(tmp_path, entry(f"https://a.example/{number}")).keep(Secrets(), after=after)
    read = json.loads((tmp_path / "har" / "it.har").read_text())
    urls = [each["request"]["url"] for each in read["log"]["entries"]]
    assert urls == ["https://a.example/3", "https://a.example/4"]


def test_what_can_not_be_replayed_or_recorded(tmp_path):
    """Each says what it is, and what to do."""
    file = tmp_path / "it.har"
    with pytest.raises(UserError, match=r"there is no .*it\.har: record it: pytest --muxd-har=rec"):
        Replay(file)
    for text in ("", "{}", '{"log": 1}', '{"log": {"entries": 3}}'):
        file.write_text(text)
        with pytest.raises(UserError, match="is no HAR"):
            Replay(file)
    with pytest.raises(WorldError, match="was not recorded"):
        Recording(file, tmp_path / "raw.har").keep(Secrets(), after=False)


def test_each_test_has_a_file_of_its_own(muxd_har):
    """Beside the tests, named after the test."""
    assert muxd_har.parent.name == "har"
    assert muxd_har.parent.parent.name == "kit"
    assert muxd_har.name == "test_har.test_each_test_has_a_file_of_its_own.har"
