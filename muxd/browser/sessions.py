"""Sessions: whose cookies a page has.

``main`` is the browser's persistent profile. A named session is kept in a file between runs and
lives in a context of its own during each; ``fresh`` is a context that nothing is kept of. All of
them are in the one browser process.
"""

from __future__ import annotations

import json
import os
import threading
from typing import TYPE_CHECKING, Any

import attrs

from muxd.errors import SessionError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["FRESH", "MAIN", "SessionFiles", "Stamp"]

MAIN = "main"
FRESH = "fresh"

Stamp = tuple[int, int, int]
"""Tells one state of a file from another."""


@attrs.frozen
class SessionFiles:
    """The files of the named sessions: cookies, local storage and IndexedDB as JSON, mode 0600."""

    folder: Path
    """Made with mode 0700 when the first session is saved."""
    _turn: threading.Lock = attrs.field(factory=threading.Lock, init=False, eq=False, repr=False)

    def path(self, session: str) -> Path:
        """Where this session is kept. Its name was checked when the job was declared."""
        return self.folder / f"{session}.json"

    def stamp(self, session: str) -> Stamp | None:
        """Another one whenever the file has been replaced or written; None if there is none."""
        try:
            found = self.path(session).stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size

    def load(self, session: str) -> dict[str, Any] | None:
        """The saved state; None if there is none yet.

        Raises:
          SessionError: the file is damaged or can't be read. It is left as it is.
        """
        try:
            text = self.path(session).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise self.damaged(session) from error
        try:
            state = json.loads(text)
        except ValueError:
            state = None
        if not isinstance(state, dict):
            raise self.damaged(session)
        return state

    def damaged(self, session: str) -> SessionError:
        """The error that says so, and what to do."""
        return SessionError(
            f"the saved session {session!r} is damaged: delete {self.path(session)} and log in again"
        )

    def save(self, session: str, state: Any) -> None:
        """Replace the saved state, whole or not at all, also if the power goes.

        One call comes after the other, also from several threads: whoever gave up waiting for a
        disk that hangs has an older state written first.

        Raises:
          OSError: the disk is full or the like; what was there before is still there.
        """
        with self._turn:
            self._save(session, state)

    def _save(self, session: str, state: Any) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Always the same name: what a muxd that was killed left of it is overwritten.
        name = self.folder / f".{session}.new"
        fd = os.open(name, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
        try:
            with os.fdopen(fd, "w", encoding="utf-8") as file:
                json.dump(state, file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, self.path(session))
        except BaseException:
            os.unlink(name)
            raise
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
