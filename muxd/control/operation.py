"""One thing that can be asked over HTTP: what it takes, what it answers, and who does it."""

from __future__ import annotations

import json
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import attrs
import structlog
import trio
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from muxd.control.field import Field, read_fields
from muxd.control.forms import is_form, page_after, read_form
from muxd.control.lasting import Crowded
from muxd.errors import MuxdError, UnknownJob, UnknownRun, UserError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from starlette.requests import Request

    from muxd.control.lasting import Lasting
    from muxd.controlled import Controlled

T = TypeVar("T")

__all__ = ["REQUEST_BOUND", "Answer", "Call", "NotFound", "Operation"]

REQUEST_BOUND = 64 * 1024
"""The most a request's body may be, bytes."""
BODY_PATIENCE = 10.0
"""How long a request's body may take to come, seconds."""


class NotFound(UserError):
    """What was asked for by its name is not there."""


class TooLarge(UserError):
    """More was sent than muxd takes."""


class Answer(JSONResponse):
    """In ASCII: half of a surrogate pair, of a page or a file's name, is no UTF-8."""

    def render(self, content: Any) -> bytes:
        """The object as JSON."""
        return json.dumps(content, allow_nan=False).encode()


@attrs.frozen
class Call:
    """One request, read and checked."""

    daemon: Controlled
    by: str
    """Who asks, for people."""
    given: Mapping[str, Any]
    """The values of path, query and body, by name; each is there."""
    lasting: Lasting
    """The places for requests that last."""
    gone: Callable[[], Awaitable[None]]
    """Returns when nobody waits for the answer any more."""

    def __getitem__(self, name: str) -> Any:
        return self.given[name]

    async def waited(self, wait: Callable[..., Awaitable[T]], *args: Any) -> T:
        """What it gives. It is cancelled when who asks has gone, whose place is then free: `ClientDisconnect`."""
        found: list[T] = []
        failure: Exception | None = None

        async def cancel(scope: trio.CancelScope) -> None:
            await self.gone()
            scope.cancel()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(cancel, nursery.cancel_scope)
            try:
                found.append(await wait(*args))
            except Exception as error:
                failure = error  # not from within the nursery, which would make a group of it
            nursery.cancel_scope.cancel()
        if failure is not None:
            raise failure
        if not found:
            raise ClientDisconnect
        return found[0]


@attrs.frozen(kw_only=True)
class Operation:
    """An endpoint: `answer` gives a JSON object, or a response of its own."""

    name: str
    """Unique; in camel case, as generators of clients want it."""
    path: str
    """With parameters, each a text, in braces."""
    answer: Callable[[Call], Awaitable[dict[str, Any] | Response]]
    summary: str
    method: str = "GET"
    query: Sequence[Field] = ()
    body: Sequence[Field] = ()
    status: int = 200
    schema: Mapping[str, Any] = attrs.field(factory=lambda: {"type": "object"})
    """What is answered, as JSON Schema."""
    media_type: str = "application/json"
    also: Mapping[int, Mapping[str, Any]] = attrs.field(factory=dict)
    """What else can be answered where nothing went wrong, by its status."""
    is_open: bool = False
    """Whether it needs no token: see `muxd.control.door`."""
    errors: Mapping[int, str] = attrs.field(factory=dict)
    """What can go wrong beside 422 and 500."""

    @property
    def parameters(self) -> list[str]:
        """The names of the path's parameters."""
        return [part[1:-1] for part in self.path.split("/") if part.startswith("{")]

    @property
    def may_last(self) -> bool:
        """Whether a request may last as long as it likes: it can wait for something, or follows events."""
        waits = any(field.name == "wait" for field in self.query)
        return waits or self.media_type == "text/event-stream"

    def route(self, daemon: Controlled, lasting: Lasting) -> Route:
        """For the application, with the places that it has for requests that last."""
        path = self.path
        for name in self.parameters:
            # whatever somebody takes for a job's name, slashes too
            path = path.replace(f"{{{name}}}", f"{{{name}:path}}")

        async def endpoint(request: Request) -> Response:
            try:
                answer = await self._do(daemon, lasting, request)
            except Exception as error:
                answer = failed(error, request)
            return page_after(request, answer) if self._is_button(request) else answer

        endpoint.__name__ = self.name
        return Route(path, endpoint, methods=[self.method])

    def _is_button(self, request: Request) -> bool:
        return self.method == "POST" and is_form(request)

    async def _do(self, daemon: Controlled, lasting: Lasting, request: Request) -> Response:
        query: dict[str, str] = {}
        for name, text in request.query_params.multi_items():
            if name in query:
                raise UserError(f"{name[:100]!r} is given more than once")
            query[name] = text
        given = dict(request.path_params)
        given |= read_fields(self.query, query, as_text=True)
        if self.method == "POST":
            sent, form = await _sent(request), is_form(request)
            body = read_form(sent) if form else _object(sent)
            given |= read_fields(self.body, body, as_text=form)
        by = request.scope.get("muxd.by", "somebody")
        call = Call(daemon, by, given, lasting, partial(_gone, request))
        with lasting.place() if given.get("wait") else nullcontext():
            answer = await self.answer(call)
        if isinstance(answer, Response):
            return answer
        return Answer(answer, status_code=self.status)


def failed(error: Exception, request: Request) -> Response:
    """Every error as an answer: one mistake of muxd's costs one request."""
    if isinstance(error, ClientDisconnect):
        return Response(status_code=400)  # nobody reads it
    told: dict[str, Any] = {"error": str(error)}
    if isinstance(error, UnknownJob):
        return Answer(told | {"known": list(error.known)}, status_code=404)
    if isinstance(
        error, (NotFound, UnknownRun)
    ):  # of other paths that are not there it does not say so
        return Answer(told | {"missing": True}, status_code=404)
    if isinstance(error, Crowded):
        return Answer(told, status_code=503)
    if isinstance(error, TooLarge):
        return Answer(told, status_code=413)
    if isinstance(error, UserError):
        return Answer(told, status_code=422)
    if isinstance(error, MuxdError):
        return Answer(told, status_code=500)
    structlog.get_logger().error("a request failed", path=request.url.path, exc_info=error)
    return Answer({"error": f"internal error: {type(error).__name__}: {error}"}, status_code=500)


async def _gone(request: Request) -> None:
    """Wait for the end of who asks; what he had to say has been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _sent(request: Request) -> bytes:
    """What was sent. Raises `UserError`: too much, or too slowly."""
    sent = bytearray()
    with trio.move_on_after(BODY_PATIENCE) as waiting:
        async for part in request.stream():
            sent += part
            if len(sent) > REQUEST_BOUND:
                raise TooLarge(f"a request may have {REQUEST_BOUND} bytes")
    if waiting.cancelled_caught:
        raise UserError(f"the request was not sent within {BODY_PATIENCE:g} s")
    return bytes(sent)


def _object(sent: bytes) -> dict[str, Any]:
    """What was sent. Raises `UserError` unless it is a JSON object, or nothing."""
    try:
        body = json.loads(sent or b"{}")
    except (ValueError, RecursionError) as error:
        raise UserError(f"this is not JSON: {error}") from None
    if not isinstance(body, dict):
        raise UserError("give a JSON object")
    return body
