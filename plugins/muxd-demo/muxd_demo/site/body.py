"""The body of a request, read whole, but not without end."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.requests import Request

__all__ = ["read_body"]

_LARGEST = 10_000
"""Bytes: no form of the site needs more."""


async def read_body(request: Request) -> bytes:
    """The body. `ValueError` once it turns out to be too long; the rest is then not read."""
    body = b""
    async with aclosing(request.stream()) as stream:
        async for chunk in stream:
            body += chunk
            if len(body) > _LARGEST:
                raise ValueError("that is too long")
    return body
