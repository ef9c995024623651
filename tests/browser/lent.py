"""One browser for many tests, one after another, as long as it lives: a launch is seconds of work."""

from __future__ import annotations

import contextlib
import queue
import threading
from typing import Any

import outcome
import trio

import muxd
from muxd.browser.generation import open_generation

__all__ = ["lent_browser"]

BOUND = 60.0
"""How long one test may take, seconds."""


async def _serve(receive, plan, sessions, open_site) -> None:
    """Run the tests that come; on a new browser where the last one's is gone or it failed."""
    number = 0
    async with open_site() as site:
        asked = await receive.receive()
        while asked is not None:
            number += 1
            async with open_generation(number, plan, sessions) as life:
                while asked is not None and life.lost is None:
                    test, answers = asked
                    site.seen.clear()
                    answer = await _bounded(test, life, site)
                    if isinstance(answer, outcome.Error):
                        life.kill("a test failed")
                    else:
                        await _tidy(life)
                    answers.put(answer)
                    asked = await receive.receive()


async def _bounded(test, life, site) -> outcome.Value[Any] | outcome.Error:
    with trio.move_on_after(BOUND):
        return await outcome.acapture(test, life, site)
    return outcome.Error(trio.TooSlowError(f"it took longer than {BOUND:g} s"))


async def _tidy(life) -> None:
    """What is ready was made ready for a run of this test."""
    if life.lost is None:
        with contextlib.suppress(Exception), trio.move_on_after(5):
            for is_main in (True, False):
                await life._shelf._discard(is_main)


@contextlib.contextmanager
def lent_browser(plan, sessions, open_site):
    """A function that runs an async test with (generation, site), in the thread of the browser."""
    send, receive = trio.open_memory_channel(1)
    tokens, failed = queue.SimpleQueue(), []

    async def main():
        tokens.put(trio.lowlevel.current_trio_token())
        await _serve(receive, plan, sessions, open_site)

    def live():
        try:
            muxd.run(main)
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=live, name="lent browser", daemon=True)
    thread.start()
    token = tokens.get(timeout=30)

    def ask(test):
        answers = queue.SimpleQueue()
        trio.from_thread.run_sync(send.send_nowait, (test, answers), trio_token=token)
        while True:
            with contextlib.suppress(queue.Empty):
                return answers.get(timeout=1).unwrap()
            assert not failed, failed
            assert thread.is_alive()

    yield ask
    with contextlib.suppress(trio.RunFinishedError):
        trio.from_thread.run_sync(send.send_nowait, None, trio_token=token)
    thread.join(60)
    assert not thread.is_alive(), "the browser would not end"
    assert not failed, failed
