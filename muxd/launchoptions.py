"""How the browser is started: what plugins may have a say in, and how several are put together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["Conflict", "LaunchOptions", "Say"]

_LISTS = (
    "--disable-features",
    "--enable-features",
    "--disable-blink-features",
    "--enable-blink-features",
)
"""Of these Chromium heeds the last alone, and each is a list: they are put together."""
_SANDBOX = (
    "--no-sandbox",
    "--no-zygote-sandbox",
    "--disable-setuid-sandbox",
    "--disable-namespace-sandbox",
    "--disable-seccomp-filter-sandbox",
    "--disable-gpu-sandbox",
    "--single-process",
)
_MUXDS = {
    "--user-data-dir": "the profile is muxd's own",
    "--headless": "that is browser.headed's",
    "--remote-debugging-port": "every user of the machine could drive the browser",
    "--remote-debugging-address": "every user of the machine could drive the browser",
    "--remote-debugging-pipe": "Playwright has the only pipe",
} | dict.fromkeys(_SANDBOX, "the sandbox stays on: pages could reach this user's files")
_ENVIRONMENT = ("TMPDIR", "MUXD_BROWSER")
_SCHEMES = ("http", "https", "socks4", "socks5")


class Conflict(ValueError):
    """What somebody wants of the browser is not to be had; the message says why."""


def _texts(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        raise TypeError(f"give a list of texts, not {value!r}")
    texts = tuple(value)
    for text in texts:
        if not isinstance(text, str) or "\0" in text:
            raise TypeError(f"{text!r} is no text for a browser's command line")
    return texts


def _args(_options: object, _field: attrs.Attribute[Any], args: tuple[str, ...]) -> None:
    for arg in args:
        if not arg.startswith("-") or arg in ("-", "--"):
            raise ValueError(f"{arg!r} is no argument for the browser: they begin with --")


def _env(_options: object, _field: attrs.Attribute[Any], env: Mapping[str, str]) -> None:
    for name, value in env.items():
        plain = isinstance(name, str) and isinstance(value, str) and "\0" not in name + value
        if not plain or not name or "=" in name:
            raise ValueError(f"{name!r} = {value!r} can't be a variable of the environment")


def _proxy(_options: object, _field: attrs.Attribute[Any], proxy: str | None) -> None:
    if proxy is None:
        return
    parts = urlsplit(proxy)
    if parts.scheme not in _SCHEMES or not parts.hostname or parts.path.strip("/"):
        raise ValueError(
            "give a proxy as http://host:3128, https://..., socks4://... or socks5://host:1080, "
            "with user:password@ before the host if it wants them"
        )


@attrs.frozen(kw_only=True)
class LaunchOptions:
    """How the browser is started, as far as plugins have a say: see `muxd_launch_options`."""

    engine: str = "chromium"
    """Which it is: ``chromium``, ``headless-shell``, ``chrome``, ``firefox`` or ``webkit``. To be read."""
    headed: bool = False
    """Whether it has a window. To be read."""
    args: tuple[str, ...] = attrs.field(default=(), converter=_texts, validator=_args)
    """Command line arguments, as ``--lang=de``. Those of muxd and Playwright are not among them."""
    env: Mapping[str, str] = attrs.field(factory=dict, validator=_env, repr=False)
    """Variables for the browser's environment, beside those of muxd's own."""
    proxy: str | None = attrs.field(default=None, validator=_proxy, repr=False)
    """The proxy of all pages: ``http://user:password@host:3128``."""
    bypass: tuple[str, ...] = attrs.field(default=(), converter=_texts)
    """Hosts that are reached without it: ``.example.org``, ``localhost``."""


@attrs.define
class Say:
    """What is wanted so far, and by whom each of it."""

    options: LaunchOptions
    _who: dict[str, str] = attrs.field(factory=dict)

    @classmethod
    def of(cls, options: LaunchOptions, who: str) -> Say:
        """Begin with what somebody wants."""
        return cls(options, dict.fromkeys(_keys(options), who))

    def add(self, wanted: LaunchOptions, who: str) -> None:
        """Have these too; what is there already need not be among them.

        Raises:
          Conflict: something is wanted otherwise, or is nobody's to want. Nothing is added then.
        """
        before, nothing = self.options, LaunchOptions()
        if wanted.engine not in (before.engine, nothing.engine):
            raise Conflict("engine is to be read: [browser] engine chooses it")
        if wanted.headed not in (before.headed, nothing.headed):
            raise Conflict("headed is to be read: [browser] headed chooses it")
        self._refuse(wanted)
        for key, value in _valued(wanted):
            mine = dict(_valued(before)).get(key, value)
            if mine != value:
                shown = f"{key}={value}" if key.startswith("-") else key  # others may be secrets
                raise Conflict(f"{shown} is in conflict with what {self._who[key]} wants")
        new = [arg for arg in wanted.args if arg not in before.args]
        self.options = attrs.evolve(
            before,
            args=tuple(_joined([*before.args, *new])),
            env={**before.env, **wanted.env},
            proxy=before.proxy if wanted.proxy is None else wanted.proxy,
            bypass=tuple(dict.fromkeys([*before.bypass, *wanted.bypass])),
        )
        for key in _keys(wanted):
            self._who.setdefault(key, who)

    def _refuse(self, wanted: LaunchOptions) -> None:
        for arg in wanted.args:
            if arg not in self.options.args and (why := _MUXDS.get(arg.partition("=")[0])):
                raise Conflict(f"{arg} is refused: {why}")
        for name in _ENVIRONMENT:
            if name in wanted.env:
                raise Conflict(f"the variable {name} is refused: it is muxd's own")


def _valued(options: LaunchOptions) -> Iterator[tuple[str, str]]:
    """What can have one value only."""
    for arg in options.args:
        switch, _, value = arg.partition("=")
        if switch not in _LISTS:
            yield switch, value
    for name, value in options.env.items():
        yield f"env {name}", value
    if options.proxy is not None:
        yield "proxy", options.proxy


def _keys(options: LaunchOptions) -> Iterator[str]:
    return (key for key, _ in _valued(options))


def _joined(args: Iterable[str]) -> Iterator[str]:
    """Each switch that is a list once, where it was first."""
    lists: dict[str, dict[str, None]] = {}
    order: dict[str, None] = {}
    for arg in args:
        switch, _, value = arg.partition("=")
        if switch in _LISTS:
            lists.setdefault(switch, {}).update(dict.fromkeys(filter(None, value.split(","))))
            order[switch] = None
        else:
            order[arg] = None
    for arg in order:
        yield f"{arg}={','.join(lists[arg])}" if arg in lists else arg
