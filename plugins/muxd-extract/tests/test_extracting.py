"""The plugin's jobs, run once for real on pages of a local site."""

from __future__ import annotations

import csv
import json
import re
import tomllib

import pytest
from click.testing import CliRunner
from muxd_extract.command import extract
from muxd_extract.plugin import ExtractPlugin

from muxd.section import Section
from muxd.testing import Answer

pytestmark = pytest.mark.browser


@pytest.fixture
def job_of(tmp_path):
    """The job of a table, given as TOML."""

    def make(text):
        values = {"page": [tomllib.loads(text)]}
        section = Section("extract", values, tmp_path / "muxd.toml")
        [job] = ExtractPlugin().muxd_jobs(section)
        return job

    return make


def book(n, price="£12.50", stock=""):
    return (
        f'<article data-id="b{n}"><h3><a href="book/{n}">Book {n}</a></h3><p class="price">{price}</p>'
        f'<ul><li>Tag {n}</li><li>new</li></ul><time datetime="2026-03-0{n}T10:00:00Z">then</time>{stock}'
        "</article>"
    )


def shelf(*books, more=""):
    return f'<base href="/shop/"><main>{"".join(books)}</main>{more}'


TABLE = """
name = "books"
url = "URL/shop"
row = "article"
key = "id"
patience = "5s"
file = "books.csv"
tell = ["new", "changed", "gone"]
complete = true
[fields]
id = "@data-id"
title = "h3"
link = { select = "a", type = "url" }
price = { select = ".price", type = "number" }
tags = { select = "li", list = true }
when = { select = "time", type = "date" }
stock = { select = "./p[@class='stock']", match = "(\\\\d+) left" }
maker = { select = ".maker", fields = { name = "b", home = "a@href" } }
"""


def test_rows_of_all_kinds_are_kept_and_what_is_new_is_told(job_of, muxd_run, muxd_site, tmp_path):
    """Texts, attributes, absolute addresses, numbers, lists, dates, XPath and nested fields; over two
    pages; the second time what is new, changed and gone is known, told, and in the file."""
    maker = (
        '<div class="maker"><b>Ann</b><a href="/ann">her</a></div><p class="stock">only 3 left!</p>'
    )
    site = muxd_site(
        {
            "/shop": shelf(book(1, stock=maker), more='<a class="next" href="two">Next</a>'),
            "/shop/two": shelf(book(2), book(3), '<article data-id=""></article>'),
        }
    )
    job = job_of('next = "a.next"' + TABLE.replace("URL", site.url))
    record = muxd_run(job)
    assert record.outcome == "ok", record
    assert muxd_run.returned == "3 rows: 3 new, 3 written"
    rows = list(csv.DictReader((tmp_path / "books.csv").read_text().splitlines()))
    assert rows[0] == {
        "id": "b1",
        "title": "Book 1",
        "link": f"{site.url}/shop/book/1",
        "price": "12.5",
        "tags": '["Tag 1", "new"]',
        "when": "2026-03-01T10:00:00+00:00",
        "stock": "3",
        "maker": f'{{"name": "Ann", "home": "{site.url}/ann"}}',
    }
    assert [row["id"] for row in rows] == ["b1", "b2", "b3"]
    assert (rows[1]["stock"], rows[1]["maker"]) == ("", "")

    site["/shop"] = shelf(book(1, "£9", stock=maker), book(4))
    muxd_run(job)
    assert muxd_run.returned == "2 rows: 1 new, 1 changed, 2 gone, 2 written"
    [news] = muxd_run.told  # the first time nothing is news
    assert news.title == "1 new, 1 changed, 2 gone"
    assert "~ b1: price 12.5 -> 9" in news.text.splitlines()


GROWING = """<main></main>%s<script>
let n = 0, busy = false;
const grow = async () => {
  if (busy || n >= 30) return;
  busy = true;
  await fetch("/slow");
  for (const end = n + 10; n < end; n++) {
    const one = document.createElement("p");
    one.textContent = "Item " + n; one.style.height = "300px";
    document.querySelector("main").append(one);
  }
  busy = false;
  if (n >= 30) document.querySelector("button")?.remove();
};
grow();
if (!document.querySelector("button")) addEventListener("scroll", () => {
  const page = document.scrollingElement;
  if (page.scrollTop + innerHeight > page.scrollHeight - 50) grow();
});
document.querySelector("button")?.addEventListener("click", grow);
</script>"""


@pytest.mark.parametrize("way", ['more = "button"', "scroll = true"])
def test_a_list_that_grows_is_read_to_its_end(job_of, muxd_run, muxd_site, tmp_path, way):
    """By a button, and by scrolling; the end is where nothing more comes. JSON lines get each row once,
    with the time when it came."""
    button = "<button>More</button>" if "button" in way else ""
    site = muxd_site({"/": GROWING % button, "/slow": "{}"})
    job = job_of(
        f'name = "items"\nurl = "{site.url}"\nrow = "main p"\n{way}\nfile = "out/items.jsonl"\n'
        'append = true\nstamp = "seen"\npages = 8\n[fields]\ntext = ""'
    )
    assert muxd_run(job).outcome == "ok"
    assert muxd_run.returned == "30 rows: 30 new, 30 written"
    lines = [json.loads(line) for line in (tmp_path / "out/items.jsonl").read_text().splitlines()]
    assert [line["text"] for line in lines] == [f"Item {n}" for n in range(30)]
    assert all(line["seen"].startswith("20") for line in lines)


def test_a_list_whose_rest_does_not_come_has_not_ended(job_of, muxd_run, muxd_site):
    """It was scrolled, and the answer is still to come: rows that were not seen are not gone."""
    site = muxd_site({"/": GROWING % "", "/slow": "{}"})
    text = (
        f'name = "items"\nurl = "{site.url}"\nrow = "main p"\nscroll = true\ncomplete = true\n'
        'patience = "PATIENCE"\n[fields]\ntext = ""'
    )
    assert muxd_run(job_of(text.replace("PATIENCE", "10s"))).outcome == "ok"
    assert muxd_run.returned == "30 rows: 30 new"

    def once(request):
        site.hang("/slow")
        return "{}"

    site["/slow"] = once
    assert muxd_run(job_of(text.replace("PATIENCE", "3s"))).outcome == "ok"
    assert muxd_run.returned == "10 rows: nothing new"


def test_nothing_and_errors_are_no_good_runs(job_of, muxd_run, muxd_site):
    """No row at all is `empty`, unless the table says that this is right; an error page, a login and a
    selector that is none are told as what they are."""
    site = muxd_site({"/": "<main></main>", "/login": "<form></form>"})
    site["/private"] = Answer(status=302, headers={"location": "/login"})
    head = f'name = "x"\npatience = "300ms"\nurl = "{site.url}'
    assert muxd_run(job_of(head + '/"\nrow = "p"\n[fields]\na = ""')).outcome == "empty"
    record = muxd_run(job_of(head + '/none"\nrow = "p"\n[fields]\na = ""'))
    assert record.outcome == "failed"
    assert "/none answered 404" in record.error
    record = muxd_run(
        job_of(head + '/private"\nneeds_login = "/login*"\nwait = "h1"\n[fields]\na = "h1"')
    )
    assert record.error_type == "muxd.errors.LoggedOut"
    record = muxd_run(job_of(head + '/"\n[fields]\na = { select = "*", fields = { b = "p[[" } }'))
    assert record.error == 'fields.a.fields.b: "p[[" is neither CSS nor XPath'
    text = head + '/"\nrow = "p"\ncomplete = true\nexpects_result = false\n[fields]\na = ""'
    for page, told in (
        ("<p>1", "1 row: 1 new"),
        ("<p>", "0 rows: nothing new"),
        ("", "0 rows: 1 gone"),
    ):
        site["/"] = page
        assert muxd_run(job_of(text)).outcome == "ok"
        assert muxd_run.returned == told


def test_selectors_are_tried_before_they_are_written_down(job_of, muxd_site):
    """`muxd extract try` shows the rows of a page, and prints a table for muxd.toml that is right."""
    site = muxd_site({"/": shelf(book(1), book(2))})
    told = CliRunner().invoke(
        extract, ["try", site.url, "--row", "article", "-f", "title=h3", "-f", "cost=.price:number"]
    )
    assert told.exit_code == 0, told.output
    assert "2 rows." in told.output
    assert re.search("Book 2.*12.5", told.output)
    text = told.output.partition("[[plugins.extract.page]]")[2]
    job = job_of(text.replace("plugins.extract.page.", ""))
    assert job.name == "127-0-0-1"
    assert job.config.row == "article"
    assert job.config.columns["cost"].type == "number"
