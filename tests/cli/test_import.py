"""``muxd import``: what other programs know of jobs becomes configuration that muxd reads."""

from __future__ import annotations

import json
import tomllib
import zipfile

import pytest

CRONTAB = """\
MAILTO=ops@example.com
*/15 * * * * /opt/feed.sh
7 4 * * * cd /srv && python3 news.py --all
0 9-17 * * 1-5 /opt/report
30 5 * * 1 /opt/weekly.v2
@reboot /opt/warm-up
"""
USUAL = {
    "title": None,
    "paused": False,
    "method": "GET",
    "headers": {},
    "body": None,
    "trigger_text": [],
    "include_filters": [],
    "subtractive_selectors": [],
    "ignore_text": [],
    "processor": "text_json_diff",
    "fetch_backend": "system",
    "filter_text_added": True,
    "proxy": None,
    "browser_steps": [{"operation": None, "selector": None, "optional_value": None}],
    "time_between_check": dict.fromkeys(("weeks", "days", "hours", "minutes", "seconds")),
    "time_between_check_use_default": True,
    "time_schedule_limit": {"enabled": False},
    "webdriver_delay": None,
}
"""What a watch has that nobody has set anything of."""
FIRST = USUAL | {
    "url": "https://shop.example/tea?kind=green",
    "title": 'Green "tea" / 100 g',
    "include_filters": ["#price", "xpath://div[@id='stock']", "json:$.price"],
    "subtractive_selectors": [".ad", "//footer"],
    "ignore_text": ["3.5 minutes ago", "/updated \\d+/i", "/(/"],
    "time_between_check": {"weeks": 0, "days": 1, "hours": 12, "minutes": None, "seconds": None},
    "time_between_check_use_default": False,
    "webdriver_delay": 5,
    "trigger_text": ["in stock"],
    "headers": {"X-Key": "secret"},
    "browser_steps": [{"operation": "Click element", "selector": "#more", "optional_value": ""}],
}
SECOND = USUAL | {
    "url": "https://b.example/a/page",
    "processor": "image_ssim_diff",
    "ignore_text": ["nothing"],
    "paused": True,
}
THIRD = USUAL | {"url": "https://b.example/a/page/", "page_title": "News & views"}
SETTINGS = {
    "requests": {"time_between_check": {"weeks": None, "hours": "2", "minutes": 30}},
    "application": {
        "notification_urls": ["mailto://ann:pw@example.org", "json://{{ host }}"],
        "global_subtractive_selectors": ["nav"],
        "global_ignore_text": [],
    },
}
ALL = {"watching": {"u1": FIRST, "u2": SECOND, "u3": THIRD}, "settings": SETTINGS}


@pytest.fixture
def imported(muxd):
    """Run ``muxd import ARGS...``; without an error. Gives the text and what TOML reads in it."""

    def imported(*args, **kwargs):
        result = muxd("import", *args, **kwargs)
        assert result.exit_code == 0, result.output
        return result.stdout, tomllib.loads(result.stdout)

    return imported


def test_a_crontab(imported, write, muxd):
    """Each line that starts something is a table of its name, with what that can't say beside it."""
    write("tab", CRONTAB)
    text, document = imported("crontab", "tab")
    assert document["jobs"] == {
        "feed": {"interval": "15m", "preferred_phase": "0s"},
        "news": {"interval": "1d", "preferred_phase": "4h7m"},
        "report": {"interval": "1h", "preferred_phase": "0s"},
        "weekly.v2": {"interval": "7d", "preferred_phase": "5h30m"},
    }
    assert "# line 3: 7 4 * * *  cd /srv && python3 news.py --all\n[jobs.news]\n" in text
    assert "# taken as a slot every 1h: 9 of 24 slots a day are used" in text
    assert "# ! line 6: '/opt/warm-up' is left out: it starts at boot only" in text
    write("muxd.toml", text)
    assert muxd("config").exit_code == 0


def test_a_crontab_from_a_pipe(imported):
    """What crontab -l prints need not be a file; the system's format can be named."""
    text, document = imported(
        "crontab", "-", "--format", "system", input="0 * * * * ann /bin/x\a\r\n"
    )
    assert list(document["jobs"]) == ["x"]
    assert "ann  /bin/x" in text


def test_a_crontab_with_a_mistake(muxd, write):
    """What can't be read is named with its line: exit code 2, and nothing on stdout."""
    write("tab", "61 * * * * /bin/x\n")
    result = muxd("import", "crontab", "tab")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "tab:1" in result.stderr


def test_watches(imported, write):
    """Selectors, masks, expressions, intervals and pauses are carried over; all else is named."""
    write("url-watches.json", json.dumps(ALL))
    text, document = imported("changedetection", "url-watches.json")
    assert document["notify"] == {"urls": ["mailto://ann:pw@example.org"]}
    assert document["jobs"] == {"b.example-a-page": {"enabled": False}}
    second, third, first = document["plugins"]["watch"]["page"]
    assert first == {
        "name": "Green-tea-100-g",
        "url": "https://shop.example/tea?kind=green",
        "interval": "1d12h",
        "select": "#price",
        "mask": [".ad", "xpath=//footer", "nav"],
        "ignore": [r"(?i).*3\.5\ minutes\ ago.*", r"(?i).*(?:updated \d+).*"],
        "settle": "5s",
    }
    assert second == {
        "name": "b.example-a-page",
        "url": "https://b.example/a/page",
        "interval": "2h30m",
        "what": "visual",
        "mask": ["nav"],
    }
    assert third["name"] == "News-views"
    for note in (
        "not carried over: browser_steps, headers, trigger_text",
        "not carried over: ignore_text",
        "not carried over: the filter json:$.price: it is for JSON",
        "not carried over: the further filter xpath=//div[@id='stock']",
        "not carried over: the expression /(/, which can't be read",
    ):
        assert f"# {note}\n" in text
    assert "secret" not in text


@pytest.mark.parametrize("kept", ["directory", "backup", "one", "api", "pipe"])
def test_wherever_watches_are_kept(imported, write, place, kept):
    """The data directory of any version, a backup, one watch, and the API's answer give the same."""
    if kept == "pipe":
        _, document = imported("changedetection", "-", input=json.dumps(THIRD))
        assert document["plugins"]["watch"]["page"][0]["url"] == THIRD["url"]
        return
    if kept in ("directory", "backup"):
        write("data/changedetection.json", json.dumps({"settings": SETTINGS}))
        write("data/3f/watch.json", json.dumps(THIRD))
        write("data/3f/tag.json", "{}")
        write("data/secret.txt", "not JSON")
    elif kept == "one":
        write("data", json.dumps(THIRD))
    else:
        write("data", json.dumps({"3f": THIRD, "4f": {"title": "no address"}}))
    if kept == "backup":
        with zipfile.ZipFile(place / "data.zip", "w") as archive:
            for name in ("changedetection.json", "3f/watch.json", "secret.txt"):
                archive.write(place / "data" / name, name)
    _, document = imported("changedetection", "data.zip" if kept == "backup" else "data")
    (page,) = document["plugins"]["watch"]["page"]
    assert page["url"] == THIRD["url"]
    assert page["interval"] == ("2h30m" if kept in ("directory", "backup") else "3h")


@pytest.mark.parametrize("content", ["[]", '{"watching": {}}', "no json", '{"url": 5}', None])
def test_what_is_no_watch(muxd, write, content):
    """A file of another kind is the user's mistake: exit code 2, with its name and what to give."""
    if content is not None:
        write("file.json", content)
    result = muxd("import", "changedetection", "file.json")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "file.json" in result.stderr


def test_the_plugin_reads_the_tables(imported, write, muxd):
    """What is printed is a configuration: the plugin makes a job of each watch."""
    pytest.importorskip("muxd_watch", reason="the plugin is not installed")
    write("url-watches.json", json.dumps(ALL))
    text, _ = imported("changedetection", "url-watches.json")
    write("muxd.toml", text)
    result = muxd("jobs", "--json")
    assert result.exit_code == 0, result.output
    jobs = {job["name"]: job for job in json.loads(result.stdout)}
    assert jobs["Green-tea-100-g"]["interval"] == 129_600
    assert jobs["b.example-a-page"]["enabled"] is False
