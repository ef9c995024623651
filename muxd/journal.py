"""systemd's journal, in its own protocol: so that each line has fields, ``journalctl JOB=prices``.

See https://systemd.io/JOURNAL_NATIVE_PROTOCOL/. Nobody waits for it: what it does not take is lost, and
counted.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import struct
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["SOCKET", "Journal", "JournalStream", "is_journal"]

SOCKET = Path("/run/systemd/journal/socket")
LONGEST = 30_000
"""How much of the message is kept, characters."""
VALUE = 2_000
"""How much of any other field."""
_PRIORITY = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2, "exception": 3}
_PLAIN = ("job", "run")
"""What is found under its own name; everything else, and these too, as ``MUXD_...``."""


def is_journal(stream: TextIO, environ: Mapping[str, str] | None = None) -> bool:
    """Whether this stream, or stderr, is the journal's, as systemd says, and fields can be sent."""
    wanted = (os.environ if environ is None else environ).get("JOURNAL_STREAM", "")
    if not wanted or not SOCKET.exists():
        return False
    for each in (stream, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            found = os.fstat(each.fileno())
            if wanted == f"{found.st_dev}:{found.st_ino}":
                return True
    return False


@final
class Journal:
    """Sends entries; one socket, that never blocks."""

    def __init__(self, path: Path | None = None) -> None:
        """Nothing is sent yet. `path`: where the journal listens; None: at `SOCKET`."""
        self._path = path if path is not None else SOCKET
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self.lost = 0
        """How many entries it did not take since the last that it took."""

    def send(self, message: str, priority: int, fields: Mapping[str, object]) -> bool:
        """Send one entry; False if it was not taken. Never blocks, never raises.

        Args:
          message: for people.
          priority: as syslog's, 0 to 7.
          fields: further ones, by names such as ``job``.
        """
        least = {"MESSAGE": message[:LONGEST], "PRIORITY": priority, "SYSLOG_IDENTIFIER": "muxd"}
        if self.lost:
            least["MUXD_LOST"] = self.lost
        all_ = least | dict(_named(fields))
        for entry in (all_, least | {"MESSAGE": message[:VALUE]}):  # the second if that is too long
            data = b"".join(_field(name, value) for name, value in entry.items())
            try:
                self._socket.sendto(data, str(self._path))
            except OSError:
                continue
            self.lost = 0
            return True
        self.lost += 1
        return False

    def close(self) -> None:
        """Send nothing more."""
        self._socket.close()

    def __del__(self) -> None:
        self._socket.close()


@final
class JournalStream:
    """A stream of lines of JSON, as they are logged, of which each becomes an entry."""

    def __init__(self, journal: Journal, otherwise: TextIO | Any) -> None:
        """`otherwise`: gets the lines that the journal does not take."""
        self._journal, self._otherwise = journal, otherwise

    def write(self, text: str) -> int:
        """Send each line."""
        for line in text.splitlines():
            if not line:
                continue
            try:
                told = json.loads(line)
                event, level = str(told.pop("event")), str(told.pop("level"))
            except (ValueError, TypeError, KeyError, AttributeError):
                self._otherwise.write(f"{line}\n")
                continue
            told.pop("at", None)  # the journal has its own
            traces = [str(told.pop(key)) for key in ("stack", "exception") if key in told]
            rest = [f"{key}={_shown(value)}" for key, value in told.items()]
            message = "\n".join(["  ".join([event, *rest]), *traces])
            if not self._journal.send(message, _PRIORITY.get(level, 6), told):
                self._otherwise.write(f"{line}\n")
        return len(text)

    def flush(self) -> None:
        """Each entry is on its way already."""

    def drain(self) -> None:
        """Nothing waits."""


def _named(fields: Mapping[str, object]) -> dict[str, object]:
    """By names that the journal takes; none is one of its own."""
    found: dict[str, object] = {}
    for key, value in fields.items():
        name = re.sub(r"[^A-Z0-9_]", "_", key.upper())
        found[f"MUXD_{name}"[:64]] = value
        if key in _PLAIN:
            found[name] = value
    return found


def _field(name: str, value: object) -> bytes:
    """One field, in the form that may have any bytes in it."""
    text = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    if name != "MESSAGE":
        text = text[:VALUE]
    data = text.encode("utf-8", "backslashreplace")
    return name.encode("ascii") + b"\n" + struct.pack("<Q", len(data)) + data + b"\n"


def _shown(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    return text if text and text.isprintable() and " " not in text else repr(text)
