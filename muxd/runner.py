"""One run: lease a page -> body under its deadline -> record.

How long after its deadline a run may still have the browser, in seconds, whatever its body does:

======================================  =========  ===========
what is done                            body ends  body doesn't
======================================  =========  ===========
look at its pages (`EVIDENCE_BOUND`)    2.5        2.5
look if it is logged out (`SIGN_BOUND`) 0.4        0.4
close them (`REVOKE_BOUND`)             2.0        2.0
wait for the body's end (`UNWIND`)      1.0        1.0
cancel it, and wait again               1.0        1.0
kill the browser, and wait again                   1.0
take away what it left (`CLEAN_BOUND`)  2.5        (killed)
wait for its processes (`TERM_BOUND`)   meanwhile  1.0
kill those that don't end               0.3        0.3
wait for its threads (`LULL`)           0.2        0.2
together                                9.9        9.4
======================================  =========  ===========

The deadline is the body's: what plugins do round it (`muxd.wrapping`) has bounds of its own, before it and
after. Pages that do not close at the deadline have 1.0 s left to be taken away (`LAST_BOUND`): together 8.4.
"""

from __future__ import annotations

import reprlib
from collections.abc import Sized
from typing import TYPE_CHECKING, Any

import attrs
import structlog
import trio
from structlog.contextvars import bound_contextvars

from muxd.body.mistakes import mistake_in, mistake_of
from muxd.bridge import background_errors
from muxd.errors import (
    BackgroundError,
    BodyMistake,
    BrowserLost,
    DeadlineExceeded,
    LoggedOut,
    RunError,
    WorldError,
)
from muxd.evidence import Case
from muxd.left import Left, grave, in_words
from muxd.login import is_login
from muxd.logincheck import checked_body, logged_out, sign_of
from muxd.performance import Performance, found_in, says_lost
from muxd.record import Outcome
from muxd.running import Run
from muxd.units import format_duration
from muxd.watch import Watch
from muxd.whereabouts import Withdrawn

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from muxd.abc import Lease, PageSource
    from muxd.book import RunBook
    from muxd.errors import MuxdError
    from muxd.evidence import Evidence
    from muxd.job import Job
    from muxd.leaks import Leaks, Tally
    from muxd.record import Record
    from muxd.release import Release
    from muxd.watch import Block
    from muxd.workplace import Workplace
    from muxd.workspace import Workspace
    from muxd.wrapping import Wrapped, Wrappers

__all__ = ["Runner"]

UNWIND = 1.0
"""How long a body may take to end after each rung of the ladder, seconds."""
NOTICE = 1.0
"""How long a lost browser may take to be noticed after a call has failed, seconds."""


@attrs.frozen
class _Verdict:
    outcome: Outcome
    error: BaseException | None = None
    result: Any = None
    harm: str | None = None


class Runner:
    """Carries out runs, one at a time, and writes each into the book."""

    def __init__(
        self,
        book: RunBook,
        bodies: trio.Nursery,
        *,
        real_now: Callable[[], float],
        evidence: Evidence | None = None,
        watch: Watch | None = None,
        leaks: Leaks | None = None,
        workplace: Workplace | None = None,
        wrappers: Wrappers | None = None,
    ) -> None:
        """Make a runner.

        Args:
          book: gets every run's start and end.
          bodies: where the tasks of the bodies live. A body that ignores its cancellation is
            left behind there, with its page closed, so that it holds up nobody.
          real_now: Unix seconds, for the deadline that the body is told.
          evidence: keeps what the pages of runs that don't end well show. None: nothing is kept.
          watch: sees whether bodies block muxd. None: nobody does.
          leaks: notices what runs leave outside the browser. None: nobody does.
          workplace: gives bodies what they have beside their page. None: they have no more.
          wrappers: what plugins do round the bodies. None: nothing.
        """
        self._workplace, self._wrappers = workplace, wrappers
        self._book, self._bodies, self._real_now = book, bodies, real_now
        self._evidence, self._watch = evidence, watch if watch is not None else Watch()
        self._leaks = leaks
        self._news = trio.Event()  # the run in progress is to be looked at
        self._ending: tuple[Outcome, MuxdError] | None = None
        self._shown: tuple[PageSource, Lease] | None = None  # whose page can be looked at

    async def look(self) -> bytes | None:
        """What the page of the run in progress shows; see `PageSource.look`.

        None if there is none to be had, and of a run that has ended meanwhile.
        """
        shown = self._shown
        if shown is None:
            return None
        pages, lease = shown
        picture = await pages.look(lease)
        return picture if self._shown is shown else None

    def end_current(self, outcome: Outcome, reason: MuxdError) -> None:
        """End the run in progress as `outcome`; nothing happens if there is none. Never blocks."""
        self._ending = (outcome, reason)
        self._news.set()

    async def prepare(self, session: str, pages: PageSource) -> bool:
        """Have a page of this session ready for the next run; see `PageSource.prepare`."""
        traces = self._evidence is not None and self._evidence.traces
        return await pages.prepare(session, trace=traces)

    async def run(self, release: Release, pages: PageSource) -> Record:
        """Carry out one run and return its record, which then is in the book.

        The browser is free again at most 10 s after the run's deadline; how that adds up is told
        above. Never raises for what a body, its page or the browser does once the run has started.
        Not to be cancelled: use `end_current`.

        Raises:
          BrowserLost: the browser was lost before the run had a page; nothing is recorded.
          Withdrawn: it was ended before that, and has its record.
        """
        self._news, self._ending = trio.Event(), None
        job, record, lease, verdict, tally = release.job, None, None, None, None
        workspace: Workspace | None = None
        # What a person types is kept nowhere.
        evidence = None if is_login(job.name) else self._evidence
        known = None if self._workplace is None else self._workplace.secrets
        case = Case(evidence, release, pages, known)
        with bound_contextvars(job=job.name, run=release.id), background_errors() as background:
            try:
                async with pages.lease(job.session, block=job.block) as lease:
                    record = await self._book.start(release, generation=pages.generation)
                    self._watch.begin(release.id, job.name)
                    if is_login(job.name):
                        await pages.untrace(lease)
                    await case.begin(lease)
                    if self._workplace is not None:
                        workspace = await self._workplace.begin(
                            release, record, lease, self._bodies
                        )
                    wrapped = self._wrap(job)
                    performance = Performance(
                        checked_body(job) if wrapped is None else wrapped.body,
                        self._make_run(release, lease, workspace),
                        tell=self._news.set,
                    )
                    if self._leaks is not None:
                        tally = self._leaks.begin(job.name, performance.task_name)
                    self._shown = (pages, lease)
                    try:
                        verdict = await self._perform(
                            performance, release, lease, pages, case, wrapped
                        )
                    finally:
                        self._shown = None
                        if workspace is not None:
                            workspace.leave()
                        background.cancel_tasks()
                        if tally is not None:
                            tally.ask()
                    verdict = _mistaken(verdict, background.errors)
                    if case.is_wanted(verdict.outcome):
                        await case.look(lease)
                    if verdict.outcome.good:
                        await pages.keep_session(lease, job.session)
            except Withdrawn:
                raise
            except WorldError as error:
                if record is None:
                    raise
                verdict = _Verdict(Outcome.crashed, error)
            except RunError as error:  # its session
                verdict = _Verdict(Outcome.failed, error)
            except Exception as error:
                # Whatever it is, it must not cost anybody else a run.
                structlog.get_logger().exception("a run failed in muxd's own code", job=job.name)
                verdict = _Verdict(Outcome.failed, error)
        if record is None:
            record = await self._book.start(release, generation=pages.generation)
        stray = [*background.errors, *(lease.errors if lease else ())]
        if stray and (verdict is None or verdict.outcome in (Outcome.ok, Outcome.empty)):
            verdict = _Verdict(Outcome.failed, _stray(stray[0]))
        assert verdict is not None
        if verdict.outcome is Outcome.timed_out:
            verdict = _explained(verdict, stray)
        block = self._watch.end()
        verdict = _blamed(verdict, block)
        if tally is not None:
            await tally.finish(background, failed=not verdict.outcome.good)
        left, harm = _account(verdict, lease, tally)
        stack = block.stack if block is not None else ""
        await case.close(record, verdict.outcome, verdict.error, stack=stack)
        if workspace is not None:
            problem = await workspace.finish(good=verdict.outcome.good)
            if problem is not None:
                verdict = attrs.evolve(verdict, outcome=Outcome.failed, error=problem)
        ended = await self._book.end(
            record,
            verdict.outcome,
            error=verdict.error,
            result=summary(verdict.result),
            mask=case.mask,
            left=left,
            harm=harm,
        )
        if self._workplace is not None:
            self._workplace.ended(ended)
        return ended

    async def give_up(self, release: Release, pages: PageSource, error: WorldError) -> Record:
        """Record a run for which no browser would open a page as ``crashed``."""
        record = await self._book.start(release, generation=pages.generation)
        ended = await self._book.end(record, Outcome.crashed, error=error)
        if self._workplace is not None:
            self._workplace.ended(ended)
        return ended

    async def _perform(
        self,
        performance: Performance,
        release: Release,
        lease: Lease,
        pages: PageSource,
        case: Case,
        wrapped: Wrapped | None,
    ) -> _Verdict:
        """Let the body run until it ends, is told to, loses its browser or meets its deadline."""
        job, loss, news = release.job, None, self._news

        async def lost() -> WorldError:
            nonlocal loss
            loss = await pages.wait_lost(lease)
            news.set()
            return loss

        self._bodies.start_soon(performance.run, name=f"body of {job.name} {release.id}")
        begun = trio.current_time()
        async with trio.open_nursery() as watching:
            watching.cancel_scope.deadline = begun + job.timeout
            if wrapped is not None:
                wrapped.limit(watching.cancel_scope, job.timeout)
            watching.start_soon(lost)
            await news.wait()
            watching.cancel_scope.cancel()
        # A body that blocks the whole process can't be ended; it is late all the same.
        took = trio.current_time() - begun if wrapped is None else wrapped.took
        late = took > job.timeout + UNWIND
        if performance.ended.is_set() and not late and loss is None:
            verdict = await self._judge(performance, release, lost)
            bad = verdict.outcome in (Outcome.failed, Outcome.empty)
            out = bad and await _is_logged_out(job, lease, pages)
            return _of_logged_out(verdict, job) if out else verdict
        harm, out, hung = None, False, None
        if not performance.ended.is_set():
            if wrapped is not None and loss is None and self._ending is None:
                hung = wrapped.blame()
            await case.look(lease)  # what it hangs on is there to be seen only now
            if loss is None and self._ending is None:
                out = await _is_logged_out(job, lease, pages)
            if not await self._end(performance, lease, pages, gone=loss is not None):
                harm = "would not end: the browser was killed"
        if loss is not None:
            return _Verdict(Outcome.crashed, performance.told(loss), harm=_harm(loss))
        if self._ending is not None:
            outcome, why = self._ending
            return _Verdict(outcome, performance.told(why))
        if wrapped is not None and hung is not None:
            if not wrapped.has_ended:
                return _Verdict(Outcome.failed, hung)
            performance.result, performance.error = wrapped.result, wrapped.error
            return await self._judge(performance, release, lost)
        reason = f"it ran longer than its timeout, {format_duration(job.timeout)}"
        error = performance.told(DeadlineExceeded(reason))
        verdict = _Verdict(Outcome.timed_out, error, harm=harm)
        return _of_logged_out(verdict, job) if out else verdict

    async def _judge(
        self,
        performance: Performance,
        release: Release,
        lost: Callable[[], Awaitable[WorldError]],
    ) -> _Verdict:
        """What the end of a body that ended by itself means."""
        error = performance.error
        if (mistake := mistake_in(error, performance.result)) is not None:
            return _Verdict(Outcome.failed, mistake)
        if error is None:
            empty = release.job.expects_result and _is_nothing(performance.result)
            outcome = Outcome.empty if empty else Outcome.ok
            return _Verdict(outcome, result=performance.result)
        if (out := found_in(error, LoggedOut)) is not None:  # in a nursery of its body, too
            return _Verdict(Outcome.failed, out)
        if performance.means_lost:
            # The body's call failed first; who watches the browser may need a moment more.
            with trio.move_on_after(NOTICE):
                return _Verdict(Outcome.crashed, error, harm=_harm(await lost()))
        return _Verdict(Outcome.failed, error)

    async def _end(
        self, performance: Performance, lease: Lease, pages: PageSource, *, gone: bool
    ) -> bool:
        """The ladder: close its pages -> cancel it -> kill the browser and leave it behind.

        False if the last rung was needed.
        """
        if not gone:
            await pages.revoke(lease)  # bounded by its contract
        if await performance.ends_within(UNWIND):
            return True
        performance.cancel()
        if await performance.ends_within(UNWIND):
            return True
        pages.kill("a run's body would not end")
        performance.let_go()
        if not await performance.ends_within(UNWIND):
            structlog.get_logger().error("a body ignores its end and is left behind")
        return False

    def _wrap(self, job: Job) -> Wrapped | None:
        """The body with what plugins do round it; None if they do nothing."""
        if not self._wrappers or is_login(job.name):
            return None
        return self._wrappers.round(job, checked_body(job))

    def _make_run(self, release: Release, lease: Lease, workspace: Workspace | None) -> Run:
        return Run(
            id=release.id,
            job=release.job,
            attempt=release.attempt,
            released_at=release.released_at,
            deadline=self._real_now() + release.job.timeout,
            page=lease.page,
            context=lease.context,
            browser=lease.browser,
            # Bound when it is first used: most bodies log nothing.
            log=structlog.get_logger(job=release.job.name, run=release.id),
            workspace=workspace,
        )


async def _is_logged_out(job: Job, lease: Lease, pages: PageSource) -> bool:
    """Whether its pages show so. Bounded by `PageSource.has_sign`."""
    sign = sign_of(job)
    return sign is not None and await pages.has_sign(lease, sign)


def _of_logged_out(verdict: _Verdict, job: Job) -> _Verdict:
    """The verdict on a run that did not end well because its session is logged out."""
    if isinstance(verdict.error, LoggedOut):
        return verdict
    why = f"its page shows {sign_of(job)!r}"
    if verdict.error is not None:
        why += f" ({type(verdict.error).__name__}: {str(verdict.error)[:1000]})"
    error = logged_out(job.session, why)
    error.__cause__ = verdict.error
    return attrs.evolve(verdict, outcome=Outcome.failed, error=error)


def _account(
    verdict: _Verdict, lease: Lease | None, tally: Tally | None
) -> tuple[str | None, str | None]:
    """What a run left, and its harm, in words."""
    left = Left(lease.left if lease else ())
    if tally is not None:
        left.update(tally.left)
    harms = [*(lease.harms if lease else ()), *(tally.harms if tally else ())]
    if verdict.harm is not None:
        harms.insert(0, verdict.harm)
    if much := in_words(grave(left)):
        harms.append(f"left {much}")
    return in_words(left), "; ".join(harms) or None


def _harm(loss: WorldError) -> str | None:
    """A page that crashed costs nobody else anything; a browser does."""
    return f"the browser was lost under it: {loss}" if isinstance(loss, BrowserLost) else None


def _blamed(verdict: _Verdict, block: Block | None) -> _Verdict:
    """The verdict, with what is charged to a run that blocked muxd."""
    if block is None:
        return verdict
    error = verdict.error
    if isinstance(error, DeadlineExceeded):
        error = DeadlineExceeded(f"{error}; it {block.harm}:\n{block.stack}")
    harms = filter(None, (block.harm, verdict.harm))
    return attrs.evolve(verdict, error=error, harm="; ".join(harms))


def _explained(verdict: _Verdict, stray: Iterable[BaseException]) -> _Verdict:
    """The verdict on a run that was too long, with what may be why: a handler that has raised."""
    for cause in stray:
        if not says_lost(cause):  # that comes of the end, not before it
            error = DeadlineExceeded(f"{verdict.error}; {_stray(cause)}")
            error.__cause__ = verdict.error.__cause__ if verdict.error else None
            return attrs.evolve(verdict, error=error)
    return verdict


def _mistaken(verdict: _Verdict, stray: Iterable[BaseException]) -> _Verdict:
    """The verdict on a run of a body that forgot to await something: that is it, whatever came of it."""
    if not verdict.outcome.good and verdict.outcome not in (Outcome.empty, Outcome.failed):
        return verdict
    mistake = mistake_of(verdict.error, stray)
    if mistake is None:
        return verdict
    return attrs.evolve(verdict, outcome=Outcome.failed, error=mistake)


def _stray(cause: BaseException) -> RunError:
    if isinstance(cause, BodyMistake):
        return cause
    error = BackgroundError(f"a listener or callback raised {cause!r}")
    error.__cause__ = cause
    return error


def _is_nothing(result: object) -> bool:
    try:
        return result is None or (isinstance(result, Sized) and len(result) == 0)
    except (Exception, SystemExit, KeyboardInterrupt):
        return False  # it can't say how long it is; it is something


def summary(result: object) -> str | None:
    """What a body returned, in at most 1,000 characters; None for None. Never raises."""
    if result is None:
        return None
    short = reprlib.Repr()
    short.maxlist = short.maxdict = short.maxtuple = short.maxset = 10
    short.maxstring = short.maxother = 200
    try:
        text = result if isinstance(result, str) else short.repr(result)
        if isinstance(result, Sized) and not isinstance(result, (str, bytes)):
            text = f"{len(result)} items: {text}"
    except (Exception, SystemExit, KeyboardInterrupt) as error:
        text = f"<{type(result).__name__} that can't be shown: {type(error).__name__}>"
    text = text.encode("utf-8", "backslashreplace").decode()  # half an emoji is no text
    return text if len(text) <= 1000 else text[:997] + "..."
