"""What hooks are called with, and what they give: for who wants to see it."""

from __future__ import annotations

import contextlib
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pluggy import HookImpl

__all__ = ["HookCall", "called", "traced"]


@attrs.define
class HookCall:
    """One call of one implementation."""

    hook: str
    plugin: str
    arguments: Mapping[str, Any]
    """What it was given, by name: only what it takes."""
    gave: Any = None
    """What came of it: of a hook that gives several things a list of them."""
    error: BaseException | None = None
    """What went wrong in place of that."""
    seconds: float = 0.0
    """How long it took."""


_calls: ContextVar[list[HookCall] | None] = ContextVar("_calls", default=None)


@contextlib.contextmanager
def traced() -> Iterator[list[HookCall]]:
    """Note all calls that are made inside, in this context: they are in the list, in order."""
    calls: list[HookCall] = []
    token = _calls.set(calls)
    try:
        yield calls
    finally:
        _calls.reset(token)


@contextlib.contextmanager
def called(impl: HookImpl, arguments: Mapping[str, Any]) -> Iterator[HookCall]:
    """Inside, an implementation is called. What it gives is to be noted in the call."""
    hook = str(impl.opts.get("specname") or getattr(impl.function, "__name__", "?"))
    taken = {name: arguments[name] for name in impl.argnames if name in arguments}
    call, begun = HookCall(hook, impl.plugin_name, taken), time.perf_counter()
    try:
        yield call
    except BaseException as error:
        call.error = error
        raise
    finally:
        call.seconds = time.perf_counter() - begun
        if (calls := _calls.get()) is not None:
            calls.append(call)
