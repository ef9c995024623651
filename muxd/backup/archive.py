"""The one file: written whole or not at all, and read as something that anybody may have written."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import tarfile
import time
from typing import IO, TYPE_CHECKING

import attrs

from muxd.backup.manifest import LARGEST, MANIFEST, Manifest, Part
from muxd.backup.place import private_folder, sync_folder
from muxd.errors import UserError
from muxd.sizes import format_size

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["parts_of", "unpack", "write"]

_CHUNK = 1 << 20
_FRAME = 8192
"""What a file may take in the archive beside its content, bytes."""


def parts_of(folder: Path) -> tuple[Part, ...]:
    """The files below a folder, in the order of their names, each with its checksum."""
    found = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            size = file.tell()
        found.append(Part(str(path.relative_to(folder)), size, digest))
    return tuple(found)


# Writing


def write(target: Path, folder: Path, manifest: Manifest) -> None:
    """Pack a manifest and what it names in `folder`; `target` is there with all of it, or not.

    It is put together in the directory of `folder`, which must be on the same disk as `target`.

    Raises:
      OSError: the disk is full or the like; what was at `target` is still there.
    """
    made = folder.with_name("archive")
    fd = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(fd, "wb") as raw:
        with (
            gzip.GzipFile("", "wb", 6, raw) as packed,
            tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as archive,
        ):
            text = manifest.as_bytes()
            _add(archive, MANIFEST, len(text), io.BytesIO(text))
            for part in manifest.parts:
                _add(archive, part.name, part.size, (folder / part.name).open("rb"))
        raw.flush()
        os.fsync(raw.fileno())
    made.replace(target)
    sync_folder(target.parent)


def _add(
    archive: tarfile.TarFile,
    name: str,
    size: int,
    opened: IO[bytes],
) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime = size, 0o600, int(time.time())
    with opened as file:
        archive.addfile(info, file)


# Reading


def unpack(file: Path, folder: Path, *, room: int) -> Manifest:
    """Unpack a backup into `folder`, which is made; all of it is checked as it goes.

    What is not in the manifest, or not as it says, is never written: no link, no device, no path
    that leads out, and no more bytes than are said at the beginning.

    Args:
      file: the backup.
      folder: all of it is on the disk when this returns.
      room: how many bytes it may take.

    Raises:
      UserError: it is no backup, not whole, was changed, is a newer muxd's, or too large; what was
        unpacked until then is there.
      OSError: the disk is full or the like.
    """
    folder.mkdir(mode=0o700)
    try:
        with (
            file.open("rb") as raw,
            gzip.GzipFile(fileobj=raw, mode="rb") as packed,
            tarfile.open(fileobj=(reader := _Bounded(packed)), mode="r|") as archive,  # type: ignore[call-overload]
        ):
            members = iter(archive)
            manifest = Manifest.of(_manifest(archive, members))
            if manifest.size > room:
                raise UserError(
                    f"it takes {format_size(manifest.size)}, and there is room for "
                    f"{format_size(max(room, 0))}"
                )
            reader.limit += manifest.size + _FRAME * len(manifest.parts)
            for part in manifest.parts:
                member = next(members, None)
                if member is None:
                    raise UserError(f"it is not whole: {part.name} is missing")
                _unpack_one(archive, member, part, folder)
            if next(members, None) is not None:
                raise UserError("it holds more than its manifest says")
    except UserError as error:
        raise UserError(f"{file} can't be used: {error}") from None
    except gzip.BadGzipFile as error:
        raise UserError(f"{file} is no backup of muxd's: {error}") from None
    except OSError:
        raise
    except Exception as error:  # whatever tarfile makes of a header that nobody has written so
        raise UserError(f"{file} is no backup of muxd's, or is damaged: {error}") from None
    for place, _, _ in os.walk(folder, topdown=False):
        sync_folder(place)
    return manifest


def _manifest(archive: tarfile.TarFile, members: Iterator[tarfile.TarInfo]) -> bytes:
    first = next(members, None)
    if first is None or first.name != MANIFEST or not _is_plain(first) or first.size > LARGEST:
        raise UserError("it has no manifest of muxd's")
    content = archive.extractfile(first)
    assert content is not None
    return content.read()


def _unpack_one(
    archive: tarfile.TarFile, member: tarfile.TarInfo, part: Part, folder: Path
) -> None:
    if (member.name, member.size) != (part.name, part.size) or not _is_plain(member):
        raise UserError(f"{member.name!r:.200} is not what its manifest says: {part.name}")
    content, digest = archive.extractfile(member), hashlib.sha256()
    assert content is not None
    place = folder / part.name
    private_folder(place.parent)
    fd = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(fd, "wb") as made:
        while chunk := content.read(_CHUNK):
            digest.update(chunk)
            made.write(chunk)
        made.flush()
        os.fsync(made.fileno())
    if digest.hexdigest() != part.sha256:
        raise UserError(f"{part.name} was changed or is damaged: its checksum is another")


def _is_plain(member: tarfile.TarInfo) -> bool:
    """A file with its content, as `write` writes it: no link, no device, no holes."""
    return member.type in (tarfile.REGTYPE, tarfile.AREGTYPE) and member.sparse is None


@attrs.define
class _Bounded:
    """Reads no more than it may, however much is unpacked from little."""

    inner: gzip.GzipFile
    limit: int = LARGEST + (1 << 20)

    def read(self, size: int = -1) -> bytes:
        """As a file's."""
        found = self.inner.read(size)
        self.limit -= len(found)
        if self.limit < 0:
            raise UserError("it unpacks to more than it says")
        return found
