"""A restore that is killed before any of its steps: done whole by whoever comes next, or not at all."""

from __future__ import annotations

import os
import shutil
import signal
import warnings

import pytest

from muxd.backup import swap
from muxd.state import StateDir

STEPS = ("rename", "replace", "unlink", "mkdir", "fsync", "open", "rmdir")


def write(path, text):
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.write_text(text)


def dies(number, work):
    """Do the work in a process that is killed before step `number`; True if it got through."""
    with warnings.catch_warnings():
        # Idle threads of other tests: what the fork does needs none of them.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        left = number

        def counted(real):
            def call(*args, **kwargs):
                nonlocal left
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                left -= 1
                return real(*args, **kwargs)

            return call

        code = 1
        try:
            for name in STEPS:
                setattr(os, name, counted(getattr(os, name)))
            work()
            code = 0
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert code in (0, -signal.SIGKILL), f"at step {number}: exit code {code}"
    return code == 0


@pytest.mark.long
def test_killed_at_any_step_it_is_done_whole_or_not_at_all(tmp_path):
    """The next who holds the directory has all that was there, or all of the backup, and nothing of
    what was there is lost."""
    root, config, content = tmp_path / "state", tmp_path / "muxd.toml", {}
    names = ("ledger.sqlite3", "sessions/a.json", "profile/Default/Cookies", "disabled-plugins")
    outcomes = set()
    for number in range(500):
        shutil.rmtree(root, ignore_errors=True)
        for name in (*names, "ledger.sqlite3-wal"):
            write(root / name, f"old {name}")
        write(config, "old config")
        new = root / swap.PLACE / swap.NEW
        for name in names[:3]:
            write(new / "state" / name, f"new {name}")
        write(new / "config" / "muxd.toml", "new config")

        def work():
            swap.Swap(
                aside="before-restore-1",
                old=[*sorted({n.partition("/")[0] for n in names}), "ledger.sqlite3-wal"],
                new=["ledger.sqlite3", "profile", "sessions"],
                config=str(config),
            ).decide(root)
            swap.finish(root)

        through = dies(number, work)
        dies(number % 11, lambda: swap.finish(root))  # and whoever goes on may die, too
        with StateDir(root).hold():
            pass
        content = {
            str(path.relative_to(root)): path.read_text()
            for path in root.rglob("*")
            if path.is_file() and swap.PLACE not in path.parts
        }
        if "before-restore-1/ledger.sqlite3" in content:
            outcomes.add("new")
            assert content == {name: f"new {name}" for name in names[:3]} | {
                f"before-restore-1/{name}": f"old {name}" for name in (*names, "ledger.sqlite3-wal")
            } | {"before-restore-1/muxd.toml": "old config"}, number
            assert config.read_text() == "new config"
            assert not (root / swap.PLACE).exists() or not swap.is_pending(root)
        else:
            outcomes.add("old")
            assert content == {name: f"old {name}" for name in (*names, "ledger.sqlite3-wal")}, (
                number
            )
            assert config.read_text() == "old config"
        if through:
            break
    assert outcomes == {"old", "new"}
    assert number > 20
