"""The news of jobs, newest first, kept over restarts."""

from __future__ import annotations

import contextlib
import json
import os
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, final
from urllib.parse import urlsplit

import attrs
import structlog
import trio

from muxd.events import JobNews

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["Headline", "Headlines"]

FILE_NAME = "news.json"
KEPT = 200
"""How many are kept."""
PAUSE = 5.0
"""How long after each time that they were written they are not written again, seconds."""
LAST_BOUND = 1.0
"""How long keeping the last of them may take at the end, seconds."""
_PICTURES = (".png", ".jpg", ".jpeg")


@attrs.frozen
class Headline:
    """One of them, for a template."""

    news: JobNews

    @property
    def href(self) -> str | None:
        """Where its address leads, if that is a place in the web, or a page of muxd's."""
        url = self.news.url or ""
        with contextlib.suppress(ValueError):
            parts = urlsplit(url)
            if (parts.scheme in ("http", "https") and parts.netloc) or (
                url.startswith("/") and not parts.netloc and not parts.scheme
            ):
                return url
        return None

    @property
    def pictures(self) -> list[str]:
        """Its files that can be shown."""
        return [name for name in self.news.files if name.lower().endswith(_PICTURES)]


@final
class Headlines:
    """The newest of them."""

    def __init__(self, folder: Path | None) -> None:
        """None yet. `folder`: where they are kept; None: nowhere."""
        self._folder = folder
        self._all: deque[JobNews] = deque(maxlen=KEPT)
        self._changed = trio.Event()
        self._turn = trio.CapacityLimiter(1)  # a thread that is given up has its turn until it ends

    def newest(self, count: int = KEPT) -> Sequence[Headline]:
        """So many at most, the newest first."""
        return [Headline(news) for news in reversed(self._all)][:count]

    def add(self, news: JobNews) -> None:
        """There is one more."""
        self._all.append(news)
        self._changed.set()

    async def load(self) -> None:
        """Have what was there before."""
        if self._folder is not None:
            path = self._folder / FILE_NAME
            self._all += await trio.to_thread.run_sync(_load, path, abandon_on_cancel=True)

    async def keep(self) -> None:
        """Keep what comes, until cancelled."""
        if self._folder is None:
            return
        path = self._folder / FILE_NAME
        try:
            while True:
                await self._changed.wait()
                await self._save(path)
                await trio.sleep(PAUSE)
        finally:
            if self._changed.is_set():
                await self._save(path)

    async def _save(self, path: Path) -> None:
        self._changed = trio.Event()
        try:
            save = partial(_save, path, [*self._all])
            # What is being written at the end is what the next muxd is to find.
            with trio.CancelScope(shield=True), trio.move_on_after(LAST_BOUND) as scope:
                await trio.to_thread.run_sync(save, abandon_on_cancel=True, limiter=self._turn)
            if scope.cancelled_caught:
                self._changed.set()
        except OSError as error:
            structlog.get_logger().warning("the news can't be kept", error=str(error))


def _load(path: Path) -> list[JobNews]:
    """What was saved; nothing if that can't be read."""
    with contextlib.suppress(OSError, ValueError, TypeError, AttributeError, RecursionError):
        return [JobNews(**_checked(each)) for each in json.loads(path.read_text("utf-8"))]
    return []


def _checked(told: dict[str, Any]) -> dict[str, Any]:
    text_or_none = (str, type(None))
    kinds: dict[str, Any] = {"at": (int, float), "files": list}
    kinds |= {"run": text_or_none, "url": text_or_none}
    for name, value in told.items():
        if not isinstance(value, kinds.get(name, str)):
            raise TypeError(name)
    return told


def _save(path: Path, news: Sequence[JobNews]) -> None:
    """Whole, or as it was. Raises OSError."""
    text = json.dumps([attrs.asdict(each, recurse=False) for each in news])
    beside = path.with_name(f".{path.name}.new")
    try:
        with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)
        beside.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise
