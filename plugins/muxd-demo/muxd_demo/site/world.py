"""The one owner of the site's state. All of it is in memory and bounded."""

from __future__ import annotations

import random
import secrets
import time
from collections import OrderedDict
from itertools import count
from typing import TYPE_CHECKING

import attrs

from muxd_demo.site import content
from muxd_demo.site.items import Article, Conversation, Follower, Idea, Outcome, Post, Settings
from muxd_demo.site.numbers import measure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["PASSWORD", "USER", "World"]

USER = "ada@perch.example"
PASSWORD = "open-sesame"  # it is printed on the sign-in page
LONGEST_TEXT = 280
"""Characters of a post, an idea or a reply."""
_POSTS, _IDEAS, _CONVERSATIONS, _SESSIONS = 240, 40, 48, 200
_ARRIVAL = 12.0
"""Seconds between two messages from readers."""


@attrs.define
class World:
    """The account and its town: posts, queue, inbox, followers, news, settings, sessions.

    Every method is synchronous and takes effect at once, so no request sees half a change.
    A `ValueError` says what is wrong with what was given, a `KeyError` that it isn't there.
    """

    clock: Callable[[], float] = time.monotonic
    """The site's time, seconds; never goes back."""
    _opened_at: float = attrs.field(init=False)
    _random: random.Random = attrs.field(init=False, factory=lambda: random.Random(16))
    _ids: Iterator[int] = attrs.field(init=False, factory=lambda: count(1))
    _posts: OrderedDict[int, Post] = attrs.field(init=False, factory=OrderedDict)
    _queue: list[Idea] = attrs.field(init=False, factory=list)
    _conversations: OrderedDict[int, Conversation] = attrs.field(init=False, factory=OrderedDict)
    _arrived: int = attrs.field(init=False, default=0)
    _confirmed: set[int] = attrs.field(init=False, factory=set)
    _sessions: OrderedDict[str, float] = attrs.field(init=False, factory=OrderedDict)
    settings: Settings = attrs.field(init=False, factory=Settings)

    def __attrs_post_init__(self) -> None:
        self._opened_at = self.clock()
        for back, (topic, text) in enumerate(reversed(content.POSTS)):
            age = 2400.0 - 100 * back
            self._add_post(topic, text, self._opened_at - age)
        for topic, text in content.IDEAS[:6]:
            self.add_idea(topic, text)
        for _ in range(5):
            self._receive(self._opened_at - 60)

    # Sessions

    def sign_in(self, user: str, password: str) -> str | None:
        """A new session's token, or None if the two don't match."""
        if not (
            secrets.compare_digest(user.encode(), USER.encode())
            and secrets.compare_digest(password.encode(), PASSWORD.encode())
        ):
            return None
        token = secrets.token_urlsafe(18)
        self._sessions[token] = self.clock()
        while len(self._sessions) > _SESSIONS:
            self._sessions.popitem(last=False)
        return token

    def sign_out(self, token: str) -> None:
        """Forget a session; one that isn't known is no error."""
        self._sessions.pop(token, None)

    def knows(self, token: str) -> bool:
        """True if the token is that of a session in force."""
        return token in self._sessions

    def sessions(self) -> list[float]:
        """The age of each session in force, seconds, newest first."""
        now = self.clock()
        return [now - since for since in reversed(self._sessions.values())]

    # Posts and the queue

    def posts(self) -> list[Post]:
        """All posts kept, newest first."""
        return list(reversed(self._posts.values()))

    def top_posts(self, many: int) -> list[Post]:
        """The posts seen most, at most `many`."""
        now = self.clock()
        return sorted(self._posts.values(), key=lambda post: -measure(post, now)["impressions"])[
            :many
        ]

    def post(self, id: int) -> Post:  # noqa: A002 - it is the post's id
        """One post, or `KeyError`."""
        return self._posts[id]

    def publish(self, topic: str, text: str) -> Post:
        """Post at once. `ValueError` for an unknown topic or a text that is empty or too long."""
        topic, text = _checked(topic, text)
        return self._add_post(topic, text, self.clock())

    def queue(self) -> list[Idea]:
        """What waits to be posted, the next one first."""
        return list(self._queue)

    def add_idea(self, topic: str, text: str) -> Idea:
        """Put an idea at the end of the queue; a full queue drops its oldest."""
        topic, text = _checked(topic, text)
        idea = Idea(id=next(self._ids), topic=topic, text=text)
        self._queue = [*self._queue, idea][-_IDEAS:]
        return idea

    def publish_next(self) -> Post:
        """Post the first idea of the queue. `KeyError` if there is none."""
        if not self._queue:
            raise KeyError("the queue is empty")
        idea = self._queue.pop(0)
        return self._add_post(idea.topic, idea.text, self.clock())

    # The inbox

    def conversations(self) -> list[Conversation]:
        """All kept, newest first. Readers' messages arrive as time goes by."""
        now = self.clock()
        due = int((now - self._opened_at) / _ARRIVAL) - self._arrived
        self._arrived += due
        for _ in range(min(due, _CONVERSATIONS)):
            self._receive(now)
        return list(reversed(self._conversations.values()))

    def conversation(self, id: int) -> Conversation:  # noqa: A002 - it is the conversation's id
        """One conversation, or `KeyError`."""
        return self._conversations[id]

    def reply(self, id: int, text: str) -> Conversation:  # noqa: A002 - the conversation's id
        """Answer; the conversation is then read, too. `KeyError`, `ValueError`."""
        text = _checked_text(text)
        old = self._conversations[id]
        new = attrs.evolve(old, read=True, replies=(*old.replies, text)[-20:])
        self._conversations[id] = new
        return new

    def read_all(self) -> int:
        """Mark everything read; how many were not."""
        unread = [each for each in self._conversations.values() if not each.read]
        for each in unread:
            self._conversations[each.id] = attrs.evolve(each, read=True)
        return len(unread)

    # What is only looked at

    def followers(self) -> list[Follower]:
        """Everybody who reads the account, newest first; one more every 30 s, up to 260."""
        most = len(content.FIRST_NAMES) * len(content.LAST_NAMES)
        many = min(most, 44 + int((self.clock() - self._opened_at) / 30))
        return [_follower(number, many) for number in reversed(range(many))]

    def news(self) -> list[Article]:
        """The town's news, newest first: each minute another piece leads."""
        shift = int((self.clock() - self._opened_at) / 60) % len(content.NEWS)
        headlines = content.NEWS[-shift:] + content.NEWS[:-shift] if shift else content.NEWS
        return [_article(headline) for headline in headlines]

    def article(self, slug: str) -> Article:
        """One piece of news, or `KeyError`."""
        return {article.slug: article for article in self.news()}[slug]

    def trends(self) -> list[dict[str, int | str]]:
        """Each topic with its posts and how it moves, most seen first."""
        now = self.clock()
        rows: dict[str, dict[str, int]] = {
            topic: {"posts": 0, "seen": 0, "rate": 0} for topic in content.TOPICS
        }
        for post in self._posts.values():
            row = rows[post.topic]
            row["posts"] += 1
            row["seen"] += measure(post, now)["impressions"]
            row["rate"] += int(24 * post.appeal)
        return sorted(
            ({"topic": topic, **row} for topic, row in rows.items()),
            key=lambda row: -int(row["seen"]),
        )

    def outcomes(self, many: int = 8) -> list[Outcome]:
        """The newest posts that are a minute old: what was expected, and what came of it."""
        now = self.clock()
        settled = [post for post in self.posts() if now - post.created_at >= 60][:many]
        return [
            Outcome(
                post=post.id,
                text=post.text,
                predicted=int(1400 + 24 * (now - post.created_at)),
                actual=measure(post, now)["impressions"],
                confirmed=post.id in self._confirmed,
            )
            for post in settled
        ]

    def confirm(self, post: int) -> None:
        """Take an outcome as it is. `KeyError` if there is no such post."""
        self._confirmed.add(self._posts[post].id)

    def change_settings(self, *, display_name: str, focus: str, best_hour: int) -> Settings:
        """Save the account's choices. `ValueError` says which is wrong."""
        if not 1 <= len(display_name.strip()) <= 40:
            raise ValueError("give a display name of 1 to 40 characters")
        if focus not in content.TOPICS:
            raise ValueError(f"give a focus that is one of {', '.join(content.TOPICS)}")
        if not 0 <= best_hour <= 23:
            raise ValueError("give a best hour from 0 to 23")
        self.settings = Settings(
            display_name=display_name.strip(), focus=focus, best_hour=best_hour
        )
        return self.settings

    # Within

    def _add_post(self, topic: str, text: str, created_at: float) -> Post:
        appeal = 0.5 + 1.5 * self._random.random()
        post = Post(
            id=next(self._ids), topic=topic, text=text, created_at=created_at, appeal=appeal
        )
        self._posts[post.id] = post
        while len(self._posts) > _POSTS:
            gone, _ = self._posts.popitem(last=False)
            self._confirmed.discard(gone)
        return post

    def _receive(self, now: float) -> None:
        number = next(self._ids)
        conversation = Conversation(
            id=number,
            sender=_name(number * 7),
            text=content.MESSAGES[number % len(content.MESSAGES)],
            received_at=now,
        )
        self._conversations[number] = conversation
        while len(self._conversations) > _CONVERSATIONS:
            self._conversations.popitem(last=False)


def _checked_text(text: str) -> str:
    text = text.strip()
    if not 1 <= len(text) <= LONGEST_TEXT:
        raise ValueError(f"give a text of 1 to {LONGEST_TEXT} characters")
    return text


def _checked(topic: str, text: str) -> tuple[str, str]:
    if topic not in content.TOPICS:
        raise ValueError(f"give a topic that is one of {', '.join(content.TOPICS)}")
    return topic, _checked_text(text)


def _name(number: int) -> str:
    first = content.FIRST_NAMES[number % len(content.FIRST_NAMES)]
    last = content.LAST_NAMES[number % len(content.LAST_NAMES)]
    return f"{first} {last}"


def _follower(number: int, many: int) -> Follower:
    # 20 first and 13 last names have no common factor: 260 numbers give 260 different names.
    name = _name(number)
    return Follower(
        name=name,
        handle="@" + name.lower().replace(" ", "."),
        topic=content.TOPICS[number % len(content.TOPICS)],
        since=(many - 1 - number) * 2,
    )


def _article(headline: str) -> Article:
    kept = "".join(c if c.isalnum() or c == " " else "" for c in headline.lower())
    number = content.NEWS.index(headline)
    return Article(
        slug="-".join(kept.split()),
        headline=headline,
        byline=content.BYLINES[number % len(content.BYLINES)],
        minutes=2 + number % 5,
    )
