"""The plugin's jobs, run for real on pages of a local site that change."""

from __future__ import annotations

import tomllib

import pytest
from muxd_watch.plugin import WatchPlugin

from muxd.section import Section

pytestmark = pytest.mark.browser


@pytest.fixture
def watch(muxd_run, tmp_path):
    """Runs a watch, given as TOML, once: ``result = watch(url, text)``."""

    def run(url, text):
        values = {"page": [{"name": "it", "url": url, "patience": "3s", **tomllib.loads(text)}]}
        section = Section("watch", values, tmp_path / "muxd.toml")
        [job] = WatchPlugin().muxd_jobs(section)
        record = muxd_run(job)
        assert record.outcome == "ok", record
        return muxd_run.returned

    return run


def test_a_text_that_changes_is_told_with_what_differs(watch, muxd_run, muxd_site):
    """The first look is no news, nor is what is ignored or masked, nor a change that goes away; one that
    is seen as often as it has to be is told as a difference."""
    page = "<main><h1>Rules</h1><p>seen {} times</p><p>{}</p><p class=ad>{}</p></main>"
    site = muxd_site({"/": page.format(1, "Be kind.", "soap")})
    text = 'select = "main"\nignore = ["seen \\\\d+ times"]\nmask = ".ad"\nconfirm = 2'
    results = []
    for count, (rule, ad) in enumerate(
        [
            ("Be kind.", "soap"),
            ("Be  kind.", "tea"),
            ("Be quick.", "tea"),
            ("Be quick.", "soap"),
        ]
    ):
        site["/"] = page.format(count, rule, ad)
        results.append(watch(site.url, text))
    told = "1 line added, 1 line removed"
    assert results == [
        "first look: 14 characters",
        "nothing new: 14 characters",
        f"{told}; to be confirmed, seen 1 of 2 times",
        told,
    ]
    [news] = muxd_run.told
    assert (news.title, news.url) == (told, site.url)
    assert news.text.splitlines() == ["@@ -1,2 +1,2 @@", " Rules", "-Be kind.", "+Be quick."]
    [change] = muxd_run.saved("it", "changes")
    assert change["difference"] == news.text
    assert change["run_id"] == muxd_run.records[3].id


def test_a_picture_that_changes_is_told_with_pictures(watch, muxd_run, muxd_site):
    """What is covered, or less than the threshold, is no news; what is more is, and what was, what is
    and what differs are kept with the run."""
    page = (
        "<style>body{{margin:0}}div{{position:absolute;width:100px;height:100px}}</style>"
        "<div style='background:{}'></div><div class=ad style='left:150px;background:{}'></div>"
        "<div style='left:300px;background:{};width:10px;height:10px'></div>"
    )
    site = muxd_site()
    text = 'what = "visual"\nviewport = "400x300"\nmask = [".ad"]\nthreshold = "1%"'
    results = []
    for colours in (("navy", "red", "red"), ("navy", "blue", "blue"), ("lime", "red", "red")):
        site["/"] = page.format(*colours)
        results.append(watch(site.url, text))
    assert results == [
        "first look: a picture",
        "nothing new: a picture",
        "8.3% of the picture is other",
    ]
    [news] = muxd_run.told
    assert set(news.files) == {"before.png", "after.png", "difference.png"} <= set(muxd_run.files)
    [change] = muxd_run.saved("it", "changes")
    assert change["pictures"] == ["difference.png", "before.png", "after.png"]


def test_numbers_and_elements_are_told_when_they_cross_the_line(watch, muxd_run, muxd_site):
    """A price that gets below its line; an element that appears, after the page has loaded, and one that
    goes without being news; a page that fails is no change, and a failed run."""
    late = "<script>setTimeout(() => document.body.innerHTML += '<b>in stock</b>', 100)</script>"
    site = muxd_site({"/price": "<i class=p>EUR 1.120,00</i>", "/stock": ""})
    price = 'what = "number"\nselect = ".p"\nbelow = 1000'
    assert watch(f"{site.url}/price", price) == "first look: 1120"
    site["/price"] = "<i class=p>EUR 999,50</i>"
    assert watch(f"{site.url}/price", price) == "999.5, below 1000 (was 1120)"
    site.fail("/price", 503, times=1)
    with pytest.raises(AssertionError, match="answered 503"):
        watch(f"{site.url}/price", price)
    stock = 'what = "element"\nselect = "b"\nwhen = "appears"'
    assert watch(f"{site.url}/stock", stock) == "first look: not there"
    site["/stock"] = f"<p>hello</p>{late}"
    assert watch(f"{site.url}/stock", stock) == "b has appeared"
    assert [news.title for news in muxd_run.told] == [
        "999.5, below 1000 (was 1120)",
        "b has appeared",
    ]
