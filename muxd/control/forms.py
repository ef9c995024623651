"""Buttons of pages without a script: a browser posts their forms by itself, and wants a page again."""

from __future__ import annotations

import json
from html import escape
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from starlette.responses import HTMLResponse, RedirectResponse, Response

from muxd.errors import UserError

if TYPE_CHECKING:
    from starlette.requests import Request

__all__ = ["is_form", "page_after", "read_form"]

KIND = "application/x-www-form-urlencoded"
FIELDS = 20
"""How many fields a form may have."""
_REFUSED = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>muxd</title></head>
<body><main><h1>{words}</h1><p><a href="{back}">Back</a></p></main></body></html>
"""


def is_form(request: Request) -> bool:
    """Whether a browser has posted a form of a page, to go on to the page that it is answered.

    Programs that call their JSON a form, as curl does unless it is told otherwise, want no page.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind == KIND and "text/html" in request.headers.get("accept", "")


def read_form(sent: bytes) -> dict[str, str]:
    """The fields that were filled in. Raises `UserError` unless it is a form."""
    try:
        pairs = parse_qsl(sent.decode("ascii"), errors="strict", max_num_fields=FIELDS)
    except ValueError:
        raise UserError("this is no form") from None
    if len(dict(pairs)) < len(pairs):
        raise UserError("a field is given more than once")
    return dict(pairs)


def page_after(request: Request, answer: Response) -> Response:
    """In place of an answer for programs: on to a page, by 303; or a page that says what is wrong."""
    told = _told(answer)
    if answer.status_code >= 400:
        words = escape(str(told.get("error", "it did not work")))
        text = _REFUSED.format(words=words, back=escape(_back(request)))
        return HTMLResponse(text.encode("utf-8", "replace"), status_code=answer.status_code)
    page = told.get("page")
    return RedirectResponse(f"/{page}" if page else _back(request), status_code=303)


def _told(answer: Response) -> dict[str, Any]:
    try:
        told = json.loads(bytes(answer.body))
    except (ValueError, AttributeError):
        return {}
    return told if isinstance(told, dict) else {}


def _back(request: Request) -> str:
    """The page that the form was on, if that is one of muxd's own; else the first."""
    try:
        parts = urlsplit(request.headers.get("referer", ""))
    except ValueError:
        return "/"
    own = parts.netloc.lower() == request.headers.get("host", "").lower()
    if not own or not parts.path.startswith("/") or parts.path.startswith(("//", "/\\")):
        return "/"
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
