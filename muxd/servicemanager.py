"""The service manager that started muxd, told how it is: the protocol of sd_notify(3).

Of systemd it needs ``Type=notify``, and ``NotifyAccess=all`` since the main process is the guard while
the daemon is who knows. Anything else that gives a ``NOTIFY_SOCKET`` is told the same.
"""

from __future__ import annotations

import contextlib
import math
import os
import socket
import time
from typing import TYPE_CHECKING, final

import structlog
import trio

from muxd.bus import EventsLost
from muxd.events import (
    AllPaused,
    AllResumed,
    BrowserDown,
    BrowserUp,
    Draining,
    JobPaused,
    JobResumed,
    Reloaded,
    Reloading,
    Started,
)
from muxd.health import Checkup

if TYPE_CHECKING:
    from collections.abc import Collection, MutableMapping

    from muxd.bus import Bus
    from muxd.core import Core
    from muxd.events import Event
    from muxd.health import Health

__all__ = ["ServiceManager", "keep_informed"]

VARIABLES = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
TOLD_OF = (
    Started,
    Draining,
    BrowserUp,
    BrowserDown,
    JobPaused,
    JobResumed,
    AllPaused,
    AllResumed,
    Reloading,
    Reloaded,
)
"""What may change how it is in a word."""
LONGEST = 1000
"""Of a status that is told, characters."""


@final
class ServiceManager:
    """Where to tell it, and how often it wants to hear."""

    def __init__(self, address: str, *, watchdog: float = math.inf) -> None:
        """Say nothing yet.

        Args:
          address: of a datagram socket: a path, or an abstract name after ``@``.
          watchdog: how long it waits between two signs of life before it acts, seconds.
        """
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self.watchdog = watchdog
        self._silent = False

    @classmethod
    def found(
        cls, environ: MutableMapping[str, str], pids: Collection[int]
    ) -> ServiceManager | None:
        """The one that the environment names, or None.

        What names it is taken out of the environment: it isn't meant for the browser, nor for what
        bodies start.

        Args:
          environ: where it is looked for.
          pids: the processes that may be meant by the wish for signs of life: this one, its guard.
        """
        address, micros, pid = (environ.pop(name, "") for name in VARIABLES)
        if not address.startswith(("/", "@")):
            return None
        wanted = micros.isdecimal() and int(micros) > 0 and (not pid or pid in map(str, pids))
        return cls(address, watchdog=int(micros) / 1e6 if wanted else math.inf)

    def tell(self, *lines: str) -> None:
        """Tell it these assignments. Never blocks; what it does not take is dropped.

        That it can't be told is logged once.
        """
        with (
            contextlib.suppress(BlockingIOError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sock,
        ):
            try:
                sock.sendto("\n".join(lines).encode(), self._address)
            except BlockingIOError:
                raise
            except OSError as error:
                if not self._silent:
                    self._silent = True
                    structlog.get_logger().warning(
                        "the service manager can't be told how muxd is", error=str(error)
                    )


async def keep_informed(manager: ServiceManager, core: Core, bus: Bus[Event]) -> None:
    """Tell it that muxd is up, how it is, that it lives, and that it stops.

    Signs of life come twice as often as they are wanted, and only while nothing is stuck: a daemon
    that does not get on is killed and started again by whoever wanted them. Runs until the bus is
    closed or it is cancelled.
    """
    checkup, period = Checkup(core), manager.watchdog / 2
    was_stuck: tuple[str, ...] = ()
    with bus.subscribe("service manager", only=TOLD_OF) as events:
        while True:
            event: Event | EventsLost | None = None
            with trio.move_on_after(period):
                try:
                    event = await events.receive()
                except trio.EndOfChannel:
                    return
            health = checkup.look()
            if health.stuck and health.stuck != was_stuck:
                structlog.get_logger().critical("muxd is stuck", what="; ".join(health.stuck))
            was_stuck = health.stuck
            manager.tell(*_signs(event, core, health))


def _signs(event: Event | EventsLost | None, core: Core, health: Health) -> list[str]:
    lines = [f"STATUS={_in_words(core, health)}"]
    lost = isinstance(event, EventsLost) and core.phase == "running"
    if isinstance(event, (Started, Reloaded)) or lost:
        lines.insert(0, "READY=1")
    # One that is to be started again does not stop: it would be ended for good.
    if isinstance(event, Reloading) or (core.phase == "draining" and core.restarting):
        lines[:0] = ["RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}"]
    elif core.phase == "draining":
        lines.insert(0, "STOPPING=1")
    if not health.stuck:
        lines.append("WATCHDOG=1")
    return lines


def _in_words(core: Core, health: Health) -> str:
    """One line, for ``systemctl status``."""
    if core.phase != "running":
        return core.phase
    browser = core.supervisor.current
    words = [
        f"{len(core.planner.timetable.slots)} jobs",
        f"browser {browser.generation} is up" if browser is not None else "no browser",
    ]
    if core.pauses.drain is not None:
        words.append("drained")
    if core.pauses.whole is not None:
        words.append("all paused")
    if paused := len(core.pauses.all):
        words.append(f"{paused} paused")
    words += [f"STUCK: {each}" for each in health.stuck]
    words += health.ailing
    return ", ".join(words).replace(os.linesep, " ")[:LONGEST]
