"""The command line of the demo."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from functools import partial

import click
import httpx
import trio
from click.testing import CliRunner
from muxd_demo.cli import main
from muxd_demo.plugin import plugin

SITE = [sys.executable, "-u", "-c", "from muxd_demo.cli import main; main()", "site"]


async def test_the_site_can_be_looked_at_alone(nursery):
    """`muxd-demo site` says where it is open, answers there, and closes on Ctrl+C."""
    with trio.fail_after(30):
        process = await nursery.start(
            partial(trio.run_process, [*SITE, "--port", "0"], stdout=subprocess.PIPE)
        )
        line = await process.stdout.receive_some()
        address = re.search(rb"http://127\.0\.0\.1:\d+", line).group().decode()
        async with httpx.AsyncClient() as client:
            assert (await client.get(f"{address}/login")).status_code == 200
        process.send_signal(signal.SIGINT)
        assert await process.stdout.receive_some() == b"Closed.\n"
        assert await process.wait() == 0


def test_a_wrong_port_is_the_users_mistake(monkeypatch):
    """A wrong MUXD_DEMO_PORT or --port exits 2 and says what is allowed."""
    runner = CliRunner()
    assert runner.invoke(main, ["site", "--port", "70000"]).exit_code == 2
    monkeypatch.setenv("MUXD_DEMO_PORT", "http")
    answer = runner.invoke(main, ["site"])
    assert answer.exit_code == 2
    assert "give a port from 0 to 65535" in answer.output


def test_help_has_an_example_for_each_command():
    """Each command's help shows how it is used."""
    runner = CliRunner()
    for command in ("site", "stampede"):
        assert f"Example: muxd-demo {command}" in runner.invoke(main, [command, "--help"]).output


def test_no_browser_is_one_clear_message(monkeypatch, tmp_path):
    """Without a browser, stampede says how to get one, and exits 1."""
    monkeypatch.setenv("MUXD_BROWSER", str(tmp_path / "none"))
    answer = CliRunner().invoke(main, ["stampede"])
    assert answer.exit_code == 1
    assert "MUXD_BROWSER" in answer.output


def test_the_comparison_is_a_command_of_muxd_too():
    """`muxd stampede`: the plugin puts it there, and all that it takes."""
    cli = click.Group("muxd")
    plugin.muxd_register_commands(cli)
    shown = CliRunner().invoke(cli, ["stampede", "--help"]).output
    assert "muxd stampede [OPTIONS]" in shown
    assert "--browsers" in shown
