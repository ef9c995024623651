"""What a plugin did wrong, as a reason that people can act on."""

from __future__ import annotations

import contextlib
import inspect
import os
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from muxd.errors import JobError, MuxdError, PluginError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Wrong", "blaming", "problem_of", "where"]


class Wrong(Exception):
    """What a plugin did wrong without raising; the message is the reason."""


@contextlib.contextmanager
def blaming(plugin: str, hook: str) -> Iterator[None]:
    """Turn whatever is raised inside into this plugin's problem.

    Only Ctrl-C goes through: a ``sys.exit()`` in a plugin must not end muxd.

    Raises:
      PluginError: something was raised; it is the cause.
    """
    try:
        yield
    except (KeyboardInterrupt, PluginError):
        raise
    except BaseException as error:
        problem = problem_of(plugin, hook, error)
        raise problem from problem.__cause__


def problem_of(plugin: str, hook: str, error: BaseException) -> PluginError:
    """The error as a problem of the plugin: one line, with the place in the plugin's code."""
    if isinstance(error, Wrong):
        return PluginError(plugin, hook, str(error))
    cause = error
    if isinstance(error, JobError):
        cause = error.of_plugin(plugin).with_traceback(error.__traceback__)
    reason = str(error)
    if not isinstance(error, MuxdError):
        reason = type(error).__name__ + (f": {reason}" if reason else "")
    problem = PluginError(plugin, hook, " ".join(reason.split()) + _raised_at(error))
    problem.__cause__ = cause
    return problem


def _raised_at(error: BaseException) -> str:
    """Where in the plugin's own code it was raised: `` (jobs.py:12)``, or nothing."""
    here = str(Path(__file__).parent) + os.sep
    if isinstance(error, SyntaxError):
        return ""  # its message has it
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if not frame.filename.startswith((here, "<")) and "/importlib/" not in frame.filename:
            return f" ({Path(frame.filename).name}:{frame.lineno})"
    return ""


def where(function: Callable[..., object]) -> str:
    """Where the function stands: `` (jobs.py:12)``, or nothing."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return f" ({Path(code.co_filename).name}:{code.co_firstlineno})" if code else ""
