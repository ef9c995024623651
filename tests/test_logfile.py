"""The log in files: it is there afterwards, bounded, and costs nobody anything."""

from __future__ import annotations

import io
import json
import logging
import os
import resource
import signal
import stat

import attrs
import pytest
import structlog

from muxd import logs
from muxd.logfile import LogFile
from muxd.record import Outcome, Record, utc_text
from muxd.runlog import RunLog
from muxd.secrets import Secrets


@pytest.fixture
def configured():
    """`logs.configure`, undone afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield logs.configure
    structlog.reset_defaults()
    root.handlers, root.level = handlers, level


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "logs"


def lines(path):
    return path.read_text("utf-8").splitlines()


def test_a_file_that_is_open_takes_no_further_handle(folder):
    """Opened ahead, so that the run with the first line is not told to have left it."""
    file = LogFile(folder, files=2, size=10_000)
    file.open()
    before = len(os.listdir("/proc/self/fd"))
    file.write("a line")
    file.open()
    assert len(os.listdir("/proc/self/fd")) == before
    assert lines(folder / "muxd.log") == ["a line"]
    file.close()


def test_a_folder_that_cannot_be_made_is_no_error_of_the_start(tmp_path):
    """A start with no room for the log is a start; each line is counted as lost."""
    (tmp_path / "file").touch()
    file = LogFile(tmp_path / "file" / "logs", files=2, size=10_000)
    file.open()
    file.write("a line")
    assert file.lost == 1


async def test_who_has_read_the_log_of_a_run_is_told_that_there_is_more(folder):
    """Once for each time that it was read, by whatever line of that run comes next; of one that has
    ended, or that nobody reads, nothing is told."""
    file, told = LogFile(folder, files=2, size=10_000), []
    log = RunLog(folder, mask=str, publish=lambda event: told.append(event.run), log=file)
    run = Record(id="01a", job="a", released_at=0.0)

    def write(name):
        line = {"at": utc_text(1.0), "level": "info", "event": "said", "run": name}
        file.write(json.dumps(line))

    write("01a")
    assert len(await log.read(run, limit=9)) == 1
    write("01b")
    assert told == []
    write("01a")
    write("01a")
    assert told == ["01a"]
    assert len(await log.read(run, limit=9)) == 3
    write("01a")
    assert told == ["01a", "01a"]
    await log.read(attrs.evolve(run, outcome=Outcome.ok), limit=9)
    write("01a")
    assert told == ["01a", "01a"]
    file.close()


def test_what_is_logged_is_in_the_file_as_json(configured, folder):
    """Lines of jobs, of muxd and of libraries, INFO and above, whatever form stderr has."""
    file, stderr = LogFile(folder, files=2, size=10**6), io.StringIO()
    configured("console", logging.DEBUG, stream=stderr, also=file.write)
    log = structlog.get_logger()
    log.info("opened", job="headlines")
    log.debug("nobody will ask for this")
    logging.getLogger("somebody").warning("careful: %s", "ice")
    try:
        raise ValueError("no")
    except ValueError:
        log.exception("lost")
    file.close()
    told = [json.loads(line) for line in lines(folder / "muxd.log")]
    assert [(line["level"], line["event"]) for line in told] == [
        ("info", "opened"),
        ("warning", "careful: ice"),
        ("error", "lost"),
    ]
    assert told[0]["job"] == "headlines"
    assert told[1]["logger"] == "somebody"
    assert "ValueError: no" in told[2]["exception"]
    assert stderr.getvalue().count("\n") > 4
    assert not any(key.startswith("_") for line in told for key in line)


def test_only_its_owner_can_read_it(folder):
    """Logs may quote pages: files have mode 0600, whatever the umask."""
    before = os.umask(0)
    try:
        file = LogFile(folder, files=2, size=20)
        for _ in range(3):
            file.write("a line of a log")
        file.close()
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


@pytest.mark.parametrize("files", [1, 2, 5])
def test_it_never_takes_more_room_than_allowed(folder, files):
    """So many files of such a size, and the newest lines are in them."""
    for _ in range(3):  # a restart begins where the last one ended
        file = LogFile(folder, files=files, size=1000)
        for number in range(300):
            file.write(f"line {number:04} {'x' * (number % 50)}")
        file.close()
        found = sorted(folder.iterdir())
        assert len(found) == files
        assert all(path.stat().st_size <= 1000 for path in found)
        assert lines(folder / "muxd.log")[-1].startswith("line 0299")


def test_fewer_files_than_before_are_kept(folder):
    """What an earlier setting allowed is deleted."""
    for files in (5, 2):
        file = LogFile(folder, files=files, size=100)
        for number in range(100):
            file.write(f"line {number}")
        file.close()
    assert sorted(path.name for path in folder.iterdir()) == ["muxd.log", "muxd.log.1"]


def test_a_line_without_end_is_cut(configured, folder):
    """A line of ten megabytes does not fill the files."""
    file = LogFile(folder, files=2, size=200_000)
    configured("json", stream=io.StringIO(), also=file.write)
    structlog.get_logger().info("x" * 10_000_000, more="y" * 1000)
    structlog.get_logger().info("short", more="y" * 10_000_000)
    file.close()
    first, second = (json.loads(line) for line in lines(folder / "muxd.log"))
    assert 1000 < len(first["event"]) <= logs.LONGEST
    assert first["cut_from"] > 10_000_000
    assert (second["event"], second["level"]) == ("short", "info")


def test_a_full_disk_costs_lines_and_nothing_else(folder):
    """Lines that find no room are lost; the first that finds some is whole again."""
    file = LogFile(folder, files=2, size=10**6)
    file.write("first")
    pid = os.fork()
    if pid == 0:  # the limit is of the whole process
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
        for number in range(100):
            file.write(f"lost {number:03} {'x' * 30}")
        lost = file.lost
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        file.write("last")
        os._exit(0 if 70 < lost < 100 else 1)
    assert os.waitpid(pid, 0)[1] == 0
    file.close()
    found = lines(folder / "muxd.log")
    assert (found[0], found[-1]) == ("first", "last")


def test_no_place_for_files_costs_nothing(tmp_path):
    """Where there can be no folder, nothing is raised, and it is tried again."""
    folder = tmp_path / "missing" / "logs"
    file = LogFile(folder, files=2, size=1000)
    file.write("lost")
    assert file.lost == 1
    folder.parent.mkdir()
    file.write("kept")
    file.close()
    assert [line for line in lines(folder / "muxd.log") if line] == ["kept"]


def test_no_secret_gets_into_the_file(folder):
    """What is named as secret, or looks like one, is masked; each line stays JSON."""
    mask = Secrets(["hunter2-hunter2", 'say "cheese"']).mask
    file = LogFile(folder, files=2, size=10**6, mask=mask)
    told = {
        "event": "signed in with hunter2-hunter2",
        "password": "swordfish",
        "more": {"deep": ['say "cheese"', 7]},
        "html": "<input type=password value='x'",
        "last": "kept",
    }
    file.write(json.dumps(told))
    file.write("no JSON, but hunter2-hunter2")
    file.close()
    text = (folder / "muxd.log").read_text()
    assert not any(word in text for word in ("hunter2", "swordfish", "cheese", "value='x'"))
    first, second = text.splitlines()
    assert json.loads(first) | {"html": ""} == {
        "event": "signed in with ***",
        "password": "***",
        "more": {"deep": ["***", 7]},
        "html": "",
        "last": "kept",
    }
    assert second == "no JSON, but ***"
