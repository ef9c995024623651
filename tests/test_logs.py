"""Logs for people and for machines."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import subprocess
import sys

import pytest
import structlog

from muxd import logs
from muxd.guard.outlet import ROOM


@pytest.fixture(autouse=True)
def _put_back():
    """Leave structlog and `logging` as they were."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    root.handlers, root.level = handlers, level


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_line_for_people_is_calm():
    """Time, what happened, the rest; the level only where it matters; no colour off a terminal."""
    out = io.StringIO()
    logs.configure("console", stream=out)
    log = structlog.get_logger().bind(job="headlines")
    log.info("opened", url="https://a.example", note="two words")
    log.warning("slow")
    first, second = out.getvalue().splitlines()
    assert re.fullmatch(
        r"\d\d:\d\d:\d\d  opened  job=headlines  url=https://a\.example  note='two words'", first
    )
    assert re.fullmatch(r"\d\d:\d\d:\d\d  warning  slow  job=headlines", second)


def test_a_line_for_machines_is_json():
    """One object a line: at (UTC, microseconds), level, event, and what is bound."""
    out = io.StringIO()
    logs.configure("json", stream=out)
    structlog.get_logger().bind(run="r1").error("lost", why=ValueError("x"))
    line = json.loads(out.getvalue())
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", line.pop("at"))
    assert line == {"level": "error", "event": "lost", "run": "r1", "why": "x"}


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_of_an_endless_line_the_beginning_is_told(log_format):
    """It is not looked through for secrets as a whole, which would hold up muxd; nor is the half of
    one shown where it is cut."""
    looked_through = []

    def mask(text):
        looked_through.append(len(text))
        return text.replace("s3cret-s3cret", "***")

    out = io.StringIO()
    logs.configure(log_format, stream=out, mask=mask)
    structlog.get_logger().info(("s3cret-s3cret" + "y" * 87) * 100_000, more="x" * 1_000_000)
    shown = out.getvalue()
    assert len(shown) < 150_000
    assert max(looked_through) <= 200_000
    assert "s3cret" not in shown.replace("s3cret-s3cret", "")
    assert "***" in shown
    assert "cut" in shown


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_a_traceback_is_kept(log_format):
    """`log.exception` shows where it was raised, in either form."""
    out = io.StringIO()
    logs.configure(log_format, stream=out)
    try:
        _ = 1 / 0
    except ZeroDivisionError:
        structlog.get_logger().exception("bad")
    assert "ZeroDivisionError: division by zero" in out.getvalue()
    assert len(out.getvalue().splitlines()) == 1 or log_format == "console"


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_other_libraries_log_in_the_same_form(log_format):
    """A warning of a library is one of the lines, with the library's name; its chatter is not."""
    out = io.StringIO()
    logs.configure(log_format, stream=out)
    logging.getLogger("some.library").info("chatter")
    logging.getLogger("some.library").warning("it is %d", 3)
    (line,) = out.getvalue().splitlines()
    if log_format == "json":
        found = json.loads(line)
        assert (found["event"], found["logger"], found["level"]) == (
            "it is 3",
            "some.library",
            "warning",
        )
    else:
        assert line.endswith("  warning  it is 3  logger=some.library")


def test_less_important_lines_are_dropped():
    """The level is respected, for muxd's own lines and for libraries'."""
    out = io.StringIO()
    logs.configure("json", logging.ERROR, stream=out)
    structlog.get_logger().warning("no")
    logging.getLogger("x").warning("no")
    structlog.get_logger().error("yes")
    assert [json.loads(line)["event"] for line in out.getvalue().splitlines()] == ["yes"]


@pytest.mark.parametrize("text", ["a\nb", "\x1b[2J", "a\rb"])
def test_a_text_from_a_page_cannot_play_with_the_terminal(text):
    """Line breaks and escape sequences are shown, not obeyed."""
    out = io.StringIO()
    logs.configure("console", stream=out)
    structlog.get_logger().info(text, title=text)
    (line,) = out.getvalue().splitlines()
    assert line.isprintable()


def test_colours_on_a_terminal_only_and_never_against_no_color(monkeypatch):
    """NO_COLOR is respected."""
    for no_color, coloured in ((None, True), ("1", False)):
        monkeypatch.delenv("NO_COLOR", raising=False)
        if no_color:
            monkeypatch.setenv("NO_COLOR", no_color)
        out = Terminal()
        logs.configure("console", stream=out)
        structlog.get_logger().info("x")
        assert ("\x1b[" in out.getvalue()) is coloured


def test_auto_is_for_people_on_a_terminal():
    """``auto`` is console on a terminal, else JSON; what is set stays."""
    assert logs.chosen_format("auto", Terminal()) == "console"
    assert logs.chosen_format("auto", io.StringIO()) == "json"
    assert logs.chosen_format("console", io.StringIO()) == "console"
    assert logs.chosen_format("json", Terminal()) == "json"


def test_by_default_lines_go_to_stderr(capsys):
    """stdout belongs to what a command prints."""
    logs.configure("json")
    structlog.get_logger().info("x")
    logging.getLogger("y").warning("z")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 2


def test_a_log_that_cannot_be_written_ends_nothing(monkeypatch):
    """A full disk, or a terminal that is gone, costs the line and nobody else."""

    class Full:
        def write(self, text):
            raise OSError(28, "No space left on device")

        def flush(self):
            raise OSError(28, "No space left on device")

        def isatty(self):
            return False

    logs.configure("json")
    monkeypatch.setattr(sys, "stderr", Full())
    structlog.get_logger().error("lost")
    logging.getLogger("library").warning("lost as well")


STUCK = """
import structlog
from muxd import logs

logs.configure("json")
for number in range(200):
    structlog.get_logger().info("x" * 10_000, number=number)
print("said all", flush=True)
"""


def test_a_log_that_nobody_reads_stops_nothing():
    """Nobody waits for a reader: neither who logs, nor, for more than a moment, the end."""
    with subprocess.Popen(
        [sys.executable, "-c", STUCK], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            assert process.wait(60) == 0
        finally:
            process.kill()
        assert process.stdout.read() == b"said all\n"


def test_a_log_that_is_read_again_says_what_was_lost():
    """Lines come whole and in order; where some were dropped, a line says how many."""
    reader, writer = os.pipe()
    with open(reader) as read, open(writer, "w") as stream, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stderr", stream)
        logs.configure("json")
        log = structlog.get_logger()
        for number in range(20):
            log.info("x" * (ROOM // 10 - 150), number=number)
        first = [json.loads(read.readline()) for _ in range(11)]
        log.info("read again")
        last = json.loads(read.readline())
    assert [line.get("number") for line in first] == [*range(10), None]
    assert (first[-1]["level"], first[-1]["lines"]) == ("warning", 10)
    assert last["event"] == "read again"


def test_what_is_logged_last_is_read_before_the_end():
    """A reader gets all of it, though the process ends at once."""
    code = 'from muxd import logs; logs.configure("json")\n'
    code += 'import structlog\nfor n in range(300): structlog.get_logger().info("x", n=n)'
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60)
    assert [json.loads(line)["n"] for line in done.stderr.splitlines()] == [*range(300)]
