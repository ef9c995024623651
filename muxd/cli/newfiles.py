"""The files of a new plugin, and how they get to their place: all of them, or none."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from muxd.errors import UserError, WorldError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from muxd.cli.newdoes import Does
    from muxd.cli.newnames import Names

__all__ = ["project", "refuse_existing", "single_file", "write_file", "write_project"]

TEMPLATES = "scaffold"
"""Where they are, beside this module. Each ends with ``.txt``, for it is none of muxd's own files."""


def project(names: Names, does: Does) -> dict[str, str]:
    """The files of a plugin that can be installed, by path."""
    package = f"src/{names.package}"
    wanted = {
        "pyproject.toml": "pyproject.toml",
        "README.md": "README.md",
        ".gitignore": "gitignore",
        ".github/workflows/test.yml": "workflow.yml",
        f"{package}/__init__.py": "init.py",
        f"{package}/jobs.py": "jobs.py",
        f"tests/test_{names.package}.py": does.test,
    }
    made = {path: _filled(template, names, does) for path, template in wanted.items()}
    if does.har:
        made[f"tests/har/{names.job}.har"] = does.har
    return made | {f"{package}/py.typed": ""}


def single_file(names: Names, does: Does) -> str:
    """The text of a file for a jobs directory."""
    return _filled("jobs.py", names, does)


def _filled(template: str, names: Names, does: Does) -> str:
    text = files("muxd.cli").joinpath(TEMPLATES, f"{template}.txt").read_text("utf-8")
    values = {
        "@DISTRIBUTION@": names.distribution,
        "@PACKAGE@": names.package,
        "@PLUGIN@": names.plugin,
        "@JOB@": names.job,
        "@URL@": json.dumps(does.url, ensure_ascii=False),
        "@PLAIN_URL@": does.url,
        **does.marks(),
    }
    for mark, value in values.items():
        text = text.replace(mark, value)
    return text


def write_project(place: Path, made: Mapping[str, str]) -> None:
    """Put the files into a new directory. It is there with all of them, or not at all.

    Raises:
      UserError: there is something already.
      WorldError: it can't be written.
    """
    with _telling(place):
        refuse_existing(place)
        place.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{place.name}.", dir=place.parent))
        try:
            folder.chmod(0o777 & ~_umask())
            for path, text in made.items():
                file = folder / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text, "utf-8")
            refuse_existing(place)
            folder.rename(place)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise


def write_file(place: Path, text: str) -> None:
    """Write a new file, whole or not at all.

    Raises:
      UserError: there is something already.
      WorldError: it can't be written.
    """
    with _telling(place):
        refuse_existing(place)
        place.parent.mkdir(parents=True, exist_ok=True)
        # Not *.py: a daemon that reads the directory meanwhile takes no notice.
        fd, name = tempfile.mkstemp(prefix=f".{place.name}.", dir=place.parent)
        try:
            with os.fdopen(fd, "w", encoding="utf-8") as file:
                file.write(text)
                os.fchmod(file.fileno(), 0o666 & ~_umask())
            os.link(name, place)
        finally:
            os.unlink(name)


def refuse_existing(place: Path) -> None:
    """Raises `UserError` if there is something."""
    if os.path.lexists(place):
        raise UserError(f"{place} is there already: choose another name, or remove it")


@contextlib.contextmanager
def _telling(place: Path) -> Iterator[None]:
    try:
        yield
    except FileExistsError as error:
        raise UserError(f"{error.filename or place} is in the way: choose another place") from error
    except OSError as error:
        raise WorldError(f"{place} can't be written: {error.strerror or error}") from error


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
