"""A run in progress: what a job's body is given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn, SupportsFloat

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path, PurePath

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

    def progress(
        self, done: SupportsFloat, total: SupportsFloat | None = None, text: str = ""
    ) -> None:
        """Tell people how far this run is; never blocks, and costs next to nothing.

        `muxd status`, `muxd top` and the dashboard show it until the run ends. However often it is
        called, it is told once a second at most, and never fails a run for a number: a total below
        `done` is taken as not known, NaN and infinity are passed over.

        Args:
          done: how much is done: pages, bytes, whatever is counted.
          total: of how much; None: not known.
          text: what it is doing, in a few words.

        Raises:
          TypeError: something is no number, or no text.
        """
        _given(self._workspace).progress.tell(done, total, text)

    def tell(
        self, title: str, text: str = "", url: str = "", files: Iterable[str | PurePath] = ()
    ) -> None:
        """Let people know what this run has found; never blocks.

        It is sent in the ways of ``[notify]``, and is on the dashboard and in `muxd logs`. At most 20
        news of a run are told one by one; of further ones there is one summary at its end. What is too
        long is cut: a title after 200 characters, a text after 4,000.

        Args:
          title: what is new, in one line.
          text: more about it, lines.
          url: where it is to be seen.
          files: what goes with it: names or paths of artifacts of this run, 10 at most. It is told when
            the run has ended, since only then they are kept.

        Raises:
          TypeError: something is no text.
          ValueError: there is no title, or there are too many files.
        """
        _given(self._workspace).news.tell(title, text, url, files)

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
