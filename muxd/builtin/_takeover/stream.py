"""What a login's page is told as long as it is open: how it is, and what is to be seen."""

from __future__ import annotations

import json
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Protocol, final

import trio
from starlette.responses import StreamingResponse

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence
    from contextlib import AbstractContextManager

    from starlette.types import Receive, Scope, Send

    from muxd.logininput import Action

__all__ = ["login_stream"]

SIGN_OF_LIFE = 15.0
"""How long nothing may be sent, seconds: the time that is left is told again then, too."""


class Login(Protocol):
    """What of a login matters here."""

    @property
    def news(self) -> int: ...
    @property
    def frame(self) -> Any: ...
    @property
    def lookers(self) -> int: ...
    def do(self, actions: Sequence[Action]) -> None: ...
    def state(self) -> dict[str, Any]: ...
    def looked_at(self) -> AbstractContextManager[None]: ...
    async def wait_news(self, seen: int) -> None: ...


def login_stream(login: Login) -> StreamingResponse:
    """Server-sent events: ``state`` and ``frame``, the newest of each, until the login has ended.

    Who reads slowly gets fewer pictures, and always the newest.
    """
    return _Closed(_events(login))


@final
class _Closed(StreamingResponse):
    """Ends with who reads it: one who goes in the middle of a picture looks at the login no more."""

    def __init__(self, events: AsyncGenerator[str]) -> None:
        super().__init__(
            events, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"}
        )
        self._events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with aclosing(self._events):
            await super().__call__(scope, receive, send)


async def _events(login: Login) -> AsyncGenerator[str]:
    told: dict[str, Any] | None = None
    shown = None
    with login.looked_at():
        yield "retry: 1000\n\n"
        while True:
            seen, state, frame = login.news, login.state(), login.frame
            if told is None or state | {"now": None} != told | {"now": None}:
                told = state
                yield _event("state", state)
            if frame is not None and frame is not shown:
                size = {"width": frame.width, "height": frame.height}
                yield _event("frame", size | {"jpeg": frame.data})
            shown = frame
            if state["state"] == "ended":
                return
            with trio.move_on_after(SIGN_OF_LIFE) as waiting:
                await login.wait_news(seen)
            if waiting.cancelled_caught:
                told = None


def _event(name: str, data: dict[str, Any]) -> str:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n"
