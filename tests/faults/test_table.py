"""The table of docs/reliability.md and the tests of this folder say the same."""

from __future__ import annotations

import re
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "reliability.md"
TEST = re.compile(r"^(?:async )?def (test_\w+)", re.MULTILINE)


def rows():
    """The cells of each row of the tables below `What happens when ...`."""
    section = PAGE.read_text().partition("## What happens when ...\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return [row for row in cells if row[0] != "what happens" and not row[0].startswith("---")]


def test_each_row_is_held_by_a_test_and_each_test_has_a_row():
    """What the page says of a fault is tested, and what is tested the page says."""
    named = [name for row in rows() for name in re.findall(r"test_\w+", row[-1])]
    found = [
        name
        for file in sorted(HERE.glob("test_*.py"))
        if file != Path(__file__)
        for name in TEST.findall(file.read_text())
    ]
    assert named, "there is no table"
    assert sorted(named) == sorted(set(named)), "a test is named twice"
    assert sorted(named) == sorted(found)


def test_each_row_is_whole():
    """Each row says what becomes of the run, of the others, and what is seen."""
    for row in rows():
        assert len(row) == 5, row
        assert all(row), row
