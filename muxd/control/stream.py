"""All that happens, as server-sent events."""

from __future__ import annotations

import json
from contextlib import aclosing
from typing import TYPE_CHECKING, final

import trio
from starlette.responses import StreamingResponse

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from starlette.types import Receive, Scope, Send

    from muxd.control.lasting import Lasting
    from muxd.controlled import Controlled

__all__ = ["event_stream"]

SIGN_OF_LIFE = 25.0
"""How long nothing may be sent, seconds: proxies and browsers take a silent stream for a dead one."""


def event_stream(daemon: Controlled, lasting: Lasting) -> StreamingResponse:
    """The response: each event with its name and its fields as JSON, until the daemon ends.

    Who does not keep up gets ``events_missing`` in place of the oldest. Sending it raises `Crowded`,
    before anything is sent, if there is no place in `lasting`.
    """
    return _Placed(_lines(daemon), lasting)


@final
class _Placed(StreamingResponse):
    """Keeps its place from before the first byte, so that who gets none can be told so."""

    def __init__(self, lines: AsyncGenerator[str], lasting: Lasting) -> None:
        super().__init__(lines, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})
        self._lines, self._lasting = lines, lasting

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._lasting.place():
            # Who goes away leaves it in the middle: what listens to events must not wait for a collector.
            async with aclosing(self._lines):
                await super().__call__(scope, receive, send)


async def _lines(daemon: Controlled) -> AsyncGenerator[str]:
    with daemon.events("stream") as events:
        yield "retry: 1000\n\n"
        while True:
            try:
                with trio.fail_after(SIGN_OF_LIFE):
                    event = await anext(events)
            except trio.TooSlowError:
                yield ": still here\n\n"
                continue
            except StopAsyncIteration:
                return
            yield f"event: {event.name}\ndata: {json.dumps(event.as_dict(), default=str)}\n\n"
