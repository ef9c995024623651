"""Folders of files, one a run: whole or not at all, private, and never more than their caps."""

from __future__ import annotations

import os
import stat
import threading

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from muxd.artifacts import Artifacts

DAY = 86_400.0


@attrs.define
class Clock:
    """Says what it is told."""

    now: float = 1_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def artifacts(tmp_path, clock):
    return Artifacts(tmp_path / "artifacts", keep=10 * DAY, max_size=1000, max_runs=5, now=clock)


def ids(artifacts):
    return [folder.run_id for folder in artifacts.folders()]


def fill(artifacts, clock, *sizes):
    for number, size in enumerate(sizes):
        clock.now += 1
        artifacts.write(f"run{number}", {"file": b"x" * size})


def test_what_is_written_is_there_and_private(artifacts):
    """Files 0600 in a folder 0700 in a root 0700; nothing unfinished is left."""
    folder = artifacts.write("run", {"a.txt": b"one", "b.bin": b"\0\xff"})
    assert artifacts.find("run") == folder
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == {
        "a.txt": b"one",
        "b.bin": b"\0\xff",
    }
    assert stat.S_IMODE(artifacts.root.stat().st_mode) == 0o700
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}
    assert os.listdir(artifacts.root) == ["run"]


def test_writing_again_takes_the_place(artifacts):
    """A second writing for the same run replaces the first, whole."""
    artifacts.write("run", {"a": b"1", "b": b"2"})
    artifacts.write("run", {"c": b"3"})
    assert os.listdir(artifacts.find("run")) == ["c"]


@pytest.mark.parametrize("name", ["", ".", "..", "../other", "a/b", ".unfinished-1", "absent"])
def test_only_runs_are_found(artifacts, name):
    """A name that is none of a run leads nowhere, least of all out of the root."""
    artifacts.write("run", {"a": b"1"})
    (artifacts.root.parent / "other").mkdir()
    (artifacts.root / ".unfinished-1").mkdir()
    assert artifacts.find(name) is None


def test_before_anything_was_written_there_is_nothing(artifacts):
    """Looking and pruning make no directory, and a file in its place is no folder."""
    assert artifacts.folders() == artifacts.prune() == []
    artifacts.clear_unfinished()
    assert not artifacts.root.exists()
    artifacts.root.write_text("no directory")
    assert artifacts.folders() == []
    with pytest.raises(OSError, match=r"directory|exists"):
        artifacts.write("run", {"a": b"1"})


def test_the_oldest_go_when_there_are_too_many(artifacts, clock):
    """At most `max_runs`, the newest."""
    fill(artifacts, clock, *[1] * 8)
    assert ids(artifacts) == ["run3", "run4", "run5", "run6", "run7"]


def test_the_oldest_go_when_they_take_too_much(artifacts, clock):
    """At most `max_size` in all; the one that was just written stays whatever it takes."""
    fill(artifacts, clock, 400, 400, 400)
    assert ids(artifacts) == ["run1", "run2"]
    fill(artifacts, clock, 5000)
    assert ids(artifacts) == ["run0"]


def test_what_is_too_old_goes(artifacts, clock):
    """After `keep`, whether or not anything is written."""
    fill(artifacts, clock, 1, 1)
    clock.now += 10 * DAY - 0.5
    assert artifacts.prune() == ["run0"]
    clock.now += 1
    assert artifacts.prune() == ["run1"]


@settings(max_examples=50, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 600), max_size=12),
    waits=st.lists(st.floats(0, 5 * DAY), min_size=12, max_size=12),
)
def test_the_caps_hold_after_each_writing(tmp_path_factory, sizes, waits):
    """Whatever is written when: the caps hold, and what is left is the newest."""
    clock = Clock()
    artifacts = Artifacts(
        tmp_path_factory.mktemp("caps"), keep=10 * DAY, max_size=1000, max_runs=5, now=clock
    )
    for number, (size, wait) in enumerate(zip(sizes, waits, strict=False)):
        clock.now += wait + 0.01
        artifacts.write(f"{number:03}", {"file": bytes(size)})
        left = artifacts.folders()
        assert [each.run_id for each in left] == [
            f"{n:03}" for n in range(number - len(left) + 1, number + 1)
        ]
        assert len(left) <= 5
        assert sum(each.size for each in left) <= 1000 or len(left) == 1
        assert all(each.written_at >= clock.now - 10 * DAY - 0.001 for each in left)


def test_what_is_being_written_is_not_pruned(artifacts, clock):
    """An unfinished folder is no folder: neither counted nor removed by pruning."""
    with artifacts.workshop() as unfinished:
        (unfinished / "big").write_bytes(bytes(5000))
        clock.now += 100 * DAY
        fill(artifacts, clock, 1)
        assert artifacts.prune() == []
        assert (unfinished / "big").exists()
        assert ids(artifacts) == ["run0"]
    assert os.listdir(artifacts.root) == ["run0"]


def test_what_a_dead_process_left_is_cleared(artifacts):
    """Leftovers go, whole folders stay."""
    artifacts.write("run", {"a": b"1"})
    (artifacts.root / ".unfinished-dead" / "deep").mkdir(parents=True)
    artifacts.clear_unfinished()
    assert os.listdir(artifacts.root) == ["run"]


def test_a_writing_that_fails_leaves_nothing(artifacts):
    """Neither half a folder nor anything unfinished, and what was there before is still there."""
    artifacts.write("run", {"a": b"1"})
    with pytest.raises(OSError, match="No such file"):
        artifacts.write("run", {"fine": b"1", "no/such/folder": b"2"})
    assert os.listdir(artifacts.root) == ["run"]
    assert os.listdir(artifacts.find("run")) == ["a"]


def test_threads_may_write_and_prune_at_once(artifacts):
    """Every thread gets through, and the caps hold in the end."""
    problems = []

    def work(name):
        try:
            for number in range(20):
                artifacts.write(f"{name}{number}", {"a": bytes(100)})
        except Exception as error:
            problems.append(error)

    threads = [threading.Thread(target=work, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert problems == []
    assert len(ids(artifacts)) == 5
