"""Writes the units in contrib/systemd from what ``muxd service install`` writes.

``python contrib/gen_units.py`` writes them; with ``--check`` it exits with 1 if one is out of date.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from muxd.cli.unitfile import Unit
from muxd.config import DaemonConfig

FOLDER = Path(__file__).parent / "systemd"
PROGRAM = "/opt/muxd/bin/muxd"
CONFIG, STATE = "/etc/muxd/muxd.toml", "/var/lib/muxd"
HEAD = """\
# {what}
# Made by contrib/gen_units.py; `muxd service install{options}` writes one that fits the machine.
# To be changed: the paths in it{further}.
"""
GRACE = DaemonConfig().grace


def units() -> dict[Path, str]:
    """The files, as they should be."""
    user = Unit(command=[PROGRAM, "start"], grace=GRACE)
    system = Unit(
        command=[PROGRAM, "start", "--config", CONFIG, "--state-dir", STATE],
        grace=GRACE,
        user="muxd",
    )
    heads = {
        "user/muxd.service": HEAD.format(
            what="For ~/.config/systemd/user: muxd for the one user.", options="", further=""
        ),
        "system/muxd.service": HEAD.format(
            what="For /etc/systemd/system: muxd for the machine.",
            options=" --system --as muxd",
            further=", and the user",
        ),
    }
    bodies = {"user/muxd.service": user.body, "system/muxd.service": system.body}
    return {FOLDER / name: heads[name] + body for name, body in bodies.items()}


def main() -> None:
    """Write the units, or check them."""
    parser = argparse.ArgumentParser(description="Write the units in contrib/systemd.")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit with 1 if one is out of date"
    )
    check = parser.parse_args().check
    for file, text in units().items():
        if not check:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, "utf-8")
        elif not file.exists() or file.read_text("utf-8") != text:
            sys.exit(f"{file} is out of date: run `python contrib/gen_units.py`")


if __name__ == "__main__":
    main()
