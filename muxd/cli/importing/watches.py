"""What changedetection.io keeps of its watches, read from wherever it keeps it.

Its data directory, or a backup of it (a ZIP file), or one of the files in there: older versions
have all in ``url-watches.json``, newer ones a ``watch.json`` for each watch and the settings in
``changedetection.json``. What its API answers (``/api/v1/watch``) will do as well.
"""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from muxd.errors import ConfigError, ConfigProblem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    Document = Mapping[str, Any]

__all__ = ["Watches", "read_watches"]

ALL = "url-watches.json"
SETTINGS = "changedetection.json"
ONE = "watch.json"


@attrs.frozen
class Watches:
    """All watches, and what holds for those that don't say it themselves."""

    watching: tuple[Document, ...]
    """In the order of their addresses."""
    requests: Document = attrs.field(factory=dict)
    """The settings of requests: the interval among them."""
    application: Document = attrs.field(factory=dict)
    """The other settings."""


def read_watches(path: Path) -> Watches:
    """Read a file, a directory or a backup; ``-`` is stdin.

    Raises:
      ConfigError: it can't be read, or isn't changedetection.io's.
    """
    try:
        documents = list(_documents(path))
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConfigError(ConfigProblem(str(path), "", f"can't be read: {reason}")) from None
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise ConfigError(ConfigProblem(str(path), "", f"can't be unpacked: {error}")) from None
    watching = [watch for document in documents for watch in _watching(document)]
    if not watching:
        raise ConfigError(ConfigProblem(str(path), "", _NOTHING))
    settings = [_table(document.get("settings")) for document in documents]
    requests = [_table(each.get("requests")) for each in settings]
    application = [_table(each.get("application")) for each in settings]
    return Watches(
        tuple(sorted(watching, key=lambda watch: str(watch["url"]))),
        next((each for each in requests if each), {}),
        next((each for each in application if each), {}),
    )


_NOTHING = (
    f"has no watches in it: give changedetection.io's {ALL}, its data directory, a backup (ZIP), "
    "or what /api/v1/watch answers"
)


def _documents(path: Path) -> Iterator[Document]:
    if str(path) == "-":
        yield from _of_files([(Path("stdin"), sys.stdin.buffer.read())])
    elif path.is_dir():
        yield from _of_files((file, file.read_bytes()) for file in _wanted(path))
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if _is_wanted(name.split("/"))]
            yield from _of_files((path / name, archive.read(name)) for name in sorted(names))
    else:
        yield from _of_files([(path, path.read_bytes())])


def _wanted(directory: Path) -> list[Path]:
    found = [directory / ALL, directory / SETTINGS, *sorted(directory.glob(f"*/{ONE}"))]
    return [file for file in found if file.is_file()]


def _is_wanted(parts: list[str]) -> bool:
    return parts[-1] in (ALL, SETTINGS) if len(parts) == 1 else parts[1:] == [ONE]


def _of_files(files: Iterable[tuple[Path, bytes]]) -> Iterator[Document]:
    for file, content in files:
        try:
            document = json.loads(content)
        except ValueError as error:
            raise ConfigError(ConfigProblem(str(file), "", f"is not JSON: {error}")) from None
        if not isinstance(document, dict):
            raise ConfigError(ConfigProblem(str(file), "", _NOTHING))
        yield document


def _watching(document: Document) -> list[Document]:
    """The watches of a document: it is one itself, or has them by their ids, here or in ``watching``."""
    if isinstance(document.get("url"), str):
        return [document]
    inner = document.get("watching", document)
    found = inner.values() if isinstance(inner, dict) else ()
    return [watch for watch in found if isinstance(_table(watch).get("url"), str)]


def _table(value: object) -> Document:
    return value if isinstance(value, dict) else {}
