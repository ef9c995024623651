"""What jobs have found: told soon, whatever else is wrong or was told."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, final

from muxd.builtin._notifier_message import Message

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from muxd.events import JobNews

__all__ = ["Newsstand", "attachments", "compose_news"]

GATHER = 10.0
"""How long news are gathered, seconds: what several jobs find at one time is one message."""
KEPT = 100
"""How many of them are told one by one at most; of further ones, how many they are."""
SHOWN, LINES = 10, 1_000
"""Of how many the texts are told where there are several, and how many characters of each."""
ATTACHED, LARGEST = 5, 10_000_000
"""How many files go with a message, and how many bytes they have together."""


@final
class Newsstand:
    """News that wait to be told. Instants are seconds on one clock."""

    def __init__(self) -> None:
        self._waiting: list[JobNews] = []
        self._more = 0
        self._since = math.inf

    @property
    def due(self) -> float:
        """When there is something to tell; `math.inf` if there is nothing."""
        return self._since + GATHER

    def put(self, news: JobNews, now: float) -> None:
        """There is some."""
        self._since = min(self._since, now)
        if len(self._waiting) < KEPT:
            self._waiting.append(news)
        else:
            self._more += 1

    def take(self, now: float) -> tuple[Sequence[JobNews], int]:
        """What is to be told now, if its instant has come, and how many more there were."""
        if self.due > now:
            return (), 0
        found, more = self._waiting, self._more
        self._waiting, self._more, self._since = [], 0, math.inf
        return found, more


def compose_news(
    news: Sequence[JobNews],
    more: int = 0,
    *,
    id_: str,
    at: float,
    host: str,
    mask: Callable[[str], str],
    files: Sequence[Path] = (),
) -> Message:
    """Put news into words.

    Args:
      news: one or more.
      more: how many there were beside them.
      id_: the message's.
      at: when, Unix seconds.
      host: where.
      mask: takes out of texts what must not be told.
      files: what goes with it.
    """
    told = [_told(each, mask) for each in news]
    if len(told) == 1 and not more:
        (only,) = told
        title = f"{only['job']}: {only['title']}"
        text = "\n\n".join(filter(None, (only["text"], only["url"])))
    else:
        jobs = list(dict.fromkeys(each["job"] for each in told))
        of = ", ".join(jobs[:3]) + (f" and {len(jobs) - 3} more jobs" if len(jobs) > 3 else "")
        title = f"{len(told) + more} news of {of}"
        parts = [_part(each, with_text=n < SHOWN) for n, each in enumerate(told)]
        parts += [f"and {more} more"] if more else []
        text = "\n\n".join(parts)
    return Message(
        id=id_,
        type="news",
        at=at,
        host=host,
        title=title if len(title) <= 200 else title[:197] + "...",
        text=text or title,
        news=told,
        files=files,
    )


def _told(news: JobNews, mask: Callable[[str], str]) -> dict[str, Any]:
    found = news.as_dict()
    del found["event"]
    found |= {name: mask(found[name]) for name in ("title", "text", "url") if found[name]}
    return found | {"files": list(news.files)}


def _part(told: Mapping[str, Any], *, with_text: bool) -> str:
    text = told["text"] if with_text else ""
    short = text if len(text) <= LINES else text[: LINES - 3] + "..."
    lines = (f"{told['job']}: {told['title']}", short, told["url"])
    return "\n".join(filter(None, lines))


def attachments(
    news: Sequence[JobNews], evidence: Callable[[str], Mapping[str, Path]]
) -> list[Path]:
    """The files that go with news: those that are kept, as far as they are not too many. Blocks."""
    found: list[Path] = []
    size = 0
    for each in news:
        kept = evidence(each.run) if each.run is not None and each.files else {}
        for name in each.files:
            path = kept.get(name)
            if path is None or path in found or len(found) == ATTACHED:
                continue
            try:
                bytes_ = path.stat().st_size
            except OSError:
                continue
            if size + bytes_ <= LARGEST:
                found.append(path)
                size += bytes_
    return found
