"""What a body wants people to know: `Run.tell`."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

import attrs
import structlog

from muxd.artifacts import EVIDENCE
from muxd.events import TEXT, JobNews

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

__all__ = ["MOST", "News"]

MOST = 20
"""How many news of a run are told one by one; of further ones, how many they are."""
LISTED = 10
"""How many of those are told by their titles."""
LOOKED_AT = 10 * TEXT
"""How much of a text is looked at, characters: it may be a whole page's."""
LOGGED = 500
"""How much of a text is logged, characters."""
_FILES = 10
"""How many files one of them may name."""


class News:
    """The news of one run."""

    def __init__(
        self,
        job: str,
        run_id: str,
        *,
        publish: Callable[[JobNews], object],
        real_now: Callable[[], float],
        mask: Callable[[str], str] | None = None,
        is_logged: bool = True,
    ) -> None:
        """Nothing is told yet.

        Args:
          job: the run's job.
          run_id: the run.
          publish: takes what is told; from any thread.
          real_now: Unix seconds.
          mask: takes out of texts what must not be told.
          is_logged: each is logged too.
        """
        self._job, self._run_id, self._real_now = job, run_id, real_now
        self._publish, self._mask = publish, mask if mask is not None else str
        self._is_logged = is_logged
        self._count = 0
        self._further: list[str] = []  # the titles of those that are too many
        self._later: list[JobNews] = []  # those with files, which are not kept before the run's end
        self._closed = False

    def tell(
        self, title: str, text: str = "", url: str = "", files: Iterable[str | PurePath] = ()
    ) -> None:
        """Let people know: see `Run.tell`."""
        if self._closed:
            raise RuntimeError("the run is over: nothing can be told by it any more")
        news = JobNews(
            at=self._real_now(),
            job=self._job,
            run=self._run_id,
            title=self._checked("title", title),
            text=self._checked("text", text),
            url=self._checked("url", url) or None,
            files=tuple(_names(files)),
        )
        if not news.title:
            raise ValueError("run.tell() needs a title: what is new, in one line")
        self._count += 1
        if self._count > MOST:
            self._further.append(news.title)
            return
        self._log(news)
        if news.files:
            self._later.append(news)
        else:
            self._publish(news)

    def close(self) -> None:
        """Nothing is told any more. Never blocks."""
        self._closed = True

    def finish(self, kept: Collection[str] | None = None) -> None:
        """The run's files are kept: tell what has waited for them, and what was too much. Never blocks.

        Args:
          kept: the names of those that its body has left; None: they are not known.
        """
        self.close()
        for news in self._later:
            self._publish(news if kept is None else _with_files(news, kept))
        self._later = []
        if self._further:
            count = len(self._further)
            titles = "\n".join(self._further[:LISTED])
            more = f"\nand {count - LISTED} more" if count > LISTED else ""
            news = JobNews(
                at=self._real_now(),
                job=self._job,
                run=self._run_id,
                title=f"{count} more of {self._job}",
                text=titles + more,
            )
            self._log(news)
            self._publish(news)
            self._further = []

    def _log(self, news: JobNews) -> None:
        if self._is_logged:
            _log(news)

    def _checked(self, name: str, value: object) -> str:
        if not isinstance(value, str):
            raise TypeError(f"run.tell(): {name} is a text, not {type(value).__name__}")
        # It is cut later: first what must not be told has to be found, and no time lost with the rest.
        return self._mask(value[:LOOKED_AT]) if value else value


def _names(files: Iterable[str | PurePath]) -> list[str]:
    if isinstance(files, str | PurePath):
        raise TypeError("run.tell(): files are several, as [run.artifact('a.png')]")
    names = []
    for each in files:
        if not isinstance(each, str | PurePath):
            raise TypeError(
                f"run.tell(): a file is a name or a path, as run.artifact gives it, not {each!r}"
            )
        names.append(PurePath(each).name)
    if len(names) > _FILES:
        raise ValueError(f"run.tell(): {len(names)} files are too many: {_FILES} at most")
    return names


def _with_files(news: JobNews, kept: Collection[str]) -> JobNews:
    """The news without the files that are not there; the log says so."""
    missing = [name for name in news.files if name not in kept and name not in EVIDENCE]
    if not missing:
        return news
    structlog.get_logger().warning("files of news are not kept", news=news.title, files=missing)
    return attrs.evolve(news, files=tuple(name for name in news.files if name not in missing))


def _log(news: JobNews) -> None:
    more = {"text": news.text[:LOGGED], "url": news.url, "files": list(news.files)}
    told = {name: value for name, value in more.items() if value}
    structlog.get_logger().info(f"news: {news.title}", job=news.job, run=news.run, **told)
