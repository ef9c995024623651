"""The site on the loopback interface."""

from __future__ import annotations

import errno
import os
import socket

import attrs
import trio
from hypercorn.config import Config
from hypercorn.trio import serve

from muxd.abc import Service
from muxd_demo.site.app import application
from muxd_demo.site.pace import Pace
from muxd_demo.site.world import World

__all__ = ["DEFAULT_PORT", "PORT_VARIABLE", "Site", "SiteNotOpen", "port_from_environment"]

DEFAULT_PORT = 8016
PORT_VARIABLE = "MUXD_DEMO_PORT"


class SiteNotOpen(RuntimeError):
    """The site's address was asked for while it isn't served."""


def port_from_environment() -> int:
    """``MUXD_DEMO_PORT`` (0 to 65535; 0 for any free one), else 8016. `ValueError` if wrong."""
    given = os.environ.get(PORT_VARIABLE, "")
    if not given:
        return DEFAULT_PORT
    if not given.isdecimal() or int(given) > 65535:
        raise ValueError(f"{PORT_VARIABLE} is {given!r}: give a port from 0 to 65535")
    return int(given)


@attrs.define(eq=False)
class Site(Service):
    """One site: its port, its pace and, while it is served, its address and its world.

    Each time it is served it opens with a new world: nothing is left from the time before.
    """

    name: str = attrs.field(init=False, default="perch")
    port: int | None = None
    """The port wished for; if it is in use, any free one is taken. 0: any free one. None: as the
    environment says when the site opens."""
    pace: Pace = attrs.field(factory=Pace)
    world: World | None = attrs.field(init=False, default=None)
    """What is on the site; None while it isn't served."""
    _address: str | None = attrs.field(init=False, default=None)

    @property
    def address(self) -> str:
        """Its address, such as ``http://127.0.0.1:8016``, without a slash at the end.

        Raises:
          SiteNotOpen: it isn't served at the moment.
        """
        if self._address is None:
            raise SiteNotOpen(
                "the demo's site is not running: it is started together with muxd "
                "(`muxd start`, `muxd run JOB`), or by itself with `muxd-demo site`"
            )
        return self._address

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled; started once it answers. Cancelled, its port is free again.

        Raises:
          OSError: there is no port to be had on the loopback interface.
        """
        wished = port_from_environment() if self.port is None else self.port
        listener = _bind(wished)
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        world = World()
        app = application(world, self.pace)
        try:
            async with trio.open_nursery() as nursery:
                await nursery.start(serve, app, _config(listener))
                self.world, self._address = world, address
                task_status.started()
        finally:
            self.world = self._address = None


def _config(listener: socket.socket) -> Config:
    config = Config()
    config.bind = [f"fd://{listener.detach()}"]  # the server owns and closes it from here on
    config.accesslog = None
    config.errorlog = None
    config.graceful_timeout = 0
    # Longer than any pause between two runs: a browser that posts on a connection that was
    # closed a moment ago would fail.
    config.keep_alive_timeout = 3600
    return config


def _bind(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        # A port whose last connections are still closing may be taken again at once.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
            listener.listen(100)
        except OSError as error:
            if error.errno not in {errno.EADDRINUSE, errno.EACCES}:
                raise
            listener.close()
            listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            listener.bind(("127.0.0.1", 0))
            listener.listen(100)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener
