"""What somebody who writes jobs works on: a file, a directory of files, or a project with metadata."""

from __future__ import annotations

import importlib
import re
import sys
import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from muxd.discovery import ENTRY_POINT_GROUP, Source, sources_in
from muxd.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

__all__ = ["Project", "project_at"]

METADATA = "pyproject.toml"
ROOTS = ("src", ".")
"""Where the packages of a project may be, below it."""


@attrs.frozen
class Project:
    """The plugins that are worked on, which can be loaded again and again."""

    place: Path
    """The file or the directory, absolute."""
    watched: tuple[Path, ...]
    """Files, and directories with all below them: what is saved there may change the jobs."""

    def sources(self) -> list[Source]:
        """The plugins as they are now; none of their code that was loaded before is used again.

        Raises:
          UserError: there are none any more, or their metadata is wrong.
        """
        _forget(self.watched)
        return _sources(self.place)

    def is_its(self, path: Path) -> bool:
        """Whether what is saved there may change the jobs: of a file's neighbours what it may import."""
        if any(path == each or each in path.parents for each in self.watched):
            return True
        return path.parent == self.place.parent and path.name.startswith("_")

    def concerned(self, saved: Collection[Path], sources: Sequence[Source]) -> set[str]:
        """The names of the plugins that are to be tried after these files were saved.

        A file of jobs concerns itself alone; what others may import concerns all.
        """
        own = {source.file: source.name for source in sources if source.file is not None}
        if saved and all(path in own for path in saved):
            return {own[path] for path in saved}
        return {source.name for source in sources}


def project_at(place: Path) -> Project:
    """What is at a path. A file of a package is its project's.

    Raises:
      UserError: nothing that has jobs.
    """
    if not place.exists():
        raise UserError(f"there is no {place}: give a jobs file, or the directory of a plugin")
    whole = place.resolve()
    if whole.is_file():
        if whole.suffix != ".py":
            raise UserError(f"{place} is no jobs file: its name must end with .py")
        whole = _project_of(whole) or whole
    sources = _sources(whole)
    if not (whole / METADATA).is_file():
        packages = () if whole.is_dir() else tuple(_packages_in(whole.parent))
        return Project(whole, (whole, *packages))
    roots = {source: _root(whole, source) for source in sources}
    for root in dict.fromkeys(map(str, roots.values())):
        if root not in sys.path:
            sys.path.insert(0, root)
    found = dict.fromkeys(_package(root, source) for source, root in roots.items())
    return Project(whole, (whole / METADATA, *found))


def _project_of(file: Path) -> Path | None:
    """The project whose package it is in."""
    folder = file.parent
    if not (folder / "__init__.py").is_file():
        return None
    for parent in folder.parents:
        if (parent / METADATA).is_file():
            return parent if _points(parent / METADATA) else None
    return None


def _packages_in(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if (path / "__init__.py").is_file():
            yield path


def _sources(place: Path) -> list[Source]:
    if (place / METADATA).is_file():
        return list(_of_metadata(place))
    try:
        found = list(sources_in(place) if place.is_dir() else sources_in(place.parent, only=place))
    except OSError as error:
        raise UserError(f"{place} can't be read: {error.strerror or error}") from error
    if not found:
        raise UserError(f"there is neither a {METADATA} nor a jobs file (*.py) in {place}")
    return found


def _of_metadata(place: Path) -> Iterator[Source]:
    metadata = place / METADATA
    points = _points(metadata)
    if not points:
        raise UserError(
            f"{metadata} names no plugin: add\n\n  [project.entry-points.{ENTRY_POINT_GROUP}]\n"
            f'  {place.name} = "the_package.jobs"'
        )
    for name, value in sorted(points.items()):
        point = EntryPoint(name, str(value), ENTRY_POINT_GROUP)
        yield Source(name=name, location=point.value, load=point.load, distribution=place.name)


def _points(metadata: Path) -> dict[str, Any]:
    """The entry points of plugins. Raises `UserError`: the file can't be read."""
    try:
        told = tomllib.loads(metadata.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{metadata} can't be read: {error}") from error
    return _table(told, "project", "entry-points", ENTRY_POINT_GROUP) | _table(
        told, "tool", "poetry", "plugins", ENTRY_POINT_GROUP
    )


def _table(table: dict[str, Any], *keys: str) -> dict[str, Any]:
    for key in keys:
        found = table.get(key)
        table = found if isinstance(found, dict) else {}
    return table


def _top(source: Source) -> str:
    return re.split(r"[.:\s]", source.location, maxsplit=1)[0]


def _package(root: Path, source: Source) -> Path:
    folder = root / _top(source)
    return folder if folder.is_dir() else folder.with_suffix(".py")


def _root(place: Path, source: Source) -> Path:
    """Where its package is. Raises `UserError` if it isn't in the project."""
    for root in ROOTS:
        if _package(place / root, source).exists():
            return (place / root).resolve()
    raise UserError(
        f"{place / METADATA}: the plugin {source.name!r} is to be in {source.location!r}, but "
        f"{_top(source)!r} is neither in {place / 'src'} nor in {place}"
    )


def _forget(places: Collection[Path]) -> None:
    """Have what was imported from there imported anew."""
    for name, file in list(_modules()):
        if any(file == place or place in file.parents for place in places):
            sys.modules.pop(name, None)
    importlib.invalidate_caches()


def _modules() -> Iterator[tuple[str, Path]]:
    for name, module in sys.modules.items():
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and name != "__main__":
            yield name, Path(file)
