"""Where plugins are: in muxd itself, at entry points, and as single files in jobs directories."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import importlib.machinery
import importlib.metadata
import importlib.util
import re
import sys
import types
from functools import partial
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING, cast

import attrs

import muxd
from muxd.entrypoints import ENTRY_POINT_GROUP, load_point, strange_groups
from muxd.errors import ConfigError, ConfigProblem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from importlib.metadata import EntryPoints
    from pathlib import Path

    from muxd.config import Config

__all__ = ["BUILTINS", "ENTRY_POINT_GROUP", "Source", "discover", "sources_in"]

BUILTINS = (
    "muxd.builtin.ledger",
    "muxd.builtin.slotter",
    "muxd.builtin.metrics",
    "muxd.builtin.notifier",
    "muxd.builtin.dashboard",
    "muxd.builtin.takeover",
)
"""Modules of muxd's own that are plugins like anyone's; ``muxd.builtin.x`` is named ``muxd.x``."""


@attrs.frozen(kw_only=True)
class Source:
    """A plugin that was found, not yet loaded."""

    name: str
    location: str
    """What to look at: a module, an entry point's value or a file."""
    load: Callable[[], object] = attrs.field(eq=False, repr=False)
    """Imports it; raises whatever its code raises."""
    distribution: str | None = None
    version: str | None = None
    builtin: bool = False
    file: Path | None = None
    """The file of a jobs directory."""
    metadata: Path | None = None
    """What changes when another version of its distribution is installed."""

    @property
    def module(self) -> str | None:
        """The module that an entry point names."""
        return None if self.file or self.builtin else self.location.partition(":")[0].strip()


def discover(
    config: Config,
    *,
    entry_points: Iterable[EntryPoint] | None = None,
    builtins: Iterable[str] = BUILTINS,
    warn: Callable[[str], object] = lambda _: None,
) -> Iterator[Source]:
    """All plugins there are, in the order in which they claim names.

    First those of muxd itself, then entry points by name, then the files of each jobs directory
    by name. Nothing is imported before its `Source.load` is called.

    Raises:
      ConfigError: a jobs directory can't be read.
    """
    for module in builtins:
        yield Source(
            name="muxd." + module.rpartition(".")[2],
            location=module,
            load=_importing(module),
            distribution="muxd",
            version=muxd.__version__,
            builtin=True,
        )
    if entry_points is None:
        entry_points = _entry_points(warn)
    for point in sorted(entry_points, key=lambda p: (p.name, p.value)):
        distribution, version = _distribution(point)
        yield Source(
            name=point.name,
            location=point.value,
            load=partial(load_point, point),
            distribution=distribution,
            version=version,
            metadata=getattr(point.dist, "_path", None),
        )
    for directory in dict.fromkeys(path.resolve() for path in config.plugins.jobs_dirs):
        try:
            yield from sources_in(directory)
        except OSError as error:
            key = "plugins.jobs_dirs"
            message = f"{str(directory)!r} can't be read: {error.strerror or error}"
            raise ConfigError(ConfigProblem(config.origin(key), key, message)) from error


def _entry_points(warn: Callable[[str], object]) -> Iterable[EntryPoint]:
    """Those of all distributions; of one whose ``entry_points.txt`` is broken, none."""
    try:
        # Typeshed has what it gives in older versions.
        points = cast("EntryPoints", importlib.metadata.entry_points())
        for told in strange_groups(points):
            warn(told)
        return points.select(group=ENTRY_POINT_GROUP)
    except Exception:
        found: dict[str, list[EntryPoint]] = {}
        for dist in importlib.metadata.distributions():
            name, own = None, list[EntryPoint]()
            # Of a distribution that is installed twice the first one counts, as it does above.
            with contextlib.suppress(Exception):
                name = dist.name
                own = [point for point in dist.entry_points if point.group == ENTRY_POINT_GROUP]
            found.setdefault(name or str(id(dist)), own)
        return [point for own in found.values() for point in own]


def _distribution(point: EntryPoint) -> tuple[str | None, str | None]:
    """Name and version of what it belongs to; None where the metadata is broken."""
    try:
        return (point.dist.name, point.dist.version) if point.dist else (None, None)
    except Exception:
        return None, None


def _importing(module: str) -> Callable[[], object]:
    return lambda: importlib.import_module(module)


def sources_in(directory: Path, *, only: Path | None = None) -> Iterator[Source]:
    """The plugins of a jobs directory: its ``*.py`` files, but for those that start with _ or .

    Args:
      directory: which, resolved.
      only: just this file of it, whatever its name.

    Raises:
      OSError: the directory can't be read.
    """
    files = sorted(
        path
        for path in ([only] if only is not None else directory.iterdir())
        if path.suffix == ".py" and (only or path.name[0] not in "_.") and path.is_file()
    )
    package = _package(directory)
    for file in files:
        load = _loading(file, package)
        yield Source(name=file.stem, location=str(file), load=load, file=file)


def _package(directory: Path) -> str:
    """A package of its own for the directory, so that ``from ._helpers import login`` works.

    What an earlier load left of it is forgotten: files that changed are read again, and the
    modules of that load go on unharmed.
    """
    digest = hashlib.sha256(str(directory).encode()).hexdigest()[:12]
    name = f"muxd_jobs_dir_{digest}"
    for module in [m for m in sys.modules if m == name or m.startswith(f"{name}.")]:
        del sys.modules[module]
    importlib.invalidate_caches()
    package = types.ModuleType(name, f"The jobs directory {directory}.")
    package.__path__ = [str(directory)]
    sys.modules[name] = package
    return name


class _FreshLoader(importlib.machinery.SourceFileLoader):
    """Compiles the file as it is now.

    Bytecode caches are told by whole seconds and size: an edit may pass unnoticed.
    """

    def get_code(self, fullname: str) -> types.CodeType | None:
        return self.source_to_code(self.get_data(self.path), self.path)


def _loading(file: Path, package: str) -> Callable[[], object]:
    stem = file.stem
    if not stem.isidentifier():
        stem = re.sub(r"\W", "_", stem) + "_" + hashlib.sha256(stem.encode()).hexdigest()[:6]
    name = f"{package}.{stem}"

    def load() -> object:
        loader = _FreshLoader(name, str(file))
        spec = importlib.util.spec_from_file_location(name, file, loader=loader)
        if spec is None:
            raise ImportError(f"{file} can't be loaded")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        try:
            loader.exec_module(module)
        except BaseException:
            sys.modules.pop(name, None)
            raise
        return module

    return load
