"""The token that opens the dashboard: made once, kept in the state directory, its owner's alone."""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["TOKEN_NAME", "find_token", "link_to", "make_token"]

TOKEN_NAME = "token"
"""The file, in the state directory."""
_LEAST = 32


def find_token(state_dir: Path) -> str | None:
    """The token; None: there is none yet, or none that would do. Raises `OSError`."""
    try:
        text = (state_dir / TOKEN_NAME).read_text(errors="replace").strip()
    except FileNotFoundError:
        return None
    return text if len(text) >= _LEAST and text.isascii() and text.isprintable() else None


def link_to(state_dir: Path, url: str) -> str:
    """The link that opens the dashboard at `url`, which ends with a slash. Raises `OSError`."""
    token = find_token(state_dir)
    return url if token is None else f"{url}?token={token}"


def make_token(state_dir: Path) -> str:
    """The token, made if there is none; delete the file for another. Raises `OSError`.

    To be called only by who holds the state directory. The file is whole or not there: a power cut
    never leaves an empty one, which would be no secret.
    """
    found = find_token(state_dir)
    if found is not None:
        (state_dir / TOKEN_NAME).chmod(0o600)
        return found
    token = secrets.token_urlsafe(_LEAST)
    new = state_dir / f"{TOKEN_NAME}.new"
    new.unlink(missing_ok=True)
    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(fd, "w") as file:
        file.write(token + "\n")
        file.flush()
        os.fsync(file.fileno())
    new.replace(state_dir / TOKEN_NAME)
    return token
