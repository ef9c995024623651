"""Slips in hooks: their names, their arguments, their mark."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

from muxd import hookspecs
from muxd.blame import where
from muxd.hints import did_you_mean, slip_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

__all__ = ["strange_argument", "unmarked_hook"]

_MARK = f"{hookspecs.PROJECT}_impl"


def strange_argument(plugin: object) -> str | None:
    """What to say of an implementation with an argument that its hook does not have."""
    for name, function in _functions(plugin):
        options = getattr(function, _MARK, None)
        spec = getattr(hookspecs, (options or {}).get("specname") or name, None)
        if options is None or spec is None:
            continue
        known = inspect.signature(spec).parameters
        for one in inspect.signature(function).parameters.values():
            if one.name not in (*known, "self") and one.default is one.empty:
                hint = did_you_mean(one.name, known)
                return f"{name} has no argument {one.name!r}; {hint}{where(function)}"
    return None


def unmarked_hook(plugin: object, found: Collection[str]) -> str | None:
    """What to say of a function that has the name of a hook, or nearly so, and is not marked as one."""
    known = [name for name in vars(hookspecs) if name.startswith(f"{hookspecs.PROJECT}_")]
    for name, function in _functions(plugin):
        if name in found or not name.startswith(f"{hookspecs.PROJECT}_"):
            continue
        if hasattr(function, _MARK):
            continue  # `specname`
        if name in known:
            return f"{name} is not marked with @muxd.hookimpl{where(function)}"
        if near := slip_of(name, known):
            return (
                f"{name} looks like a hook and is none: did you mean {near!r}, marked with "
                f"@muxd.hookimpl?{where(function)}"
            )
    return None


def _functions(plugin: object) -> Iterator[tuple[str, Callable[..., object]]]:
    for name in dir(plugin):
        if name.startswith("__"):
            continue
        value = inspect.getattr_static(plugin, name, None)
        if inspect.isroutine(value):
            yield name, value
