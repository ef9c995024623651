"""People's logins: who logs in to which session, on which page, and what became of it.

A login is a run like any other, with a job of its own that has no slot: it waits for the run in
progress, has the browser alone, has a deadline and leaves a record. Its body shows a page to a person
until they say that it is done; then the session is saved as after any good run.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, final

import trio

from muxd.bridge import open_nursery
from muxd.browser.screencast import Screen
from muxd.errors import RunError, UserError
from muxd.events import Draining, RunEnded, RunStarted
from muxd.login import LONGEST_LOGIN, login_job, login_url
from muxd.logincheck import first_page
from muxd.loginneeds import paused_for_login
from muxd.record import Outcome, utc_text
from muxd.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from muxd.audit import AuditTrail
    from muxd.browser.screencast import Frame
    from muxd.core import Core
    from muxd.job import Job
    from muxd.logininput import Action
    from muxd.record import Record
    from muxd.running import Run

__all__ = ["Login", "Logins"]

IDLE = 600.0
"""How long nobody may look at a login before it is ended, seconds."""
REMEMBERED = 20
"""How many logins that have ended are remembered."""
READ_BOUND = 3.0
"""How long reading the cookies may take, seconds."""


@final
class Login:
    """One of them."""

    def __init__(self, session: str, url: str, seconds: float, *, idle: float, core: Core) -> None:
        """Nothing has happened yet; `Logins.ask` makes it."""
        self.id = ""
        """That of its run."""
        self.session, self.url, self.seconds = session, url, seconds
        self.record: Record | None = None
        """Once it has ended."""
        self.resumes: tuple[str, ...] = ()
        """The jobs that were paused for it when the person had finished."""
        self.passing: int | None = 0
        """How many cookies of ``main`` go with the browser; None: they could not be read in time."""
        self._idle, self._core = idle, core
        self._screen: Screen | None = None
        self._done = False
        self._lookers = 0
        self._alone_since = 0.0
        self._count = 0
        self._news = trio.Event()

    async def body(self, run: Run) -> str:
        """Show the page until the person has finished. Bridged."""
        screen = self._screen = Screen(
            run.context, run.page, looked_at=lambda: self._lookers > 0, tell=self.tell
        )
        if self.url != "about:blank":
            screen.do([{"do": "go", "url": self.url}])
        self._alone_since = trio.current_time()
        try:
            async with open_nursery() as nursery:
                nursery.start_soon(screen.run)
                done = await self._is_done(screen)
                nursery.cancel_scope.cancel()
            if not done:
                raise RunError(f"nobody has looked at it for {format_duration(self._idle)}")
            if self.session == "main":
                self.passing = None
                with trio.move_on_after(READ_BOUND):
                    cookies = await run.context.cookies()
                    self.passing = sum(each.get("expires", -1) == -1 for each in cookies)
        finally:
            screen.close()
            self._screen = None
            self.tell()
        self.resumes = tuple(paused_for_login(self._core.pauses.all, self.session))
        return "a person has logged in"

    async def _is_done(self, screen: Screen) -> bool:
        """Wait for the person to finish; False: nobody has looked at it for too long."""
        while not (self._done or screen.over):
            news, left = self._news, trio.current_time() + self._idle
            if not self._lookers:
                left = self._alone_since + self._idle
                if trio.current_time() >= left:
                    return False
            with trio.move_on_at(left):
                await news.wait()
        return True

    @property
    def frame(self) -> Frame | None:
        """The newest picture; None if there is none."""
        return self._screen.frame if self._screen else None

    @property
    def lookers(self) -> int:
        """How many look at it now."""
        return self._lookers

    @property
    def news(self) -> int:
        """Changes whenever there is something to be told."""
        return self._count

    async def wait_news(self, seen: int) -> None:
        """Return once `news` is another."""
        while self._count == seen:
            await self._news.wait()

    def tell(self) -> None:
        """Something is to be told. Never blocks."""
        self._count += 1
        self._news.set()
        self._news = trio.Event()

    @contextlib.contextmanager
    def looked_at(self) -> Iterator[None]:
        """Somebody looks at it while inside: only then are there pictures."""
        self._look(1)
        try:
            yield
        finally:
            self._look(-1)

    def _look(self, more: int) -> None:
        self._lookers += more
        self._alone_since = trio.current_time()
        if self._screen is not None:
            self._screen.looks()
        self.tell()

    def do(self, actions: Sequence[Action]) -> None:
        """Have these done on its page, in order. Never blocks. Raises `UserError`: it is not open."""
        if self._screen is None:
            raise UserError("this login has no page: it waits, or has ended")
        self._screen.do(actions)

    def finish(self) -> None:
        """The person has finished: save the session. Never blocks. Raises `UserError`: not open."""
        if self._screen is None:
            raise UserError("this login has no page: it waits, or has ended")
        self._done = True
        self.tell()

    def state(self) -> dict[str, Any]:
        """How it is, for JSON."""
        running, record = self._core.book.running, self.record
        began = running.started_at if running is not None and running.id == self.id else None
        deadline = None if began is None else utc_text(began + self.seconds)
        stage = "ended" if record else "open" if self._screen else "waiting"
        if stage == "waiting" and began is not None and self._done:
            stage = "saving"
        return {
            "id": self.id,
            "session": self.session,
            "state": stage,
            "waits_for": running.job if running and began is None and not record else None,
            "now": utc_text(self._core.now()),
            "deadline": deadline,
            "stopping": self._core.stopping.is_set(),
            "screen": self._screen.state() if self._screen else None,
            "outcome": record.outcome.value if record and record.outcome else None,
            "said": self._said(record) if record else None,
            "resumed": list(self.resumes) if record and record.outcome is Outcome.ok else [],
        }

    def _said(self, record: Record) -> str:
        """What became of it, for people."""
        outcome = record.outcome
        if outcome is Outcome.ok:
            said = f"The session {self.session!r} is saved."
            if self.passing is None:
                said += " Whether its cookies last longer than the browser could not be seen."
            elif self.passing:
                said += (
                    f" {self.passing} of its cookies last only as long as the browser does: if jobs"
                    " are logged out after a restart, use a session with a name of its own."
                )
            return said
        kept = "The session is as it was."
        if outcome is Outcome.timed_out:
            return f"The time was over, {format_duration(self.seconds)}. {kept}"
        if outcome is Outcome.cancelled:
            return f"It was cancelled. {kept}"
        if outcome is Outcome.crashed:
            return f"The browser was lost: {record.error}. {kept} Log in again."
        if outcome is Outcome.interrupted:
            return f"muxd was stopped. {kept}"
        return f"It did not work: {record.error}. {kept}"


@final
class Logins:
    """The logins of one daemon. The owner of all of them, and of what was told of those that ended."""

    def __init__(
        self,
        core: Core,
        trail: AuditTrail,
        *,
        obstacle: Callable[[], str | None],
        idle: float = IDLE,
    ) -> None:
        """None yet.

        Args:
          core: runs them.
          trail: is told who logs in where.
          obstacle: why nobody could see a login's page, with the remedy; None: they can.
          idle: how long nobody may look at one, seconds.
        """
        self._core, self._trail, self._obstacle, self._idle = core, trail, obstacle, idle
        # {run id: login}, oldest first
        self._known: dict[str, Login] = {}
        self._turn = trio.Lock()

    async def run(self) -> None:
        """Follow them until cancelled."""
        kinds = (RunStarted, RunEnded, Draining)
        with self._core.bus.subscribe("logins", only=kinds) as events:
            async for event in events:
                if isinstance(event, RunEnded) and (ended := self._known.get(event.record.id)):
                    ended.record = event.record
                    ended.tell()
                for login in self._live():
                    login.tell()

    def get(self, login_id: str) -> Login | None:
        """The login of this id; None if there is none, or it ended long ago."""
        return self._known.get(login_id)

    async def ask(self, session: str, url: str, *, seconds: float, by: str) -> Login:
        """Have a login to this session, before everything that waits; or the one there is.

        Raises:
          UserError: it can't be.
        """
        with self._trail.of(by, "login", session) as told:
            if (obstacle := self._obstacle()) is not None:
                raise UserError(obstacle)
            if not 0 < seconds <= LONGEST_LOGIN:
                raise UserError("a login may take more than 0 s and at most 1d")
            begins_at = login_url(url or first_page(session, self._jobs()))
            new = Login(session, begins_at, seconds, idle=self._idle, core=self._core)
            job = login_job(session, new.body, seconds=seconds)
            async with self._turn:
                for login in self._live():
                    if login.session == session:
                        told.result = f"run {login.id}, which there was"
                        return login
                new.id = (await self._core.request_login(job)).id
                self._known[new.id] = new
            for old in [each for each in self._known.values() if each.record][:-REMEMBERED]:
                del self._known[old.id]
            told.result = f"run {new.id}"
            return new

    def sessions(self) -> list[str]:
        """Those that jobs have and that people can log in to, by name."""
        return sorted({job.session for job in self._jobs()} - {"fresh"})

    def finish(self, login: Login, *, by: str) -> None:
        """The person has finished. Raises `UserError`: it is not open."""
        with self._trail.of(by, "finish login", login.session):
            login.finish()

    async def cancel(self, login: Login, *, by: str) -> None:
        """End it; nothing is saved. Does nothing if it has ended. Returns when it has ended."""
        with self._trail.of(by, "cancel login", login.session) as told:
            found = self._core.book.find(login.id)
            if not found:
                told.result = "it had ended"
                return
            reason = f"cancelled by {by}"
            if found[0].started_at is None:
                await self._core.withdraw(found[0], reason)
            else:
                await self._core.end_running(found[0], RunError(reason))

    async def wait_ended(self, login: Login) -> None:
        """Return once it has ended, and what became of it is told."""
        await self._core.book.wait_ended(login.id)
        while login.record is None:
            await login.wait_news(login.news)

    def _jobs(self) -> Iterable[Job]:
        return self._core.scheduler.jobs.values() if self._core.scheduler else ()

    def _live(self) -> list[Login]:
        return [login for login in self._known.values() if login.record is None]
