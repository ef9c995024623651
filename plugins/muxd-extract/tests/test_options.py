"""What can be said in muxd.toml, and what is said of mistakes in it. No browser."""

from __future__ import annotations

import tomllib
from importlib.metadata import entry_points
from pathlib import Path

import attrs
import pytest
from muxd_extract.options import Field, PageOptions
from muxd_extract.plugin import ExtractPlugin, plugin

from muxd import JobKeys, MuxdError
from muxd.section import Section

GOOD = 'name = "a"\nurl = "http://x/"\n'


def jobs(text, tmp_path):
    section = Section("extract", tomllib.loads(text), tmp_path / "muxd.toml")
    return list(ExtractPlugin().muxd_jobs(section))


def test_twenty_tables_are_twenty_jobs(tmp_path):
    """Each has its options and, where its table says so, other fields of a job; its file is beside muxd.toml."""
    table = '[[page]]\nname = "n{0}"\nurl = "http://x/{0}"\nfields.a = "b@href"\n'
    text = "".join(table.format(n) for n in range(20))
    found = jobs(f'{text}interval = "5m"\nsession = "shop"\nfile = "out/a.csv"\n', tmp_path)
    assert [job.name for job in found] == [f"n{n}" for n in range(20)]
    assert {(job.interval, job.session, job.expects_result) for job in found[:-1]} == {
        (3600, "main", True)
    }
    last = found[-1]
    assert (last.interval, last.session) == (300, "shop")
    assert last.config.file == tmp_path / "out/a.csv"
    assert last.config.columns["a"].attribute == "href"
    assert jobs("", tmp_path) == []


def test_the_entry_point_names_the_plugin():
    """The installed distribution has one entry point: the plugin object."""
    [point] = [each for each in entry_points(group="muxd") if each.name == "extract"]
    assert point.load() is plugin


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[[pages]]\nname = "a"', "extract.pages: no such key; did you mean 'page'?"),
        ("[[page]]\n" + GOOD, "page[a].fields: it is missing"),
        ('[[page]]\nname = "a"\nurl = "x.org"\nfields.a = ""', "page[a].url: 'x.org' is not possible"),
        (f"[[page]]\n{GOOD}fields.a = {{ typ = 1 }}", "page[a].fields.a.typ: no such key; did you mean 'type'"),
        (f'[[page]]\n{GOOD}fields.a = {{ type = "numbr" }}', "page[a].fields.a.type: 'numbr' is not possible: give one of"),
        (f'[[page]]\n{GOOD}fields.a = {{ match = "(" }}', "page[a].fields.a.match: '(' is not possible: give a regular expr"),
        (f'[[page]]\n{GOOD}fields.a = {{ format = "%d" }}', "page[a].fields.a.format: '%d' is not possible: it is of dates"),
        (f'[[page]]\n{GOOD}fields.a = {{ type = "date", format = "%Q" }}', "page[a].fields.a.format: '%Q' is not possible: 'Q' is a bad directive"),
        (f'[[page]]\n{GOOD}fields.a = {{ decimal = "," }}', "page[a].fields.a.decimal: ',' is not possible: it is of numbers"),
        (f'[[page]]\n{GOOD}fields.run = "a"', "page[a].fields: {'run': 'a'} is not possible: muxd has a column"),
        (f'[[page]]\n{GOOD}fields = {{ Price = "", price = "" }}', "'Price' and 'price' would be the same column: rename one"),
        (f'[[page]]\n{GOOD}fields.{"a" * 201} = ""', "is no name for a field: 200 characters at most"),
        ("[[page]]\n" + GOOD + "".join(f'fields.f{n} = ""\n' for n in range(501)), "501 fields are too many: 500 at most"),
        (f'[[page]]\n{GOOD}fields.a = ""\nkey = "b"', "page[a].key: 'b' is not possible: there is no field 'b'"),
        (f'[[page]]\n{GOOD}fields.a = ""\nnext = "a"', "page[a]: a list that goes on has a row"),
        (f'[[page]]\n{GOOD}fields.a = ""\nrow="p"\nnext = "a"\nscroll = true', "page[a].scroll: True is not possible: a list goes on in one way"),
        (f'[[page]]\n{GOOD}fields.a = ""\ntell = ["gone"]', "page[a].tell: ['gone'] is not possible: what is gone is known with complete"),
        (f'[[page]]\n{GOOD}fields.a = ""\nfile = "a.xls"', "page[a].file: 'a.xls' is not possible: give a file"),
        (f'[[page]]\n{GOOD}fields.a = ""\nappend = true', "page[a].append: True is not possible: give a file too"),
        (f'[[page]]\n{GOOD}fields.a = ""\npatience = "soon"', "page[a].patience: 'soon' is not possible: give a duration"),
        (f'[[page]]\n{GOOD}fields.a = ""\ninterval = "often"', "page[a].interval: 'often' is not possible"),
        (f'[[page]]\n{GOOD}fields.a = ""\n' * 2, "page[a].name: 'a' is there twice"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_file_and_key(text, told, tmp_path):
    """Whatever is wrong: the file, the key with the name of the page, and what would be right."""
    with pytest.raises(MuxdError) as caught:
        jobs(text, tmp_path)
    assert caught.value.exit_code == 2
    assert f"{tmp_path / 'muxd.toml'}: plugins." in str(caught.value)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("text", "select", "attribute"),
    [
        ("a@href", "a", "href"),
        ("@data-id", "", "data-id"),
        ("//a/@href", "//a", "href"),
        ("./a[@class='x']/@href", "./a[@class='x']", "href"),
        (".//@href", ".//*[@href]", "href"),
        ("./@data-id", "", "data-id"),
        ("//a[@href]", "//a[@href]", ""),
    ],
)
def test_an_attribute_is_what_a_selector_may_end_with(text, select, attribute):
    """After CSS as well as at the end of an XPath, where it is written with a slash."""
    page = PageOptions(name="a", url="http://x/", fields={"a": text})
    assert (page.columns["a"].select, page.columns["a"].attribute) == (select, attribute)


def test_the_readme_has_every_key():
    """What can be said is in the table of the README."""
    readme = (Path(__file__).parent.parent / "README.md").read_text("utf-8")
    own = {field.name for kind in (PageOptions, Field) for field in attrs.fields(kind)}
    own -= {field.name for field in attrs.fields(JobKeys)} | {"name"}
    assert [name for name in sorted(own) if f"`{name}`" not in readme] == []
