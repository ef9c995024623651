"""A backup put back: checked to the last byte before anything is changed, and nothing is lost by it."""

from __future__ import annotations

import os
import re
import shutil
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import attrs
import trio

from muxd.backup.archive import unpack
from muxd.backup.manifest import CONFIG, STATE, Manifest
from muxd.backup.place import PLACE
from muxd.backup.swap import NEW, Swap, finish
from muxd.body.copying import look_through
from muxd.body.data import FILE_NAME
from muxd.errors import DataError, LedgerError, UserError
from muxd.resources import free_disk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from muxd.abc import Store

__all__ = ["Restoring"]

SPARE = 20_000_000
"""What must be free beside it, bytes."""
_PROFILE = re.compile(r"profile(-[a-z-]+)?")


@attrs.frozen(kw_only=True)
class Restoring:
    """A backup, and what of it is wanted."""

    file: Path
    store: Callable[[Path], Store]
    """Makes the store that is in force, on a directory."""
    config: Path | None
    """The configuration file that is replaced, or made; None: none is."""
    sessions: bool = True
    """Those of the backup replace those that are there."""

    def check(self, folder: Path) -> Manifest:
        """Unpack it into `folder`, which is made, and look through the ledger.

        Raises:
          UserError: it can't be used; the message says why.
          OSError: the disk is full or the like.
        """
        room = free_disk(folder.parent).size - SPARE
        manifest = unpack(self.file, folder, room=room)
        (folder / "state").mkdir(mode=0o700, exist_ok=True)  # of a backup of nothing
        store = self.store(folder / "state")
        kind = f"{type(store).__module__}.{type(store).__qualname__}"
        if manifest.ledger and kind != manifest.store:
            raise UserError(
                f"{self.file} has records of the store {manifest.store}, and {kind} is in force: "
                "install and enable the plugin that has that store"
            )
        try:
            trio.run(store.inspect)
            look_through(folder / "state" / FILE_NAME)
        except (LedgerError, DataError) as error:
            raise UserError(
                f"{self.file}, made by muxd {manifest.muxd}, can't be used: {error}"
            ) from None
        return manifest

    def restore(self, root: Path) -> tuple[Manifest, Path]:
        """Put it in the place of what is in the state directory, which the caller holds.

        Returns:
          What was restored, and where what was there before is now.

        Raises:
          UserError: it can't be used; nothing was changed.
          OSError: nothing was changed, or the next who holds the directory goes on.
        """
        place = root / PLACE
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(mode=0o700)
        try:
            manifest = self.check(place / NEW)
            swap = self._swap(root, manifest)
        except BaseException:
            shutil.rmtree(place, ignore_errors=True)
            raise
        swap.decide(root)
        aside = finish(root)
        assert aside is not None
        return manifest, aside

    def _swap(self, root: Path, manifest: Manifest) -> Swap:
        names = [part.name for part in manifest.parts]
        there = {name.removeprefix(STATE).partition("/")[0] for name in names if name != CONFIG}
        kept = () if self.sessions else ("sessions", *filter(_PROFILE.fullmatch, there))
        config = self.config if CONFIG in names else None
        return Swap(
            aside=self._aside(root),
            old=[name for name in self._replaced(root, manifest) if name not in kept],
            new=sorted(there - set(kept)),
            config=None if config is None else str(config),
        )

    def _replaced(self, root: Path, manifest: Manifest) -> Iterator[str]:
        """What is there now of what the backup holds: also where it holds nothing of the kind."""
        stems = {name.partition(".")[0] for name in manifest.ledger}
        for name in sorted(os.listdir(root)):
            # A ledger's journals, and what was set aside of it, are the old ledger's.
            of_ledger = name in manifest.ledger or any(
                name.startswith((f"{stem}-", f"{stem}.")) for stem in stems
            )
            kinds = {
                "ledger": of_ledger,
                "plugins": name == "disabled-plugins",
                "data": name.startswith((FILE_NAME, "data-damaged-")),
                "sessions": name == "sessions" and self.sessions,
                "profile": _PROFILE.fullmatch(name) is not None and self.sessions,
                "evidence": name == "artifacts",
            }
            if any(kinds[kind] for kind in manifest.kinds):
                yield name

    def _aside(self, root: Path) -> str:
        name = f"before-restore-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
        taken = sum(1 for _ in root.glob(f"{name}*"))
        return f"{name}-{taken + 1}" if taken else name
