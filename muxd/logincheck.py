"""Is a run's session logged in: what a job's `needs_login` means."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, final

import attrs

from muxd.errors import LoggedOut
from muxd.units import parse_duration

if TYPE_CHECKING:
    from collections.abc import Iterable

    from muxd.job import Body, Duration, Job
    from muxd.running import Run

__all__ = [
    "LoggedIn",
    "checked_body",
    "first_page",
    "is_address",
    "logged_out",
    "sign_matches",
    "sign_of",
]


@final
@attrs.frozen(init=False)
class LoggedIn:
    """A check for `needs_login`: a page that shows something only to who is logged in.

    It is opened before each run, on the run's page.
    """

    url: str
    """The page."""
    shows: str
    """A selector of Playwright's: what is visible there to who is logged in."""
    within: float
    """How long it may take to show, seconds."""

    def __init__(self, url: str, *, shows: str, within: Duration = 10.0) -> None:
        """Raises `ValueError` if `within` is no duration."""
        self.__attrs_init__(url, shows, parse_duration(within))

    async def __call__(self, run: Run) -> bool:
        """Whether it shows.

        Raises LookupError if it doesn't, and the server answered that the fault is its own.
        """
        answer = await run.page.goto(self.url, timeout=self.within * 1000)
        sign = run.page.locator(self.shows).first
        try:
            await sign.wait_for(state="visible", timeout=self.within * 1000)
            return True
        except Exception as error:
            _must_be_timeout(error)
        try:
            # A page that still loads, as on a busy machine, shows nothing to anybody.
            await run.page.wait_for_load_state("networkidle", timeout=self.within * 1000)
        except Exception as error:
            _must_be_timeout(error)
        if await sign.is_visible():
            return True
        if answer is not None and answer.status >= 500:
            raise LookupError(f"{self.url} answered {answer.status} {answer.status_text}".rstrip())
        return False


def _must_be_timeout(error: Exception) -> None:
    if type(error).__name__ != "TimeoutError":  # Playwright's; it has no place here
        raise error


def logged_out(session: str, why: str = "") -> LoggedOut:
    """The error that says so, and what to do."""
    told = f": {why}" if why else ""
    return LoggedOut(
        f"the session {session!r} is logged out{told}; log in again: `muxd login {session}`"
    )


def checked_body(job: Job) -> Body:
    """The job's body, with its check before it, if it has one that can be called."""
    check, body = job.needs_login, job.body
    if not callable(check):
        return body

    async def checked(run: Run) -> object:
        if not await check(run):
            raise logged_out(job.session, "its check says so")
        return await body(run)

    name = getattr(body, "__qualname__", None)
    return checked if name is None else functools.wraps(body)(checked)


def sign_of(job: Job) -> str | None:
    """What the pages of a run that did not end well show if that is because it was logged out."""
    return job.needs_login if isinstance(job.needs_login, str) else None


def is_address(sign: str) -> bool:
    """Whether a sign is the pattern of an address; else it is a selector."""
    return "://" in sign or sign.startswith(("/", "*/", "**"))


def sign_matches(sign: str, url: str) -> bool:
    """Whether a page at this address is the sign: ``*`` stands for anything, queries don't count.

    >>> sign_matches("/login*", "https://shop.example/login?next=%2F")
    True
    >>> sign_matches("https://*.example/login", "https://shop.example/orders")
    False
    """
    bare = re.split(r"[?#]", url, maxsplit=1)[0]
    if sign.startswith("/"):
        bare = "/" + re.sub(r"^[^/]*//[^/]*/?", "", bare)
    pattern = ".*".join(re.escape(part) for part in re.split(r"\*+", sign))
    return re.fullmatch(pattern, bare) is not None


def first_page(session: str, jobs: Iterable[Job]) -> str:
    """Where a login to this session begins if nobody says: where a job looks; ``""``: nowhere."""
    checks = (job.needs_login for job in jobs if job.session == session)
    return next((check.url for check in checks if isinstance(check, LoggedIn)), "")
