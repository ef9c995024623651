"""A command's end of the control socket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from muxd.control.path import short_path
from muxd.errors import DaemonNotRunning, UserError

if TYPE_CHECKING:
    from muxd.state import StateDir

__all__ = ["ControlClient"]


class ControlClient:
    """Talks to the daemon that owns a state directory. Blocks; for commands only."""

    def __init__(self, state: StateDir) -> None:
        self._state = state

    def status(self) -> dict[str, Any]:
        """What `muxd status` shows."""
        return self._call("GET", "/v1/status", timeout=10)

    def run(self, job: str, *, wait: bool) -> dict[str, Any]:
        """Ask for a run now; with `wait` return its record once it has ended."""
        path = f"/v1/jobs/{job}/run" + ("?wait=1" if wait else "")
        return self._call("POST", path, timeout=None if wait else 30)

    def stop(self, *, at_once: bool) -> dict[str, Any]:
        """Tell it to stop."""
        return self._call("POST", "/v1/stop", timeout=10, json={"at_once": at_once})

    def _call(
        self, method: str, path: str, *, timeout: float | None, json: Any = None
    ) -> dict[str, Any]:
        """One request.

        Raises:
          DaemonNotRunning: nobody answers on the socket.
          UserError: the daemon refused, with its reason.
        """
        if not self._state.socket.exists():
            raise DaemonNotRunning(str(self._state.root))
        import httpx  # a tenth of a second, which commands that don't talk needn't pay

        with short_path(self._state.socket) as socket:
            transport = httpx.HTTPTransport(uds=socket)
            try:
                with httpx.Client(transport=transport, timeout=timeout) as client:
                    answer = client.request(method, f"http://muxd{path}", json=json)
            except (httpx.ConnectError, httpx.RemoteProtocolError, httpx.ReadError):
                raise DaemonNotRunning(str(self._state.root)) from None
            except httpx.TimeoutException:
                pid = self._state.owner()
                raise UserError(
                    f"muxd (process {pid}) does not answer within {timeout:g} s"
                ) from None
        if answer.status_code == 422:
            raise UserError(answer.json()["error"])
        answer.raise_for_status()
        return cast("dict[str, Any]", answer.json())
