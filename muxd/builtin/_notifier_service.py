"""The notifier: watches, and tells people by the ways that are configured."""

from __future__ import annotations

import os
import socket
import time
import uuid
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, final
from zoneinfo import ZoneInfo

import structlog
import trio

from muxd.abc import Service
from muxd.builtin._notifier_incident import Incident
from muxd.builtin._notifier_memory import Memory
from muxd.builtin._notifier_message import compose
from muxd.builtin._notifier_news import Newsstand, attachments, compose_news
from muxd.builtin._notifier_post import Post
from muxd.builtin._notifier_trouble import Trouble
from muxd.builtin._notifier_watch import WATCHED, Watch
from muxd.builtin._notifier_ways import mask_of, ways_of
from muxd.events import JobNews, PlanMade, Reloaded, Started
from muxd.secrets import Secrets

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

    from muxd.abc import Controlled
    from muxd.builtin._notifier_message import Message
    from muxd.builtin._notifier_ways import Way
    from muxd.events import Event

    MakeWays = Callable[[Mapping[str, Any]], Sequence[Way]]
    InThread = Callable[[Callable[[], Any]], Awaitable[Any]]

__all__ = ["Notifier"]

LOOK_EVERY = 60.0
"""How often what no event tells of is looked at, seconds."""


async def _in_thread(work: Callable[[], Any]) -> Any:
    return await trio.to_thread.run_sync(work, abandon_on_cancel=True)


@final
class Notifier(Service):
    """Nothing it does delays anybody: events wait for it, messages for their way."""

    name = "notifier"

    def __init__(
        self,
        daemon: Controlled,
        *,
        make_ways: MakeWays = ways_of,
        now: Callable[[], float] = time.time,
        in_thread: InThread = _in_thread,
    ) -> None:
        """Tell nobody yet.

        Args:
          daemon: what is watched.
          make_ways: gives the ways of the settings in ``[notify]``.
          now: gives Unix seconds.
          in_thread: reads and writes the disk.
        """
        self._daemon, self._make_ways, self._now = daemon, make_ways, now
        self._in_thread = in_thread

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Watch and tell until cancelled.

        Raises:
          ValueError: the configuration lacks something.
        """
        settings = self._daemon.settings("notify")
        ways = self._make_ways(settings)
        with self._daemon.events("notifier", only=(*WATCHED, JobNews, Reloaded)) as events:
            task_status.started()
            while True:
                async with trio.open_nursery() as nursery:
                    desk = None
                    if ways:
                        desk = await self._open_desk(settings, ways)
                        nursery.start_soon(desk.run)
                    settings, ways = await self._follow(events, desk, settings)
                    nursery.cancel_scope.cancel()

    async def _follow(
        self, events: AsyncIterator[Event], desk: _Desk | None, settings: Mapping[str, Any]
    ) -> tuple[Mapping[str, Any], Sequence[Way]]:
        """Until there are other settings, which it gives."""
        async for event in events:
            if isinstance(event, Reloaded):
                new = self._daemon.settings("notify")
                if new != settings:
                    try:
                        return new, self._make_ways(new)
                    except ValueError as error:
                        structlog.get_logger().error(
                            "people are told as before", problem=str(error)
                        )
            elif desk is not None:
                desk.take(event)
        await trio.sleep_forever()
        raise AssertionError

    async def _open_desk(self, settings: Mapping[str, Any], ways: Sequence[Way]) -> _Desk:
        folder = Path(self._daemon.settings("daemon")["state_dir"])
        memory = await self._in_thread(partial(Memory.load, folder))
        posts = [Post(way, self._daemon.tell, now=self._now) for way in ways]
        return _Desk(
            self._daemon,
            settings,
            posts,
            memory,
            now=self._now,
            save=lambda memory: self._in_thread(partial(memory.save, folder)),
            find=lambda news: self._in_thread(partial(attachments, news, self._daemon.evidence)),
        )


@final
class _Desk:
    """Watches and tells with one set of settings."""

    def __init__(
        self,
        daemon: Controlled,
        settings: Mapping[str, Any],
        posts: Sequence[Post],
        memory: Memory,
        *,
        now: Callable[[], float],
        save: Callable[[Memory], Awaitable[object]],
        find: Callable[[Sequence[JobNews]], Awaitable[Sequence[Path]]],
    ) -> None:
        self._daemon, self._posts, self._now, self._save = daemon, posts, now, save
        self._find = find
        self._stand, self._tells_news = Newsstand(), "news" in settings["on"]
        self._memory, instant = memory, trio.current_time()
        self._is_expected = memory.restarting
        self._watch = Watch(
            memory.told,
            silence=settings["silence"],
            max_utilisation=daemon.settings("slotting")["max_utilisation"],
            now=instant,
        )
        ago = {key: max(0.0, now() - at) for key, at in memory.recent.items()}
        self._incident = Incident(
            gather=settings["gather"],
            quiet=settings["quiet"],
            on=settings["on"],
            told=memory.told,
            recent={key: instant - seconds for key, seconds in ago.items()},
        )
        evidence = daemon.settings("evidence")
        named = [os.environ.get(name, "") for name in evidence["mask_env"]]
        self._mask = mask_of(settings, Secrets([*evidence["mask"], *named]))
        zone = daemon.settings("daemon")["timezone"]
        self._zone = ZoneInfo(zone) if zone else None
        self._news = trio.Event()

    def take(self, event: Event) -> None:
        """Something has happened. Never blocks."""
        if isinstance(event, JobNews):
            if self._tells_news:
                self._stand.put(event, trio.current_time())
                self._news.set()
            return
        self._watch.take(event, trio.current_time())
        if isinstance(event, PlanMade):
            self._watch.forget_all_but(self._daemon.timetable.phases)
        elif isinstance(event, Started):
            times = self._daemon.status(upcoming=0)["restarts"]
            if times and not self._is_expected:
                self._watch.restarted(times, event.at)
        self._news.set()

    async def run(self) -> None:
        """Look, tell and send until cancelled."""
        async with trio.open_nursery() as nursery:
            for post in self._posts:
                nursery.start_soon(post.run)
            nursery.start_soon(self._look_now_and_then)
            await self._tell_when_due()

    async def _look_now_and_then(self) -> None:
        while True:
            await trio.sleep(LOOK_EVERY)
            if self._watch.started:
                self._watch.look(
                    self._daemon.status(upcoming=0),
                    self._daemon.health(),
                    self._daemon.timetable,
                    now=trio.current_time(),
                    at=self._now(),
                )
                self._news.set()

    async def _tell_when_due(self) -> None:
        while True:
            self._news = trio.Event()
            await self._remember(has_told=self._tell())
            await self._tell_news()
            due = self._incident.due(self._watch.open, self._watch.notices, trio.current_time())
            with trio.move_on_at(min(due, self._stand.due)):
                await self._news.wait()

    def _tell(self) -> bool:
        """Tell what is due; False if nothing is."""
        change = self._incident.tell(self._watch.open, self._watch.notices, trio.current_time())
        if change is None:
            return False
        self._watch.notices.clear()
        message = compose(
            id_=uuid.uuid4().hex,
            at=self._now(),
            host=socket.gethostname(),
            zone=self._zone,
            mask=self._mask,
            fresh=change.fresh,
            going_on=change.going_on,
            recovered=change.recovered,
            notices=change.notices,
        )
        self._put(message)
        return True

    async def _tell_news(self) -> None:
        """Tell what jobs have found, if it is due."""
        news, more = self._stand.take(trio.current_time())
        if news:
            message = compose_news(
                news,
                more,
                id_=uuid.uuid4().hex,
                at=self._now(),
                host=socket.gethostname(),
                mask=self._mask,
                files=await self._find(news),
            )
            self._put(message)

    def _put(self, message: Message) -> None:
        structlog.get_logger().info("people are told", title=message.title, id=message.id)
        for post in self._posts:
            post.put(message)

    async def _remember(self, *, has_told: bool) -> None:
        """Keep what was told, if that has changed."""
        told, recent, before = self._incident.told, self._incident.recent, self._memory
        is_same = told.keys() == {each.key for each in before.told}
        if is_same and not has_told and self._watch.restarting == before.restarting:
            return
        now, instant = self._now(), trio.current_time()
        memory = self._memory = Memory(
            told=[_masked(each, self._mask) for each in told.values()],
            recent={key: now - (instant - at) for key, at in recent.items()},
            restarting=self._watch.restarting,
        )
        try:
            await self._save(memory)
        except OSError as error:
            structlog.get_logger().warning("what people were told can't be kept", error=str(error))


def _masked(trouble: Trouble, mask: Callable[[str], str]) -> Trouble:
    return Trouble.from_dict(trouble.as_dict() | {"text": mask(trouble.text)})
