"""The folder of pictures: written whole or not at all, listed, and thinned out.

``FOLDER/JOB/2026-01-31T091500Z_example.org_1280x720.png``, and a small one of each in
``FOLDER/JOB/small``. The names say all there is to know, so that a folder can be copied, or cleared by
hand.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING, final

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Album", "Shot", "is_shot_name", "small_of", "write_whole"]

_NAME = re.compile(
    r"(?P<stamp>\d{4}-\d\d-\d\dT\d{6}Z)_(?P<label>[A-Za-z0-9][A-Za-z0-9@._-]*)\.(?P<suffix>png|jpg|pdf)"
)
_STAMP = "%Y-%m-%dT%H%M%SZ"
_PART = ".part-"
"""How the names of files begin that are being written."""
_PART_AGE = 3600.0
"""Older ones, seconds, are what a killed process left."""


@attrs.frozen(order=True)
class Shot:
    """One picture, or PDF, of an album. They sort by time."""

    at: float
    """When its run began, Unix seconds, whole."""
    label: str
    """What it shows: ``example.org_iphone-15_dark``."""
    path: Path

    @property
    def small(self) -> Path:
        """A small picture of it; it may be missing."""
        return small_of(self.path)

    @property
    def is_pdf(self) -> bool:
        """It is no picture."""
        return self.path.suffix == ".pdf"


def small_of(path: Path) -> Path:
    """Where the small picture of one is."""
    return path.parent / "small" / f"{path.name}.jpg"


def is_shot_name(name: str) -> bool:
    """Whether a file of this name is one of ours."""
    return _NAME.fullmatch(name) is not None


@final
@attrs.frozen
class Album:
    """The pictures of one job."""

    folder: Path
    """Made when the first picture is put in."""

    def path(self, at: float, label: str, suffix: str) -> Path:
        """Where a picture is put."""
        stamp = datetime.fromtimestamp(at, UTC).strftime(_STAMP)
        return self.folder / f"{stamp}_{label}.{suffix}"

    def shots(self) -> list[Shot]:
        """All there are, newest first; none if there is no folder."""
        found = []
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            for path in self.folder.iterdir():
                if match := _NAME.fullmatch(path.name):
                    with contextlib.suppress(ValueError):  # a 13th month
                        moment = datetime.strptime(match["stamp"], _STAMP).replace(tzinfo=UTC)
                        found.append(Shot(moment.timestamp(), match["label"], path))
        return sorted(found, key=lambda shot: (-shot.at, shot.label))

    def latest(self) -> list[Shot]:
        """The newest picture of each label."""
        newest: dict[str, Shot] = {}
        for shot in self.shots():
            newest.setdefault(shot.label, shot)
        return sorted(newest.values(), key=lambda shot: shot.label)

    def thin_out(self, *, keep: int, keep_for: float, now: float) -> list[Shot]:
        """Delete what is too much or too old; nothing but our own files, and never a label's newest.

        Args:
          keep: how many of each label stay; 0: all.
          keep_for: how long one stays, seconds; 0: for good.
          now: Unix seconds.

        Returns:
          What was deleted.
        """
        gone, seen = [], dict[str, int]()
        for shot in self.shots():
            number = seen[shot.label] = seen.get(shot.label, 0) + 1
            too_many = keep and number > keep
            too_old = keep_for and shot.at < now - keep_for and number > 1
            if too_many or too_old:
                shot.small.unlink(missing_ok=True)
                shot.path.unlink(missing_ok=True)
                gone.append(shot)
        for path in self._left_behind(now):
            path.unlink(missing_ok=True)
        return gone

    def _left_behind(self, now: float) -> Iterator[Path]:
        for folder in (self.folder, self.folder / "small"):
            with contextlib.suppress(FileNotFoundError):
                for path in folder.glob(f"{_PART}*"):
                    with contextlib.suppress(FileNotFoundError):
                        if path.stat().st_mtime < now - _PART_AGE:
                            yield path


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that who looks finds all of it, or what was there before.

    Its folders are made. Raises `OSError`: it can't be written, and nothing is left of it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{_PART}{secrets.token_hex(4)}-{path.name}")
    try:
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise
