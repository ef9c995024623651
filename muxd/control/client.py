"""A command's end of the control socket."""

from __future__ import annotations

import contextlib
import socket
import time
from http.client import HTTPConnection, HTTPException
from json import dumps, loads
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

from muxd.control.path import short_path
from muxd.errors import DaemonNotRunning, DaemonSilent, MuxdError, UnknownJob, UserError

if TYPE_CHECKING:
    from pathlib import Path

    from muxd.state import StateDir

__all__ = ["ControlClient"]

PATIENCE = 15.0
"""How long a command waits for a daemon that is there but listens not yet, or no more, seconds."""
BOUND = 10.0
"""How long an answer may take that waits for nothing, seconds."""
LONG = 60.0
"""How long one may take that waits for a run's end, or for files to be read, seconds."""
RELOAD = 300.0
"""How long one may take that waits for plugins to be read and a timetable to be made, seconds."""
DURING = "the run: its record will say more (muxd history)"


class ControlClient:
    """Talks to the daemon that owns a state directory. Blocks; for commands only.

    A daemon that is starting has no socket yet, and one that is stopping has none any more: every
    call waits for it to listen or to be gone, `PATIENCE` at most. Each raises:

    - `DaemonNotRunning`: there is none.
    - `DaemonSilent`: it does not listen, does not answer, or ended before it had answered.
    - `UserError`: it refused, with its reason.
    - `MuxdError`: it failed.
    """

    def __init__(self, state: StateDir) -> None:
        self._state = state

    def status(self, *, upcoming: int = 10) -> dict[str, Any]:
        """What `muxd status` shows, with so many of the next releases, 0 to 1000."""
        return self._call("GET", f"/v1/status?next={upcoming}", timeout=BOUND)

    def jobs(self, *, after: str = "", limit: int = 100) -> dict[str, Any]:
        """A page of the jobs: so many (1 to 1000) by name from the first after this one on."""
        name = quote(after, safe="", errors="surrogateescape")
        return self._call("GET", f"/v1/jobs?limit={limit}&after={name}", timeout=BOUND)

    def run(self, job: str, *, wait: bool, in_gap: bool = False) -> dict[str, Any]:
        """Ask for a run now, or in the next gap; with `wait` return its record once it has ended.

        Raises:
          UnknownJob: the daemon has no such job.
        """
        during = DURING if wait else ""
        asked = {"wait": wait, "in_gap": in_gap}
        query = "&".join(f"{name}=1" for name, value in asked.items() if value)
        verb = f"run?{query}" if query else "run"
        return self._of_job(job, verb, timeout=None if wait else BOUND, during=during)

    def wait(self, run: str) -> dict[str, Any]:
        """The record of a run, once it has ended."""
        return self._call("GET", f"/v1/runs/{_quoted(run)}?wait=1", timeout=None, during=DURING)

    def cancel(self, run: str) -> dict[str, Any]:
        """End a run, by a part of its id; once it has ended, what it ``was`` doing and its ``run``."""
        return self._call("POST", f"/v1/runs/{_quoted(run)}/cancel", timeout=LONG)

    def skip(self, job: str, *, note: str = "", undo: bool = False) -> dict[str, Any]:
        """Pass over the next release of a job, ``at`` an instant. Raises `UnknownJob`."""
        return self._of_job(job, "skip", json={"note": note, "undo": undo})

    def forget_state(self, job: str) -> bool:
        """Have the next run of a job begin without a state; False if there was none."""
        return bool(self._of_job(job, "forget-state")["forgotten"])

    def pause_all(self, *, note: str = "", seconds: float | None = None) -> None:
        """Pause all jobs, for so long or until that is resumed."""
        self._call("POST", "/v1/pause", timeout=BOUND, json={"note": note, "seconds": seconds})

    def drain(self, *, note: str = "", wait: bool = False) -> bool:
        """Let nothing become a run any more. With `wait`: True once nothing waits or runs."""
        path = "/v1/drain?wait=1" if wait else "/v1/drain"
        bound = None if wait else BOUND
        return bool(self._call("POST", path, timeout=bound, json={"note": note})["drained"])

    def reload(self, *, note: str = "") -> dict[str, Any]:
        """Take over what changed in the configuration and the plugins; what did."""
        return self._call("POST", "/v1/reload", timeout=RELOAD, json={"note": note})

    def restart(self, *, at_once: bool = False) -> dict[str, Any]:
        """Start muxd anew in the next gap, or at once: ``at`` an instant."""
        return self._call("POST", "/v1/restart", timeout=LONG, json={"at_once": at_once})

    def audit(self, *, limit: int = 100) -> list[dict[str, Any]]:
        """Who wanted what of it, newest first."""
        return list(self._call("GET", f"/v1/audit?limit={limit}", timeout=BOUND)["entries"])

    def pause(self, job: str, *, note: str, seconds: float | None) -> None:
        """Pause a job, for so long or until it is resumed. Raises `UnknownJob`."""
        self._of_job(job, "pause", json={"note": note, "seconds": seconds})

    def resume(self, job: str | None) -> list[str]:
        """End the pause of a job, or of all: which ones were paused. Raises `UnknownJob`."""
        if job is None:
            told = self._call("POST", "/v1/resume", timeout=BOUND)
        else:
            told = self._of_job(job, "resume")
        return list(told["resumed"])

    def _of_job(
        self,
        job: str,
        verb: str,
        *,
        timeout: float | None = BOUND,
        json: Any = None,
        during: str = "",
    ) -> dict[str, Any]:
        path = f"/v1/jobs/{_quoted(job)}/{verb}"
        try:
            return self._call("POST", path, timeout=timeout, json=json, during=during)
        except LookupError as error:
            raise UnknownJob(job, tuple(map(str, error.args))) from None

    def log_in(self, session: str, url: str, *, seconds: float) -> dict[str, Any]:
        """Have a page for a login: its ``id``, and where the ``page`` is below the dashboard's URL."""
        asked = {"session": session, "url": url, "seconds": seconds}
        return self._call("POST", "/v1/logins", timeout=BOUND, json=asked)

    def login(self, login: str, *, wait: bool = False) -> dict[str, Any]:
        """How a login is; with `wait`, once it has ended."""
        path = f"/v1/logins/{login}{'?wait=1' if wait else ''}"
        return self._call("GET", path, timeout=None if wait else BOUND, during="the login")

    def cancel_login(self, login: str) -> dict[str, Any]:
        """End a login; the session stays as it was."""
        return self._call("POST", f"/v1/logins/{login}/cancel", timeout=2 * BOUND)

    def stop(self, *, at_once: bool) -> dict[str, Any]:
        """Tell it to stop. The answer has its ``grace``, seconds."""
        return self._call("POST", "/v1/stop", timeout=BOUND, json={"at_once": at_once})

    def listening(self) -> bool:
        """True if somebody listens on the socket now."""
        if not self._state.socket.exists():
            return False
        with socket.socket(socket.AF_UNIX) as probe, contextlib.suppress(OSError):
            probe.settimeout(BOUND)
            with short_path(self._state.socket) as path:
                probe.connect(path)
                return True
        return False

    def _wait_listening(self) -> str:
        """Wait until the daemon listens; who it is, for messages."""
        end = time.monotonic() + PATIENCE
        while True:
            listening, owner = self.listening(), self._state.owner()
            if owner is not None and owner.role != "daemon":
                raise DaemonNotRunning(str(self._state.root), alone=owner.pid)
            who = f"muxd (process {owner.pid})" if owner else "muxd"
            if listening:
                return who
            if owner is None:
                raise DaemonNotRunning(str(self._state.root))
            if time.monotonic() > end:
                raise DaemonSilent(
                    f"{who} is starting or stopping, and has not listened for {PATIENCE:g} s"
                )
            time.sleep(0.05)  # a socket that will be there gives no event

    def _call(
        self, method: str, path: str, *, timeout: float | None, json: Any = None, during: str = ""
    ) -> dict[str, Any]:
        """One request. Raises what the class says, and LookupError: no such job, but those."""
        who = self._wait_listening()
        body = None if json is None else dumps(json)
        connection = _UnixConnection(self._state.socket, timeout)
        with contextlib.closing(connection):
            try:
                connection.request(method, path, body=body)
                answer = connection.getresponse()
                text = answer.read()
            except TimeoutError:
                done = "" if method == "GET" else ": it may be done all the same"
                raise DaemonSilent(f"{who} does not answer within {timeout:g} s{done}") from None
            except (OSError, HTTPException):
                message = f"{who} ended during {during or 'the request'}"
                raise DaemonSilent(message) from None
        try:
            told = loads(text)
        except ValueError:  # not from our application, but from the server that it runs on
            told = {}
        if 200 <= answer.status < 300:
            return cast("dict[str, Any]", told)
        message = told.get("error") or f"{who} answered {answer.status}"
        if answer.status == 404 and "known" in told:
            raise LookupError(*told["known"])
        if answer.status == 422 or "missing" in told:
            raise UserError(message)
        if answer.status == 404:
            raise MuxdError(f"{who} does not know what it was asked for: is it an older muxd?")
        how = "has no room for it" if answer.status == 503 else "failed"
        raise MuxdError(f"{who} {how}: {message}")


def _quoted(name: str) -> str:
    return quote(name, safe="", errors="surrogateescape")


class _UnixConnection(HTTPConnection):
    """HTTP on a Unix socket."""

    def __init__(self, path: Path, timeout: float | None) -> None:
        super().__init__("muxd", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        with short_path(self._path) as path:
            self.sock.connect(path)
