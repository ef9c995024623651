"""Shells complete commands, jobs and runs, in silence."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

JOBS = """
import click
import muxd

print("a plugin that prints")

@muxd.job(interval="1h", duration="5s")
async def headlines(run): ...

@muxd.job(interval="1h", duration="5s")
async def health(run): ...

@muxd.job(interval="1h", duration="5s")
async def weather(run): ...

@click.group()
def forecast():
    "What is to come."

@forecast.command()
@click.option("--days")
def tomorrow(days): ...

@muxd.hookimpl
def muxd_register_commands(cli):
    cli.add_command(forecast)
"""


@pytest.fixture
def complete(place, write):
    """What bash offers after these words, in a process of its own as when somebody types."""
    write("jobs/some.py", JOBS)
    write("muxd.toml", '[plugins]\njobs_dirs = ["jobs"]\ndisable = ["demo"]\n')

    def complete(*words):
        environ = os.environ | {
            "COMP_WORDS": " ".join(["muxd", *words]),
            "COMP_CWORD": str(len(words)),
            "_MUXD_COMPLETE": "bash_complete",
        }
        done = subprocess.run(
            [sys.executable, "-c", "from muxd.cli import main; main(prog_name='muxd')"],
            env=environ,
            cwd=place,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stderr == ""
        return [line.partition(",")[2] for line in done.stdout.splitlines() if line]

    return complete


def test_commands_and_options(complete):
    """Of muxd itself, and of each command."""
    assert complete("sta") == ["start", "status"]
    assert complete("service", "un") == ["uninstall"]
    assert "--since" in complete("history", "--s")


def test_commands_of_plugins(complete):
    """Their names, where no command of muxd's own begins so, and all that is in them."""
    assert complete("fore") == ["forecast"]
    assert complete("forecast", "to") == ["tomorrow"]
    assert complete("forecast", "tomorrow", "--d") == ["--days"]


@pytest.mark.parametrize("words", [["run"], ["pause"], ["resume"], ["jobs"], ["history", "--job"]])
def test_jobs(complete, words):
    """Without a daemon those of the plugins; what these print or log is not to be seen."""
    assert complete(*words, "hea") == ["headlines", "health"]


def test_a_job_is_offered_once(complete):
    """Where several may be named."""
    assert complete("resume", "health", "hea") == ["headlines"]


def test_runs(complete):
    """Words for runs are there even before the first."""
    assert complete("history", "show", "las") == ["last", "last-failed"]


def test_what_is_wrong_is_no_concern_of_who_types(complete, write):
    """A configuration that can't be read completes nothing, and says nothing."""
    write("muxd.toml", "[plugins\n")
    assert complete("run", "hea") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script(muxd, shell, monkeypatch):
    """For each shell, by name or as the environment has it; bash takes it."""
    monkeypatch.setenv("SHELL", f"/usr/bin/{shell}")
    done = muxd("completion")
    assert done.exit_code == 0
    assert done.stdout == muxd("completion", shell).stdout
    assert "_MUXD_COMPLETE" in done.stdout
    if shutil.which(shell):
        checked = subprocess.run([shell, "-n"], input=done.stdout, text=True, check=False)
        assert checked.returncode == 0


def test_an_unknown_shell(muxd, monkeypatch):
    """Says which there are."""
    monkeypatch.setenv("SHELL", "/bin/sh")
    done = muxd("completion")
    assert done.exit_code == 2
    assert "bash, zsh, fish" in done.stderr
