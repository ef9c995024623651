"""How the browser is started: its flags, its sandbox, its profile."""

from __future__ import annotations

import os
import re
import stat
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import attrs

from muxd.children import BROWSER_MARK
from muxd.engine import Engine
from muxd.errors import BrowserLost, BrowserUnusable, ConfigError, ConfigProblem
from muxd.launchoptions import LaunchOptions

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from playwright.async_api import Error

    from muxd.browser.find import FoundBrowser
    from muxd.errors import WorldError

__all__ = ["LaunchPlan", "launch_error"]

_DISABLED = (
    # Each window would get three hidden WebUI pages of its own: half the cost of a context.
    "WebUIOmniboxPopup",
    "WebUIOmniboxAimPopup",
    "WebUIOmniboxFullPopup",
)
_ARGS = (
    # After a kill the next window would offer to restore the pages.
    "--hide-crash-restore-bubble",
)
LONGEST_SCRATCH = 60
"""Bytes of a directory's name that leave room for Chromium's socket in it."""
_SWITCH = "--disable-features="
_PROXY, _BYPASS = "--proxy-server=", "--proxy-bypass-list="
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
"""What Chromium reaches without a proxy, unless it is told otherwise."""


@attrs.frozen(kw_only=True)
class LaunchPlan:
    """All that is needed to start the browser, again and again."""

    found: FoundBrowser
    profile: Path
    """The profile directory of the session ``main``; made with mode 0700."""
    headed: bool = attrs.field(default=False)
    args: tuple[str, ...] = attrs.field(default=())
    """The user's own flags; ``--disable-features`` among them is merged with ours."""
    timeout: float = 60.0
    """How long a launch may take, seconds."""
    env: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    """Further variables for the browser's environment."""
    proxy: str | None = attrs.field(default=None, repr=False)
    """What all pages go through, as `muxd.abc.LaunchOptions` has it; None: nothing."""
    bypass: tuple[str, ...] = ()
    """The hosts that they reach without it."""
    slow_mo: float = 0.0
    """How long each of Playwright's calls is made to take longer, seconds, for who looks on."""
    block: tuple[str, ...] = attrs.field(default=())
    """What pages of jobs that don't say so themselves need not load, as in `muxd.blocklist`."""

    @headed.validator
    def _(self, _field: object, value: bool) -> None:
        if value and self.found.engine is Engine.headless_shell:
            raise ConfigError(
                ConfigProblem(
                    "muxd.toml",
                    "browser.headed",
                    "a headless shell has no window: leave --headed out, "
                    'or use [browser] engine = "chromium"',
                )
            )

    @args.validator
    def _(self, _field: object, value: tuple[str, ...]) -> None:
        if "--no-sandbox" in value and not _is_root():
            raise ConfigError(
                ConfigProblem(
                    "muxd.toml",
                    "browser.args",
                    "--no-sandbox is refused: pages could reach this user's files; "
                    "let the system's user namespaces on, or run muxd in a container",
                )
            )
        if any(flag.startswith("--user-data-dir") for flag in value):
            raise ConfigError(
                ConfigProblem(
                    "muxd.toml", "browser.args", "the profile is muxd's own: use --state-dir"
                )
            )

    @property
    def wanted(self) -> LaunchOptions:
        """What plugins may have a say in, as it is now."""
        return LaunchOptions(
            engine=self.found.engine.value,
            headed=self.headed,
            args=self.args,
            env=self.env,
            proxy=self.proxy,
            bypass=self.bypass,
        )

    def with_options(self, options: LaunchOptions) -> LaunchPlan:
        """The same with what plugins have said."""
        return attrs.evolve(
            self,
            args=options.args,
            env=options.env,
            proxy=options.proxy,
            bypass=options.bypass,
        )

    @property
    def scratch(self) -> Path:
        """Where Playwright puts its temporary files; emptied before each launch."""
        return self.profile.with_name("tmp")

    def _environment(self) -> dict[str, str | float | bool]:
        """The browser's: its temporary files are in `scratch` too, where that is possible.

        It makes a socket there, whose name must not be longer than a socket's address can be.
        """
        environ: dict[str, str | float | bool] = {**os.environ, **self.env, BROWSER_MARK: "1"}
        if len(os.fsencode(self.scratch)) < LONGEST_SCRATCH:
            environ["TMPDIR"] = str(self.scratch)
        return environ

    def make_profile(self) -> None:
        """Make the profile directory, mode 0700."""
        self.profile.mkdir(mode=0o700, parents=True, exist_ok=True)
        if stat.S_IMODE(self.profile.stat().st_mode) != 0o700:
            self.profile.chmod(0o700)

    def options(self) -> dict[str, Any]:
        """The keyword arguments of Playwright's ``launch_persistent_context``."""
        options: dict[str, Any] = {
            "user_data_dir": self.profile,
            "executable_path": self.found.path,
            "headless": not self.headed,
            "args": self._arguments(),
            # The daemon decides when the browser ends, not the terminal's Ctrl-C.
            "handle_sigint": False,
            "handle_sigterm": False,
            "handle_sighup": False,
            "timeout": self.timeout * 1000,
            "slow_mo": self.slow_mo * 1000 or None,
            "env": self._environment(),
        }
        if self.proxy is not None:
            options["proxy"] = _proxy(self.proxy, self.bypass)
        elif self.found.engine.is_chromium:
            options |= _proxy_of(options["args"])
        if self.found.engine.is_chromium:
            # Chromium refuses to run as root with its sandbox. For anyone else it stays on.
            options["chromium_sandbox"] = not _is_root()
        if self.found.engine is Engine.chromium and self.found.path is None:
            # Without it Playwright takes its headless shell for whatever has no window.
            options["channel"] = "chromium"
        return options

    def _arguments(self) -> list[str]:
        if not self.found.engine.is_chromium:
            return list(self.args)
        mine = [flag for flag in self.args if not flag.startswith(_SWITCH)]
        wanted = [
            name
            for flag in self.args
            if flag.startswith(_SWITCH)
            for name in flag.removeprefix(_SWITCH).split(",")
        ]
        return [*_ARGS, *_disable_features(wanted), *mine]


def _proxy(url: str, bypass: Iterable[str]) -> dict[str, str]:
    """As Playwright has it."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    found = {"server": f"{parts.scheme}://{host}"}
    if hosts := ",".join(bypass):
        found["bypass"] = hosts
    if parts.username is not None:
        found |= {"username": unquote(parts.username), "password": unquote(parts.password or "")}
    return found


def _proxy_of(args: list[str]) -> dict[str, Any]:
    """What makes requests of `Run.http` go by a proxy that Chromium is told of by a flag, as pages do.

    Chromium itself goes by its flags, which come after those that Playwright makes of this.
    """
    server, hosts = _value(args, _PROXY), _value(args, _BYPASS)
    if not server or set(server) & set("=;,") or server.startswith("direct:"):
        return {}  # one for each scheme, or several: only Chromium knows what that means
    bypass = [*_LOOPBACK, *filter(None, re.split(r"[;,]\s*", hosts or ""))]
    mine = args if hosts is not None else [*args, _BYPASS]
    return {"proxy": {"server": server, "bypass": ",".join(bypass)}, "args": mine}


def _value(args: list[str], switch: str) -> str | None:
    found = [arg.removeprefix(switch) for arg in args if arg.startswith(switch)]
    return found[-1] if found else None


def launch_error(error: Error, plan: LaunchPlan) -> WorldError:
    """What a failed launch means, with the browser's own last words."""
    text = error.message
    if "No usable sandbox" in text or "SUID sandbox" in text:
        return BrowserUnusable(
            "the browser can't use its sandbox here: allow user namespaces "
            "(sysctl kernel.unprivileged_userns_clone=1, or AppArmor's "
            "kernel.apparmor_restrict_unprivileged_userns=0), or run muxd in a container as root"
        )
    if plan.headed and ("DISPLAY" in text or "headed browser" in text):
        return BrowserUnusable(
            "a headed browser needs a screen and there is none: leave --headed out, or use xvfb-run"
        )
    if "Executable doesn't exist" in text:
        return BrowserUnusable(
            "Playwright's own browser is not complete: run `muxd browser install`"
        )
    if "missing dependencies" in text:
        return BrowserUnusable(
            "the browser needs libraries that this system lacks: run "
            f"`playwright install-deps {plan.found.engine.playwrights}` as root"
        )
    said = [line.partition("[err]")[2].strip() for line in text.splitlines() if "[err]" in line]
    if said:
        return BrowserLost("the browser did not launch; it said: " + " / ".join(said[-3:]))
    return BrowserLost(
        f"the browser ({plan.found.path or plan.found.source}) ended without a word as it was "
        f"launched: is it what is configured, [browser] engine = {plan.found.engine.value!r}?"
        if "has been closed" in text
        else f"the browser did not launch: {text.strip().splitlines()[0]}"
    )


def _is_root() -> bool:
    return os.geteuid() == 0


def _disable_features(wanted: Iterable[str]) -> list[str]:
    """One switch for Playwright's own list, ours and the user's: Chromium heeds only the last.

    Playwright's list can't be asked for, so it is read from its driver. Where it isn't found
    (another version of the driver), only what the user wants is said, and only if there is any:
    losing Playwright's list would be worse than our saving is good.
    """
    playwrights = _playwrights_features()
    names = [*playwrights, *(_DISABLED if playwrights else ()), *wanted]
    return [_SWITCH + ",".join(dict.fromkeys(names))] if names else []


def _playwrights_features() -> list[str]:
    bundle = Path(str(files("playwright"))) / "driver" / "package" / "lib" / "coreBundle.js"
    try:
        text = bundle.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    listed = re.search(r"disabledFeatures = \[(.*?)\]", text, re.DOTALL)
    return re.findall(r'^\s*"(\w+)"', listed[1], re.MULTILINE) if listed else []
