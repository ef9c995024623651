"""The command line, run in this process and away from the user's own configuration."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from textwrap import dedent

import pytest
import structlog
from click.testing import CliRunner

from muxd.cli import main

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """An empty working directory, user directories of its own, and logs put back afterwards."""
    for name in ("CONFIG", "STATE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    for name in ("CONFIG", "STATE_DIR", "BROWSER", "TIMEZONE", "LOG_FORMAT", "JOBS_DIRS", "DEBUG"):
        monkeypatch.delenv(f"MUXD_{name}", raising=False)
    monkeypatch.delenv("COLUMNS", raising=False)  # which a test runner's workers may have
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield here
    structlog.reset_defaults()
    root.handlers, root.level = handlers, level


@pytest.fixture
def write(place):
    """Write a file into the working directory."""

    def write(name: str, text: str) -> None:
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text), "utf-8")

    return write


@pytest.fixture
def muxd():
    """Run ``muxd ARGS...``; the result has exit_code, stdout and stderr."""
    return lambda *args, **kwargs: CliRunner().invoke(main, args, prog_name="muxd", **kwargs)
