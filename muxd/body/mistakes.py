"""Mistakes that bodies are written with, told so that they can be mended at once."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING

from muxd.errors import BodyMistake, LoggedOut, message_of
from muxd.hints import slip_of
from muxd.remedies import place_of
from muxd.running import Run
from muxd.unbridged import UnbridgedAwait

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["mistake_in", "mistake_of"]

_SYNC = "Playwright Sync API inside the asyncio loop"
_COROUTINE = re.compile(r"""['"]coroutine['"]|type coroutine\b""")


def mistake_in(error: BaseException | None, result: object) -> BodyMistake | None:
    """What is wrong with the body that has raised or returned this; None if it is no such mistake."""
    if isinstance(error, UnbridgedAwait):
        return None  # it says so itself
    told = next(filter(None, map(_words, _leaves(error))), None)
    if error is None and inspect.iscoroutine(result):
        result.close()  # or Python would warn of it, too
        name = result.__qualname__
        told = (
            f"the body returned a coroutine of {name}(), which nobody awaits: write "
            f"`return await ...{name.rpartition('.')[2]}(...)`"
        )
    if told is None:
        return None
    mistake = BodyMistake(told)
    mistake.__cause__ = error
    return mistake


def mistake_of(error: BaseException | None, stray: Iterable[BaseException]) -> BodyMistake | None:
    """The mistake among what was charged to a run, which has ended with this error, if there is one.

    None if the error says itself what is to be done.
    """
    found = next((each for each in stray if isinstance(each, BodyMistake)), None)
    if found is None or isinstance(error, (BodyMistake, LoggedOut)):
        return None
    if error is None:
        return found
    message = (message_of(error).strip() or type(error).__name__).splitlines()[0]
    mistake = BodyMistake(f"{found}; it then raised {type(error).__name__}: {message:.500}")
    mistake.__cause__ = error
    return mistake


def _words(error: BaseException) -> str | None:
    message = message_of(error)
    if _SYNC in message:
        return (
            "this body uses Playwright's sync API (sync_playwright), which can't be used in muxd: the "
            "run has a page already, of the async API: write `await run.page.goto(...)` in place of "
            "`page.goto(...)`"
        )
    if isinstance(error, (AttributeError, TypeError)) and _COROUTINE.search(message):
        names = _forgotten(error)
        of = f" {' and '.join(names)}" if names else " what it was called for"
        return (
            f"{message}: a call is not awaited, so there is a coroutine in place of{of}: write "
            "`await` before it, as in `title = await run.page.title()`"
        )
    if isinstance(error, AttributeError) and isinstance(error.obj, Run):
        name = error.name
        if name and hasattr(type(error.obj.page), name):
            return (
                f"a body is given the run, not its page: write `await run.page.{name}(...)` in place "
                f"of `page.{name}(...)`{place_of(error)}"
            )
        if name and (near := slip_of(name, dir(error.obj))):
            return f"a run has no {name!r}; did you mean {near!r}?{place_of(error)}"
    if isinstance(error, UnbridgedAwait):
        return str(error)
    return None


def _forgotten(error: BaseException) -> list[str]:
    """What are coroutines that nobody has begun to await, by their variables; they are closed."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    found = []
    for name, value in traceback.tb_frame.f_locals.items() if traceback else ():
        if inspect.iscoroutine(value) and inspect.getcoroutinestate(value) == inspect.CORO_CREATED:
            value.close()  # or Python would warn of it once more
            found.append(f"`{name}`")
    made = getattr(error, "obj", None)  # in no variable: `run.page.title().upper()`
    if inspect.iscoroutine(made) and inspect.getcoroutinestate(made) == inspect.CORO_CREATED:
        made.close()
        found.append(f"what {made.__qualname__}() gives")
    return found


def _leaves(error: BaseException | None) -> Iterator[BaseException]:
    """The error, or those in it that nurseries have put together."""
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from _leaves(each)
    elif error is not None:
        yield error
