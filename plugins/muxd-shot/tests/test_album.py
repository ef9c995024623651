"""The folder of pictures: whole files, and the oldest go first. No browser."""

from __future__ import annotations

import os

import pytest
from muxd_shot.album import Album, small_of, write_whole
from muxd_shot.sheet import write_sheets

DAY = 86_400.0
NOW = 1_800_000_000.0


@pytest.fixture
def album(tmp_path):
    """One of two labels: ``a`` of six days, ``b`` of one long ago."""
    album = Album(tmp_path / "home")
    for label, days in [*(("a", day) for day in range(6)), ("b", 400)]:
        path = album.path(NOW - days * DAY, label, "png")
        write_whole(path, b"picture")
        write_whole(small_of(path), b"small")
    (album.folder / "notes.txt").write_text("mine")
    (album.folder / "2026-99-99T000000Z_a.png").write_text("no time at all")
    return album


def test_the_newest_stay(album):
    """Of each picture so many stay, with their small ones; what is not ours is left alone."""
    gone = album.thin_out(keep=2, keep_for=0, now=NOW)
    assert [shot.at for shot in gone] == [NOW - days * DAY for days in (2, 3, 4, 5)]
    assert [(shot.label, shot.at) for shot in album.shots()] == [
        ("a", NOW),
        ("a", NOW - DAY),
        ("b", NOW - 400 * DAY),
    ]
    assert all(shot.small.exists() for shot in album.shots())
    assert len(list(album.folder.glob("small/*"))) == 3
    assert (album.folder / "notes.txt").exists()


def test_the_old_go_but_never_the_last(album):
    """What is too old goes, and yet of each picture there is always one."""
    album.thin_out(keep=0, keep_for=2.5 * DAY, now=NOW)
    assert [(shot.label, (NOW - shot.at) / DAY) for shot in album.shots()] == [
        ("a", 0),
        ("a", 1),
        ("a", 2),
        ("b", 400),
    ]
    assert [shot.label for shot in album.latest()] == ["a", "b"]


def test_nothing_to_go_by_default(album):
    """With 0 for both all stays."""
    assert album.thin_out(keep=0, keep_for=0, now=NOW) == []


def test_a_file_is_whole_or_not_there(tmp_path, monkeypatch):
    """A write that fails leaves what was there before, and no part of a file."""
    path = tmp_path / "deep" / "a.png"
    write_whole(path, b"first")

    def full(_file):
        raise OSError("the disk is full")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="full"):
        write_whole(path, b"second")
    assert path.read_bytes() == b"first"
    assert [each.name for each in path.parent.iterdir()] == ["a.png"]


def test_what_a_killed_process_left_goes(album):
    """Parts of files are taken away once they are surely nobody's."""
    old, new = album.folder / ".part-1-a.png", album.folder / ".part-2-a.png"
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (NOW, NOW))
    os.utime(new, (NOW + DAY, NOW + DAY))
    album.thin_out(keep=0, keep_for=0, now=NOW + DAY)
    assert (old.exists(), new.exists()) == (False, True)


def test_an_album_without_a_folder_is_empty(tmp_path):
    """Before the first run there is nothing, and that is no error."""
    assert Album(tmp_path / "none").shots() == []


def test_small_pictures_that_cant_be_read_cost_nothing(album):
    """The contact sheets are made of what there is, of any text in names too."""
    write_sheets(album.folder.parent)
    page = (album.folder.parent / "index.html").read_text()
    assert 'href="home/2027-01-15T080000Z_a.png"' in page
    assert 'src="home/small/2027-01-15T080000Z_a.png.jpg"' in page
    assert page.count("<li>") == 5
    assert (album.folder.parent / "contact-sheet.jpg").read_bytes()[:2] == b"\xff\xd8"
