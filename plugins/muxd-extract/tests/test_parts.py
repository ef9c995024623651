"""Types, files and news: no browser."""

from __future__ import annotations

import json
import re
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from muxd_extract.command import extract
from muxd_extract.files import RowFile
from muxd_extract.news import news_of
from muxd_extract.options import Field, PageOptions
from muxd_extract.typed import typed_row
from playwright.async_api import Error

import muxd
from muxd.errors import RunError
from muxd.saved import Change, Saved


@pytest.mark.parametrize(
    ("field", "raw", "value"),
    [
        (Field(), "  a\n b ", "a b"),
        (Field(), "", None),
        (Field(), "\ud83d", "\\ud83d"),
        (Field(), None, None),
        (Field(type="number"), "1.234,50 €", 1234.5),
        (Field(type="number"), "12 left", 12),
        (Field(type="number", decimal=","), "1.234", 1234),
        (Field(match=re.compile(r"(\d+) reviews")), "it has 12 reviews", "12"),
        (Field(match=re.compile(r"\d+ reviews")), "none", None),
        (Field(type="date"), "2026-03-01", "2026-03-01"),
        (Field(type="date"), "Sun, 01 Mar 2026 10:00:00 +0000", "2026-03-01T10:00:00+00:00"),
        (Field(type="date"), "1772359200", "2026-03-01T10:00:00+00:00"),
        (Field(type="date", format=("%d.%m.%y", "%d.%m.%Y")), "01.03.2026", "2026-03-01"),
        (Field(type="date", format="%d.%m.%Y %H:%M"), "01.03.2026 10:00", "2026-03-01T10:00:00"),
        (Field(list=True, type="number"), ["1", "", "2"], [1, 2]),
        (Field(fields={"b": Field(type="number")}), {"b": "3"}, {"b": 3}),
        (Field(type="html"), "<b>a</b>\n", "<b>a</b>\n"),
    ],
)
def test_texts_become_what_they_stand_for(field, raw, value):
    """Blank space doesn't count; numbers, dates in given and usual forms, parts of texts, lists."""
    assert typed_row({"a": raw}, {"a": field}) == {"a": value}


@pytest.mark.parametrize(
    ("field", "raw", "told"),
    [
        (Field(type="number"), "sold out", "a: there is no number in 'sold out'"),
        (Field(type="date"), "yesterday", "a: 'yesterday' is no date like ISO 8601: give its format"),
        (Field(type="date"), f"1 Jan {'9' * 20} 00:00:00", "00:00:00' is no date like ISO 8601"),
        (Field(type="number"), f"{'9' * 308}B", "is too large a number"),
        (Field(fields={"b": Field(type="number")}), {"b": "x"}, "a.b: there is no number in 'x'"),
    ],
)  # fmt: skip
def test_what_is_not_of_its_type_is_told_by_name(field, raw, told):
    """A price that is none is an error that names its field, not a 0."""
    with pytest.raises(ValueError, match=re.escape(told)):
        typed_row({"a": raw}, {"a": field})


ROWS = [{"id": 1, "t": 'a "b",\nc'}, {"id": 2, "t": None}]


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_a_file_is_added_to_and_has_each_row_once(tmp_path, name):
    """Rows that it has are known again, also after a new column; what was in it stays as it was."""
    path = tmp_path / "new" / name
    file = RowFile(path=path, columns=("id", "t"), key=("id",))
    assert [file.append(ROWS), file.append(ROWS)] == [2, 0]
    wider = RowFile(path=path, columns=("id", "t", "u"), key=("id",))
    assert wider.append([*ROWS, {"id": 3, "t": "d", "u": 1.5}]) == 1
    text = path.read_text()
    if name.endswith("csv"):
        assert text == 'id,t,u\n1,"a ""b"",\nc",\n2,,\n3,d,1.5\n'
    else:
        assert [json.loads(line)["id"] for line in text.splitlines()] == [1, 2, 3]
    path.chmod(0o640)
    assert file.replace(ROWS[:1]) == 1
    assert path.read_text().count("\n") == (3 if name.endswith("csv") else 1)
    assert path.stat().st_mode & 0o777 == 0o640
    assert [each.name for each in path.parent.iterdir()] == [name]


def test_a_file_that_can_t_be_written_is_left_as_it_was(tmp_path, monkeypatch):
    """Whoever reads it sees all of the old rows or all of the new; of a write that fails nothing stays."""
    path = tmp_path / "a.csv"
    file = RowFile(path=path, columns=("id",), key=("id",))
    file.replace([{"id": 1}])

    def broken():
        yield {"id": 2}
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        file.replace(broken())
    assert path.read_text() == "id\n1\n"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_is_something_else_is_not_overwritten(tmp_path):
    """A line that is no JSON is told with its number, and nothing is lost."""
    path = tmp_path / "a.jsonl"
    path.write_text('{"id": 1}\nhello\n')
    with pytest.raises(ValueError, match=r"a\.jsonl:2: this is no line of JSON"):
        RowFile(path=path, columns=("id",), key=("id",)).append([{"id": 2}])
    assert path.read_text() == '{"id": 1}\nhello\n'


def options(**more):
    fields = {"t": Field(), "p": Field(type="number")}
    return PageOptions(name="x", url="http://x/", fields=fields, key="t", complete=True, **more)


def test_news_name_what_is_new_changed_and_gone():
    """Counts in the title, then a line for each, as many as can be read; nothing if there is nothing."""
    saved = Saved(
        new=[{"t": f"N{n}", "p": n} for n in range(12)],
        changed=[Change("C", {"t": "C", "p": 1.5}, {"t": "C", "p": 2})],
        gone=[{"t": "G", "p": None}],
    )
    news = news_of(saved, options(tell=("new", "changed", "gone")))
    assert news.title == "12 new, 1 changed, 1 gone"
    lines = news.text.splitlines()
    assert lines[:2] == ["+ N0, 0", "+ N1, 1"]
    assert lines[10:] == ["+ and 2 more", "~ C: p 1.5 -> 2", "- G"]
    assert news_of(saved, options()) is None
    assert news_of(Saved(), options(tell=("new",))) is None


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (Error('Locator.count: no "div["\nCall log:\n - x'), 'Locator.count: no "div["'),
        (ValueError('fields.a: "p[" is neither CSS nor XPath'), 'fields.a: "p[" is neither'),
    ],
)
def test_what_is_wrong_with_what_is_tried_is_no_mistake_of_the_plugin(monkeypatch, error, said):
    """A selector that is none, or a page that is not there, is told in one line."""

    def run(_work):
        raise error

    monkeypatch.setattr(muxd, "run", run)
    done = CliRunner().invoke(extract, ["try", "http://x/", "--row", "div["])
    assert isinstance(done.exception, RunError)
    assert str(done.exception).startswith(said)
    assert "\n" not in str(done.exception)


async def test_pages_show_the_rows_and_escape_them():
    """All extracts with how they went, and the newest rows of each; whatever a site said is text there."""
    from muxd_extract.service import ExtractPages

    evil = "<script>alert(1)</script>"
    rows = [{"t": evil, "p": 12.5, "first_seen": 0.0, "gone_at": None}]

    class Data:
        async def rows(self, table=None, *, limit):
            return rows

        async def tables(self):
            return [SimpleNamespace(rows=7)]

    async def get(run):
        return SimpleNamespace(result=f"3 rows: 3 new {evil}")

    class Daemon:
        store = SimpleNamespace(get=get)

        def jobs(self, *, limit):
            last = {
                "id": "1",
                "outcome": "ok",
                "ended_at": "2026-03-01T10:00:00Z",
                "result": f"3 rows: 3 new {evil}",
            }
            jobs = [{"name": name, "last": last} for name in ("shop", "other")]
            return {"jobs": jobs, "timezone": "Europe/Berlin"}

        def configured(self, kind):
            assert kind is PageOptions
            return {"shop": options(), "gone": options()}

        def data(self, job):
            return Data()

        async def page(self, title, body, *, path, status=200):
            return title, body, status

    pages = ExtractPages(Daemon())
    title, body, _ = await pages._all(None)
    assert title == "Extracts"
    assert body.count("<tr>") == 2  # the head, and the one that is its own
    assert ">7</td>" in body
    assert "3 rows: 3 new &lt;script&gt;" in body
    assert "2026-03-01 11:00" in body
    title, body, status = await pages._one(SimpleNamespace(path_params={"name": "shop"}))
    assert (title, status) == ("shop", 200)
    assert "&lt;script&gt;" in body
    assert "<script" not in body
    _, _, status = await pages._one(SimpleNamespace(path_params={"name": evil}))
    assert status == 404
