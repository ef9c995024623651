"""The site as an application: pages, sign-in, files."""

from __future__ import annotations

from html import escape
from importlib import resources
from string import Template
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlencode

import attrs
import trio
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route

from muxd_demo.site.api import SESSION_COOKIE, Api
from muxd_demo.site.body import read_body
from muxd_demo.site.world import PASSWORD, USER

if TYPE_CHECKING:
    from starlette.requests import Request

    from muxd_demo.site.pace import Pace
    from muxd_demo.site.world import World

__all__ = ["application"]

_PAGES = {
    "/": ("home", "Timeline"),
    "/queue": ("queue", "Queue"),
    "/inbox": ("inbox", "Inbox"),
    "/followers": ("followers", "Followers"),
    "/analytics": ("analytics", "Analytics"),
    "/archive": ("archive", "Archive"),
    "/trends": ("trends", "Trends"),
    "/reports": ("reports", "Reports"),
    "/outcomes": ("outcomes", "Outcomes"),
    "/news": ("news", "Town news"),
    "/settings": ("settings", "Settings"),
}
"""Path -> name of the page's file, title. All but the news are for who is signed in."""
_NO_NAV = {"/archive"}
_OPEN = {"/news"}
_TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


def application(world: World, pace: Pace) -> Starlette:
    """The whole site on one world."""
    pages = _Pages(world, pace)
    return Starlette(
        routes=[
            Mount("/api", routes=Api(world, pace).routes()),
            Route("/login", pages.sign_in_form, methods=["GET"]),
            Route("/login", pages.sign_in, methods=["POST"]),
            Route("/logout", pages.sign_out, methods=["POST"]),
            Route("/health", _health),
            Route("/assets/{name}", pages.asset),
            Route("/posts/{id:int}", pages.post),
            Route("/news/{slug}", pages.article),
            *(Route(path, pages.page) for path in _PAGES),
        ]
    )


async def _health(request: Request) -> Response:
    return PlainTextResponse("ok\n")


@attrs.frozen
class _Pages:
    """Everything that is HTML. The files are read once, when the site opens."""

    world: World
    pace: Pace
    _files: dict[str, str] = attrs.field(init=False, factory=lambda: _read("pages"))
    _assets: dict[str, str] = attrs.field(init=False, factory=lambda: _read(""))

    async def page(self, request: Request) -> Response:
        """One of the fixed pages; sends who isn't signed in to the sign-in page first."""
        path = request.url.path
        if path not in _OPEN and not self._signed_in(request):
            return _to_sign_in(request)
        if path == "/outcomes":
            await trio.sleep(self.pace.page)
        name, title = _PAGES[path]
        return self._render(request, name, title)

    async def post(self, request: Request) -> Response:
        """A post with its live numbers."""
        if not self._signed_in(request):
            return _to_sign_in(request)
        try:
            self.world.post(request.path_params["id"])
        except KeyError:
            return self._render(request, "missing", "Not here", status=404)
        return self._render(request, "post", "Post")

    async def article(self, request: Request) -> Response:
        """A piece of news."""
        try:
            article = self.world.article(request.path_params["slug"])
        except KeyError:
            return self._render(request, "missing", "Not here", status=404)
        return self._render(request, "article", article.headline)

    async def sign_in_form(self, request: Request) -> Response:
        """Where one signs in."""
        return self._sign_in_page(_local(request.query_params.get("next", "/")), "")

    async def sign_in(self, request: Request) -> Response:
        """Take the form; a cookie and the page that was asked for, or the form again."""
        try:
            body = await read_body(request)
        except ValueError as error:
            return PlainTextResponse(f"{error}\n", 413)
        given = {
            name: values[0] for name, values in parse_qs(body.decode("utf-8", "replace")).items()
        }
        target = _local(given.get("next", "/"))
        token = self.world.sign_in(given.get("email", ""), given.get("password", ""))
        if token is None:
            return self._sign_in_page(target, "This e-mail and password don't go together.", 401)
        answer = RedirectResponse(target, 303)
        answer.set_cookie(SESSION_COOKIE, token, max_age=86400 * 30, httponly=True, samesite="lax")
        return answer

    async def sign_out(self, request: Request) -> Response:
        """Forget the session."""
        self.world.sign_out(request.cookies.get(SESSION_COOKIE, ""))
        answer = RedirectResponse("/login", 303)
        answer.delete_cookie(SESSION_COOKIE)
        return answer

    async def asset(self, request: Request) -> Response:
        """A style sheet, a script, a picture."""
        name = request.path_params["name"]
        if name not in self._assets:
            return PlainTextResponse("not here\n", 404)
        kind = _TYPES[name.rpartition(".")[2]]
        return Response(
            self._assets[name], media_type=kind, headers={"Cache-Control": "max-age=3600"}
        )

    def _signed_in(self, request: Request) -> bool:
        return self.world.knows(request.cookies.get(SESSION_COOKIE, ""))

    def _sign_in_page(self, target: str, problem: str, status: int = 200) -> Response:
        alert = f'<p class="alert" role="alert">{escape(problem)}</p>' if problem else ""
        page = Template(self._files["login.html"]).substitute(
            next=escape(target), alert=alert, user=USER, password=PASSWORD
        )
        return HTMLResponse(page, status)

    def _render(self, request: Request, name: str, title: str, status: int = 200) -> Response:
        signed_in = self._signed_in(request)
        page = Template(self._files["shell.html"]).substitute(
            title=escape(title),
            page=name,
            main=self._files[f"{name}.html"],
            account=escape(self.world.settings.display_name) if signed_in else "Not signed in",
            initial=escape(self.world.settings.display_name[0]) if signed_in else "?",
            state="in" if signed_in else "out",
            links="".join(
                f'<a href="{path}" data-icon="{link}"{_current(path, request)}>{text}</a>'
                for path, (link, text) in _PAGES.items()
                if path not in _NO_NAV and (signed_in or path in _OPEN)
            ),
        )
        return HTMLResponse(page, status, headers={"Cache-Control": "no-store"})


def _current(path: str, request: Request) -> str:
    here = request.url.path
    if here == path or (path != "/" and here.startswith(path + "/")):
        return ' aria-current="page"'
    return ""


def _to_sign_in(request: Request) -> Response:
    target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse("/login?" + urlencode({"next": target}), 303)


def _local(target: str) -> str:
    """The target if it is a path on this site; no form of it may lead elsewhere."""
    safe = target.startswith("/") and not target.startswith("//") and "\\" not in target
    return target if safe and target.isprintable() else "/"


def _read(folder: str) -> dict[str, str]:
    home = resources.files("muxd_demo.site") / "assets"
    if folder:
        home = home / folder
    return {
        each.name: each.read_text("utf-8")
        for each in home.iterdir()
        if each.name.endswith((".html", ".css", ".js", ".svg"))
    }
