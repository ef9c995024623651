"""Whose the lock on a browser profile is, told without a browser."""

from __future__ import annotations

import socket

import pytest

from muxd.browser.profile import claim_profile, note_lock
from muxd.errors import ProfileInUse


@pytest.fixture
def lock(tmp_path):
    """Where Chromium's lock is on a profile that nobody has."""
    profile = tmp_path / "profile"
    profile.mkdir()
    return profile / "SingletonLock"


def test_a_lock_of_another_machine_is_somebody_elses(lock):
    """Nobody has noted it: it stays, and the message says what to do."""
    lock.symlink_to("elsewhere-4711")
    with pytest.raises(ProfileInUse, match="locked by a browser on the machine 'elsewhere'"):
        claim_profile(lock.parent)
    assert lock.is_symlink()


def test_a_lock_that_was_noted_is_muxds_whatever_the_machine_is_called_now(lock):
    """That one, and no other of the same machine."""
    lock.symlink_to("elsewhere-4711")
    note_lock(lock.parent)
    claim_profile(lock.parent)
    assert not lock.is_symlink()
    lock.symlink_to("elsewhere-4711")
    note_lock(lock.parent)
    lock.unlink()
    lock.symlink_to("elsewhere-4712")
    with pytest.raises(ProfileInUse):
        claim_profile(lock.parent)


def test_a_lock_of_a_launch_that_muxd_did_not_outlive_is_muxds(lock, monkeypatch):
    """It is killed before it has noted the lock: any of the machine on which it launched counts."""
    claim_profile(lock.parent)
    lock.symlink_to(f"{socket.gethostname()}-4711")
    monkeypatch.setattr("socket.gethostname", lambda: "new")
    claim_profile(lock.parent)
    assert not lock.is_symlink()


def test_a_profile_without_a_lock_is_free(lock):
    """Whether there is something to note or not."""
    note_lock(lock.parent)
    assert claim_profile(lock.parent) == []
