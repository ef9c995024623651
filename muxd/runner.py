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
What a body that ended by itself has left may take 4.5 s (`OWN_BOUND`), as nothing had to be closed under it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import structlog
import trio
from structlog.contextvars import bound_contextvars

from muxd.body.mistakes import mistake_in
from muxd.bridge import background_errors
from muxd.errors import DeadlineExceeded, LoggedOut, RunError, WorldError
from muxd.evidence import Case
from muxd.login import is_login
from muxd.logincheck import checked_body, sign_of
from muxd.performance import Performance, found_in
from muxd.record import Outcome
from muxd.running import Run
from muxd.units import format_duration
from muxd.verdict import (
    Verdict,
    account,
    blamed,
    explained,
    harm_of,
    is_nothing,
    mistaken,
    of_logged_out,
    stray_error,
    summary,
)
from muxd.watch import Watch
from muxd.whereabouts import Withdrawn

if TYPE_CHECKING:
    from collections.abc import Callable

    from muxd.abc import Lease, PageSource
    from muxd.book import RunBook
    from muxd.errors import MuxdError
    from muxd.evidence import Evidence
    from muxd.job import Job
    from muxd.leaks import Leaks
    from muxd.record import Record
    from muxd.release import Release
    from muxd.workplace import Workplace
    from muxd.workspace import Workspace
    from muxd.wrapping import Wrapped, Wrappers

__all__ = ["Runner"]

UNWIND = 1.0
"""How long a body may take to end after each rung of the ladder, seconds."""
NOTICE = 1.0
"""How long a lost browser may take to be noticed after a call has failed, seconds."""


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
        self._waiting = trio.CancelScope()  # for the end of the run in progress
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
        self._waiting.cancel()

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
        self._waiting, self._ending = trio.CancelScope(), None
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
                        tell=self._waiting.cancel,
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
                    verdict = mistaken(verdict, background.errors)
                    if case.is_wanted(verdict.outcome):
                        await case.look(lease)
                    if verdict.outcome.good:
                        await pages.keep_session(lease, job.session)
            except Withdrawn:
                raise
            except WorldError as error:
                if record is None:
                    raise
                verdict = Verdict(Outcome.crashed, error)
            except RunError as error:  # its session
                verdict = Verdict(Outcome.failed, error)
            except Exception as error:
                # Whatever it is, it must not cost anybody else a run.
                structlog.get_logger().exception("a run failed in muxd's own code", job=job.name)
                verdict = Verdict(Outcome.failed, error)
        if record is None:
            record = await self._book.start(release, generation=pages.generation)
        stray = [*background.errors, *(lease.errors if lease else ())]
        if stray and (verdict is None or verdict.outcome in (Outcome.ok, Outcome.empty)):
            verdict = Verdict(Outcome.failed, stray_error(stray[0]))
        assert verdict is not None
        if verdict.outcome is Outcome.timed_out:
            verdict = explained(verdict, stray)
        block = self._watch.end()
        verdict = blamed(verdict, block)
        if tally is not None:
            await tally.finish(background, failed=not verdict.outcome.good)
        left, harm = account(verdict, lease, tally)
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
    ) -> Verdict:
        """Let the body run until it ends, is told to, loses its browser or meets its deadline."""
        job, loss, waiting = release.job, None, self._waiting
        self._bodies.start_soon(performance.run, name=f"body of {job.name} {release.id}")
        begun = trio.current_time()
        waiting.deadline = begun + job.timeout
        if wrapped is not None:
            wrapped.limit(waiting, job.timeout)
        with waiting:  # until the body has ended, or is to be ended
            loss = await pages.wait_lost(lease)
        # A body that blocks the whole process can't be ended; it is late all the same.
        took = trio.current_time() - begun if wrapped is None else wrapped.took
        late = took > job.timeout + UNWIND
        if performance.ended.is_set() and not late and loss is None:
            verdict = await self._judge(performance, release, lease, pages)
            bad = verdict.outcome in (Outcome.failed, Outcome.empty)
            out = bad and await _is_logged_out(job, lease, pages)
            return of_logged_out(verdict, job) if out else verdict
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
            return Verdict(Outcome.crashed, performance.told(loss), harm=harm_of(loss))
        if self._ending is not None:
            outcome, why = self._ending
            return Verdict(outcome, performance.told(why))
        if wrapped is not None and hung is not None:
            if not wrapped.has_ended:
                return Verdict(Outcome.failed, hung)
            performance.result, performance.error = wrapped.result, wrapped.error
            return await self._judge(performance, release, lease, pages)
        reason = f"it ran longer than its timeout, {format_duration(job.timeout)}"
        error = performance.told(DeadlineExceeded(reason))
        verdict = Verdict(Outcome.timed_out, error, harm=harm)
        return of_logged_out(verdict, job) if out else verdict

    async def _judge(
        self,
        performance: Performance,
        release: Release,
        lease: Lease,
        pages: PageSource,
    ) -> Verdict:
        """What the end of a body that ended by itself means."""
        error = performance.error
        if (mistake := mistake_in(error, performance.result)) is not None:
            return Verdict(Outcome.failed, mistake)
        if error is None:
            empty = release.job.expects_result and is_nothing(performance.result)
            outcome = Outcome.empty if empty else Outcome.ok
            return Verdict(outcome, result=performance.result)
        if (out := found_in(error, LoggedOut)) is not None:  # in a nursery of its body, too
            return Verdict(Outcome.failed, out)
        if performance.means_lost:
            # The body's call failed first; who watches the browser may need a moment more.
            with trio.move_on_after(NOTICE):
                loss = await pages.wait_lost(lease)
                return Verdict(Outcome.crashed, error, harm=harm_of(loss))
        return Verdict(Outcome.failed, error)

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
