"""``muxd backup`` and ``muxd restore``, as commands."""

from __future__ import annotations

import json
import os

import pytest
import trio

from muxd.backup import swap
from muxd.builtin.ledger import Ledger
from muxd.record import Outcome, Record
from muxd.state import StateDir


def with_ledger(state, use):
    async def main():
        with trio.fail_after(30):
            async with Ledger(state.root).open() as ledger:
                return await use(ledger)

    return trio.run(main)


@pytest.fixture
def state(tmp_path, place, write):
    """A state directory with one run and one session, and a configuration with a mistake."""
    found = StateDir(tmp_path / "state" / "muxd")
    found.prepare()
    with_ledger(
        found,
        lambda ledger: ledger.write(
            Record(id="1", job="a", released_at=1.0, ended_at=2.0, outcome=Outcome.ok)
        ),
    )
    found.sessions.mkdir()
    (found.sessions / "shop.json").write_text("{}")
    write("muxd.toml", "[daemon]\ngrace = 'soon'\n")
    return found


def test_there_and_back(muxd, state, place):
    """What was there is restored, and what was there meanwhile is kept, the configuration too."""
    done = muxd("backup", "b.tar.gz")
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith(f"{place}/b.tar.gz: 3 files, ")
    (state.sessions / "shop.json").write_text("[]")
    (place / "muxd.toml").write_text("")
    done = muxd("restore", "--check", "b.tar.gz")
    assert done.exit_code == 0, done.output
    assert "it is whole" in done.stdout
    assert (state.sessions / "shop.json").read_text() == "[]"
    done = muxd("restore", "b.tar.gz", "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["files"] == 3
    assert (state.sessions / "shop.json").read_text() == "{}"
    assert "soon" in (place / "muxd.toml").read_text()
    kept = state.root / os.path.basename(told["set_aside"])
    assert (kept / "sessions" / "shop.json").read_text() == "[]"
    assert (kept / "muxd.toml").read_text() == ""
    assert not state.lock_file.exists()
    assert [record.id for record in with_ledger(state, lambda ledger: ledger.history())] == ["1"]


def test_a_machine_that_has_nothing_gets_all_of_it(muxd, state, place, tmp_path):
    """The configuration goes where the user's is looked for, if there is none."""
    muxd("backup", "b.tar.gz")
    (place / "muxd.toml").unlink()
    done = muxd("restore", "b.tar.gz", "--state-dir", str(tmp_path / "new" / "state"))
    assert done.exit_code == 0, done.output
    assert (tmp_path / "config" / "muxd" / "muxd.toml").exists()
    assert (tmp_path / "new" / "state" / "sessions" / "shop.json").exists()
    assert f"says that the state is in {state.root}" in done.stderr


def test_not_while_muxd_runs(muxd, state):
    """A backup can be made and checked; it is not put back, and nothing is changed."""
    with state.hold():
        assert muxd("backup", "b.tar.gz").exit_code == 0
        assert muxd("restore", "b.tar.gz", "--check").exit_code == 0
        done = muxd("restore", "b.tar.gz")
        assert done.exit_code == 2
        assert f"process {os.getpid()}" in done.stderr
    assert list(state.root.glob("before-restore-*")) == []


def test_no_backup_of_what_is_half_restored(muxd, state, place):
    """Neither while a restore goes on, nor after one that was cut off."""
    with state.hold("restore"):
        done = muxd("backup", "b.tar.gz")
        assert done.exit_code == 2
        assert "is restoring a backup" in done.stderr
    (state.root / swap.PLACE).mkdir()
    (state.root / swap.PLACE / "new").mkdir()
    swap.Swap(aside="before-restore-1", old=[], new=[]).decide(state.root)
    done = muxd("backup", "b.tar.gz")
    assert done.exit_code == 2
    assert "was cut off" in done.stderr
    with state.hold():
        pass
    assert muxd("backup", "b.tar.gz").exit_code == 0


def test_a_full_disk_is_told(muxd, state, place, monkeypatch):
    """Exit code 1, which file, and nothing is left over."""

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device", "somewhere")

    monkeypatch.setattr("shutil.copyfileobj", full)
    done = muxd("backup", "b.tar.gz")
    assert done.exit_code == 1
    assert "No space left on device: somewhere" in done.stderr
    assert sorted(os.listdir(place)) == ["muxd.toml"]


def test_what_can_not_be_done_is_told(muxd, state, tmp_path, place):
    """Exit code 2, one message, nothing left over."""
    for args, said in (
        (["backup", "b.tar.zst"], "a backup is a .tar.gz"),
        (["backup", "no/b.tar.gz"], "there is no directory"),
        (["backup", "b", "--state-dir", str(tmp_path / "none")], "there is no state"),
        (["restore", "muxd.toml"], "is no backup of muxd's"),
        (["restore", "none"], "there is no file none"),
    ):
        done = muxd(*args)
        assert done.exit_code == 2, done.output
        assert said in done.stderr
        assert "Traceback" not in done.stderr
    assert sorted(os.listdir(place)) == ["muxd.toml"]
    assert list(state.root.glob(".restore*")) == []
