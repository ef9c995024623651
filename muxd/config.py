"""What can be configured: every setting with its type, range and default.

Each section is a frozen class; a field's converter checks what it is given, so that a
configuration made by hand in a test is checked like one that was read from a file. How values
are found and put together is in `muxd.configfile`.
"""

# ruff: noqa: RUF009 - `_setting` is `attrs.field` with a converter and metadata
from __future__ import annotations

from pathlib import Path  # noqa: TC003 - cattrs reads the annotations
from typing import TYPE_CHECKING, Any, Literal

import attrs
import platformdirs

from muxd import configvalues as values
from muxd import readers
from muxd.blocklist import parse_blocklist
from muxd.engine import Engine
from muxd.keys import dotted
from muxd.secrets import MASK, Secrets, is_telling

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from muxd.section import Section

__all__ = [
    "SECTIONS",
    "BrowserConfig",
    "Config",
    "DaemonConfig",
    "DataConfig",
    "EvidenceConfig",
    "LedgerConfig",
    "LogFormat",
    "NotifyConfig",
    "PluginsConfig",
    "ResourcesConfig",
    "SlottingConfig",
    "WebConfig",
]

LogFormat = Literal["auto", "console", "json", "journald"]


def _masked(value: Any) -> Any:
    """What stands for a secret: as many masks as there are texts, nothing for nothing."""
    if isinstance(value, (list, tuple)):
        return tuple(MASK for _ in value)
    return MASK if value else value


def _setting(
    default: Any,
    read: Callable[[object], Any],
    *,
    env: str | None = None,
    kind: Literal["value", "texts", "path", "paths", "program"] = "value",
    secret: bool = False,
) -> Any:
    """A field: its default, what checks it, its environment variable, and what it points to.

    What is `secret`, a text or a list of them, is never shown.
    """
    return attrs.field(
        default=default,
        converter=attrs.converters.optional(read) if default is None else read,
        repr=not secret,
        metadata={"env": env, "kind": kind, "secret": secret, "read": read},
    )


@attrs.frozen(kw_only=True)
class BrowserConfig:
    """``[browser]``: which browser, and how it is launched."""

    engine: Engine = _setting(Engine.chromium, values.engine)
    """The kind of browser."""
    path: Path | None = _setting(None, values.path, env="MUXD_BROWSER", kind="program")
    """The browser's executable. None: Playwright's own of that engine, else one that is
    installed. A name without a slash is looked up on the PATH."""
    headed: bool = _setting(False, values.flag)
    """True: its window is shown."""
    args: tuple[str, ...] = _setting((), values.texts)
    """Further command line arguments for the browser."""
    block: tuple[str, ...] = _setting((), parse_blocklist)
    """What pages need not load, for the jobs that don't say so themselves: see `Job.block`."""
    launch_timeout: float = _setting(60.0, readers.seconds(1, 3600))
    """How long a launch may take, real seconds, 1 to 3600."""
    recycle_runs: int = _setting(1000, readers.whole(0, 1_000_000))
    """After how many runs the browser is replaced, in a gap; 0: never for that."""
    recycle_age: float = _setting(86_400.0, readers.seconds(0, 366 * 86_400))
    """At which age, real seconds; 0: never for that."""
    recycle_memory: int = _setting(1_000_000_000, readers.size())
    """At how much memory of its process tree, bytes; 0: never for that."""


@attrs.frozen(kw_only=True)
class PluginsConfig:
    """``[plugins]``: which plugins are loaded, and from where."""

    disable: tuple[str, ...] = _setting((), values.texts)
    """Names of plugins that are not loaded."""
    strict: bool = _setting(False, values.flag)
    """True: a broken plugin is fatal, instead of being left out."""
    patience: float = _setting(10.0, readers.seconds(0.1, 600))
    """How long the import of a plugin, and each call of a hook of it, may take, real seconds,
    0.1 to 600."""
    jobs_dirs: tuple[Path, ...] = _setting((), values.paths, env="MUXD_JOBS_DIRS", kind="paths")
    """Directories whose ``*.py`` files are plugins, each on its own."""


@attrs.frozen(kw_only=True)
class DaemonConfig:
    """``[daemon]``: where the daemon keeps its state, and how it runs."""

    state_dir: Path = _setting(
        attrs.Factory(lambda: platformdirs.user_state_path("muxd")),
        values.path,
        env="MUXD_STATE_DIR",
        kind="path",
    )
    """Where profile, sessions, ledger and lock are kept. One daemon a state directory."""
    timezone: str | None = _setting(None, values.timezone, env="MUXD_TIMEZONE")
    """IANA name of the zone whose midnight the timetable counts from. None: the system's."""
    grace: float = _setting(30.0, readers.seconds(0, 86400))
    """How long the run in progress may go on after a stop was asked for, real seconds,
    0 to 86400."""
    speed: float = _setting(1.0, readers.number(0, 3600, above=True))
    """How much faster than real time the timetable runs, above 0, at most 3600. For rehearsals."""
    restart: bool = _setting(True, values.flag)
    """True: a guard watches the daemon from outside and starts it again when it dies or is
    blocked. False: the daemon is on its own."""
    blocked_limit: float = _setting(30.0, readers.seconds(5, 3600))
    """For how long a run may block the whole of muxd before it is killed and started again, real
    seconds, 5 to 3600."""
    log_format: LogFormat = _setting("auto", values.log_format, env="MUXD_LOG_FORMAT")
    """``console`` for people, ``json`` for machines, ``journald`` for systemd's journal; ``auto``: what
    fits where it goes."""
    log_files: int = _setting(5, readers.whole(0, 1000))
    """How many files the log is kept in, in the state directory; 0: none."""
    log_size: int = _setting(10_000_000, readers.size(100_000))
    """How large each may be, bytes."""


@attrs.frozen(kw_only=True)
class SlottingConfig:
    """``[slotting]``: how the timetable is made."""

    headroom: float = _setting(0.5, readers.number(0, 1))
    """Which share of the best possible gap between slots is kept where preferred phases ask for
    less, 0 to 1: 0 follows the preferences, 1 the gap."""
    max_utilisation: float = _setting(0.95, readers.number(0, 10, above=True))
    """How much of the browser's time the jobs may ask for, above 0; beyond that `muxd start`
    refuses and names whom to slow down. 1 is all of it."""


@attrs.frozen(kw_only=True)
class ResourcesConfig:
    """``[resources]``: what must be left for runs that can wait."""

    memory_floor: int = _setting(200_000_000, readers.size())
    """Below this much free memory, bytes, ``low`` and ``background`` jobs are held; 0: never."""
    disk_floor: int = _setting(200_000_000, readers.size())
    """The same for the disk that the state directory is on, bytes."""


@attrs.frozen(kw_only=True)
class EvidenceConfig:
    """``[evidence]``: what is kept of runs that did not end well."""

    enabled: bool = _setting(True, values.flag)
    """False: nothing is kept but the record."""
    trace: Literal["retries", "always", "never"] = _setting("retries", values.trace)
    """Which runs Playwright traces with pictures. ``retries``: those that are one, and those whose
    job's last run did not end well; the others without. ``never``: none is traced."""
    keep: float = _setting(14 * 86_400.0, readers.seconds(60, 3660 * 86_400))
    """How long it is kept, real seconds."""
    max_size: int = _setting(500_000_000, readers.size(50_000_000))
    """Bytes that all of it may take, at least 50 MB."""
    max_runs: int = _setting(1000, readers.whole(1, 1_000_000))
    """Of how many runs it is kept, 1 to 1,000,000."""
    mask: tuple[str, ...] = _setting((), values.texts, secret=True)
    """Texts that are never kept."""
    mask_env: tuple[str, ...] = _setting((), values.texts)
    """Names of environment variables whose values are never kept."""


@attrs.frozen(kw_only=True)
class LedgerConfig:
    """``[ledger]``: how much of the past is kept."""

    keep: float = _setting(90 * 86_400.0, readers.seconds(0, 36_600 * 86_400))
    """How long ended runs are kept, real seconds; 0: for ever."""
    max_runs: int = _setting(1_000_000, readers.whole(0, 1_000_000_000))
    """How many of them at most; 0: any number."""


@attrs.frozen(kw_only=True)
class DataConfig:
    """``[data]``: how much is kept of what jobs save."""

    keep: float = _setting(0.0, readers.seconds(0, 36_600 * 86_400))
    """How long rows are kept after they were last seen, real seconds; 0: for ever."""


@attrs.frozen(kw_only=True)
class WebConfig:
    """``[web]``: the dashboard, and the same control over HTTP."""

    enabled: bool = _setting(True, values.flag)
    """False: nothing listens on a port; commands use the control socket all the same."""
    address: str = _setting("127.0.0.1", values.address)
    """An address of this machine. One that others can reach lets everybody in who has the token."""
    port: int = _setting(8377, values.port, env="MUXD_WEB_PORT")
    """The port; 0: any that is free."""
    hosts: tuple[str, ...] = _setting((), values.hosts)
    """Names by which muxd may be asked for, beside those of the machine itself: of a proxy in front."""


@attrs.frozen(kw_only=True)
class NotifyConfig:
    """``[notify]``: who is told when something is wrong, and when it is well again."""

    urls: tuple[str, ...] = _setting(
        (), values.apprise_urls, env="MUXD_NOTIFY_URLS", kind="texts", secret=True
    )
    """URLs of services, as apprise has them."""
    webhook: str | None = _setting(None, values.web_url, env="MUXD_NOTIFY_WEBHOOK", secret=True)
    """Where signed JSON is posted to."""
    webhook_secret: str | None = _setting(
        None, values.signing_secret, env="MUXD_NOTIFY_WEBHOOK_SECRET", secret=True
    )
    """What it is signed with."""
    desktop: bool = _setting(False, values.flag)
    """True: on this machine's screen, too."""
    on: tuple[str, ...] = _setting(values.TOLD_OF, values.told_of)
    """What is told, of `muxd.configvalues.TOLD_OF`."""
    gather: float = _setting(120.0, readers.seconds(0, 3600))
    """How long what is wrong is gathered before it is told, real seconds, 0 to 3600. What is well
    again by then is not told."""
    quiet: float = _setting(3600.0, readers.seconds(0, 7 * 86_400))
    """How long nothing further is told while that is still wrong, real seconds."""
    silence: float = _setting(3600.0, readers.seconds(0, 366 * 86_400))
    """How much longer than the shortest interval nothing may run, real seconds; 0: for ever."""


SECTIONS: Mapping[str, type] = {
    "browser": BrowserConfig,
    "plugins": PluginsConfig,
    "daemon": DaemonConfig,
    "slotting": SlottingConfig,
    "resources": ResourcesConfig,
    "evidence": EvidenceConfig,
    "ledger": LedgerConfig,
    "data": DataConfig,
    "web": WebConfig,
    "notify": NotifyConfig,
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
    data: DataConfig = attrs.field(factory=DataConfig)
    web: WebConfig = attrs.field(factory=WebConfig)
    notify: NotifyConfig = attrs.field(factory=NotifyConfig)
    sections: Mapping[str, Mapping[str, Any]] = attrs.field(factory=dict)
    """``[plugins.NAME]``: what plugins read themselves, unchecked."""
    jobs: Mapping[str, Mapping[str, Any]] = attrs.field(factory=dict)
    """``[jobs.NAME]``: fields of jobs that take the place of what the plugin says, and
    ``enabled``. The keys are known to be right; the values are checked when they meet the job."""
    origins: Mapping[str, str] = attrs.field(factory=dict, eq=False)
    """Dotted key to where its value came from: ``default``, a file, an option such as
    ``--state-dir``, or an environment variable such as ``MUXD_STATE_DIR``."""
    file: Path | None = None
    """The configuration file that was read, if any."""
    warnings: tuple[str, ...] = attrs.field(default=(), eq=False)
    """What is hardly meant, with the remedy: variables that nobody reads."""

    def origin(self, key: str) -> str:
        """Where the value of this dotted key, or the table that it stands in, came from."""
        while key not in self.origins and "." in key:
            key = key.rpartition(".")[0]
        return self.origins.get(key, "default")

    def section(self, plugin: str) -> Section:
        """The plugin's own section."""
        from muxd.section import Section

        return Section(plugin, self.sections.get(plugin, {}), self.file)

    def values(self) -> dict[str, Any]:
        """Every dotted key with its value, in the order of the reference; no secrets."""
        found: dict[str, Any] = {}
        for section, kind in SECTIONS.items():
            for field in attrs.fields(kind):
                value = getattr(getattr(self, section), field.name)
                if field.metadata["secret"]:
                    value = _masked(value)
                found[f"{section}.{field.name}"] = value
        for name, table in self.sections.items():
            found |= _flat(dotted("plugins", (name,)), table)
        for name, fields in self.jobs.items():
            for field, value in fields.items():
                key = f"jobs.{name}.{field}"
                found |= _flat(key, value) if field == "config" else {key: value}
        return found


def _flat(key: str, value: Any, name: str = "") -> dict[str, Any]:
    """What plugins read: every value by its key. What is a secret by its name is not shown."""
    tables = isinstance(value, list) and bool(value) and all(isinstance(v, dict) for v in value)
    if isinstance(value, dict) or tables:
        steps = value.items() if isinstance(value, dict) else enumerate(value)
        return {
            inner: shown
            for step, each in steps
            for inner, shown in _flat(dotted(key, (step,), value), each, str(step)).items()
        }
    if value and is_telling(name, value):
        return {key: MASK}
    return {key: Secrets().mask(value) if isinstance(value, str) else value}
