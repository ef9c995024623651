"""Commands as a person can type them here: of the environment that this muxd is in."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from muxd.config import Config

__all__ = ["command", "muxd", "python", "same", "where"]


def command(*words: str) -> str:
    """A line for a shell."""
    return shlex.join(words)


def muxd() -> list[str]:
    """This muxd."""
    return ["muxd"] if _is_mine("muxd") else [_here(sys.executable), "-m", "muxd"]


def python() -> list[str]:
    """The Python that it runs on."""
    for name in ("python", "python3"):
        if _is_mine(name):
            return [name]
    return [_here(sys.executable)]


def same(config: Config) -> list[str]:
    """The options without which the next command would not mean the same muxd."""
    found: list[str] = []
    named = click.get_current_context().params.get("config_file")
    if named is not None:
        found += ["--config", str(named)]
    if config.origin("daemon.state_dir") == "--state-dir":
        found += ["--state-dir", str(config.daemon.state_dir)]
    return found


def where(folder: Path) -> str:
    """A directory as pip wants one: not to be taken for the name of a distribution."""
    return str(folder) if folder.is_absolute() or folder.parts[:1] == ("..",) else f"./{folder}"


def _is_mine(program: str) -> bool:
    """Whether what is found on the PATH by this name is of this environment."""
    found = shutil.which(program)
    return found is not None and Path(found).absolute().parent == _bin()


def _bin() -> Path:
    # Not resolved: the python of an environment is a link to one that has no muxd.
    return Path(sys.executable).absolute().parent


def _here(program: str) -> str:
    path = Path(program).absolute()
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
