"""Mistakes that type checkers find before muxd does: each must be one, or the comment on it is."""

from __future__ import annotations

import muxd


@muxd.job(interval="1h", time_out="5m")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue, reportUntypedFunctionDecorator]
async def misspelt(run: muxd.Run) -> None:
    """A field that there is not."""


@muxd.job(interval="1h", retries="2")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
async def wrong_type(run: muxd.Run) -> None:
    """A value of another type."""


@muxd.job(interval="1h")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
def not_async(run: muxd.Run) -> None:
    """A body that is no coroutine function."""


@muxd.job(interval="1h")
async def attributes(run: muxd.Run) -> None:
    """What a run has not, and what is no page."""
    run.pages  # type: ignore[attr-defined]  # pyright: ignore  # noqa: B018
    await run.goto("https://a.example")  # type: ignore[attr-defined]  # pyright: ignore
    run.progress("3")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await run.save(3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
