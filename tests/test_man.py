"""The manual page: as the commands are now, without a mistake, and found by `man muxd`."""

from __future__ import annotations

import os
import runpy
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from muxd.cli import COMMANDS

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "contrib" / "man" / "muxd.1"

needs_groff = pytest.mark.skipif(
    not shutil.which("groff") and "CI" not in os.environ, reason="there is no groff here"
)


def rendered(*options):
    done = subprocess.run(
        ["groff", "-man", "-ww", "-Tascii", "-P-cbou", *options, str(PAGE)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_the_page_is_up_to_date():
    """contrib/man/muxd.1 is what the commands are."""
    made = runpy.run_path(str(ROOT / "contrib" / "gen_man.py"))["page"]()
    assert PAGE.read_text("utf-8") == made, "run `python contrib/gen_cli_docs.py`"


@needs_groff
def test_the_page_is_set_without_a_warning():
    """No request, escape or line of it makes groff say anything."""
    assert "muxd manual" in rendered()


@needs_groff
def test_every_command_and_what_to_type_is_on_it():
    """Each command has its part; command lines can be copied: hyphens are hyphens, quotes quotes."""
    text = " ".join(rendered("-rLL=400n").split())
    for name in COMMANDS:
        assert f"muxd {name} [OPTIONS]" in text
    assert "muxd run headlines --jobs-dir ./jobs --headed watch a job" in text
    assert "--block '*.ads.net' URL" in text


def test_nothing_in_a_help_text_is_taken_for_a_request():
    """Lines that begin with a dot or a quote, and backslashes, come out as they are."""
    roff = runpy.run_path(str(ROOT / "contrib" / "gen_man.py"))["roff"]
    assert roff(".TH x\n'br \\n -a") == "\\&.TH x\n\\(aqbr \\en \\-a"


def test_it_is_in_the_wheel_where_man_looks():
    """pip puts it below the prefix, into share/man/man1."""
    document = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    wheel = document["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["shared-data"] == {"contrib/man/muxd.1": "share/man/man1/muxd.1"}
