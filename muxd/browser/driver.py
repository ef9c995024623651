"""Playwright's driver: a process of its own, started and ended with bounds."""

from __future__ import annotations

import contextlib
import os
import shutil
from functools import partial
from importlib.resources import as_file, files
from typing import TYPE_CHECKING, Any

import psutil
import trio
from playwright.async_api import Error, async_playwright

from muxd.bridge import bridged
from muxd.browser.processes import WatchedProcess, children_of
from muxd.children import BROWSER_MARK
from muxd.errors import BrowserLost
from muxd.forks import kept_from_forks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from playwright.async_api import Playwright

__all__ = ["open_driver"]

START_BOUND = 30.0
STOP_BOUND = 5.0
"""How long the driver may take to start and to stop, seconds."""


@contextlib.asynccontextmanager
async def open_driver(scratch: Path) -> AsyncIterator[tuple[Playwright, WatchedProcess]]:
    """Start Playwright's driver; on leaving stop it, or kill it when it won't stop.

    Its temporary files are in `scratch`, which is emptied at the start and removed at the end: a
    driver that is killed leaves them.

    On leaving, also by cancellation, the process is gone within `STOP_BOUND` and a second.

    Raises:
      BrowserLost: it did not start within `START_BOUND`, or died on the way.
    """
    await trio.to_thread.run_sync(_empty, scratch)
    before = {child.pid for child in children_of(os.getpid())}
    manager = async_playwright()
    driver: WatchedProcess | None = None
    try:
        try:
            with _environment(scratch), trio.fail_after(START_BOUND):
                playwright = await bridged(manager.start)()
        except trio.TooSlowError:
            raise BrowserLost(f"Playwright's driver did not start in {START_BOUND:g} s") from None
        except Exception as error:
            # Playwright raises a bare Exception where the driver dies before it has said hello.
            if type(error) is Exception or isinstance(error, (Error, OSError)):
                raise BrowserLost(f"Playwright's driver did not start: {error}") from error
            raise
        finally:
            driver = _new_driver(before)
        if driver is None:
            raise BrowserLost("Playwright's driver ended as soon as it had started")
        _let_others_in(playwright)
        with kept_from_forks(*_pipe_to(manager)):
            yield playwright, driver
    finally:
        with trio.CancelScope(shield=True):
            # Ends the driver's standard input; it closes what it has open and exits.
            with trio.move_on_after(STOP_BOUND), contextlib.suppress(Exception):
                await bridged(manager.__aexit__)(None, None, None)
            if driver is not None:
                driver.kill()
            await _settle(manager)
            await trio.to_thread.run_sync(partial(shutil.rmtree, scratch, ignore_errors=True))


def _empty(scratch: Path) -> None:
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(mode=0o700, parents=True, exist_ok=True)


async def _settle(manager: object) -> None:
    """Let Playwright see the end of its driver, and no error of it be left to be blamed later.

    Playwright has no public way for it: the loop could be closed before the process is reaped,
    and the error of a broken pipe would reach asyncio's handler at some later garbage collection,
    in the middle of somebody's run.
    """
    transport = getattr(getattr(manager, "_client", None), "_transport", None)
    if transport is None:
        return
    with trio.move_on_after(1.0), contextlib.suppress(Exception):
        await bridged(transport.wait_until_stopped)()
    broken = transport.on_error_future
    if broken.done() and not broken.cancelled():
        broken.exception()


def _let_others_in(playwright: object) -> None:
    """Have a call that fails before it has begun fail one turn of the loop later.

    Once a page or the browser is gone Playwright raises at once, without a single await. A body
    that tries again whatever is raised would never let go of the loop: no deadline could end it,
    and muxd as a whole would stand still. Playwright has no public way for it.
    """
    connection = getattr(getattr(playwright, "_impl_obj", None), "_connection", None)
    send = getattr(connection, "send_message_to_server", None)
    loop = getattr(connection, "_loop", None)
    if connection is None or send is None or loop is None:
        return

    def send_or_fail_soon(*args: Any, **kwargs: Any) -> Any:
        try:
            return send(*args, **kwargs)
        except Exception as error:
            failing = loop.create_future()
            loop.call_soon(_fail, failing, error)
            return failing

    connection.send_message_to_server = send_or_fail_soon


def _pipe_to(manager: object) -> Iterator[int]:
    """The descriptor of the pipe at whose end the driver ends, too, and its browser.

    What a body has forked must not have it, or both outlive muxd. Playwright has no public way to
    it.
    """
    transport = getattr(getattr(manager, "_client", None), "_transport", None)
    writer = getattr(transport, "_output", None)
    pipe = writer.get_extra_info("pipe") if writer is not None else None
    if pipe is not None:
        yield pipe.fileno()


def _fail(future: Any, error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
        future.exception()  # nobody has to ask: Playwright doesn't always


def _new_driver(before: set[int]) -> WatchedProcess | None:
    for child in children_of(os.getpid()):
        with contextlib.suppress(psutil.NoSuchProcess):
            if child.pid not in before and "run-driver" in child.cmdline():
                return WatchedProcess.of(child)
    return None


@contextlib.contextmanager
def _environment(scratch: Path) -> Iterator[None]:
    """The environment that the driver is started with; Playwright has no option for it.

    It is made deaf to signals: the terminal sends Ctrl-C to every process in the foreground, and
    the driver would die of it and take the browser along, before the run in progress could end.
    Node takes a module to load first from its environment.
    """
    with as_file(files("muxd.browser") / "deaf.cjs") as module:
        options = f'{os.environ.get("NODE_OPTIONS", "")} --require "{module}"'.strip()
        changes = {"NODE_OPTIONS": options, "TMPDIR": str(scratch), BROWSER_MARK: "1"}
        before = {name: os.environ.get(name) for name in changes}
        os.environ.update(changes)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value
