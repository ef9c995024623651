"""What a site has answered, in a file: recorded once, without its secrets, and replayed in tests."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, final

import attrs
import trio

from muxd.bridge import bridged
from muxd.errors import UserError, WorldError
from muxd.secrets import MASK, Secrets, is_telling, secrets_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.async_api import BrowserContext, Route

__all__ = ["Har", "Recording", "Replay"]

BOUND = 20.0
"""How long opening and writing a file may take, seconds."""
NAMED = 5
"""How many requests that are not in the file are named."""
_SECRET = frozenset(
    (
        "authorization",
        "cookie",
        "proxy-authorization",
        "set-cookie",
        "x-api-key",
        "x-auth-token",
        "x-csrf-token",
    )
)


class Har(Protocol):
    """Stands between the pages of one run and the network."""

    async def begin(self, context: BrowserContext) -> None:
        """Before the run's first request."""

    async def end(self, context: BrowserContext) -> None:
        """After its last; the context is still open, unless the browser is lost."""

    def account(self) -> str:
        """What people should know of it, if the run did not end well; "" if nothing."""


@final
@attrs.define(eq=False, slots=False)  # Playwright notes something on whose methods are handlers
class Replay:
    """Answers out of the file; a request that is not in there is refused, and none gets out."""

    file: Path
    missing: list[str] = attrs.field(factory=list)
    """The requests that were refused, as ``GET https://...``, each once."""

    def __attrs_post_init__(self) -> None:
        """Raises `UserError` if the file can't be replayed."""
        _read(self.file, "record it: pytest --muxd-har=record")

    async def begin(self, context: BrowserContext) -> None:
        """See `Har.begin`."""
        with trio.fail_after(BOUND):
            await bridged(context.route)("**/*", self._refuse)
            # Asked first, as it comes last.
            replay = partial(context.route_from_har, self.file, not_found="fallback")
            await bridged(replay)()

    async def end(self, context: BrowserContext) -> None:
        """See `Har.end`."""

    async def _refuse(self, route: Route) -> None:
        wanted = f"{route.request.method} {route.request.url}"
        if wanted not in self.missing:
            self.missing.append(wanted)
        await route.abort()

    def account(self) -> str:
        """See `Har.account`."""
        if not self.missing:
            return ""
        more = f" and {len(self.missing) - NAMED} more" if len(self.missing) > NAMED else ""
        named = ", ".join(self.missing[:NAMED])
        return f"not in {self.file}: {named}{more} (record it anew: pytest --muxd-har=record)"


@final
@attrs.define(eq=False)
class Recording:
    """Lets everything through, and writes down what was answered."""

    file: Path
    raw: Path
    """Where it is put as it is, secrets and all; it is gone when it is kept."""

    async def begin(self, context: BrowserContext) -> None:
        """See `Har.begin`."""
        start = getattr(context.tracing, "start_har", None)
        if start is None:
            raise UserError("recording needs a newer version of Playwright: update it")
        with trio.fail_after(BOUND):
            await bridged(start)(self.raw, content="embed", mode="minimal")

    async def end(self, context: BrowserContext) -> None:
        """See `Har.end`."""
        with trio.move_on_after(BOUND):
            await bridged(context.tracing.stop_har)()

    def account(self) -> str:
        """See `Har.account`."""
        return ""

    def keep(self, known: Secrets, *, after: bool) -> list[str]:
        """Put it into its place, masked.

        Args:
          known: secrets that must not be in it, besides those that it tells itself.
          after: put it behind what is in the file, of an earlier run.

        Returns:
          What will not be found when it is replayed, for its address has a secret.

        Raises:
          WorldError: nothing was recorded, or it can't be written.
        """
        if not self.raw.is_file():
            raise WorldError(f"{self.file} was not recorded: the browser was lost")
        try:
            recorded = _read(self.raw, "")
            self.raw.unlink()
            changed = _mask(recorded, known)
            if after:
                earlier = _read(self.file, "")["log"]["entries"]
                recorded["log"]["entries"][:0] = earlier
            self.file.parent.mkdir(parents=True, exist_ok=True)
            text = json.dumps(recorded, indent=1, ensure_ascii=False)
            self.file.write_text(text.encode(errors="backslashreplace").decode() + "\n", "utf-8")
        except OSError as error:
            raise WorldError(f"{self.file} can't be written: {error.strerror or error}") from error
        return changed


def _read(file: Path, remedy: str) -> dict[str, Any]:
    """A HAR. Raises `UserError`: it is none."""
    try:
        read = json.loads(file.read_text("utf-8"))
        entries = read["log"]["entries"]
    except FileNotFoundError:
        raise UserError(f"there is no {file}: {remedy}") from None
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise UserError(f"{file} is no HAR: {error}; {remedy}") from error
    if not isinstance(entries, list):
        raise UserError(f"{file} is no HAR: it has no list of entries; {remedy}")
    document: dict[str, Any] = read
    return document


def _mask(har: dict[str, Any], known: Secrets) -> list[str]:
    """Take the secrets out; gives the requests whose addresses had one."""
    secrets = known.with_more(secrets_in(json.dumps(har))).with_more(_sent(har))
    changed = []
    for entry in har["log"]["entries"]:
        request, response = entry["request"], entry["response"]
        url = secrets.mask(request["url"])
        if url != request["url"]:
            changed.append(f"{request['method']} {url}")
        request["url"] = url
        for message in (request, response):
            _mask_headers(message, secrets)
        for pair in request.get("queryString") or ():
            pair["value"] = secrets.mask(f"{pair['name']}={pair['value']}").partition("=")[2]
        if not _is_harmless(request.get("postData") or {}, secrets):
            del request["postData"]  # without it whatever is sent there is answered
        response["redirectURL"] = secrets.mask(response.get("redirectURL") or "")
        content = response.get("content") or {}
        if "text" in content:
            content["text"] = secrets.mask(content["text"])
    return changed


def _sent(har: dict[str, Any]) -> Iterator[str]:
    """The secrets in what was sent."""
    for entry in har["log"]["entries"]:
        sent = entry["request"].get("postData") or {}
        yield from secrets_in(sent.get("text") or "")
        for field in sent.get("params") or ():
            if is_telling(field["name"]):
                yield field.get("value") or ""


def _is_harmless(sent: dict[str, Any], secrets: Secrets) -> bool:
    """Whether there is no secret in what was sent."""
    texts = [sent.get("text") or ""]
    for field in sent.get("params") or ():
        if is_telling(field["name"]):
            return False
        texts.append(field.get("value") or "")
    return all(secrets.mask(text) == text for text in texts)


def _mask_headers(message: dict[str, Any], secrets: Secrets) -> None:
    message["cookies"] = []
    for header in message.get("headers") or ():
        name, value = header["name"].lower(), header["value"]
        if name == "set-cookie":
            header["value"] = "\n".join(map(_without_value, value.split("\n")))
        else:
            header["value"] = MASK if name in _SECRET else secrets.mask(value)


def _without_value(cookie: str) -> str:
    """``sid=1; Path=/`` as ``sid=***; Path=/``: that there is one may matter to the page."""
    pair, semicolon, attributes = cookie.partition(";")
    return f"{pair.partition('=')[0]}={MASK}{semicolon}{attributes}"
