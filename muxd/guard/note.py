"""What the guard writes down for the next daemon: what became of the run that the last one had."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["FILE_NAME", "Note"]

FILE_NAME = "death.json"
STACK_LENGTH = 3500


@dataclass(frozen=True)
class Note:
    """The end of a daemon while a run was in progress."""

    run: str
    """The run's id."""
    job: str
    at: float
    """When the daemon ended, real Unix seconds."""
    how: str
    """``SIGSEGV``, ``exit code 3``."""
    blocked: float | None = None
    """If it was killed because it was blocked: for how long, seconds."""
    stack: str = ""
    """Where it was blocked, innermost call first."""

    @property
    def harm(self) -> str:
        """What is charged to the run."""
        if self.blocked is not None:
            return f"blocked muxd for {self.blocked:.1f} s, until muxd was killed"
        return f"muxd died ({self.how}) while it ran"

    @property
    def error(self) -> str:
        """The text of the record's error."""
        if self.blocked is None:
            return self.harm
        where = f"; it was in\n{self.stack}" if self.stack else ""
        return f"it {self.harm}{where}"

    def write(self, directory: str) -> None:
        """Put it into the state directory, wholly or not at all. Raises `OSError`."""
        path = os.path.join(directory, FILE_NAME)
        fd = os.open(f"{path}.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            with open(fd, "w", encoding="utf-8", errors="backslashreplace") as file:
                json.dump(asdict(self), file)
                file.flush()
                os.fsync(fd)
            os.replace(f"{path}.new", path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(f"{path}.new")
            raise

    @classmethod
    def read(cls, directory: str) -> Note | None:
        """The note in the state directory; None if there is none, or none that makes sense."""
        try:
            with open(os.path.join(directory, FILE_NAME), encoding="utf-8") as file:
                found: Any = json.load(file)
            note = cls(**found)
            blocked = None if note.blocked is None else float(note.blocked)
            stack = str(note.stack)[:STACK_LENGTH]
            return cls(str(note.run), str(note.job), float(note.at), str(note.how), blocked, stack)
        except (OSError, ValueError, TypeError):
            return None

    @staticmethod
    def remove(directory: str) -> None:
        """Take the note away, if there is one. Raises `OSError`."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(directory, FILE_NAME))
