"""What is in a backup: its first part, by which all others are checked."""

from __future__ import annotations

import json
import re
from typing import Any

import attrs

from muxd.errors import UserError

__all__ = [
    "CONFIG",
    "FORMAT",
    "LARGEST",
    "MANIFEST",
    "PARTS",
    "STATE",
    "Manifest",
    "Part",
    "part_of",
]

FORMAT = 1
"""What this muxd writes and reads."""
MANIFEST = "manifest.json"
LARGEST = 64 << 20
"""A manifest above this, bytes, is none."""
STATE, CONFIG = "state/", "config/muxd.toml"
"""Where in the archive the state directory's files are, and the configuration."""

# What a backup may hold of the state directory, and so all that a restore may touch: name to pattern.
# The ledger is that of whichever store is in force: what else a store keeps is named by it.
PARTS = {
    "sessions": re.compile(r"sessions/[^/]+\.json"),
    "profile": re.compile(r"profile(-[a-z-]+)?/.+"),
    "evidence": re.compile(r"artifacts/[^/]+/[^/]+"),
    "plugins": re.compile(r"disabled-plugins"),
    "data": re.compile(r"data\.db"),
}
_HEX = re.compile(r"[0-9a-f]{64}")


@attrs.frozen
class Part:
    """One file."""

    name: str
    """In the archive: below `STATE`, or `CONFIG`."""
    size: int
    """Bytes."""
    sha256: str


@attrs.frozen(kw_only=True)
class Manifest:
    """All of it, and what it was made of."""

    made_at: str
    """ISO 8601, UTC."""
    muxd: str
    """The version that made it."""
    store: str
    """The class of the store whose files are the ledger."""
    ledger: tuple[str, ...]
    """The names of these, below `STATE`."""
    config: str | None
    """Where the configuration file was."""
    kinds: tuple[str, ...]
    """What it was asked to hold: ``ledger``, and of `PARTS`; also where there was nothing of it."""
    parts: tuple[Part, ...] = ()

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(part.size for part in self.parts)

    def as_bytes(self) -> bytes:
        """As it is written."""
        return json.dumps({"format": FORMAT} | attrs.asdict(self), indent=1).encode() + b"\n"

    @classmethod
    def of(cls, text: bytes) -> Manifest:
        """What was read; all of it is checked, as anybody may have written it.

        Raises:
          UserError: it is a newer muxd's, or is none; the message says so.
        """
        try:
            raw = json.loads(text)
            form = raw["format"]
        except (ValueError, TypeError, KeyError, RecursionError):
            raise UserError("it has no manifest of muxd's") from None
        if form != FORMAT:
            raise UserError(
                f"it is in format {form!r:.20}, and this muxd knows {FORMAT}: use the muxd that made it"
            )
        try:
            manifest = cls(
                **{key: _text(raw[key]) for key in ("made_at", "muxd", "store")},
                config=None if raw["config"] is None else _text(raw["config"]),
                ledger=tuple(map(_text, raw["ledger"])),
                kinds=tuple(map(_text, raw["kinds"])),
                parts=tuple(Part(_text(p["name"]), p["size"], p["sha256"]) for p in raw["parts"]),
            )
        except (ValueError, TypeError, KeyError):
            raise UserError("its manifest is not whole") from None
        manifest._check()
        return manifest

    def _check(self) -> None:
        for name in self.ledger:
            if "/" in name or name.startswith(".") or part_of(name) is not None or not name:
                raise UserError(f"it names {name!r} as a ledger's file, which can't be")
        names = {part.name for part in self.parts}
        if len(names) != len(self.parts):
            raise UserError("it has the same file twice")
        for part in self.parts:
            if not (type(part.size) is int and part.size >= 0 and _is_digest(part.sha256)):
                raise UserError(f"size or checksum of {part.name!r} can't be")
            if not self._may_hold(part.name) or _above(part.name) & names:
                raise UserError(f"it holds {part.name!r}, which no backup of muxd's does")

    def _may_hold(self, name: str) -> bool:
        if name == CONFIG:
            return True
        inner = name.removeprefix(STATE)
        plain = all(piece not in ("", ".", "..") for piece in inner.split("/"))
        kind = "ledger" if inner in self.ledger else part_of(inner)
        printable = all(sign.isprintable() or ord(sign) > 127 for sign in inner)
        return name != inner and plain and printable and kind in self.kinds


def part_of(name: str) -> str | None:
    """The kind of a file of the state directory by its name in there; None: it is no backup's."""
    for kind, pattern in PARTS.items():
        if pattern.fullmatch(name):
            return kind
    return None


def _text(value: Any) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise ValueError
    value.encode(errors="surrogateescape")
    return value


def _is_digest(value: object) -> bool:
    return isinstance(value, str) and _HEX.fullmatch(value) is not None


def _above(name: str) -> set[str]:
    """The directories that it is in."""
    pieces = name.split("/")
    return {"/".join(pieces[:length]) for length in range(1, len(pieces))}
