"""A job to begin with: put yours beside it."""

import muxd


@muxd.job(interval="15m", duration="10s", timeout="1m")
async def title(run: muxd.Run) -> str:
    """Read the title of a page."""
    await run.page.goto("https://example.com")
    return await run.page.title()
