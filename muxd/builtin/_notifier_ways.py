"""The ways in which people are told: a webhook, apprise, the desktop."""

from __future__ import annotations

import json
import shutil
import sys
from abc import ABC, abstractmethod
from html import escape
from typing import TYPE_CHECKING, Any, final
from urllib.parse import urlsplit

import trio

from muxd.builtin._notifier_webhook import post
from muxd.secrets import Secrets

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from muxd.builtin._notifier_message import Message

__all__ = ["NotSent", "Way", "mask_of", "ways_of"]

BOUND = 30.0
"""How long one try may take, seconds."""


class NotSent(Exception):
    """It could not be sent; the message says why, and has no secret."""

    def __init__(self, reason: str, *, again: bool = True) -> None:
        """`again`: another try may do better."""
        super().__init__(reason)
        self.again = again


class Way(ABC):
    """One way. Its name, and what it raises, may be shown and logged."""

    name: str

    @abstractmethod
    async def try_once(self, message: Message) -> None:
        """Send it. Bounded by who calls. Raises `NotSent`."""

    async def send(self, message: Message) -> None:
        """One try, within `BOUND`. Raises `NotSent`."""
        with trio.move_on_after(BOUND) as scope:
            await self.try_once(message)
        if scope.cancelled_caught:
            raise NotSent(f"it took longer than {BOUND:g} s")


@final
class Webhook(Way):
    """A signed JSON object by HTTP: see ``docs/notifications.md``."""

    def __init__(self, url: str, secret: str) -> None:
        self._url, self._secret = url, secret
        self.name = "webhook"

    async def try_once(self, message: Message) -> None:
        """One request; redirects are not followed."""
        try:
            status = await post(self._url, self._secret, message)
        except ValueError as error:
            raise NotSent(_clean(error, self._url, self._secret), again=False) from None
        except OSError as error:
            raise NotSent(_clean(error, self._url, self._secret)) from None
        if not 200 <= status < 300:
            # What is refused will be again, unless it came too fast, or too early.
            again = status >= 500 or status in (408, 409, 425, 429)
            raise NotSent(f"the server answered {status}", again=again)


@final
class Apprise(Way):
    """One of the services that apprise knows, by its URL."""

    def __init__(self, url: str, number: int) -> None:
        self._url = url
        self.name = f"apprise {number} ({url.partition('://')[0][:20]})"

    async def try_once(self, message: Message) -> None:
        """In a process of its own: see `muxd.builtin._notifier_apprise`."""
        kind = {"recovery": "success", "test": "info", "notice": "info", "news": "info"}
        given = {
            "url": self._url,
            "title": message.title,
            "body": message.text,
            "type": kind.get(message.type, "failure"),
            "files": [str(path) for path in message.files],
        }
        command = [sys.executable, "-P", "-W", "ignore", "-m", "muxd.builtin._notifier_apprise"]
        done = await _call(command, json.dumps(given).encode())
        try:
            told = json.loads(done.stdout)
            sent, reason, again = told["sent"], str(told["reason"]), bool(told["again"])
        except (ValueError, TypeError, KeyError):
            raise NotSent(f"apprise failed with exit code {done.returncode}") from None
        if not sent:
            raise NotSent(_clean(reason, self._url), again=again)


@final
class Desktop(Way):
    """A notification on this machine's screen, by ``notify-send``."""

    name = "desktop"

    async def try_once(self, message: Message) -> None:
        """The program of the desktop."""
        program = shutil.which("notify-send")
        if program is None:
            raise NotSent("there is no notify-send: install libnotify", again=False)
        urgency = "normal" if message.type in ("recovery", "test", "notice", "news") else "critical"
        command = [program, "--app-name=muxd", f"--urgency={urgency}", "--"]
        command += [message.title, escape(message.text, quote=False)]
        done = await _call(command)
        if done.returncode != 0:
            why = done.stderr.decode(errors="replace").strip().partition("\n")[0][:200]
            raise NotSent(f"notify-send failed: {why or done.returncode}")


async def _call(command: Sequence[str], given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run a program. When cancelled it is killed. Raises `NotSent`: it does not start."""
    try:
        return await trio.run_process(
            command,
            stdin=given,
            check=False,
            capture_stdout=True,
            capture_stderr=True,
            deliver_cancel=_kill,
        )
    except OSError as error:
        raise NotSent(f"{command[0]} does not start: {error.strerror}") from None


async def _kill(process: trio.Process) -> None:
    process.kill()


def ways_of(settings: Mapping[str, Any]) -> list[Way]:
    """The ways that ``[notify]`` has.

    Raises:
      ValueError: something is missing for one of them.
    """
    return [*_ways_of(settings)]


def _ways_of(settings: Mapping[str, Any]) -> Iterator[Way]:
    if settings["webhook"]:
        if not settings["webhook_secret"]:
            raise ValueError(
                "notify.webhook needs notify.webhook_secret, or MUXD_NOTIFY_WEBHOOK_SECRET: what it "
                "sends is signed"
            )
        yield Webhook(settings["webhook"], settings["webhook_secret"])
    for number, url in enumerate(settings["urls"], 1):
        yield Apprise(url, number)
    if settings["desktop"]:
        yield Desktop()


def mask_of(settings: Mapping[str, Any], more: Secrets | None = None) -> Callable[[str], str]:
    """Takes out of texts what ``[notify]`` keeps secret, and what `more` knows."""
    urls = [*settings["urls"], settings["webhook"] or ""]
    pieces = [piece for url in urls for piece in _pieces(url)]
    known = [settings["webhook_secret"] or "", *pieces]
    return (more or Secrets()).with_more(known).mask


def _clean(error: object, *secrets: str) -> str:
    """The reason, in one line, without what is secret of a URL."""
    known = [piece for secret in secrets for piece in (secret, *_pieces(secret))]
    text = Secrets(known).mask(str(error) or type(error).__name__)
    return text.strip().partition("\n")[0][:300]


def _pieces(url: str) -> Iterator[str]:
    """What may be a secret of a URL: of apprise's also what stands where others have a host."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return
    if parts.scheme not in ("http", "https"):
        yield parts.netloc.rpartition("@")[2]
    yield from (parts.username or "", parts.password or "", parts.query, parts.path)
    yield from parts.path.split("/")
    yield from (pair.partition("=")[2] for pair in parts.query.split("&"))
