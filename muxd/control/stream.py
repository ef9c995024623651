"""All that happens, as server-sent events."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import trio
from starlette.responses import StreamingResponse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from muxd.controlled import Controlled

__all__ = ["event_stream"]

SIGN_OF_LIFE = 25.0
"""How long nothing may be sent, seconds: proxies and browsers take a silent stream for a dead one."""


def event_stream(daemon: Controlled) -> StreamingResponse:
    """The response: each event with its name and its fields as JSON, until the daemon ends.

    Who does not keep up gets ``events_missing`` in place of the oldest.
    """
    return StreamingResponse(
        _lines(daemon), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"}
    )


async def _lines(daemon: Controlled) -> AsyncIterator[str]:
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
