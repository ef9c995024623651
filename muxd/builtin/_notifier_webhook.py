"""The webhook: what is sent, and how it is signed."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import time
from typing import TYPE_CHECKING, final

import muxd

if TYPE_CHECKING:
    from collections.abc import Callable

    from muxd.builtin._notifier_message import Message

__all__ = ["post", "signature"]


def signature(secret: str, body: bytes, at: int) -> str:
    """The value of ``X-Muxd-Signature``.

    Args:
      secret: what both sides know.
      body: the request's.
      at: when it is sent, Unix seconds: who gets it refuses what is old, and so what is sent again by
        somebody who has listened.
    """
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


async def post(
    url: str, secret: str, message: Message, *, now: Callable[[], float] = time.time
) -> int:
    """Send a message once; gives the status of the answer.

    Raises:
      OSError: no answer came.
      ValueError: the URL is none.
    """
    import httpx

    body = json.dumps(message.as_dict(), ensure_ascii=False, separators=(",", ":")).encode(
        "utf-8", "replace"
    )
    headers = {
        "content-type": "application/json",
        "user-agent": f"muxd/{muxd.__version__}",
        "idempotency-key": message.id,
        "x-muxd-signature": signature(secret, body, int(now())),
    }
    try:
        with _Unlogged(str(httpx.URL(url))):
            async with (
                httpx.AsyncClient(timeout=10.0, follow_redirects=False) as client,
                client.stream("POST", url, content=body, headers=headers) as answer,
            ):
                return answer.status_code
    except httpx.InvalidURL as error:
        raise ValueError(str(error)) from None
    except httpx.HTTPError as error:
        raise ConnectionError(f"{type(error).__name__}: {error}") from None


@final
class _Unlogged(logging.Filter):
    """Keeps the client from logging a URL that may have a token in it."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url

    def __enter__(self) -> None:
        logging.getLogger("httpx").addFilter(self)

    def __exit__(self, *exc_info: object) -> None:
        logging.getLogger("httpx").removeFilter(self)

    def filter(self, record: logging.LogRecord) -> bool:
        """False for the line of this request."""
        return record.args is None or self._url not in [str(arg) for arg in record.args]
