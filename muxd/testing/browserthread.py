"""One browser for all tests of a session, in a thread of its own: a launch is seconds of work."""

from __future__ import annotations

import contextlib
import itertools
import queue
import threading
import time
from typing import TYPE_CHECKING, Any, final

import attrs
import outcome
import trio

from muxd.body.data import Data
from muxd.body.memory import Memory
from muxd.book import RunBook
from muxd.bridge import run
from muxd.browser.find import find_browser
from muxd.browser.generation import open_generation
from muxd.browser.launch import LaunchPlan
from muxd.browser.sessions import SessionFiles
from muxd.bus import Bus
from muxd.errors import RunError
from muxd.record import Outcome
from muxd.release import Cause
from muxd.runner import Runner
from muxd.testing.borrowed import BorrowedPages
from muxd.workplace import Workplace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from muxd.browser.generation import Generation
    from muxd.events import Event
    from muxd.evidence import Evidence
    from muxd.job import Job
    from muxd.record import Record
    from muxd.testing.har import Har
    from muxd.testing.store import MemoryStore

__all__ = ["BrowserThread"]

START_BOUND = 30.0
"""How long the thread may take to begin, seconds: nothing is launched in it yet."""
CLOSE_BOUND = 30.0
"""How long it may take to close the browser and end, seconds."""
END_BOUND = 15.0
"""How long a run may take to end when its test was interrupted, seconds; see `muxd.runner`."""


@attrs.frozen(eq=False)
class _Asked:
    job: Job
    owner: str
    evidence: Evidence
    store: MemoryStore
    publish: Callable[[Event], object]
    har: Har | None
    answer: queue.SimpleQueue[Any] = attrs.field(factory=queue.SimpleQueue)
    _has_waited: list[bool] = attrs.field(factory=list)

    def may_wait(self) -> bool:
        """Whether it may have one more browser: one that is lost twice is told."""
        self._has_waited.append(True)
        return len(self._has_waited) == 1


@final
class BrowserThread:
    """Runs jobs, one at a time, on a browser that is launched when the first one comes."""

    def __init__(self, folder: Path, *, headed: bool = False) -> None:
        """Nothing is launched yet.

        Args:
          folder: for the browser's profile and sessions; it is there.
          headed: show the browser's window.
        """
        self._folder, self._headed = folder, headed
        self._sessions = SessionFiles(folder / "sessions")
        self._owners = itertools.count(1)
        self._turn = threading.Lock()
        self._runner: Runner | None = None
        self._token: trio.lowlevel.TrioToken | None = None
        self._begun = threading.Event()
        self._thread = threading.Thread(target=self._live, name="muxd_run", daemon=True)
        self._failed: BaseException | None = None

    def new_owner(self) -> str:
        """A name for a test that no other has."""
        return f"test-{next(self._owners)}"

    def perform(
        self,
        job: Job,
        owner: str,
        evidence: Evidence,
        store: MemoryStore,
        publish: Callable[[Event], object] = lambda _event: None,
        har: Har | None = None,
    ) -> Record:
        """Run a job once; blocks until it has ended.

        Args:
          job: which.
          owner: the name of the test, for whose runs alone the sessions are.
          evidence: keeps what its pages show; beside it is what the job saves.
          store: has the records of the test's runs.
          publish: is told what the body has to say, in the browser's thread.
          har: stands between its pages and the network.

        Raises:
          WorldError: there is no browser, it can't be launched, or is lost before the run has a page.
        """
        with self._turn:
            if self._token is None:
                find_browser()  # the thread's end would be a poor way to tell that there is none
                self._thread.start()
                self._begun.wait(START_BOUND)
            asked = _Asked(job, owner, evidence, store, publish, har)
            self._tell(lambda: self._send.send_nowait(asked))
            try:
                answer = self._wait(asked, None)
            except BaseException:  # Ctrl-C, or a timeout of the test
                self._tell(self._interrupt)
                with contextlib.suppress(Exception):
                    self._wait(asked, END_BOUND)
                raise
            record: Record = answer.unwrap()
            return record

    def close(self) -> None:
        """Close the browser, and end.

        Raises:
          RuntimeError: it does not end; its thread is left behind.
        """
        if self._token is None:
            return
        with contextlib.suppress(trio.RunFinishedError):
            self._token.run_sync_soon(self._send.send_nowait, None)
        self._thread.join(CLOSE_BOUND)
        if self._thread.is_alive():
            raise RuntimeError(f"muxd_run: the browser is not closed after {CLOSE_BOUND:g} s")

    def _wait(self, asked: _Asked, seconds: float | None) -> Any:
        end = None if seconds is None else time.monotonic() + seconds
        while end is None or time.monotonic() < end:
            # In slices: a wait without end in the main thread would not hear of Ctrl-C everywhere.
            with contextlib.suppress(queue.Empty):
                return asked.answer.get(timeout=0.5)
            if not self._thread.is_alive():
                raise RuntimeError("muxd_run: the browser's thread has ended") from self._failed
        raise TimeoutError(f"the run has not ended after {seconds:g} s")

    def _tell(self, call: Any) -> None:
        if self._token is None:
            raise RuntimeError("muxd_run: the browser's thread has not begun") from self._failed
        with contextlib.suppress(trio.RunFinishedError):
            self._token.run_sync_soon(call)

    def _interrupt(self) -> None:
        if self._runner is not None:
            self._runner.end_current(Outcome.cancelled, RunError("its test was interrupted"))

    def _live(self) -> None:
        try:
            run(self._main)
        except BaseException as error:
            self._failed = error
        finally:
            self._begun.set()

    async def _main(self) -> None:
        self._send, asked = trio.open_memory_channel[_Asked | None](8)
        self._token = trio.lowlevel.current_trio_token()
        self._begun.set()
        # A body that ignores its end is left behind in here, and costs the other tests nothing.
        async with trio.open_nursery() as bodies:
            await self._serve(asked, bodies)
            bodies.cancel_scope.cancel()

    async def _serve(
        self, queue: trio.MemoryReceiveChannel[_Asked | None], bodies: trio.Nursery
    ) -> None:
        """Run what comes, each browser for as long as it lives, until None comes."""
        profile = self._folder / "profile"
        plan = LaunchPlan(found=find_browser(), profile=profile, headed=self._headed)
        number, asked = 0, await queue.receive()
        while asked is not None:
            number += 1
            try:
                async with open_generation(number, plan, self._sessions) as life:
                    while asked is not None and life.lost is None:
                        done = await outcome.acapture(self._perform, asked, life, bodies)
                        had_no_page = life.lost is not None and isinstance(done, outcome.Error)
                        if had_no_page and asked.may_wait():
                            break  # it is the next one's first
                        asked.answer.put(done)
                        asked = await queue.receive()
            except Exception as error:  # it can't be launched, or would not close
                if asked is not None:
                    asked.answer.put(outcome.Error(error))
                    asked = await queue.receive()

    async def _perform(self, asked: _Asked, life: Generation, bodies: trio.Nursery) -> Record:
        store, data = asked.store, Data(asked.evidence.artifacts.root, real_now=time.time)
        async with store.open(), data:
            book = RunBook(store, Bus(), real_now=time.time)
            release = await book.release(asked.job, released_at=time.time(), cause=Cause.manual)
            assert release is not None  # one at a time: nothing to coalesce with
            pages = BorrowedPages(life, asked.owner, asked.har)
            self._runner = Runner(
                book,
                bodies,
                real_now=time.time,
                evidence=asked.evidence,
                workplace=Workplace(
                    artifacts=asked.evidence.artifacts,
                    memory=Memory(data, store, real_now=time.time),
                    publish=asked.publish,
                    secrets=asked.evidence.secrets,
                ),
            )
            try:
                return await self._runner.run(release, pages)
            finally:
                self._runner = None
