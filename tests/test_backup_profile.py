"""A browser's profile, copied while the browser is using it."""

from __future__ import annotations

import os
import shutil

import pytest

from muxd.backup import profile as profiles
from muxd.backup.profile import copy_profile
from muxd.errors import WorldError


def write(path, text):
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.write_text(text)


def test_a_database_that_changes_is_copied_when_it_rests(tmp_path, monkeypatch):
    """Its files are all of one moment: a copy that something was written into is made again."""
    profile, target, copies = tmp_path / "profile", tmp_path / "copy", []
    write(profile / "Default" / "Cookies", "1")
    write(profile / "Default" / "Cookies-journal", "1")
    real = shutil.copyfileobj

    def copying(source, made, size):
        copies.append(source.name)
        real(source, made, size)
        if len(copies) in (1, 3):  # in the middle of the first two tries
            for name in ("Cookies", "Cookies-journal"):
                write(profile / "Default" / name, str(len(copies) + 1))

    monkeypatch.setattr(profiles.shutil, "copyfileobj", copying)
    copy_profile(profile, target)
    assert len(copies) > 4
    assert (target / "Default" / "Cookies").read_text() == "4"
    assert (target / "Default" / "Cookies-journal").read_text() == "4"


def test_a_new_file_of_a_leveldb_is_seen(tmp_path, monkeypatch):
    """It begins another one now and then, which belongs to the rest."""
    folder, target, copies = tmp_path / "profile" / "Local Storage", tmp_path / "copy", []
    write(folder / "MANIFEST-000001", "1")
    write(folder / "000003.log", "1")
    real = shutil.copyfileobj

    def copying(source, made, size):
        copies.append(source.name)
        real(source, made, size)
        if len(copies) == 1:
            write(folder / "000005.log", "5")

    monkeypatch.setattr(profiles.shutil, "copyfileobj", copying)
    copy_profile(tmp_path / "profile", target)
    assert {p.name for p in (target / "Local Storage").iterdir()} == {
        "MANIFEST-000001", "000003.log", "000005.log",
    }  # fmt: skip


def test_a_database_that_never_rests_is_told(tmp_path, monkeypatch):
    """The error says which, and what to do; nothing is copied by half."""
    file, real = tmp_path / "profile" / "Cookies", shutil.copyfileobj
    write(file, "")

    def busy(source, made, size):
        real(source, made, size)
        with file.open("a") as out:
            out.write("x")

    monkeypatch.setattr(profiles.shutil, "copyfileobj", busy)
    clock = iter(range(0, 1000, 20))
    with pytest.raises(WorldError, match="--without-sessions"):
        copy_profile(tmp_path / "profile", tmp_path / "copy", clock=lambda: next(clock))
    assert not (tmp_path / "copy" / "Cookies").exists()


def test_sockets_and_links_of_a_profile_are_passed_over(tmp_path):
    """A browser has a link to its socket there, and others may have put anything."""
    profile = tmp_path / "profile"
    write(profile / "Cookies", "1")
    (profile / "Local State").symlink_to("/etc/passwd")
    os.mkfifo(profile / "Preferences")
    write(profile / "Extensions" / "x" / "History.js", "kept")
    write(profile / "History", "not kept")
    copy_profile(profile, tmp_path / "copy")
    assert {str(p.relative_to(tmp_path / "copy")) for p in (tmp_path / "copy").rglob("*.*")} == {
        "Extensions/x/History.js"
    }
    assert {p.name for p in (tmp_path / "copy").iterdir()} == {"Cookies", "Extensions"}
