"""What commands begin with: logs, and how to call this very program again."""

from __future__ import annotations

import sys

import click
import pytest
import structlog

from muxd.cli.context import log_to_stderr, this_program


def program(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_a_program_on_the_path_is_called_by_its_name(place, monkeypatch):
    """`muxd` is right only where that is this very program."""
    mine, other = program(place / "env/bin/muxd"), program(place / "other/bin/muxd")
    monkeypatch.setattr(sys, "argv", [str(mine)])
    monkeypatch.setenv("PATH", str(mine.parent))
    assert this_program() == "muxd"
    monkeypatch.setenv("PATH", str(other.parent))
    assert this_program() == "env/bin/muxd"
    monkeypatch.setenv("PATH", "")
    assert this_program() == "env/bin/muxd"


def test_a_program_elsewhere_is_called_by_its_whole_path(place, monkeypatch, tmp_path):
    """A path that is not below the working directory is absolute, and quoted for a shell."""
    mine = program(tmp_path / "an env/bin/muxd")
    monkeypatch.setattr(sys, "argv", [str(mine)])
    assert this_program() == f"'{mine}'"


def test_a_module_is_called_as_one(place, monkeypatch):
    """After `python -m muxd` the same Python is named."""
    monkeypatch.setattr(sys, "argv", [str(place / "muxd/__main__.py")])
    monkeypatch.setattr(sys, "executable", str(place / ".venv/bin/python"))
    assert this_program() == ".venv/bin/python -m muxd"


@pytest.mark.parametrize("debug", [False, True])
def test_debug_shows_lines_of_level_debug(place, capsys, debug):
    """Logs of commands follow `muxd --debug`; without it they have info and worse."""

    @click.group()
    @click.option("--debug", is_flag=True)
    def group(debug):
        pass

    @group.command()
    def command():
        log_to_stderr("console", 20)
        structlog.get_logger().info("shown")
        structlog.get_logger().debug("detail")

    group(["--debug", "command"] if debug else ["command"], standalone_mode=False)
    shown = capsys.readouterr().err
    assert "shown" in shown
    assert ("detail" in shown) is debug
