"""The port of the dashboard: whether it is open, and how to get in."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, final

import structlog
import trio

from muxd.control.door import is_loopback
from muxd.control.server import listen_on_port, serve_web
from muxd.control.token import make_token

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from starlette.routing import BaseRoute

    from muxd.config import WebConfig
    from muxd.controlled import Controlled

__all__ = ["Web"]


@final
class Web:
    """Serves the application on a port, if it can be had: muxd runs its jobs without it as well."""

    def __init__(self, daemon: Controlled, config: WebConfig, state_dir: Path) -> None:
        """Nothing is open yet."""
        self._daemon, self._config, self._state_dir = daemon, config, state_dir
        self.url: str | None = None
        """Where it is, without the token; None: nowhere."""
        self.problem: str | None = None
        """Why it is not open although it should be, and what helps; for people."""

    async def serve(
        self,
        routes: Sequence[BaseRoute],
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Serve until cancelled; return at once if that is switched off or can't be."""
        if not self._config.enabled:
            task_status.started()
            return
        address, port = self._config.address, self._config.port
        try:
            token = make_token(self._state_dir)
            listener = listen_on_port(address, port)
        except OSError as error:
            words = error.strerror or str(error)
            self.problem = (
                f"the dashboard can't listen on {address} port {port}: {words}; "
                "give another by web.port (0: any), or free it and restart"
            )
            structlog.get_logger().error(self.problem)
            task_status.started()
            return
        found = listener.getsockname()[1]
        host = f"[{address}]" if ":" in address else address
        if address in ("0.0.0.0", "::"):
            host = os.uname().nodename
        self.url = f"http://{host}:{found}/"
        hosts = {*self._config.hosts, address, *((host,) if host != address else ())}
        if not is_loopback(address):
            structlog.get_logger().warning(
                "the dashboard can be reached from other machines, unencrypted: whoever has the "
                "link can steer muxd and see its pages; put a proxy with TLS before it",
                url=self.url,
            )
        try:
            await serve_web(
                self._daemon, listener, token, hosts=hosts, routes=routes, task_status=task_status
            )
        finally:
            self.url = None
