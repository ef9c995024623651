"""The audit trail: who wanted what of the daemon, when, and what came of it. The owner of its file."""

from __future__ import annotations

import contextlib
import json
import os
from functools import partial
from typing import TYPE_CHECKING, Any, final

import structlog
import trio

from muxd.errors import MuxdError, UserError
from muxd.events import Steered
from muxd.record import utc_text

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator
    from pathlib import Path

    from muxd.bus import Bus
    from muxd.events import Event

    InThread = Callable[[Callable[[], None]], Awaitable[None]]

__all__ = ["AuditTrail", "Told", "read_trail"]

FILE_NAME = "audit.jsonl"
SIZE = 1_000_000
"""How large its file may be until it becomes ``audit.jsonl.1``, in place of what was that, bytes."""
TEXT = 1_000
"""How long what somebody said may be, characters."""
BOUND = 5.0
"""How long the last lines may take to be written when muxd stops, seconds."""


async def in_a_thread(write: Callable[[], None]) -> None:
    """Cancelled, the thread goes on alone, and writes what it has."""
    await trio.to_thread.run_sync(write, abandon_on_cancel=True)


class Told:
    """What came of it, for people."""

    def __init__(self) -> None:
        self.result = "done"


@final
class AuditTrail:
    """Tells the bus of each, and keeps them in a file of the state directory: a line of JSON each.

    A line that can't be written is in the log, and costs nobody anything.
    """

    def __init__(
        self,
        folder: Path,
        bus: Bus[Event],
        *,
        real_now: Callable[[], float],
        in_thread: InThread = in_a_thread,
    ) -> None:
        """Nothing is written yet.

        Args:
          folder: the state directory.
          bus: is told of each.
          real_now: Unix seconds.
          in_thread: has the file written: no disk is to hold up a run.
        """
        self._in_thread = in_thread
        self._path, self._bus, self._real_now = folder / FILE_NAME, bus, real_now
        self._unwritten: list[Steered] = []
        self._news = trio.Event()
        self._turn = trio.Lock()

    def add(self, by: str, action: str, target: str, result: str) -> None:
        """Somebody wanted something. Never blocks."""
        event = Steered(
            at=self._real_now(),
            by=by[:TEXT],
            action=action,
            target=target[:TEXT],
            result=result[:TEXT],
        )
        structlog.get_logger().info(
            "somebody steers muxd", by=by, action=action, target=target, result=event.result
        )
        self._bus.publish(event)
        self._unwritten.append(event)
        self._news.set()

    @contextlib.contextmanager
    def of(self, by: str, action: str, target: str) -> Iterator[Told]:
        """What is done inside is what somebody wanted; what it raises is what came of it."""
        told = Told()
        try:
            yield told
        except MuxdError as error:
            how = "refused" if isinstance(error, UserError) else "failed"
            self.add(by, action, target, f"{how}: {error}")
            raise
        self.add(by, action, target, told.result)

    async def run(self) -> None:
        """Write what comes, until cancelled; then what is left is for `finish`."""
        while True:
            await self._news.wait()
            self._news = trio.Event()
            await self._write()

    async def finish(self) -> None:
        """Write what is left. Bounded; never raises."""
        with trio.CancelScope(shield=True, deadline=trio.current_time() + BOUND):
            await self._write()

    async def _write(self) -> None:
        async with self._turn:
            events, self._unwritten = self._unwritten, []
            if not events:
                return
            lines = [json.dumps(_as_dict(event)) for event in events]
            try:
                await self._in_thread(partial(_append, self._path, lines))
            except OSError as error:
                structlog.get_logger().error(
                    "the audit trail can't be written: this is in the log only",
                    error=str(error),
                    lines=lines,
                )


def read_trail(folder: Path, limit: int) -> list[dict[str, Any]]:
    """The newest so many, newest first: ``at`` (UTC), ``by``, ``action``, ``target``, ``result``.

    Raises:
      OSError: it can't be read; that there is none is no error.
    """
    found: list[dict[str, Any]] = []
    for path in (folder / FILE_NAME, folder / f"{FILE_NAME}.1"):
        if len(found) >= limit:
            break
        try:
            lines = path.read_text("utf-8", "replace").splitlines()
        except FileNotFoundError:
            continue
        found += _parsed(reversed(lines))
    return found[:limit]


def _parsed(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    for line in lines:
        with contextlib.suppress(ValueError):  # cut off by a power cut
            row = json.loads(line)
            if isinstance(row, dict) and {"at", "by", "action", "target", "result"} <= row.keys():
                yield row


def _as_dict(event: Steered) -> dict[str, Any]:
    return {
        "at": utc_text(event.at),
        "by": event.by,
        "action": event.action,
        "target": event.target,
        "result": event.result,
    }


def _append(path: Path, lines: list[str]) -> None:
    text = "".join(f"{line}\n" for line in lines).encode("ascii")
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        size = os.fstat(fd).st_size
        if size and size + len(text) > SIZE:
            path.replace(path.with_name(f"{FILE_NAME}.1"))
            os.close(fd)
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        elif size and os.pread(fd, 1, size - 1) != b"\n":  # the last line was cut off
            text = b"\n" + text
        while text:
            text = text[os.write(fd, text) :]
        os.fsync(fd)
    finally:
        os.close(fd)
