"""One run: looks, compares with what was there before, and tells what is news."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

import trio

from muxd_watch.judging import Difference, difference, shown
from muxd_watch.looking import Seen, look
from muxd_watch.memory import Memory

if TYPE_CHECKING:
    from pathlib import Path

    from muxd import Run
    from muxd_watch.options import WatchOptions

__all__ = ["CHANGES", "VALUES", "watch"]

CHANGES = "changes"
"""The table of what was news."""
VALUES = "values"
"""The table of the numbers that were seen, one a change."""
LONGEST_TOLD = 3000
"""How much of a difference is told, characters; all of it is on the dashboard."""


async def watch(run: Run) -> str:
    """The body of a job: gives what it has seen, in a few words."""
    options: WatchOptions = run.config
    now = await look(run.page, options)
    memory = Memory(run, options)
    before = await memory.before()
    last_number = None if before is None else before.number
    if now.number is not None and now.number != last_number:
        await run.save([{"at": time.time(), "value": now.number}], table=VALUES)
    if before is None:
        await memory.keep(now, told=True)
        return f"first look: {_short(now, options)}"
    found = await _compare(before, now, memory.told, options)
    if found is None:
        memory.forget_pending()
        if now.number != before.number or now.is_there != before.is_there:
            await memory.keep(now)
        return f"nothing new: {_short(now, options)}"
    times = await _times(memory, found, now, options)
    if times < options.confirm:
        verdict = found.verdict
        await memory.wait_for(verdict, times, now)
        run.log.info("a change is to be confirmed", seen=times, confirm=options.confirm)
        return f"{found.title}; to be confirmed, seen {times} of {options.confirm} times"
    await memory.keep(now, told=True)
    await _tell(run, options, before, now, found)
    return found.title


async def _compare(
    before: Seen, now: Seen, told: float | None, options: WatchOptions
) -> Difference | None:
    compare = partial(difference, before, now, told, options)
    return await trio.to_thread.run_sync(compare, abandon_on_cancel=True)


async def _times(memory: Memory, found: Difference, now: Seen, options: WatchOptions) -> int:
    """How many runs in a row have seen this change, with this one."""
    pending = memory.pending
    if pending is None:
        return 1
    earlier = await memory.pending_seen()
    if earlier is not None and now.picture is not None:
        is_same = await _compare(earlier, now, None, options) is None
    else:
        is_same = pending.verdict == found.verdict
    return pending.times + 1 if is_same else 1


async def _tell(
    run: Run, options: WatchOptions, before: Seen, now: Seen, found: Difference
) -> None:
    files = await _pictures(run, before, now, found)
    change = {
        "at": time.time(),
        "title": found.title,
        "difference": found.text,
        "before": _short(before, options),
        "after": _short(now, options),
        "run_id": run.id,
        "pictures": [path.name for path in files],
    }
    await run.save([change], table=CHANGES)
    text = found.text
    if len(text) > LONGEST_TOLD:
        text = text[:LONGEST_TOLD].rpartition("\n")[0] + "\n..."
    run.tell(found.title, text, options.url, files=files)


async def _pictures(run: Run, before: Seen, now: Seen, found: Difference) -> list[Path]:
    """Keep before, after, and what differs, with the run."""
    pictures = {"difference": found.marked, "before": before.picture, "after": now.picture}
    files = []
    for name, picture in pictures.items():
        if picture is not None:
            path = run.artifact(f"{name}.png")
            await trio.Path(path).write_bytes(picture)
            files.append(path)
    return files


def _short(seen: Seen, options: WatchOptions) -> str:
    """What was seen, in few characters."""
    if options.what == "element":
        return "there" if seen.is_there else "not there"
    if not seen.is_there:
        return "nothing"
    if seen.number is not None:
        return shown(seen.number)
    return f"{len(seen.text)} characters" if seen.text is not None else "a picture"
