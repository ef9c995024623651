"""Bodies that misbehave in Python: each takes the run and the site's address."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import multiprocessing
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil
import trio

import muxd


async def swallows_cancellation(run, url):
    while True:
        with contextlib.suppress(BaseException):
            await trio.sleep(1)


async def swallows_asyncios(run, url):
    while True:
        with contextlib.suppress(BaseException):
            await asyncio.sleep(1)


async def swallows_playwrights(run, url):
    while True:
        with contextlib.suppress(BaseException):
            await run.page.wait_for_selector("nothing", timeout=0)


async def shielded(run, url):
    with trio.CancelScope(shield=True):
        await trio.sleep_forever()


async def thread_without_end(run, url):
    """A thread can't be cancelled; this one ends when its test lets it, for the tests' sake."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.to_thread.run_sync, functools.partial(ENDS.wait, 60))


ENDS = threading.Event()
"""Until then the thread of `thread_without_end` is there."""
STAYS = threading.Event()
"""Until then the thread of `thread_left` is there."""


async def thread_left(run, url):
    threading.Thread(target=STAYS.wait, args=(20,), daemon=True, name="left").start()


async def huge_text(run, url):
    return "x" * 100_000_000


async def huge_list(run, url):
    return [0] * 10_000_000


async def huge_error(run, url):
    raise ValueError("x" * 100_000_000)


async def huge_from_the_page(run, url):
    return await run.page.evaluate("'x'.repeat(30_000_000)")


async def no_json(run, url):
    return {"page": run.page, "lock": threading.Lock(), "type": type, "self": lambda: None}


async def repr_raises(run, url):
    class Rude:
        def __repr__(self):
            raise ZeroDivisionError("bang")

    return Rude()


async def str_of_the_error_raises(run, url):
    class Rude(Exception):
        def __str__(self):
            raise ZeroDivisionError("bang")

        __repr__ = __str__

    raise Rude


async def recursive_result(run, url):
    result = []
    result.append(result)
    for _ in range(100_000):
        result = [result]
    return result


async def surrogates(run, url):
    await run.page.set_content("<script>document.title = 'half \\ud83d emoji'</script>")
    return await run.page.title() + "\ud83d"


async def surrogates_in_an_error(run, url):
    raise ValueError("half an emoji \ud83d, \x00 and \x1b[2J")


async def forks(run, url):
    """The child comes back out of the body, into what it thinks is its muxd."""
    if os.fork() == 0:
        return "child"
    return "parent"


async def forks_and_stays(run, url):
    if os.fork() == 0:
        time.sleep(60)  # noqa: ASYNC251 - it's another process
        os._exit(0)


async def leaves_a_process(run, url):
    PROCESSES.append(subprocess.Popen(["sleep", "60"]))  # noqa: ASYNC220 - the very thing


PROCESSES: list[subprocess.Popen] = []
"""What `leaves_a_process` has left: Python complains about one that nobody asks for its end."""


async def leaves_a_daemon(run, url):
    """It has a session of its own, and a parent that is gone."""
    subprocess.run(["sh", "-c", "setsid sleep 60 & exit 0"], check=True)  # noqa: ASYNC221


async def leaves_a_multiprocess(run, url):
    context = multiprocessing.get_context("spawn")
    context.Process(target=time.sleep, args=(60,), daemon=True).start()


async def leaves_temporary_files(run, url):
    number, name = tempfile.mkstemp()
    os.close(number)
    (Path(tempfile.mkdtemp()) / "inside").write_text(name)
    return name


async def changes_what_all_share(run, url):
    os.chdir("/")
    os.umask(0)


async def leaves_files_open(run, url):
    KEPT.extend(os.open("/dev/null", os.O_RDONLY) for _ in range(50))


KEPT: list[int] = []
"""What `leaves_files_open` has left, for its test to close."""


async def closes_the_context(run, url):
    await run.context.close()


async def closes_the_browser(run, url):
    await run.browser.close()


async def exits(run, url):
    sys.exit(3)


async def interrupts(run, url):
    raise KeyboardInterrupt


async def generator_exit(run, url):
    raise GeneratorExit


async def cancels_itself(run, url):
    raise asyncio.CancelledError


async def base_exception(run, url):
    class Fatal(BaseException):
        pass

    raise Fatal("fatal")


async def exception_group(run, url):
    raise BaseExceptionGroup(
        "several", [ValueError("one"), ExceptionGroup("more", [KeyError("two"), OSError("three")])]
    )


async def no_pickle(run, url):
    class Local(Exception):
        def __init__(self, page):
            super().__init__("local")
            self.page = page

        def __reduce__(self):
            raise TypeError("no")

    raise Local(run.page)


async def deep_recursion(run, url):
    def deeper(n):
        return deeper(n + 1)

    deeper(0)


async def tries_again_for_ever(run, url):
    """Without Playwright's driver every call fails at once."""
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.Error):
            if "run-driver" in child.cmdline():
                child.kill()
    while True:
        with contextlib.suppress(Exception):
            await run.page.goto(url)


async def waits_for_a_future(run, url):
    await asyncio.get_running_loop().create_future()


async def waits_for_an_event(run, url):
    await trio.Event().wait()


async def waits_in_a_thread(run, url):
    await trio.to_thread.run_sync(time.sleep, 2.5)


async def waits_in_asyncios_thread(run, url):
    await asyncio.to_thread(time.sleep, 3)


async def leaves_asyncio_tasks(run, url):
    """They use the page, and would go on for ever."""

    async def go_on():
        while True:
            with contextlib.suppress(Exception):
                await run.page.title()
            await asyncio.sleep(0.05)

    TASKS.extend(asyncio.ensure_future(go_on()) for _ in range(5))


TASKS: list[asyncio.Future] = []
"""What keeps the tasks of `leaves_asyncio_tasks` from being collected before they are ended."""


async def leaves_a_task_that_fails(run, url):
    async def later():
        await asyncio.sleep(0)
        raise ZeroDivisionError("bang")

    asyncio.ensure_future(later())  # noqa: RUF006 - nobody keeps it, nobody asks how it ended
    await asyncio.sleep(0.05)


async def children_wait(run, url):
    async with muxd.open_nursery() as nursery:
        for _ in range(50):
            nursery.start_soon(run.page.wait_for_selector, "nothing")


async def busy_without_rest(run, url):
    """Never still, but it lets others in."""
    while True:
        await trio.lowlevel.checkpoint()


async def stops_the_loop(run, url):
    asyncio.get_running_loop().stop()
    await asyncio.sleep(0.1)


async def many_contexts(run, url):
    for _ in range(10):
        context = await run.browser.new_context()
        await context.new_page()


async def many_listeners(run, url):
    for _ in range(1000):
        run.context.on("request", lambda request: None)
    await run.context.set_extra_http_headers({"x-left": "behind"})
    await run.context.set_offline(True)
