"""A backup, from the state directory into a file, beside a daemon that runs."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import trio

from muxd.backup.archive import parts_of, write
from muxd.backup.manifest import CONFIG, Manifest
from muxd.backup.place import private_folder
from muxd.backup.profile import copy_profile
from muxd.body.copying import copy_data
from muxd.body.data import FILE_NAME
from muxd.errors import LedgerError
from muxd.record import utc_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from muxd.abc import Store
    from muxd.state import StateDir

__all__ = ["Making"]


@attrs.frozen(kw_only=True)
class Making:
    """What a backup is to hold, and of what it is made."""

    state: StateDir
    store: Store
    config: Path | None
    """The configuration file, if there is one."""
    version: str
    """Of muxd."""
    sessions: bool = True
    """With the named sessions, and the profile that ``main`` is."""
    data: bool = True
    """With what jobs have saved, and their states."""
    evidence: bool = False
    """With what runs that did not end well have left."""

    def make(self, target: Path) -> Manifest:
        """Write the backup, mode 0600; what was at `target` is there until it is complete.

        It is put together in a directory beside `target`, which is gone afterwards.

        Raises:
          LedgerError: the store can't be copied.
          DataError: the data file can't be.
          WorldError: the browser's profile can't be.
          OSError: something can't be read, or the disk is full.
        """
        with _workshop(target) as folder:
            content = folder / "content"
            private_folder(content / "state")
            ledger = self._ledger(folder, content / "state")
            kinds = ["ledger", "plugins"]
            if self.data:
                # After the ledger: a state does not count if its run is in there and has not ended.
                kinds.append("data")
                copy_data(self.state.root / FILE_NAME, content / "state" / FILE_NAME)
            _copy(self.state.root / "disabled-plugins", content / "state" / "disabled-plugins")
            if self.sessions:
                kinds += ["sessions", "profile"]
                self._sessions(content / "state")
            if self.evidence:
                kinds.append("evidence")
                self._evidence(content / "state" / "artifacts")
            if self.config is not None:
                _copy(self.config, content / CONFIG)
            kind = type(self.store)
            manifest = Manifest(
                made_at=utc_text(time.time()) or "",
                muxd=self.version,
                store=f"{kind.__module__}.{kind.__qualname__}",
                ledger=ledger,
                config=None if self.config is None else str(self.config),
                kinds=tuple(kinds),
                parts=parts_of(content),
            )
            write(target, content, manifest)
            return manifest

    def _ledger(self, folder: Path, into: Path) -> tuple[str, ...]:
        copied = folder / "ledger"
        copied.mkdir(mode=0o700)
        trio.run(self.store.backup, copied)
        names = sorted(os.listdir(copied))
        for name in names:
            if not (copied / name).is_file():
                raise LedgerError(f"the store's copy holds {name!r}, which is no file")
            (copied / name).rename(into / name)
        return tuple(names)

    def _sessions(self, into: Path) -> None:
        for file in sorted(self.state.sessions.glob("*.json")):
            if not file.name.startswith("."):  # else it is not finished
                _copy(file, into / "sessions" / file.name)
        for profile in sorted(self.state.root.glob("profile*")):
            if profile.is_dir():
                copy_profile(profile, into / profile.name)

    def _evidence(self, into: Path) -> None:
        # Each folder appears whole, and goes when it is too old: then it is not missed.
        for folder in sorted(self.state.artifacts.glob("*")):
            if folder.name.startswith(".") or not folder.is_dir():
                continue
            for file in sorted(folder.iterdir()) if folder.is_dir() else ():
                if file.is_file() and not file.is_symlink():
                    _copy(file, into / folder.name / file.name)


def _copy(source: Path, target: Path) -> None:
    """Copy a file, if it is there."""
    with contextlib.suppress(FileNotFoundError), source.open("rb") as file:
        private_folder(target.parent)
        fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(fd, "wb") as made:
            shutil.copyfileobj(file, made, 1 << 20)


@contextlib.contextmanager
def _workshop(target: Path) -> Iterator[Path]:
    """A private directory beside `target`; those that a backup left which was killed go first."""
    prefix = f".{target.name}."
    for old in target.parent.glob(f"{prefix}*"):
        with contextlib.suppress(OSError):
            fd = os.open(old, os.O_RDONLY | os.O_DIRECTORY)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(old, ignore_errors=True)
            finally:
                os.close(fd)
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=target.parent))
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield folder
    finally:
        os.close(fd)
        shutil.rmtree(folder, ignore_errors=True)
