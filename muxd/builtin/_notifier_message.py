"""A message: what people are told at one time, as text and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

import muxd
from muxd.record import utc_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import tzinfo
    from pathlib import Path

    from muxd.builtin._notifier_trouble import Trouble

from datetime import datetime

__all__ = ["Message", "compose"]

SHOWN = 10
"""How many things of a kind are told one by one; of further ones, how many they are."""
NOUNS = {
    "failure": ("job fails", "jobs fail"),
    "pause": ("job is paused", "jobs are paused"),
    "login": ("login is needed", "logins are needed"),
}
"""What one and several troubles of a kind are called together."""


@attrs.frozen(kw_only=True)
class Message:
    """What people are told. It is the same however often it is tried to send it."""

    id: str
    """The same for each try, and for no other message."""
    type: str
    """``trouble``: something is wrong; ``update``: more is, or less; ``recovery``: all is well again;
    ``notice``: something happened, and is over; ``news``: jobs have found something; ``test``."""
    at: float
    """Unix seconds."""
    host: str
    title: str
    text: str
    """The lines after the title; none ends with a space."""
    fresh: Sequence[Trouble] = ()
    """What had not been told."""
    going_on: Sequence[Trouble] = ()
    """What had, and is still wrong."""
    recovered: Sequence[Trouble] = ()
    news: Sequence[Mapping[str, Any]] = ()
    """What jobs have found, for JSON."""
    files: Sequence[Path] = ()
    """What goes with it, where the way has room for it and it is still there."""

    def as_dict(self) -> dict[str, Any]:
        """The webhook's JSON: stable keys; instants in ISO 8601 UTC."""
        return {
            "version": 1,
            "id": self.id,
            "type": self.type,
            "at": utc_text(self.at),
            "host": self.host,
            "muxd": muxd.__version__,
            "title": self.title,
            "text": self.text,
            "fresh": [_told(each) for each in self.fresh],
            "going_on": [_told(each) for each in self.going_on],
            "recovered": [_told(each) for each in self.recovered],
            "news": list(self.news),
        }


def compose(
    *,
    id_: str,
    at: float,
    host: str,
    zone: tzinfo | None,
    mask: Callable[[str], str],
    fresh: Sequence[Trouble] = (),
    going_on: Sequence[Trouble] = (),
    recovered: Sequence[Trouble] = (),
    notices: Sequence[Trouble] = (),
) -> Message:
    """Put into words what has changed.

    Args:
      id_: the message's.
      at: when, Unix seconds.
      host: where.
      zone: in whose time people are told.
      mask: takes out of texts what must not be told.
      fresh: what is wrong and had not been told.
      going_on: what is wrong and had.
      recovered: what was told and is well again.
      notices: what happened and is over.
    """
    fresh, going_on, recovered, notices = (
        [attrs.evolve(each, text=mask(each.text)) for each in group]
        for group in (fresh, going_on, recovered, notices)
    )
    if fresh:
        kind = "update" if going_on else "trouble"
        title = _together(fresh) if len(fresh) > 1 else fresh[0].text
        if going_on:
            title += f" ({len(going_on)} more as before)"
    elif notices:
        kind, title = "notice", notices[0].text
    elif going_on:
        kind = "update"
        title = f"{len(recovered)} well again, {len(going_on)} still not"
    else:
        kind, title = "recovery", "all is well again"
    parts = [
        _lines("", [*fresh, *notices], zone),
        _lines("As before:" if fresh else "Still:", going_on, zone),
        _lines("Well again:", recovered, zone),
        "" if kind == "recovery" else "See: muxd status",
    ]
    return Message(
        id=id_,
        type=kind,
        at=at,
        host=host,
        title=_short(f"muxd on {host}: {title}"),
        text="\n\n".join(filter(None, parts)),
        fresh=(*fresh, *notices),
        going_on=going_on,
        recovered=recovered,
    )


def _together(troubles: Sequence[Trouble]) -> str:
    kinds = {each.kind for each in troubles}
    if len(kinds) == 1 and (nouns := NOUNS.get(troubles[0].kind)):
        return f"{len(troubles)} {nouns[1]}"
    return f"{len(troubles)} things are wrong"


def _lines(head: str, troubles: Sequence[Trouble], zone: tzinfo | None) -> str:
    if not troubles:
        return ""
    lines = [f"{_clock(each.since, zone)}  {each.text}" for each in troubles[:SHOWN]]
    if len(troubles) > SHOWN:
        lines.append(f"and {len(troubles) - SHOWN} more")
    return "\n".join([head, *lines] if head else lines)


def _clock(at: float, zone: tzinfo | None) -> str:
    return datetime.fromtimestamp(at, zone).strftime("%b %d %H:%M")


def _short(title: str) -> str:
    return title if len(title) <= 200 else title[:197] + "..."


def _told(trouble: Trouble) -> dict[str, Any]:
    return trouble.as_dict() | {"since": utc_text(trouble.since)}
