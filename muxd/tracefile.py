"""Playwright's trace files (zip), with what must not be kept taken out of them."""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

from muxd.errors import MuxdError
from muxd.secrets import secrets_in

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from muxd.secrets import Secrets

__all__ = ["TraceTooLarge", "masked_trace", "secrets_in_trace"]

_PICTURES = (".jpeg", ".jpg", ".png", ".gif", ".webp", ".avif", ".ico", ".woff", ".woff2", ".ttf")
_LOGS = (".trace", ".network", ".stacks")
"""Lines of JSON; the other entries are what the pages loaded."""
LONGEST_TEXT = 60_000_000
"""Bytes of text that a trace may have in all, unpacked."""


class TraceTooLarge(MuxdError):
    """A trace is larger than it may be, or can't be worked through in time."""


def secrets_in_trace(file: Path) -> frozenset[str]:
    """The secrets that a trace tells by their places.

    Raises:
      OSError, zipfile.BadZipFile: it can't be read.
      TraceTooLarge: it has more than `LONGEST_TEXT`.
    """
    found: set[str] = set()
    with zipfile.ZipFile(file) as trace:
        if sum(one.file_size for one in trace.infolist() if _is_text(one)) > LONGEST_TEXT:
            raise TraceTooLarge(f"it has more than {LONGEST_TEXT // 10**6} MB of text")
        for one in trace.infolist():
            if one.filename.endswith(_LOGS):
                found |= secrets_in(trace.read(one).decode("utf-8", "replace"))
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
            if not in_time():
                raise TraceTooLarge("taking the secrets out of it takes too long")
            if made.tell() > largest:
                raise TraceTooLarge(f"it would be larger than {largest // 10**6} MB")
            content = trace.read(one)
            if _is_text(one):
                try:
                    text = content.decode()
                except UnicodeDecodeError:
                    continue
                masked = (
                    _masked_log(text, secrets)
                    if one.filename.endswith(_LOGS)
                    else secrets.mask(text)
                )
                content = masked.encode("utf-8", "replace")
            result.writestr(one.filename, content)
    return made.getvalue()


def _is_text(one: zipfile.ZipInfo) -> bool:
    return not one.filename.lower().endswith(_PICTURES)


def _masked_log(text: str, secrets: Secrets) -> str:
    """Lines of JSON, masked such that each is JSON still."""
    lines = text.split("\n")
    for number, line in enumerate(lines):
        masked = secrets.mask(line)
        if masked != line:
            lines[number] = masked if _is_json(masked) else json.dumps(_walk(line, secrets))
    return "\n".join(lines)


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
