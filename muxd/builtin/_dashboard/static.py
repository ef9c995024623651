"""What pages are made of: style, scripts, icon. Read once, kept by browsers for as long as they like."""

from __future__ import annotations

import hashlib
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, final

import trio
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request
    from starlette.routing import BaseRoute

__all__ = ["Static"]

_FOLDER = Path(__file__).parent / "static"
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@final
class Static:
    """All files, under an address that says which they are: ``/static/1f2e3d4c5b6a/dashboard.js``."""

    @cached_property
    def _files(self) -> dict[str, bytes]:
        return {
            path.name: path.read_bytes()
            for path in sorted(_FOLDER.iterdir())
            if path.suffix in _TYPES
        }

    @cached_property
    def version(self) -> str:
        """Changes with any of them."""
        digest = hashlib.sha256()
        for name, content in self._files.items():
            digest.update(name.encode() + content)
        return digest.hexdigest()[:12]

    @property
    def routes(self) -> Sequence[BaseRoute]:
        """Where they are."""
        return [
            Route("/static/{version}/{name}", self._serve),
            Route("/favicon.ico", self._icon),
        ]

    async def _serve(self, request: Request) -> Response:
        return await self._answer(request.path_params["name"])

    async def _icon(self, _request: Request) -> Response:
        return await self._answer("icon.svg")

    async def _answer(self, name: str) -> Response:
        files = await trio.to_thread.run_sync(lambda: self._files)
        if name not in files:
            raise HTTPException(404)
        return Response(
            files[name],
            media_type=_TYPES[Path(name).suffix],
            headers={"Cache-Control": "private, max-age=31536000, immutable"},
        )
