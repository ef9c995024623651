"""Tracebacks as the writer of a job wants them: their own frames, and not the machinery's."""

from __future__ import annotations

import sysconfig
import traceback
from importlib.util import find_spec
from pathlib import Path

__all__ = ["traceback_through_jobs"]

_MACHINERY = ("muxd", "trio", "outcome", "playwright", "pyee")
_IMPORTER = "<frozen importlib"
_LONGEST = 200_000
"""Characters."""
_DEEPEST = 50
"""How many exceptions that hang together are cleaned at most; the rest is left as it is."""


def traceback_through_jobs(error: BaseException) -> str:
    """The traceback of an error with the frames of muxd, trio, Playwright and asyncio left out.

    Causes, contexts and groups are kept. An error that came up in the machinery alone has all its
    frames. At most 200,000 characters; never raises.
    """
    try:
        told = traceback.TracebackException.from_exception(error, compact=True)
        _clean(told, _folders())
        text = "".join(told.format())
    except Exception as trouble:  # an exception whose own code raises
        text = f"{type(error).__qualname__} <its traceback can't be shown: {trouble!r}>\n"
    text = text.encode("utf-8", "backslashreplace").decode()
    if len(text) > _LONGEST:  # its end says most
        text = f"...\n{text[4 - _LONGEST :]}"
    return text


def _folders() -> tuple[str, ...]:
    found = [str(Path(sysconfig.get_path("stdlib")) / "asyncio") + "/"]
    for name in _MACHINERY:
        spec = find_spec(name)
        folders = (spec.submodule_search_locations or ()) if spec else ()
        found += (folder.rstrip("/") + "/" for folder in folders)
    return tuple(found)


def _clean(told: traceback.TracebackException, folders: tuple[str, ...]) -> None:
    todo, seen = [told], 0
    while todo and seen < _DEEPEST:
        one, seen = todo.pop(), seen + 1
        own = [frame for frame in one.stack if not frame.filename.startswith((*folders, _IMPORTER))]
        if own:
            one.stack = traceback.StackSummary.from_list(own)
        todo += filter(None, (one.__cause__, one.__context__, *(one.exceptions or ())))
