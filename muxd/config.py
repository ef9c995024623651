"""What can be configured: every setting with its type, range and default.

Each section is a frozen class; a field's converter checks what it is given, so that a
configuration made by hand in a test is checked like one that was read from a file. How values
are found and put together is in `muxd.configfile`.
"""

# ruff: noqa: RUF009 - `_setting` is `attrs.field` with a converter and metadata
from __future__ import annotations

import ipaddress
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import attrs
import platformdirs

from muxd.blocklist import parse_blocklist
from muxd.engine import Engine
from muxd.secrets import MASK
from muxd.sizes import SIZE_HELP, parse_size
from muxd.units import DURATION_HELP, parse_duration
from muxd.zone import named_zone

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = [
    "SECTIONS",
    "BrowserConfig",
    "Config",
    "DaemonConfig",
    "EvidenceConfig",
    "LedgerConfig",
    "LogFormat",
    "PluginsConfig",
    "ResourcesConfig",
    "SlottingConfig",
    "WebConfig",
]

LogFormat = Literal["auto", "console", "json"]


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)) or not all(isinstance(item, str) for item in value):
        raise ValueError('give a list of texts, such as ["one", "two"]')
    return tuple(value)


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("give true or false")
    return value


def _path(value: object) -> Path:
    if isinstance(value, Path):
        return value
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        raise ValueError("give a path, as a text")
    return Path(value)


def _paths(value: object) -> tuple[Path, ...]:
    if not isinstance(value, (list, tuple)):
        raise ValueError('give a list of paths, such as ["jobs"]')
    return tuple(map(_path, value))


def _number(low: float, high: float, *, above: bool = False) -> Callable[[object], float]:
    """A number from `low` (or, with `above`, from just above it) to `high`."""
    words = (
        f"give a number {'above' if above else 'from'} {low:g} {'up ' if above else ''}to {high:g}"
    )

    def read(value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or math.isnan(value):
            raise ValueError(words)
        if not low <= value <= high or (above and value == low):
            raise ValueError(words)
        return float(value)

    return read


def _seconds(low: float, high: float, limits: str) -> Callable[[object], float]:
    def read(value: object) -> float:
        try:
            seconds = parse_duration(value)
        except ValueError:
            raise ValueError(f"give {DURATION_HELP}, {limits}") from None
        if not low <= seconds <= high:
            raise ValueError(f"give {limits}")
        return seconds

    return read


def _size(value: object) -> int:
    try:
        return parse_size(value)
    except ValueError:
        raise ValueError(f"give {SIZE_HELP}") from None


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 1_000_000:
        raise ValueError("give a whole number from 0 to 1000000")
    return value


def _whole(low: int, high: int) -> Callable[[object], int]:
    def read(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError(f"give a whole number from {low} to {high}")
        return value

    return read


def _at_least(low: int, read: Callable[[object], int], words: str) -> Callable[[object], int]:
    def check(value: object) -> int:
        found = read(value)
        if found < low:
            raise ValueError(f"give {words}")
        return found

    return check


def _engine(value: object) -> Engine:
    if not isinstance(value, str) or value not in list(Engine):
        raise ValueError("give one of " + ", ".join(Engine))
    return Engine(value)


def _trace(value: object) -> str:
    if value not in ("retries", "always", "never"):
        raise ValueError("give one of retries, always, never")
    return str(value)


def _address(value: object) -> str:
    words = 'give an IP address of this machine, such as "127.0.0.1", or "localhost"'
    if not isinstance(value, str):
        raise ValueError(words)
    if value.lower() == "localhost":
        return "localhost"
    try:
        return str(ipaddress.ip_address(value.strip("[]")))
    except ValueError:
        raise ValueError(words) from None


def _port(value: object) -> int:
    number = int(value) if isinstance(value, str) and value.isdecimal() else value
    return _whole(0, 65535)(number)


def _hosts(value: object) -> tuple[str, ...]:
    hosts = _texts(value)
    if any(not host or set(host) & set("/:@ ") for host in hosts):
        raise ValueError('give names of hosts, without a port, such as ["muxd.example.org"]')
    return tuple(host.lower() for host in hosts)


def _timezone(value: object) -> str:
    return named_zone(value if isinstance(value, str) else "").key


def _log_format(value: object) -> str:
    if value not in ("auto", "console", "json"):
        raise ValueError("give one of auto, console, json")
    return str(value)


def _setting(
    default: Any,
    read: Callable[[object], Any],
    *,
    env: str | None = None,
    kind: Literal["value", "path", "paths", "program"] = "value",
    secret: bool = False,
) -> Any:
    """A field: its default, what checks it, its environment variable, and what it points to.

    A list that is `secret` is never shown.
    """
    if default is None:
        read = attrs.converters.optional(read)
    return attrs.field(
        default=default, converter=read, metadata={"env": env, "kind": kind, "secret": secret}
    )


@attrs.frozen(kw_only=True)
class BrowserConfig:
    """``[browser]``: which browser, and how it is launched."""

    engine: Engine = _setting(Engine.chromium, _engine)
    """The kind of browser."""
    path: Path | None = _setting(None, _path, env="MUXD_BROWSER", kind="program")
    """The browser's executable. None: Playwright's own of that engine, else one that is
    installed. A name without a slash is looked up on the PATH."""
    headed: bool = _setting(False, _flag)
    """True: its window is shown."""
    args: tuple[str, ...] = _setting((), _texts)
    """Further command line arguments for the browser."""
    block: tuple[str, ...] = _setting((), parse_blocklist)
    """What pages need not load, for the jobs that don't say so themselves: see `Job.block`."""
    launch_timeout: float = _setting(60.0, _seconds(1, 3600, "from 1s to 1h"))
    """How long a launch may take, real seconds, 1 to 3600."""
    recycle_runs: int = _setting(1000, _count)
    """After how many runs the browser is replaced, in a gap; 0: never for that."""
    recycle_age: float = _setting(86_400.0, _seconds(0, 366 * 86_400, "from 0s to 366d"))
    """At which age, real seconds; 0: never for that."""
    recycle_memory: int = _setting(1_000_000_000, _size)
    """At how much memory of its process tree, bytes; 0: never for that."""


@attrs.frozen(kw_only=True)
class PluginsConfig:
    """``[plugins]``: which plugins are loaded, and from where."""

    disable: tuple[str, ...] = _setting((), _texts)
    """Names of plugins that are not loaded."""
    strict: bool = _setting(False, _flag)
    """True: a broken plugin is fatal, instead of being left out."""
    patience: float = _setting(10.0, _seconds(0.1, 600, "from 0.1s to 10m"))
    """How long the import of a plugin, and each call of a hook of it, may take, real seconds,
    0.1 to 600."""
    jobs_dirs: tuple[Path, ...] = _setting((), _paths, env="MUXD_JOBS_DIRS", kind="paths")
    """Directories whose ``*.py`` files are plugins, each on its own."""


@attrs.frozen(kw_only=True)
class DaemonConfig:
    """``[daemon]``: where the daemon keeps its state, and how it runs."""

    state_dir: Path = _setting(
        attrs.Factory(lambda: platformdirs.user_state_path("muxd")),
        _path,
        env="MUXD_STATE_DIR",
        kind="path",
    )
    """Where profile, sessions, ledger and lock are kept. One daemon a state directory."""
    timezone: str | None = _setting(None, _timezone, env="MUXD_TIMEZONE")
    """IANA name of the zone whose midnight the timetable counts from. None: the system's."""
    grace: float = _setting(30.0, _seconds(0, 86400, "from 0s to 1d"))
    """How long the run in progress may go on after a stop was asked for, real seconds,
    0 to 86400."""
    speed: float = _setting(1.0, _number(0, 3600, above=True))
    """How much faster than real time the timetable runs, above 0, at most 3600. For rehearsals."""
    restart: bool = _setting(True, _flag)
    """True: a guard watches the daemon from outside and starts it again when it dies or is
    blocked. False: the daemon is on its own."""
    blocked_limit: float = _setting(30.0, _seconds(5, 3600, "from 5s to 1h"))
    """For how long a run may block the whole of muxd before it is killed and started again, real
    seconds, 5 to 3600."""
    log_format: LogFormat = _setting("auto", _log_format, env="MUXD_LOG_FORMAT")
    """``console`` for people, ``json`` for machines; ``auto``: console on a terminal."""
    log_files: int = _setting(5, _whole(0, 1000))
    """How many files the log is kept in, in the state directory; 0: none."""
    log_size: int = _setting(10_000_000, _at_least(100_000, _size, "100 kB or more"))
    """How large each may be, bytes."""


@attrs.frozen(kw_only=True)
class SlottingConfig:
    """``[slotting]``: how the timetable is made."""

    headroom: float = _setting(0.5, _number(0, 1))
    """Which share of the best possible gap between slots is kept where preferred phases ask for
    less, 0 to 1: 0 follows the preferences, 1 the gap."""
    max_utilisation: float = _setting(0.95, _number(0, 10, above=True))
    """How much of the browser's time the jobs may ask for, above 0; beyond that `muxd start`
    refuses and names whom to slow down. 1 is all of it."""


@attrs.frozen(kw_only=True)
class ResourcesConfig:
    """``[resources]``: what must be left for runs that can wait."""

    memory_floor: int = _setting(200_000_000, _size)
    """Below this much free memory, bytes, ``low`` and ``background`` jobs are held; 0: never."""
    disk_floor: int = _setting(200_000_000, _size)
    """The same for the disk that the state directory is on, bytes."""


@attrs.frozen(kw_only=True)
class EvidenceConfig:
    """``[evidence]``: what is kept of runs that did not end well."""

    enabled: bool = _setting(True, _flag)
    """False: nothing is kept but the record."""
    trace: Literal["retries", "always", "never"] = _setting("retries", _trace)
    """Which runs Playwright traces with pictures. ``retries``: those that are one, and those whose
    job's last run did not end well; the others without. ``never``: none is traced."""
    keep: float = _setting(14 * 86_400.0, _seconds(60, 3660 * 86_400, "from 1m to 3660d"))
    """How long it is kept, real seconds."""
    max_size: int = _setting(500_000_000, _at_least(50_000_000, _size, "50 MB or more"))
    """Bytes that all of it may take, at least 50 MB."""
    max_runs: int = _setting(1000, _at_least(1, _count, "a whole number from 1 to 1000000"))
    """Of how many runs it is kept, 1 to 1,000,000."""
    mask: tuple[str, ...] = _setting((), _texts, secret=True)
    """Texts that are never kept."""
    mask_env: tuple[str, ...] = _setting((), _texts)
    """Names of environment variables whose values are never kept."""


@attrs.frozen(kw_only=True)
class LedgerConfig:
    """``[ledger]``: how much of the past is kept."""

    keep: float = _setting(90 * 86_400.0, _seconds(0, 36_600 * 86_400, "from 0s to 36600d"))
    """How long ended runs are kept, real seconds; 0: for ever."""
    max_runs: int = _setting(1_000_000, _whole(0, 1_000_000_000))
    """How many of them at most; 0: any number."""


@attrs.frozen(kw_only=True)
class WebConfig:
    """``[web]``: the dashboard, and the same control over HTTP."""

    enabled: bool = _setting(True, _flag)
    """False: nothing listens on a port; commands use the control socket all the same."""
    address: str = _setting("127.0.0.1", _address)
    """An address of this machine. One that others can reach lets everybody in who has the token."""
    port: int = _setting(8377, _port, env="MUXD_WEB_PORT")
    """The port; 0: any that is free."""
    hosts: tuple[str, ...] = _setting((), _hosts)
    """Names by which muxd may be asked for, beside those of the machine itself: of a proxy in front."""


SECTIONS: Mapping[str, type] = {
    "browser": BrowserConfig,
    "plugins": PluginsConfig,
    "daemon": DaemonConfig,
    "slotting": SlottingConfig,
    "resources": ResourcesConfig,
    "evidence": EvidenceConfig,
    "ledger": LedgerConfig,
    "web": WebConfig,
}
"""The sections with fixed keys; ``[jobs.NAME]`` has those of a job."""


@attrs.frozen(kw_only=True)
class Config:
    """All that is configured, and where each value came from."""

    browser: BrowserConfig = attrs.field(factory=BrowserConfig)
    plugins: PluginsConfig = attrs.field(factory=PluginsConfig)
    daemon: DaemonConfig = attrs.field(factory=DaemonConfig)
    slotting: SlottingConfig = attrs.field(factory=SlottingConfig)
    resources: ResourcesConfig = attrs.field(factory=ResourcesConfig)
    evidence: EvidenceConfig = attrs.field(factory=EvidenceConfig)
    ledger: LedgerConfig = attrs.field(factory=LedgerConfig)
    web: WebConfig = attrs.field(factory=WebConfig)
    jobs: Mapping[str, Mapping[str, Any]] = attrs.field(factory=dict)
    """``[jobs.NAME]``: fields of jobs that take the place of what the plugin says, and
    ``enabled``. The keys are known to be right; the values are checked when they meet the job."""
    origins: Mapping[str, str] = attrs.field(factory=dict, eq=False)
    """Dotted key to where its value came from: ``default``, a file, an option such as
    ``--state-dir``, or an environment variable such as ``MUXD_STATE_DIR``."""
    file: Path | None = None
    """The configuration file that was read, if any."""

    def origin(self, key: str) -> str:
        """Where the value of this dotted key came from."""
        return self.origins.get(key, "default")

    def values(self) -> dict[str, Any]:
        """Every dotted key with its value, in the order of the reference; no secrets."""
        found: dict[str, Any] = {}
        for section, kind in SECTIONS.items():
            for field in attrs.fields(kind):
                value = getattr(getattr(self, section), field.name)
                if field.metadata["secret"]:
                    value = tuple(MASK for _ in value)
                found[f"{section}.{field.name}"] = value
        for name, fields in self.jobs.items():
            found |= {f"jobs.{name}.{field}": value for field, value in fields.items()}
        return found
