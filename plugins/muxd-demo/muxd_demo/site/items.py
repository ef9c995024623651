"""What the site shows: frozen pieces, each of which can be sent as JSON."""

from __future__ import annotations

import attrs

__all__ = ["Article", "Conversation", "Follower", "Idea", "Outcome", "Post", "Settings"]


@attrs.frozen(kw_only=True)
class Post:
    """Something the account has said in public."""

    id: int
    topic: str
    text: str
    created_at: float
    """The site's own time, seconds."""
    appeal: float
    """How fast its numbers grow: 0.5 to 2, 1 being the usual."""


@attrs.frozen(kw_only=True)
class Idea:
    """Something to be posted later, in its place in the queue."""

    id: int
    topic: str
    text: str


@attrs.frozen(kw_only=True)
class Conversation:
    """What somebody wrote to the account, and what was answered."""

    id: int
    sender: str
    text: str
    received_at: float
    """The site's own time, seconds."""
    read: bool = False
    replies: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class Follower:
    """Somebody who reads the account."""

    name: str
    handle: str
    topic: str
    since: int
    """Days ago, 0 or more."""


@attrs.frozen(kw_only=True)
class Article:
    """One piece of the town's news: open to everyone."""

    slug: str
    headline: str
    byline: str
    minutes: int
    """Reading time, 1 or more."""


@attrs.frozen(kw_only=True)
class Outcome:
    """What was expected of a post, beside what came of it."""

    post: int
    text: str
    predicted: int
    actual: int
    confirmed: bool


@attrs.frozen(kw_only=True)
class Settings:
    """The account's own choices."""

    display_name: str = "The Hedge"
    focus: str = "birds"
    best_hour: int = 9
    """0 to 23."""
