"""Putting what was unpacked in the place of what is there: in steps, each of which may be the last.

Everything is unpacked and checked under `PLACE` in the state directory first. A note in there decides:
as long as it is not written, nothing was changed; from then on the rest is only moves, which whoever
holds the directory next makes up for, if the power goes in between.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from muxd.backup.place import PLACE, sync_folder

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["NEW", "Swap", "finish", "is_pending"]

_NOTE = "ready.json"
NEW = "new"
"""Below `PLACE`: what was unpacked."""


@attrs.frozen(kw_only=True)
class Swap:
    """What goes where. Names are those of entries of the state directory."""

    aside: str
    """The directory that takes what was there."""
    old: Sequence[str]
    """What goes there."""
    new: Sequence[str]
    """What takes its place, from ``state/`` of what was unpacked."""
    config: str | None = None
    """The configuration file that is replaced, from ``config/muxd.toml`` of what was unpacked."""

    def decide(self, root: Path) -> None:
        """From now on it will be done, whatever happens. All that was unpacked is on the disk."""
        note = root / PLACE / _NOTE
        draft = note.with_name("draft.json")
        with draft.open("w", encoding="utf-8") as file:
            json.dump(attrs.asdict(self), file)
            file.flush()
            os.fsync(file.fileno())
        sync_folder(root)
        draft.replace(note)
        sync_folder(note.parent)


def is_pending(root: Path) -> bool:
    """Whether a restore was decided and is not finished."""
    return (root / PLACE / _NOTE).exists()


def finish(root: Path) -> Path | None:
    """Do what is left to be done, if anything is; to be called by who holds the state directory.

    Returns:
      Where what was there before is now; None if nothing was to be done.

    Raises:
      OSError: something can't be moved: the next call goes on.
    """
    note, new = root / PLACE / _NOTE, root / PLACE / NEW
    if not note.exists():
        return None
    swap = Swap(**json.loads(note.read_text("utf-8")))
    aside = root / swap.aside
    aside.mkdir(mode=0o700, exist_ok=True)
    for name in swap.old:
        # What is aside already has been moved: what stands there now is the new one.
        if os.path.lexists(root / name) and not os.path.lexists(aside / name):
            (root / name).rename(aside / name)
    sync_folder(aside)
    sync_folder(root)
    for name in swap.new:
        if (new / "state" / name).exists():
            (new / "state" / name).rename(root / name)
    sync_folder(root)
    if swap.config is not None:
        _replace_config(Path(swap.config), new / "config" / "muxd.toml", aside / "muxd.toml")
    note.unlink()
    sync_folder(root / PLACE)
    shutil.rmtree(root / PLACE, ignore_errors=True)
    return aside


def _replace_config(place: Path, new: Path, aside: Path) -> None:
    """The last step, as it says where the state is: before it, the old one finds this directory."""
    if not new.exists():
        return
    if place.exists() and not aside.exists():
        _copy(place, aside)
    place.parent.mkdir(parents=True, exist_ok=True)
    _copy(new, place)
    new.unlink()


def _copy(source: Path, target: Path) -> None:
    draft = target.with_name(f".{target.name}.new")
    mode = target.stat().st_mode & 0o777 if target.exists() else 0o600
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(source.read_bytes())
        os.fchmod(file.fileno(), mode)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(target)
    sync_folder(target.parent)
