"""What is wrong, as long as it is."""

from __future__ import annotations

from typing import Any

import attrs

__all__ = ["KINDS", "Key", "Trouble"]

Key = tuple[str, str]

KINDS = ("failure", "pause", "login", "silence", "overload", "browser", "muxd")
"""What can be wrong; ``notify.on`` has ``recovery`` beside them, which is none."""


@attrs.frozen(kw_only=True)
class Trouble:
    """One thing that is wrong."""

    kind: str
    """One of `KINDS`."""
    subject: str = ""
    """Of what kind there may be several: a job, a session, ``memory``."""
    text: str
    """For people: one line, that says what it is about by itself."""
    since: float
    """Unix seconds."""
    run: str | None = None
    """The run that showed it."""

    @property
    def key(self) -> Key:
        """The same as long as it is the same trouble."""
        return (self.kind, self.subject)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return attrs.asdict(self)

    @classmethod
    def from_dict(cls, told: Any) -> Trouble:
        """What `as_dict` gave. Raises TypeError, ValueError: it is something else."""
        found = cls(**told)
        if not isinstance(found.since, (int, float)) or found.kind not in KINDS:
            raise ValueError(f"this is no trouble: {told!r}")
        if not all(isinstance(each, str) for each in (found.subject, found.text)):
            raise ValueError(f"this is no trouble: {told!r}")
        return found
