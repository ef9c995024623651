"""The operations of logins. Their pages, and what people do there, are served by `muxd.takeover`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from muxd.control import schemas
from muxd.control.field import Field
from muxd.control.operation import NotFound, Operation
from muxd.login import LONGEST_LOGIN

if TYPE_CHECKING:
    from muxd.control.operation import Call
    from muxd.logins import Login

__all__ = ["LOGINS"]

SECONDS = 1_800
"""How long a login may take if nobody says, seconds."""
SHOWN = 100
"""How many of the sessions are told."""
_NO_LOGIN = {404: "There is no such login, or it ended long ago."}


def _login_of(call: Call) -> Login:
    login = call.daemon.logins.get(call["login"])
    if login is None:
        raise NotFound(f"there is no login {call['login'][:100]!r}, or it ended long ago")
    return login


async def _start(call: Call) -> dict[str, Any]:
    login = await call.daemon.logins.ask(
        call["session"], call["url"], seconds=call["seconds"], by=call.by
    )
    known = call.daemon.logins.sessions()[:SHOWN]
    return login.state() | {"page": f"login/{login.id}", "sessions": known}


async def _get(call: Call) -> dict[str, Any]:
    login = _login_of(call)
    if call["wait"]:
        await call.waited(call.daemon.logins.wait_ended, login)
    return login.state()


async def _finish(call: Call) -> dict[str, Any]:
    login = _login_of(call)
    call.daemon.logins.finish(login, by=call.by)
    return login.state()


async def _cancel(call: Call) -> dict[str, Any]:
    login = _login_of(call)
    await call.daemon.logins.cancel(login, by=call.by)
    return login.state()


LOGINS = (
    Operation(
        name="startLogin",
        method="POST",
        path="/v1/logins",
        answer=_start,
        status=202,
        summary="Have a page on which a person logs in, before everything that waits.",
        body=[
            Field("session", "text", "Which session.", "main", 1, 100),
            Field("url", "text", "Which page it begins with.", "", 0, 4_000),
            Field("seconds", "number", "How long it may take.", SECONDS, 1, LONGEST_LOGIN),
        ],
        schema=schemas.LOGIN_PAGE,
    ),
    Operation(
        name="finishLogin",
        method="POST",
        path="/v1/logins/{login}/finish",
        answer=_finish,
        status=202,
        summary="The person has logged in: save the session, and go on with the jobs.",
        schema=schemas.LOGIN,
        errors=_NO_LOGIN,
    ),
    Operation(
        name="cancelLogin",
        method="POST",
        path="/v1/logins/{login}/cancel",
        answer=_cancel,
        summary="End a login; the session stays as it was.",
        schema=schemas.LOGIN,
        errors=_NO_LOGIN,
    ),
    Operation(
        name="getLogin",
        path="/v1/logins/{login}",
        answer=_get,
        summary="How a login is.",
        query=[Field("wait", "flag", "Answer once it has ended.", False)],
        schema=schemas.LOGIN,
        errors=_NO_LOGIN,
    ),
)
