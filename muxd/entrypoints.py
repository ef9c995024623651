"""Entry points of plugins: ``[project.entry-points.muxd]`` in a ``pyproject.toml``, and slips in there."""

from __future__ import annotations

import importlib
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING

from muxd.blame import Wrong
from muxd.hints import is_slip, slip_of
from muxd.remedies import importable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.metadata import EntryPoints

__all__ = ["ENTRY_POINT_GROUP", "load_point", "strange_groups"]

ENTRY_POINT_GROUP = "muxd"


def load_point(point: EntryPoint) -> object:
    """Import what it names.

    Raises:
      Wrong: it names nothing that there is.
      Exception: what is imported raises.
    """
    if EntryPoint.pattern.match(point.value) is None:
        raise _wrong(point, "is neither a module nor module:object")
    try:
        found = importlib.import_module(point.module)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if point.module != missing and not point.module.startswith(f"{missing}."):
            raise  # one that it imports itself
        near = slip_of(missing, importable(missing))
        hint = f"; did you mean {near!r}?" if near else ""
        raise _wrong(point, f"names a module that is not there, {missing!r}{hint}") from error
    for name in point.attr.split(".") if point.attr else ():
        if not hasattr(found, name):
            near = slip_of(name, dir(found))
            hint = f"; did you mean {near!r}?" if near else ""
            raise _wrong(point, f"names what is not in there, {name!r}{hint}")
        found = getattr(found, name)
    return found


def _wrong(point: EntryPoint, what: str) -> Wrong:
    whose = f" of {point.dist.name}" if point.dist is not None else ""
    return Wrong(
        f"the entry point {point.name} = {point.value!r} {what} (mend "
        f"[project.entry-points.{ENTRY_POINT_GROUP}] in the pyproject.toml{whose}, and install it "
        "once more)"
    )


def strange_groups(points: EntryPoints) -> Iterator[str]:
    """What to say of groups that may have been meant for muxd: nobody would load their plugins."""
    for group in sorted(points.groups):
        is_like = is_slip(group, ENTRY_POINT_GROUP) or group.startswith(("muxd.", "muxd_", "muxd-"))
        if is_like and group != ENTRY_POINT_GROUP:
            for point in points.select(group=group):
                whose = point.dist.name if point.dist is not None else "a distribution"
                yield (
                    f"{whose}: [project.entry-points.{group}] {point.name}: muxd looks for plugins in "
                    f"[project.entry-points.{ENTRY_POINT_GROUP}] only; mend its pyproject.toml, and "
                    "install it once more"
                )
