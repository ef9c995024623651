"""The program that writes the reference of the command line does what it is told, and no more."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "cli.md"


@pytest.mark.parametrize(("option", "code"), [("--help", 0), ("--chekc", 2)])
def test_only_the_bare_program_writes(option, code):
    """Help, and an option that is misspelt, leave the page untouched."""
    before = PAGE.stat().st_mtime_ns
    done = subprocess.run(
        [sys.executable, str(ROOT / "contrib" / "gen_cli_docs.py"), option],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == code
    assert "--check" in done.stdout + done.stderr
    assert PAGE.stat().st_mtime_ns == before
