"""One run: opens the page, reads its rows, keeps them, says what is new."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import trio

from muxd_extract.files import RowFile
from muxd_extract.news import news_of
from muxd_extract.reading import read_rows
from muxd_extract.typed import typed_row
from muxd_extract.walking import Walk, open_page

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.async_api import Page
    from structlog.typing import FilteringBoundLogger

    from muxd import Run
    from muxd_extract.options import PageOptions

    Row = dict[str, Any]

__all__ = ["extract", "rows_of"]


async def extract(run: Run) -> str | None:
    """The body of a job: says how many rows there are, and what is new.

    Gives None if there are none at all, unless the job's table says that this can be right.
    """
    options: PageOptions = run.config
    rows, whole = await rows_of(
        run.page, options, run.log, lambda count: run.progress(count, text=run.page.url)
    )
    if not rows and run.job.expects_result:
        return None
    complete = options.complete and whole
    key = options.key or None
    saved = await run.save(rows, key=key, complete=complete, may_be_empty=True)
    counts = [(len(saved.new), "new"), (len(saved.changed), "changed"), (len(saved.gone), "gone")]
    if options.file is not None:
        write = partial(_write, rows, options)
        # Whole or not at all: a disk that does not answer may be left to it.
        counts.append((await trio.to_thread.run_sync(write, abandon_on_cancel=True), "written"))
    # With other fields all rows look changed, and the first time all are new: neither is news.
    shape = json.dumps([list(options.columns), options.key])
    if run.state.get("shape") == shape and (news := news_of(saved, options)):
        run.tell(news.title, news.text, options.url[0])
    run.state["shape"] = shape
    words = [f"{count} {what}" for count, what in counts if count] or ["nothing new"]
    return f"{len(rows)} row{'s' * (len(rows) != 1)}: {', '.join(words)}"


async def rows_of(
    page: Page,
    options: PageOptions,
    log: FilteringBoundLogger,
    tell: Callable[[int], object] = lambda _count: None,
) -> tuple[list[Row], bool]:
    """The rows, each once, and whether they are all that there are.

    Args:
      page: where they are read.
      options: what is read.
      log: is told what is left out.
      tell: is told how many there are so far.
    """
    rows: dict[str, Row] = {}
    whole, left_out = True, 0
    for url in options.url:
        await open_page(page, url, options)
        walk = Walk(page, options, log)
        async with contextlib.aclosing(walk.parts()) as parts:
            async for part in parts:
                for raw in await read_rows(part, options.columns):
                    row = typed_row(raw, options.columns)
                    if not _is_usable(row, options):
                        left_out += 1
                        continue
                    key = [row[name] for name in options.key or row]
                    rows.setdefault(json.dumps(key), row)
                tell(len(rows))
                if len(rows) >= options.limit:
                    break
        whole = whole and walk.whole
        if len(rows) >= options.limit:
            log.info("there are more rows, but no more are read", limit=options.limit)
            whole = False
            break
    if left_out:
        log.info("rows without what they need were passed over", rows=left_out)
        whole = whole and bool(rows)  # none but such rows: the page is another than it was
    return list(rows.values())[: options.limit], whole


def _is_usable(row: Row, options: PageOptions) -> bool:
    """Whether it has what its key is made of and what its fields require, and anything at all."""
    needed = {*options.key, *(name for name, field in options.columns.items() if field.required)}
    return all(row[name] not in (None, []) for name in needed) and any(
        value not in (None, [], {}) for value in row.values()
    )


def _write(rows: list[Row], options: PageOptions) -> int:
    """Put the rows into the file; gives how many. Blocks."""
    assert options.file is not None
    columns = tuple(options.columns)
    file = RowFile(
        path=options.file,
        columns=(*columns, options.stamp) if options.stamp else columns,
        key=tuple(options.key) or columns,
    )
    if options.stamp:
        now = datetime.now(UTC).astimezone().isoformat(timespec="seconds")
        rows = [{**row, options.stamp: now} for row in rows]
    return file.append(rows) if options.append else file.replace(rows)
