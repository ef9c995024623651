"""A run in progress: what a job's body is given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import attrs

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.async_api import Browser, BrowserContext, Page
    from structlog.typing import FilteringBoundLogger

    from muxd.job import Job
    from muxd.workspace import Workspace

__all__ = ["Run"]


@attrs.frozen(kw_only=True, eq=False)
class Run:
    """One run in progress. Everything in it is valid until the body ends or its deadline."""

    id: str
    """Unique, sorts by time; what `muxd history` shows."""
    job: Job
    attempt: int
    """1 for the first try, one more for each retry."""
    released_at: float
    """When the slot asked for this run, real Unix seconds."""
    deadline: float
    """When the run will be ended, real Unix seconds."""
    page: Page
    """A page of its own, closed after the run together with every page it opened."""
    context: BrowserContext
    """The session's context. Shared by the runs of a session: leave it open."""
    browser: Browser
    """The one browser. Shared by all: leave it open."""
    log: FilteringBoundLogger
    """A structlog logger, bound to the job and the run."""
    _workspace: Workspace | None = attrs.field(default=None, repr=False)

    def artifact(self, name: str) -> Path:
        """Where to write a file that is kept with the run, whether it ends well or not.

        The same name gives the same path, in a private folder of the run's own. What is there at the
        run's end is kept: files of 50 MB at most, 200 MB together; `muxd history show` lists them.

        Args:
          name: a plain file name of letters, digits, ``.``, ``_`` and ``-``.

        Raises:
          ValueError: it is no such name, or one of muxd's own.
        """
        return _given(self._workspace).artifact(name)

    @property
    def config(self) -> Any:
        """The job's configuration: an instance of the class that it names by ``config=``.

        Raises:
          RuntimeError: it names none.
        """
        from muxd.section import config_of

        return config_of(self.job)

    def needs_login(self, why: str = "") -> NoReturn:
        """End this run, since its session is logged out, and pause the job until somebody has logged in.

        Raises:
          LoggedOut: always. `why` is for people.
        """
        from muxd.logincheck import logged_out

        raise logged_out(self.job.session, why)


def _given(workspace: Workspace | None) -> Workspace:
    """The workspace of a run that muxd carries out."""
    if workspace is None:
        raise RuntimeError(
            "this run has nothing beside its page, as nothing carries it out: that is for runs in "
            "the daemon, by `muxd run`, and by `muxd_run` in tests"
        )
    return workspace
