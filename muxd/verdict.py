"""What the end of a run means: its outcome, its error, and what is charged to it. Plain functions."""

from __future__ import annotations

import reprlib
from collections.abc import Sized
from typing import TYPE_CHECKING, Any

import attrs

from muxd.body.mistakes import mistake_of
from muxd.errors import (
    BackgroundError,
    BodyMistake,
    BrowserLost,
    DeadlineExceeded,
    LoggedOut,
    message_of,
)
from muxd.hints import shown
from muxd.left import Left, grave, in_words
from muxd.logincheck import logged_out, sign_of
from muxd.performance import says_lost
from muxd.record import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable

    from muxd.abc import Lease
    from muxd.errors import RunError, WorldError
    from muxd.job import Job
    from muxd.leaks import Tally
    from muxd.watch import Block

__all__ = [
    "Verdict",
    "account",
    "blamed",
    "explained",
    "harm_of",
    "is_nothing",
    "mistaken",
    "of_logged_out",
    "stray_error",
    "summary",
]


MOST_SAID = 10_000
"""How much is told of an error in the background, characters."""


@attrs.frozen
class Verdict:
    """How a run has ended."""

    outcome: Outcome
    error: BaseException | None = None
    result: Any = None
    harm: str | None = None


def of_logged_out(verdict: Verdict, job: Job) -> Verdict:
    """The verdict on a run that did not end well because its session is logged out."""
    if isinstance(verdict.error, LoggedOut):
        return verdict
    why = f"its page shows {sign_of(job)!r}"
    if verdict.error is not None:
        why += f" ({type(verdict.error).__name__}: {message_of(verdict.error)[:1000]})"
    error = logged_out(job.session, why)
    error.__cause__ = verdict.error
    return attrs.evolve(verdict, outcome=Outcome.failed, error=error)


def account(
    verdict: Verdict, lease: Lease | None, tally: Tally | None
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


def harm_of(loss: WorldError) -> str | None:
    """A page that crashed costs nobody else anything; a browser does."""
    return f"the browser was lost under it: {loss}" if isinstance(loss, BrowserLost) else None


def blamed(verdict: Verdict, block: Block | None) -> Verdict:
    """The verdict, with what is charged to a run that blocked muxd."""
    if block is None:
        return verdict
    error = verdict.error
    if isinstance(error, DeadlineExceeded):
        error = DeadlineExceeded(f"{error}; it {block.harm}:\n{block.stack}")
    harms = filter(None, (block.harm, verdict.harm))
    return attrs.evolve(verdict, error=error, harm="; ".join(harms))


def explained(verdict: Verdict, stray: Iterable[BaseException]) -> Verdict:
    """The verdict on a run that was too long, with what may be why: a handler that has raised."""
    for cause in stray:
        if not says_lost(cause):  # that comes of the end, not before it
            error = DeadlineExceeded(f"{verdict.error}; {stray_error(cause)}")
            error.__cause__ = verdict.error.__cause__ if verdict.error else None
            return attrs.evolve(verdict, error=error)
    return verdict


def mistaken(verdict: Verdict, stray: Iterable[BaseException]) -> Verdict:
    """The verdict on a run of a body that forgot to await something: that is it, whatever came of it."""
    if not verdict.outcome.good and verdict.outcome not in (Outcome.empty, Outcome.failed):
        return verdict
    mistake = mistake_of(verdict.error, stray)
    if mistake is None:
        return verdict
    return attrs.evolve(verdict, outcome=Outcome.failed, error=mistake)


def stray_error(cause: BaseException) -> RunError:
    """The error of a run in whose background something was raised."""
    if isinstance(cause, BodyMistake):
        return cause
    error = BackgroundError(f"a listener or callback raised {shown(cause, at_most=MOST_SAID)}")
    error.__cause__ = cause
    return error


def is_nothing(result: object) -> bool:
    """Whether a body has returned nothing, or an empty collection. Never raises."""
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
