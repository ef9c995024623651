"""A run in progress: what a job's body is given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn, SupportsFloat

import attrs

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Awaitable, Callable, Iterable
    from pathlib import Path, PurePath

    from httpx import AsyncClient
    from playwright.async_api import Browser, BrowserContext, Page
    from structlog.typing import FilteringBoundLogger

    from muxd.body.runstate import RunState
    from muxd.job import Job
    from muxd.jobdata import JobData
    from muxd.last import Last
    from muxd.saved import Saved
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
            the run has ended, since only then they are kept; one that is not there then is left out.

        Raises:
          TypeError: something is no text.
          ValueError: there is no title, or there are too many files.
        """
        _given(self._workspace).news.tell(title, text, url, files)

    @property
    def state(self) -> RunState:
        """What the job keeps from run to run: small JSON, 64 kB at most; counts if this run ends well.

        A mapping; `read` and `write` have it as an object of a class.

        Raises:
          DataError: it can't be read.
        """
        return _given(self._workspace).data.state

    @property
    def last(self) -> Last:
        """How the job's runs went before this one: the last good one, and the last failure.

        Raises:
          MuxdError: the ledger, or the data file, can't be read.
        """
        return _given(self._workspace).data.last

    @property
    def data(self) -> JobData:
        """What the job has saved so far, this run's rows among them, to be read."""
        return _given(self._workspace).data.saved

    async def save(
        self,
        items: Iterable[object] | AsyncIterable[object],
        key: str | tuple[str, ...] | None = None,
        *,
        table: str | None = None,
        complete: bool = False,
        may_be_empty: bool = False,
    ) -> Saved:
        """Keep items as rows of the job's own table, and tell what is other than before.

        The table grows by the columns that items bring. A column that an item lacks stays as it is. Each
        row has, beside the columns of the item, ``first_seen``, ``last_seen`` (Unix seconds), and ``run``;
        `muxd data` shows them. They are kept when this returns, whatever becomes of the run.

        Args:
          items: mappings, attrs objects or dataclasses. Values are None, bool, int, float, str, bytes,
            dates and times (kept as ISO text), and lists and mappings of them.
          key: the column, or columns, that tell items apart; of several with the same key the last
            counts. None: all columns together, so that no row ever changes.
          table: another one of the job's tables.
          complete: with those that this run has saved into the table before, these are all there are:
            the others are `gone`.
          may_be_empty: with `complete`, that there are none at all can be right. Else it is an error where
            rows would be gone by it: so does a page look that could not be read.

        Raises:
          ItemError: an item can't be kept; it says which, and why. None of them is. Or there are no
            items, and all rows would be gone.
          DataError: the data file can't be written. None of them is kept.

        Cancelled, all of them are kept or none.
        """
        return await _given(self._workspace).data.save(
            items, key, table, complete=complete, may_be_empty=may_be_empty
        )

    async def every_page(self, fn: Callable[[Page], Awaitable[object]]) -> None:
        """Have something done with the run's page, now, and with each that it opens from now on.

        For the run's page it is awaited here. For others, popups too, it is called as soon as they are
        there, beside the body, and may await what the body may. What it raises there makes the run
        ``failed``; what has not ended when the body has is cancelled.

        Args:
          fn: an ``async def`` that takes a page.
        """
        await _given(self._workspace).every_page(fn)

    @property
    def http(self) -> AsyncClient:
        """A client of httpx for requests without a page, in the session of this run.

        It sends the cookies that the session has for the address, and what answers set is in the
        session, also for pages. It goes by the browser's proxy and has its user agent. Answers come
        whole. It ends with the run.
        """
        return _given(self._workspace).http

    def secret(self, name: str) -> str:
        """A password, a key or the like, which is kept outside of code and configuration.

        It is looked for in the environment variable of this name, in the credentials that systemd gives
        muxd (``LoadCredential=`` and the like), and in the keyring, as ``keyring set muxd NAME``, with
        ``muxd[keyring]``. From then on it is masked in the evidence, the records and the logs of this and
        later runs; only one with fewer than six characters can't be.

        Args:
          name: letters, digits, ``_ . -``. The variable of ``shop-password`` may also be named
            ``SHOP_PASSWORD``.

        Raises:
          SecretMissing: it is nowhere; it says where it was looked for.
          ValueError: there can be no secret of this name.
        """
        return _given(self._workspace).secret(name)

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
