"""Jobs for a daemon in tests."""

from __future__ import annotations

import muxd


@muxd.job(interval="1d", duration="20s")
async def headlines(run):
    await run.page.set_content("<h1>news</h1>")
    return await run.page.inner_text("h1")
