"""What can be said in muxd.toml, and what is said of mistakes in it. No browser."""

from __future__ import annotations

import tomllib
from importlib.metadata import entry_points
from pathlib import Path

import attrs
import pytest
from muxd_watch.options import WatchOptions
from muxd_watch.plugin import WatchPlugin, plugin

from muxd import JobKeys, MuxdError
from muxd.section import Section

GOOD = '[[page]]\nname = "a"\nurl = "http://x/"\n'


def jobs(text, tmp_path):
    section = Section("watch", tomllib.loads(text), tmp_path / "muxd.toml")
    return list(WatchPlugin().muxd_jobs(section))


def test_twenty_tables_are_twenty_jobs(tmp_path):
    """Each has its options and, where its table says so, other fields of a job."""
    text = "".join(f'[[page]]\nname = "n{n}"\nurl = "http://x/{n}"\n' for n in range(20))
    text += 'interval = "5m"\npriority = "low"\nignore = "\\\\d+"\nmask = [".ad", ".ad2"]\n'
    found = jobs(text, tmp_path)
    assert [job.name for job in found] == [f"n{n}" for n in range(20)]
    assert {(job.interval, job.priority) for job in found[:-1]} == {(3600, 50)}
    last = found[-1]
    assert (last.interval, last.priority) == (300, 25)
    assert [pattern.pattern for pattern in last.config.ignored] == [r"\d+"]
    assert last.config.mask == (".ad", ".ad2")
    assert jobs("", tmp_path) == []


def test_the_entry_point_names_the_plugin():
    """The installed distribution has one entry point: the plugin object."""
    [point] = [each for each in entry_points(group="muxd") if each.name == "watch"]
    assert point.load() is plugin


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[[pagess]]\nname = "a"', "watch.pagess: no such key; did you mean 'page'?"),
        ('[[page]]\nname = "a"', "page[a].url: it is missing: give the address of a page"),
        ('[[page]]\nname = "a"\nurl = "x"', "page[a].url: 'x' is not possible: give the address of a page"),
        (f'{GOOD}what = "txt"', "page[a].what: 'txt' is not possible: give one of text, visual, number, element"),
        (f'{GOOD}what = "number"', "page[a]: say where on the page the number is: give a selector"),
        (f"{GOOD}below = 3", 'page[a]: below is of a watch with what = "number"'),
        (f'{GOOD}what = "visual"\nignore = "a"', 'page[a].what: \'visual\' is not possible: ignore is of a watch with what = "text"'),
        (f'{GOOD}ignore = ["("]', "page[a].ignore[0]: '(' is not possible: give a regular expression"),
        (f'{GOOD}what = "visual"\nthreshold = "lots"', "page[a].threshold: 'lots' is not possible: give a share"),
        (f'{GOOD}what = "visual"\ntolerance = 3', "page[a].tolerance: 3 is not possible: give a number from 0 to 1"),
        (f'{GOOD}what = "visual"\nregions = [[1, 2, 3]]', "page[a].regions: [[1, 2, 3]] is not possible: give [x, y, width"),
        (f'{GOOD}what = "visual"\nviewport = "big"', "page[a].viewport: 'big' is not possible: give a size"),
        (f'{GOOD}what = "number"\nselect = "b"\nchange = "5 euro"', "page[a].change: '5 euro' is not possible: give a share"),
        (f"{GOOD}confirm = 0", "page[a].confirm: 0 is not possible: give a whole number from 1 to 100"),
        (f'{GOOD}settle = "a bit"', "page[a].settle: 'a bit' is not possible: give a duration"),
        (f'{GOOD}timeout = "never"', "page[a].timeout: 'never' is not possible"),
        (GOOD * 2, "page[a].name: 'a' is there twice"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_file_and_key(text, told, tmp_path):
    """Whatever is wrong: the file, the key with the name of the page, and what would be right."""
    with pytest.raises(MuxdError) as caught:
        jobs(text, tmp_path)
    assert caught.value.exit_code == 2
    assert f"{tmp_path / 'muxd.toml'}: plugins." in str(caught.value)
    assert told in str(caught.value)


def test_the_readme_has_every_key():
    """What can be said is in the table of the README."""
    readme = (Path(__file__).parent.parent / "README.md").read_text("utf-8")
    own = {field.name for kind in (WatchOptions,) for field in attrs.fields(kind)}
    own -= {field.name for field in attrs.fields(JobKeys)} | {"name"}
    assert [name for name in sorted(own) if f"`{name}`" not in readme] == []
