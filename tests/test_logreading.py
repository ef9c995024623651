"""The log in files is read while it is written, and no line is lost or told twice."""

from __future__ import annotations

import os
import random
import threading

import pytest

from muxd import logreading
from muxd.logfile import LogFile
from muxd.logreading import LogReader


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "logs"


@pytest.fixture
def read(folder):
    """Makes readers, and closes them."""
    made = []

    def make():
        made.append(LogReader(folder))
        return made[-1]

    yield make
    for reader in made:
        reader.close()


def written(folder, names, *, files=3, size=100):
    file = LogFile(folder, files=files, size=size)
    for name in names:
        file.write(name)
    file.close()


def test_before_anything_was_logged_there_is_nothing(folder, read):
    """No folder is no error; what is logged later is seen."""
    reader = read()
    assert list(reader.forwards()) == list(reader.backwards()) == list(reader.later()) == []
    written(folder, ["first", "second"])
    assert list(reader.later()) == ["first", "second"]
    assert list(reader.later()) == []


def test_forwards_and_backwards_over_all_files(folder, read, monkeypatch):
    """Whatever the size of files, lines and blocks, each is told once, in order."""
    monkeypatch.setattr(logreading, "BLOCK", 7)
    lines = [f"line {number} {'ü' * (number % 30)}" for number in range(25)]
    written(folder, lines, files=30)
    reader = read()
    assert len(list(folder.iterdir())) > 5
    assert list(reader.forwards()) == lines
    assert list(reader.backwards()) == lines[::-1]
    assert list(reader.later()) == []


def test_old_files_are_not_read_in_vain(folder, read):
    """What was last written before an instant has nothing from then on."""
    written(folder, [f"line {number:03} {'x' * 40}" for number in range(6)], files=9)
    old = folder / "muxd.log.1"
    newest = len((folder / "muxd.log").read_text().splitlines())

    os.utime(old, (1e9, 1e9))
    since = list(read().backwards(since=1e9 + 1))
    assert newest < len(since) < 6


def test_followed_over_many_files(folder, read):
    """However many times the file became another between two looks, all that is left is told."""
    written(folder, ["one"], files=9)
    reader = read()
    assert list(reader.later()) == []
    new = [f"line {number:03} {'x' * 40}" for number in range(8)]
    written(folder, new, files=9)
    assert list(reader.later()) == new
    written(folder, [f"again {number:03} {'x' * 60}" for number in range(40)], files=3)
    kept = list(folder.iterdir())
    assert len(kept) == 3
    found = list(reader.later())
    assert found[-1].startswith("again 039")
    assert len(found) == 3


def test_half_a_line_is_waited_for(folder, read):
    """What is on its way is told once it is whole."""
    folder.mkdir()
    log = folder / "muxd.log"
    log.write_bytes(b"whole\nha")
    reader = read()
    assert list(reader.forwards()) == list(reader.backwards()) == ["whole"]
    assert list(reader.later()) == []
    with log.open("ab") as file:
        file.write("lf \xfc\nnext\nla".encode("latin-1"))
    assert list(reader.later()) == ["half \ufffd", "next"]
    log.rename(folder / "muxd.log.1")
    log.write_bytes(b"new\n")
    assert list(reader.later()) == ["la", "new"]


def test_one_file_that_is_emptied(folder, read):
    """Where one file is all there may be, it is emptied when it is full: reading goes on."""
    written(folder, ["before"], files=1)
    reader = read()
    assert list(reader.later()) == []
    (folder / "muxd.log").write_bytes(b"x\n")
    assert list(reader.later()) == ["x"]


def test_a_file_that_is_gone_for_a_moment(folder, read):
    """Between the old name's end and the new file there is none: nothing is lost."""
    written(folder, ["before"])
    reader = read()
    (folder / "muxd.log").rename(folder / "muxd.log.1")
    assert list(reader.later()) == []
    (folder / "muxd.log").write_bytes(b"after\n")
    assert list(reader.later()) == ["after"]


def test_each_line_once_while_somebody_writes(folder, read):
    """Wherever the writer is when it is looked: all lines, once, in order, through many files."""
    lines = [f"{number:05} {'x' * (number % 37)}" for number in range(4000)]
    rng = random.Random(5)
    file = LogFile(folder, files=400, size=2000)
    for line in lines[:500]:
        file.write(line)
    reader = read()
    writer = threading.Thread(target=lambda: [file.write(line) for line in lines[500:]])
    writer.start()
    found = list(reader.forwards())
    while writer.is_alive():
        found += reader.later()
        writer.join(rng.random() / 100)
    found += reader.later()
    file.close()
    assert found == lines
