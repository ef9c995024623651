"""Who installs plugins into muxd's own environment, and how it is asked to."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import os
import re
import shutil
import sys
import sysconfig
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from muxd.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Installer", "installer", "version_of"]


@attrs.frozen
class Installer:
    """pip, or uv, for one environment."""

    install_with: tuple[str, ...]
    """The command that installs, but for what."""
    uninstall_with: tuple[str, ...]

    def install(
        self, packages: Sequence[str], options: Sequence[str], *, editable: Sequence[str] = ()
    ) -> list[str]:
        """The command.

        Args:
          packages: whatever the installer takes.
          options: the installer's own.
          editable: directories of projects, which stay where they are.

        Raises:
          UserError: a package's name is an option, or that of a directory; a directory isn't there, or
            its pyproject.toml can't be read.
        """
        _check(packages)
        for package in packages:
            if _is_project(Path(package)) and package == os.path.basename(package):
                raise UserError(
                    f"{package!r} is a directory here, and may be a package of that name elsewhere: give "
                    f"./{package} for the directory"
                )
        for place in editable:
            if not _is_project(Path(place.partition("[")[0])):
                raise UserError(
                    f"--editable {place!r}: there is no directory of a project (with a pyproject.toml)"
                )
        for place in (*editable, *packages):
            _check_project(Path(place.partition("[")[0]) / "pyproject.toml")
        here = [word for place in editable for word in ("-e", _as_path(place))]
        return [*self.install_with, *options, *here, *(["--", *packages] if packages else [])]

    def uninstall(self, packages: Sequence[str], options: Sequence[str]) -> list[str]:
        """The command. Raises `UserError`: it is none of the installed ones, or muxd itself."""
        _check(packages)
        for package in packages:
            if _normal(package) == "muxd":
                raise UserError("muxd does not remove itself: leave that to pip")
            if version_of(package) is None:
                raise UserError(f"{package!r} is not installed: see `muxd plugins`")
        return [*self.uninstall_with, *options, "--", *packages]


def installer(prefix: Path | None = None) -> Installer:
    """Who installs here.

    Args:
      prefix: the environment, instead of that of this process.

    Raises:
      UserError: the environment is managed by something else, or there is no installer for it.
    """
    own = Path(sys.prefix) if prefix is None else prefix
    settings = _settings(own)
    stdlib = Path(sysconfig.get_path("stdlib"))
    if settings is None and (stdlib / "EXTERNALLY-MANAGED").exists():
        raise UserError(
            f"{own} is managed by the system's package manager: install muxd into an environment "
            "of its own (python -m venv, pipx, uv tool), or use the system's package of the plugin"
        )
    uv = shutil.which("uv")
    if uv is not None and settings is not None and "uv" in settings:
        python = ("--python", sys.executable)
        return Installer((uv, "pip", "install", *python), (uv, "pip", "uninstall", *python))
    if importlib.util.find_spec("pip") is not None:
        pip = (sys.executable, "-m", "pip", "--disable-pip-version-check")
        return Installer(
            (*pip, "install", "--no-input"), (*pip, "uninstall", "--yes", "--no-input")
        )
    remedy = f"{sys.executable} -m ensurepip"
    if settings is not None and "uv" in settings:
        remedy = f"have uv on the PATH, or: {remedy}"
    raise UserError(f"there is no pip in {own}: {remedy}")


def version_of(distribution: str) -> str | None:
    """Which version is installed now; None if none is."""
    importlib.invalidate_caches()
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _check(packages: Sequence[str]) -> None:
    for package in packages:
        if package.startswith("-") or not package.strip():
            raise UserError(f"{package!r} is no package: put options of the installer behind --")


def _check_project(file: Path) -> None:
    """Raises `UserError` if it is there and no TOML: of installers that is dozens of lines."""
    try:
        tomllib.loads(file.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{file}: this is not TOML: {error}") from None
    except (OSError, ValueError):
        return  # there is none, or it is no path: that is the installer's to tell


def _is_project(place: Path) -> bool:
    return any((place / name).is_file() for name in ("pyproject.toml", "setup.py"))


def _as_path(place: str) -> str:
    """A directory as installers want one, which else take it for a package's name."""
    return place if os.path.isabs(place) or place.startswith(".") else f"./{place}"


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _settings(prefix: Path) -> set[str] | None:
    """The keys in ``pyvenv.cfg``; None if it is no virtual environment."""
    try:
        text = (prefix / "pyvenv.cfg").read_text("utf-8", "replace")
    except OSError:
        return None
    return {line.partition("=")[0].strip() for line in text.splitlines() if "=" in line}
