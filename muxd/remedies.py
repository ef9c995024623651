"""What to do about the usual mistakes in Python code: the name that was meant, if one is near."""

from __future__ import annotations

import builtins
import inspect
import pkgutil
import re
import sys
import sysconfig
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from muxd.hints import slip_of

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["importable", "place_of", "remedy_of", "slip_in"]

_CALLED_WRONGLY = re.compile(
    r"\(\) (got (an unexpected|multiple values)|missing \d+ required|takes \d+ positional)"
)
_UNEXPECTED = re.compile(r"(?P<call>[\w.]+)\(\) got an unexpected keyword argument '(?P<name>\w+)'")
_LIBRARIES = ("trio", "outcome", "playwright", "pyee", "structlog", "httpx", "attr", "cattrs")
_CANNOT_IMPORT = re.compile(r"cannot import name '(?P<name>\w+)' from")


def remedy_of(error: BaseException) -> str:
    """What goes behind the error's message: ``; did you mean 'page'?``, or nothing. Never raises."""
    try:
        return _remedy(error)
    except Exception:  # what is looked at is other people's
        return ""


def slip_in(error: BaseException) -> str:
    """What goes behind the message of an error that a slip in a body raised, or nothing.

    What may have been meant, and where it stands: ``; did you mean 'page'? (shop.py:12)``. Never raises.
    """
    is_name = isinstance(error, (NameError, ImportError))
    called_wrongly = isinstance(error, TypeError) and _CALLED_WRONGLY.search(str(error))
    if not is_name and not called_wrongly and not isinstance(error, AttributeError):
        return ""
    remedy = remedy_of(error)
    # An attribute that is not there may be one of None: nothing misspelt.
    return remedy + place_of(error) if remedy or is_name or called_wrongly else ""


def place_of(error: BaseException) -> str:
    """Where in the code that is neither muxd's nor its libraries' it was raised: `` (shop.py:12)``."""
    python, packages = sysconfig.get_path("stdlib"), sysconfig.get_path("purelib")
    here = str(Path(__file__).parent)
    others = [here, *(f"{packages}/{name}" for name in _LIBRARIES)]
    found = ""
    traceback = error.__traceback__
    while traceback is not None:
        file = traceback.tb_frame.f_code.co_filename
        of_python = file.startswith(f"{python}/") and not file.startswith(f"{packages}/")
        if not of_python and not file.startswith((*(f"{other}/" for other in others), "<")):
            found = f" ({Path(file).name}:{traceback.tb_lineno})"
        traceback = traceback.tb_next
    return found


def importable(module: str) -> list[str]:
    """The modules that there are beside this one, by their full names."""
    parent, _, _ = module.rpartition(".")
    if not parent:
        return sorted({*sys.stdlib_module_names, *(each.name for each in pkgutil.iter_modules())})
    paths = getattr(sys.modules.get(parent), "__path__", None)
    return sorted(f"{parent}.{each.name}" for each in pkgutil.iter_modules(paths)) if paths else []


def _remedy(error: BaseException) -> str:
    if "Did you mean" in str(error):
        return ""  # Python says it itself, from 3.13 on
    if isinstance(error, ModuleNotFoundError) and error.name:
        near = slip_of(error.name, importable(error.name))
        return (
            f"; did you mean {near!r}?" if near else "; correct the name, or install it beside muxd"
        )
    if isinstance(error, ImportError):
        name = _CANNOT_IMPORT.match(str(error))
        return _near(name["name"], dir(sys.modules[error.name])) if name and error.name else ""
    if isinstance(error, AttributeError) and error.name:
        return _near(error.name, _attributes_of(error.obj))
    if isinstance(error, NameError) and error.name:
        return _near(error.name, _names_at(error))
    if isinstance(error, TypeError) and (found := _UNEXPECTED.search(str(error))):
        return _near(found["name"], _parameters_of(found["call"]))
    return ""


def _near(name: str, known: Iterable[str]) -> str:
    near = slip_of(name, known)
    return f"; did you mean {near!r}?" if near else ""


def _attributes_of(value: object) -> Iterable[str]:
    """Without running code of its own, which may take its time."""
    if isinstance(value, ModuleType):
        return {*vars(value), *vars(value).get("__all__", ())}
    if isinstance(value, type):
        return type.__dir__(value)
    return object.__dir__(value)


def _names_at(error: BaseException) -> set[str]:
    """What could be named where it was raised."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    frame = traceback.tb_frame if traceback else None
    return {
        *vars(builtins),
        *(frame.f_globals if frame else ()),
        *(frame.f_locals if frame else ()),
    }


def _parameters_of(call: str) -> Iterable[str]:
    """Those of muxd's own classes, and of Playwright's, by the names that errors have for them."""
    name, _, method = call.partition(".")
    for module in ("muxd", "playwright.async_api"):
        home = sys.modules.get(module)
        if home is not None and name in home.__all__:
            found = getattr(home, name)
            called = found if method == "__init__" else getattr(found, method, None)
            return inspect.signature(called).parameters if callable(called) else ()
    return ()
