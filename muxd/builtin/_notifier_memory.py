"""What people were told, kept over restarts: what they know is not told again."""

from __future__ import annotations

import contextlib
import json
import os
from typing import TYPE_CHECKING

import attrs

from muxd.builtin._notifier_trouble import Trouble

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from muxd.builtin._notifier_trouble import Key

__all__ = ["FILE_NAME", "Memory"]

FILE_NAME = "notified.json"


@attrs.frozen(kw_only=True)
class Memory:
    """All of it; instants in Unix seconds."""

    told: Sequence[Trouble] = ()
    """What people know to be wrong."""
    recent: Mapping[Key, float] = attrs.field(factory=dict)
    """When what they were told lately was."""
    restarting: bool = False
    """muxd is about to end and to start again because somebody wants it to."""

    @classmethod
    def load(cls, folder: Path) -> Memory:
        """What was saved; nothing if that can't be read."""
        try:
            raw = json.loads((folder / FILE_NAME).read_text("utf-8"))
            return cls(
                told=[Trouble.from_dict(each) for each in raw["told"]],
                recent={
                    (str(kind), str(subject)): float(at) for kind, subject, at in raw["recent"]
                },
                restarting=bool(raw["restarting"]),
            )
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            return cls()

    def save(self, folder: Path) -> None:
        """Keep it: whole, or as it was. Blocks. Raises OSError."""
        text = json.dumps(
            {
                "told": [each.as_dict() for each in self.told],
                "recent": [[*key, at] for key, at in self.recent.items()],
                "restarting": self.restarting,
            }
        )
        path, beside = folder / FILE_NAME, folder / f".{FILE_NAME}.new"
        try:
            with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                file.write(text)
            beside.replace(path)
        except OSError:
            with contextlib.suppress(OSError):
                beside.unlink()
            raise
