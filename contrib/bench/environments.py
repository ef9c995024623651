"""Throw-away environments for what muxd is compared with: a venv or a folder of node packages each."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Environments", "NotThere"]

BOUND = 300.0
"""How long an installation may take, seconds."""


class NotThere(Exception):
    """Something can't be installed here; the message says why."""


@attrs.frozen
class Environments:
    """Makes them in a folder, each once: a later call finds what is there."""

    folder: Path

    def python(self, *packages: str) -> Path:
        """The interpreter of a venv with these packages.

        Raises:
          NotThere: they can't be installed.
        """
        place = self._place("python", packages)
        interpreter = place / "bin" / "python"
        if not (place / "ready").exists():
            _call([sys.executable, "-m", "venv", "--clear", place])
            _call([interpreter, "-m", "pip", "install", "-q", *packages])
            (place / "ready").touch()
        return interpreter

    def node(self, *packages: str) -> Path:
        """The folder of these packages, for ``NODE_PATH``. No browser is downloaded with them.

        Raises:
          NotThere: there is no node or npm, or they can't be installed.
        """
        for program in ("node", "npm"):
            if shutil.which(program) is None:
                raise NotThere(f"there is no {program}")
        place = self._place("node", packages)
        if not (place / "ready").exists():
            place.mkdir(parents=True, exist_ok=True)
            quiet = ("--no-audit", "--no-fund", "--silent")
            _call(["npm", "install", "--prefix", place, *quiet, *packages], cwd=place)
            (place / "ready").touch()
        return place / "node_modules"

    def _place(self, kind: str, packages: tuple[str, ...]) -> Path:
        return self.folder / "-".join((kind, *(p.partition("[")[0] for p in packages)))


def python_version(interpreter: Path | str, package: str) -> str:
    """Which version of a package an environment has."""
    code = "import sys, importlib.metadata as m; print(m.version(sys.argv[1]))"
    return _call([interpreter, "-c", code, package]).strip()


def node_version(modules: Path, package: str) -> str:
    """The same of a folder of node packages."""
    return str(json.loads((modules / package / "package.json").read_text())["version"])


def _call(command: list[str | Path], **options: Path) -> str:
    """Run it; what it printed.

    Raises:
      NotThere: it failed, or took longer than `BOUND`.
    """
    environ = os.environ | {"PUPPETEER_SKIP_DOWNLOAD": "1", "PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD": "1"}
    try:
        done = subprocess.run(
            command,
            env=environ,
            capture_output=True,
            text=True,
            timeout=BOUND,
            check=True,
            **options,
        )
    except subprocess.CalledProcessError as error:
        words = (error.stderr or error.stdout).strip().splitlines()
        raise NotThere(words[-1] if words else f"{command[0]} failed") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotThere(str(error)) from error
    return done.stdout
