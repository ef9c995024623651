"""What people and programs are shown."""

from __future__ import annotations

import json
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from rich.text import Text

from muxd.cli.output import MANY, clock_text, duration_text, print_json, print_table, short


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"),
        (0, "0s"),
        (0.0421, "42ms"),
        (1.04, "1s"),
        (1.26, "1.3s"),
        (12.4, "12s"),
        (200, "3m20s"),
        (3599.7, "1h"),
        (3725, "1h2m"),
        (100_000, "1d4h"),
        (-200, "-3m20s"),
    ],
)
def test_durations_for_people_have_two_units_at_most(seconds, text):
    """A glance is enough to read a duration."""
    assert duration_text(seconds) == text


def test_instants_for_people_are_in_their_zone():
    """The date is left out today, and today is a matter of the zone."""
    zone = ZoneInfo("Asia/Tokyo")
    late = 1769870000.0  # 2026-01-31 14:33:20 UTC
    assert clock_text(late, zone, now=late + 60) == "23:33:20"
    assert clock_text(late, zone, now=late + 3600) == "2026-01-31 23:33:20"
    assert clock_text(late, ZoneInfo("UTC"), now=late + 3600, seconds=False) == "14:33"
    assert clock_text(late, zone) == "2026-01-31 23:33:20"
    assert clock_text(None, zone) == "-"


def test_json_is_one_readable_document(capsys):
    """Keys keep their order, other scripts than Latin are kept, paths are texts."""
    print_json({"b": "é 例", "a": Path("x"), "n": None})
    text = capsys.readouterr().out
    assert text == '{\n  "b": "é 例",\n  "a": "x",\n  "n": null\n}\n'
    assert json.loads(text)["a"] == "x"


def test_a_table_of_very_many_rows_looks_like_any_other(capsys):
    """Printed plainly, for speed: the same words in the same columns."""
    rows = [("例", "1s", None), ("b\x1b", "10m", "[x]"), ("longer name", "", "z")] * 3
    print_table(("name", "every", "what"), rows, right=("every",))
    few = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    print_table(("name", "every", "what"), rows * MANY, right=("every",))
    plain = capsys.readouterr().out.splitlines()
    assert plain[: len(few)] == few
    assert len(plain) == 1 + len(rows) * MANY


def test_what_is_no_json_is_refused():
    """A value that programs could not read is never printed as something else."""
    with pytest.raises(TypeError, match="object can't be printed as JSON"):
        print_json({"x": object()})


def test_headings_are_no_markup(capsys):
    """A column that a page has named is shown as it is, and is no command to a terminal."""
    for many in (1, 1000):
        print_table(("[bold]", "a\x1b[31m"), [("1", "2")] * many, right=("a\x1b[31m",))
        head, first, *_ = capsys.readouterr().out.splitlines()
        assert head == "[bold]  a\\x1b[31m"
        assert first.split() == ["1", "2"]
        assert len(first) == len(head)


def test_tables_off_a_terminal_have_whole_lines(capsys, monkeypatch):
    """Long cells are neither cut nor folded, brackets are no markup, no colour is written."""
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    long = "word " * 60 + "end"
    print_table(("a", "n"), [("[bold]x[/bold]", "1"), (Text(long, "red"), None)], right=("n",))
    head, first, second = capsys.readouterr().out.splitlines()
    assert head.split() == ["a", "n"]
    assert first.split() == ["[bold]x[/bold]", "1"]
    assert second.rstrip() == long


def test_lines_end_with_what_they_say(capsys, monkeypatch):
    """One long last cell makes no other line longer, off a terminal."""
    monkeypatch.delenv("COLUMNS", raising=False)
    print_table(("", "b"), [("x", "short"), ("y", "word " * 60 + "end")])
    head, first, second = capsys.readouterr().out.splitlines()
    assert (head, first) == ("   b", "x  short")
    assert len(second) > 300


def test_columns_limits_the_width(capsys, monkeypatch):
    """COLUMNS is respected, as scripts expect."""
    monkeypatch.setenv("COLUMNS", "40")
    print_table(("a", "b"), [("x", "word " * 30)])
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 40


def test_short_makes_one_line():
    """A message with line breaks fits into a cell."""
    assert short("a\n  b") == "a b"
    assert short("x" * 100, 10) == "x" * 9 + "…"
