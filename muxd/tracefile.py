"""Playwright's trace files (zip), with what must not be kept taken out of them."""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

from muxd.errors import MuxdError
from muxd.secrets import secrets_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from muxd.secrets import Secrets

__all__ = ["TraceTooLarge", "masked_trace", "secrets_in_trace"]

_PICTURES = (".jpeg", ".jpg", ".png", ".gif", ".webp", ".avif", ".ico", ".woff", ".woff2", ".ttf")
_LOGS = (".trace", ".network", ".stacks")
"""Lines of JSON; the other entries are what the pages loaded."""
LONGEST_TEXT = 40_000_000
"""Bytes of text that a trace may have in all, unpacked."""
LONGEST_PIECE = 3_000_000
"""Bytes of a line of a log, or of another text: while a pattern is at work on a piece, nothing else
in the process is. A longer one is left out."""


class TraceTooLarge(MuxdError):
    """A trace is larger than it may be, or can't be worked through in time."""


def secrets_in_trace(file: Path, *, in_time: Callable[[], bool]) -> frozenset[str]:
    """The secrets that a trace tells by their places.

    Raises:
      OSError, zipfile.BadZipFile: it can't be read.
      TraceTooLarge: it has more than `LONGEST_TEXT`, or it is not `in_time` any more.
    """
    found: set[str] = set()
    with zipfile.ZipFile(file) as trace:
        if sum(one.file_size for one in trace.infolist() if _is_text(one)) > LONGEST_TEXT:
            raise TraceTooLarge(f"it has more than {LONGEST_TEXT // 10**6} MB of text")
        for one in trace.infolist():
            if one.filename.endswith(_LOGS):
                for line in trace.read(one).split(b"\n"):
                    _hurry(in_time)
                    if len(line) <= LONGEST_PIECE:
                        found |= secrets_in(line.decode("utf-8", "replace"))
    return frozenset(found)


def masked_trace(
    file: Path, secrets: Secrets, *, largest: int, in_time: Callable[[], bool]
) -> bytes:
    """The trace without secrets: pictures and fonts as they are, all that is text masked.

    What is neither is left out.

    Args:
      file: as Playwright wrote it.
      secrets: what is masked.
      largest: bytes that the result may have.
      in_time: False when it has taken long enough.

    Raises:
      OSError, zipfile.BadZipFile: it can't be read.
      TraceTooLarge: it would be larger than `largest`, or it is not `in_time` any more.
    """
    made = io.BytesIO()
    with (
        zipfile.ZipFile(file) as trace,
        zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as result,
    ):
        for one in trace.infolist():
            _hurry(in_time)
            if made.tell() > largest:
                raise TraceTooLarge(f"it would be larger than {largest // 10**6} MB")
            content = trace.read(one)
            if _is_text(one):
                try:
                    text = content.decode()
                except UnicodeDecodeError:
                    continue
                if one.filename.endswith(_LOGS):
                    text = "\n".join(_masked_lines(text, secrets, in_time))
                elif len(content) <= LONGEST_PIECE:
                    text = secrets.mask(text)
                else:
                    continue
                content = text.encode("utf-8", "replace")
            result.writestr(one.filename, content)
    return made.getvalue()


def _is_text(one: zipfile.ZipInfo) -> bool:
    return not one.filename.lower().endswith(_PICTURES)


def _hurry(in_time: Callable[[], bool]) -> None:
    if not in_time():
        raise TraceTooLarge("taking the secrets out of it takes too long")


def _masked_lines(text: str, secrets: Secrets, in_time: Callable[[], bool]) -> Iterator[str]:
    """Lines of JSON, masked such that each is JSON still."""
    for line in text.split("\n"):
        _hurry(in_time)
        if len(line) > LONGEST_PIECE:
            continue
        masked = secrets.mask(line)
        if masked == line or _is_json(masked):
            yield masked
        else:
            yield json.dumps(_walk(line, secrets))


def _is_json(line: str) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def _walk(line: str, secrets: Secrets) -> Any:
    """What a line says, each text of it masked for itself: a secret was like some number of it."""

    def masked(value: Any) -> Any:
        if isinstance(value, str):
            return secrets.mask(value)
        if isinstance(value, list):
            return [masked(each) for each in value]
        if isinstance(value, dict):
            return {secrets.mask(key): masked(each) for key, each in value.items()}
        return value

    try:
        return masked(json.loads(line))
    except (ValueError, RecursionError):
        return {}
