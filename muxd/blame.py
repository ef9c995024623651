"""What a plugin did wrong, as a reason that people can act on."""

from __future__ import annotations

import contextlib
import inspect
import os
import signal
import sysconfig
import threading
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from muxd.errors import ConfigError, JobError, MuxdError, PluginError
from muxd.patience import OutOfPatience, patiently
from muxd.remedies import remedy_of
from muxd.shelter import grounded, sheltered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

__all__ = ["Wrong", "blaming", "problem_of", "where"]

_T = TypeVar("_T")
_LONGEST = 2_000
"""Characters of a reason that are shown."""


class Wrong(Exception):
    """What a plugin did wrong without raising; the message is the reason."""


def blaming(plugin: str, hook: str, patience: float, call: Callable[[], _T]) -> _T:
    """What a call of the plugin's code gives; whatever it raises is the plugin's problem.

    A ``sys.exit()`` in a plugin does not end muxd, nor does a ``KeyboardInterrupt`` that is none;
    one that takes longer than `patience` seconds is interrupted. What all code of the process
    shares is put back, and what the plugin prints goes to stderr (see `sheltered`).

    Raises:
      PluginError: something was raised (it is the cause), or it took too long.
      ConfigError: it says that the configuration is wrong.
      KeyboardInterrupt: Ctrl-C.
    """
    interrupted: list[None] = []

    def inside() -> _T:
        try:
            with grounded():
                return call()
        except (OutOfPatience, PluginError, ConfigError):
            raise
        except BaseException as error:
            # Here, within the bound: to ask the error for its message is to call the plugin, too.
            problem = problem_of(plugin, hook, error)
            raise problem from problem.__cause__

    try:
        with sheltered(), _ctrl_c(interrupted):
            result = patiently(patience, plugin, hook, inside)
    except OutOfPatience as error:
        problem = problem_of(plugin, hook, error, after=" ([plugins] patience)")
        raise problem from problem.__cause__
    finally:
        if interrupted:
            raise KeyboardInterrupt
    return result


@contextlib.contextmanager
def _ctrl_c(seen: list[None]) -> Iterator[None]:
    """Note a Ctrl-C inside, however the plugin takes it."""

    def note(number: int, frame: FrameType | None) -> None:
        seen.append(None)
        raise KeyboardInterrupt

    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def problem_of(plugin: str, hook: str, error: BaseException, *, after: str = "") -> PluginError:
    """The error as a problem of the plugin: one line, with the place in the plugin's code.

    Args:
      plugin: whose it is.
      hook: where it was raised.
      error: what was raised.
      after: goes behind the reason.
    """
    if isinstance(error, Wrong):
        return PluginError(plugin, hook, str(error))
    cause = error
    if isinstance(error, JobError):
        cause = error.of_plugin(plugin).with_traceback(error.__traceback__)
    reason = _message(error)
    if not isinstance(error, (MuxdError, OutOfPatience)):
        reason = type(error).__name__ + (f": {reason}" if reason else "") + remedy_of(error)
    if len(reason) > _LONGEST:
        reason = reason[: _LONGEST - 3] + "..."
    problem = PluginError(plugin, hook, " ".join(reason.split()) + after + _raised_at(error))
    problem.__cause__ = cause
    return problem


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return "an error that can't say what it is"


def _raised_at(error: BaseException) -> str:
    """Where in the plugin's own code it was raised: `` (jobs.py:12)``, or nothing."""
    if isinstance(error, SyntaxError):  # its message has where it is
        return f": {error.text.strip()[:100]}" if error.text else ""
    here = str(Path(__file__).parent) + os.sep
    python, others = sysconfig.get_path("stdlib") + os.sep, sysconfig.get_path("purelib")
    found = ""
    for frame, line in traceback.walk_tb(error.__traceback__):
        file = frame.f_code.co_filename
        of_python = file.startswith(python) and not file.startswith(others)
        if not of_python and not file.startswith((here, "<")):
            found = f" ({Path(file).name}:{line})"
    return found


def where(function: Callable[..., object]) -> str:
    """Where the function stands: `` (jobs.py:12)``, or nothing."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return f" ({Path(code.co_filename).name}:{code.co_firstlineno})" if code else ""
