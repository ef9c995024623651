"""What `muxd start` says while it runs, to systemd's journal: an entry an event, with fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

import trio

from muxd.abc import Sink
from muxd.events import BrowserDown, JobPaused, ResourcesLow, RunEnded, RunReleased, RunStarted

if TYPE_CHECKING:
    from muxd.events import Event
    from muxd.journal import Journal
    from muxd.record import Record

__all__ = ["JournalSink"]

DEBUG, INFO, WARNING = 7, 6, 4


@final
class JournalSink(Sink):
    """``journalctl JOB=prices`` shows the runs of a job, ``RUN=...`` one of them."""

    name = "journal"

    def __init__(self, journal: Journal) -> None:
        """Send to `journal`."""
        self._journal = journal

    async def handle(self, event: Event) -> None:
        """Send one event; it never blocks."""
        told = event.as_dict()
        fields: dict[str, Any] = {"event": told.pop("event")}
        told.pop("at")
        record: Record | None = getattr(event, "record", None)
        if record is not None:
            fields |= {"job": record.job, "run": record.id}
            fields |= {k: v for k, v in told["record"].items() if v is not None} | fields
        else:
            fields |= told
        self._journal.send(_words(event, told), _priority(event), fields)
        await trio.lowlevel.checkpoint()


def _words(event: Event, told: dict[str, Any]) -> str:
    match event:
        case RunReleased():
            return f"{event.record.job} waits ({event.record.cause.value})"
        case RunStarted():
            return f"{event.record.job} runs"
        case RunEnded():
            record = event.record
            took = f" after {record.duration:.2f} s" if record.duration is not None else ""
            why = (record.error or record.error_type or "").partition("\n")[0]
            return f"{record.job} {record.outcome}{took}" + (f": {why}" if why else "")
        case _:
            rest = [f"{key}={value}" for key, value in told.items() if value is not None]
            return "  ".join([event.name.replace("_", " "), *rest])


def _priority(event: Event) -> int:
    match event:
        case RunReleased() | RunStarted():
            return DEBUG
        case RunEnded():
            outcome = event.record.outcome
            return WARNING if outcome is not None and outcome.ran and not outcome.good else INFO
        case BrowserDown():
            wanted = event.reason == "closed" or event.reason.startswith("recycled")
            return INFO if wanted else WARNING
        case JobPaused() | ResourcesLow():
            return WARNING
        case _:
            return INFO
