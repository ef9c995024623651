"""The units in contrib/systemd: what `muxd service` writes, and nothing that systemd objects to."""

from __future__ import annotations

import os
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "contrib" / "systemd"
SCORE = 2.8
"""What `systemd-analyze security` gives the machine's unit, as docs/service.md says."""

needs_systemd = pytest.mark.skipif(
    not shutil.which("systemd-analyze") and "CI" not in os.environ,
    reason="there is no systemd here",
)


def test_they_are_what_the_command_writes():
    """Made from the same text: the paths are the usual ones, and the first words are others."""
    for file, text in runpy.run_path(str(ROOT / "contrib" / "gen_units.py"))["units"]().items():
        assert file.read_text("utf-8") == text, "run `python contrib/gen_units.py`"


@needs_systemd
@pytest.mark.parametrize("kind", ["user", "system"])
def test_systemd_finds_nothing_wrong(tmp_path, kind):
    """`systemd-analyze verify` is silent, once the program is there and the user is somebody."""
    text = (FOLDER / kind / "muxd.service").read_text("utf-8")
    place = tmp_path / "muxd.service"
    place.write_text(text.replace("/opt/muxd/bin/muxd", sys.executable).replace("=muxd", "=root"))
    done = subprocess.run(
        ["systemd-analyze", *(["--user"] if kind == "user" else []), "verify", str(place)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"XDG_RUNTIME_DIR": str(tmp_path), "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@needs_systemd
def test_the_machines_unit_is_as_closed_as_is_said():
    """The score is not worse than what the docs say of it."""
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", str(FOLDER / "system/muxd.service")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    found = re.search(r"Overall exposure level for muxd.service: ([\d.]+)", done.stdout)
    assert found is not None, done.stderr
    assert float(found[1]) <= SCORE
    for page in (ROOT / "docs" / "service.md", FOLDER / "README.md"):
        assert str(SCORE) in page.read_text("utf-8")
