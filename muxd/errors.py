"""Every error of muxd, sorted by whose fault it is.

::

    MuxdError
    ├── UserError            yours: a message with the remedy, exit code 2
    │   ├── ConfigError        muxd.toml, an option or an environment variable
    │   ├── JobError           a job that is declared wrongly
    │   ├── UnknownJob         no job of that name
    │   └── AlreadyRunning     another muxd holds this state directory
    ├── DaemonNotRunning     a command that needs the daemon finds none, exit code 3
    ├── DaemonSilent         the daemon does not answer, or ended before it had answered
    ├── PluginError          a plugin's: it is left out, the others run
    ├── WorldError           the world's: retried, recorded, announced
    │   ├── BrowserNotFound    no browser on this machine
    │   ├── BrowserUnusable    it can't run here before somebody does something
    │   ├── BrowserLost        the browser or its driver died or hangs
    │   ├── PageCrashed        the page's renderer died
    │   ├── ProfileInUse       another live browser holds the profile
    │   ├── LedgerError        the ledger can't be read or written
    │   └── DataError          the data file, with what jobs save, can't be
    ├── RunError             what a run's own body did
    │   ├── DeadlineExceeded   it ran longer than its timeout
    │   ├── RunCutOff          muxd died while it ran
    │   ├── LoopBlocked        it blocked muxd, which had to be killed and started again
    │   ├── SessionError       its session could not be loaded or saved
    │   ├── ItemError          what it wanted to save can't be kept
    │   ├── StateError         its job's state can't be kept, or is none of what it wants
    │   ├── LoggedOut          its session is logged out: a person has to log in again
    │   ├── SecretMissing      a secret that it wants is nowhere
    │   ├── BodyMistake        its body can't work as it is written: an ``await`` is missing, say
    │   └── BackgroundError    a listener, route handler or callback of it raised
    └── InternalError        ours: please report it
"""

from __future__ import annotations

import shlex

import attrs

__all__ = [
    "AlreadyRunning",
    "BackgroundError",
    "BodyMistake",
    "BrowserLost",
    "BrowserNotFound",
    "BrowserUnusable",
    "ConfigError",
    "ConfigProblem",
    "DaemonNotRunning",
    "DaemonSilent",
    "DataError",
    "DeadlineExceeded",
    "InternalError",
    "ItemError",
    "JobError",
    "LedgerError",
    "LoggedOut",
    "LoopBlocked",
    "MuxdError",
    "PageCrashed",
    "PluginError",
    "ProfileInUse",
    "RunCutOff",
    "RunError",
    "SecretMissing",
    "SessionError",
    "StateError",
    "UnknownJob",
    "UserError",
    "WorldError",
    "message_of",
    "qualified_name",
]


def qualified_name(kind: type[BaseException]) -> str:
    """The name of an error's class as records have it: ``httpx.ConnectError``, ``ValueError``."""
    name = kind.__qualname__
    return name if kind.__module__ == "builtins" else f"{kind.__module__}.{name}"


class MuxdError(Exception):
    """The root of all errors that muxd raises on purpose."""

    exit_code = 1
    """What a command that ends with this error exits with."""


class UserError(MuxdError):
    """The user's input can't be used. The message names it and says what to do."""

    exit_code = 2


@attrs.frozen
class ConfigProblem:
    """One thing that is wrong in the configuration."""

    source: str
    """The file, option or environment variable that it stands in."""
    key: str
    """The dotted key within the source, for example ``jobs.headlines.interval``."""
    message: str
    """What is wrong, and what would be right."""

    def __str__(self) -> str:
        return (
            f"{self.source}: {self.key}: {self.message}"
            if self.key
            else (f"{self.source}: {self.message}")
        )


class ConfigError(UserError):
    """The configuration is wrong; carries *all* problems found, not only the first."""

    def __init__(self, *problems: ConfigProblem) -> None:
        self.problems = problems
        super().__init__("\n".join(map(str, problems)))


class JobError(UserError):
    """A job is declared wrongly: which plugin, job, field and value, and what is allowed."""

    def __init__(
        self, *, job: str, field: str, value: object, allowed: str, plugin: str = ""
    ) -> None:
        self.plugin, self.job, self.field, self.value = plugin, job, field, value
        self.allowed = allowed
        owner = f"plugin {plugin!r}, job {job!r}" if plugin else f"job {job!r}"
        shown = _named(value)
        if len(shown) > 120:
            shown = shown[:117] + "..."
        super().__init__(f"{owner}: {field}={shown} is not possible: {allowed}")

    def of_plugin(self, plugin: str) -> JobError:
        """The same error, with the plugin named."""
        return JobError(
            plugin=plugin, job=self.job, field=self.field, value=self.value, allowed=self.allowed
        )


class UnknownRun(UserError):
    """No run has this id, or a part of it."""


class UnknownJob(UserError):
    """No job has this name."""

    def __init__(self, name: str, known: tuple[str, ...] = ()) -> None:
        self.name, self.known = name, known
        import difflib

        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else "see `muxd jobs` for those there are"
        super().__init__(f"there is no job {name!r}: {hint}")


def message_of(error: BaseException) -> str:
    """What an error says. Never raises: a plugin's own may not even be able to say it."""
    try:
        return str(error)
    except (Exception, SystemExit, KeyboardInterrupt):
        return "<its message can't be shown>"


def _named(value: object) -> str:
    """The repr; of a function, or a partial of one, its name: where it is in memory helps nobody."""
    inner = getattr(value, "func", None)
    if callable(inner):
        return f"partial({_named(inner)})"
    name = getattr(value, "__qualname__", None)
    return name if callable(value) and isinstance(name, str) else repr(value)


class AlreadyRunning(UserError):
    """Another muxd holds the state directory."""

    def __init__(self, state_dir: str, pid: int | None, *, role: str = "daemon") -> None:
        """Say who.

        Args:
          state_dir: which directory.
          pid: whose it is; None if that can't be known.
          role: what it is: ``daemon``, ``run`` (on its own) or ``restore``.
        """
        self.pid = pid
        who = _process(pid)
        if role == "restore":
            text = f"{who} is restoring a backup into {state_dir}: wait until it has ended"
        elif role == "run":
            text = (
                f"{who} is running a job alone in {state_dir}: wait until it has ended, "
                "end it with Ctrl-C, or choose another --state-dir"
            )
        else:
            text = (
                f"muxd is already running in {state_dir} ({who}): "
                "stop it with `muxd stop`, or choose another --state-dir"
            )
        super().__init__(text)


class DaemonNotRunning(MuxdError):
    """The command needs a running daemon and there is none."""

    exit_code = 3

    def __init__(self, state_dir: str, *, alone: int | None = None) -> None:
        """Say so.

        Args:
          state_dir: where there is none.
          alone: the process of a `muxd run` that holds the directory, if one does.
        """
        what = f"no muxd is running in {state_dir}"
        if alone is None:
            super().__init__(f"{what}: start one with `muxd start`")
        else:
            super().__init__(
                f"{what}, but {_process(alone)} is running a job alone there: "
                "wait until it has ended, or end it with Ctrl-C"
            )


class DaemonSilent(MuxdError):
    """The daemon does not answer, or ended before it had answered. The message says which."""


def _process(pid: int | None) -> str:
    return f"process {pid}" if pid else "another process"


class PluginError(MuxdError):
    """A plugin did something wrong; it alone is left out, or only a `part` of it, in words.

    The cause, when there is one, is in ``__cause__``.
    """

    def __init__(self, plugin: str, hook: str, reason: str, *, part: str = "") -> None:
        self.plugin, self.hook, self.reason = plugin, hook, reason
        of = f"{part} of " if part else ""
        super().__init__(
            f"{of}plugin {plugin!r} is left out: {hook}: {reason}; "
            f"mend it, or `muxd plugins disable {shlex.quote(plugin)}`"
        )


class WorldError(MuxdError):
    """Something outside of muxd, its user and its plugins failed."""


class BrowserNotFound(WorldError):
    """There is no browser that muxd could use. The message says how to get one."""


class BrowserUnusable(WorldError):
    """The browser can't run here: no screen, no sandbox. The message says what to do."""


class BrowserLost(WorldError):
    """The browser or Playwright's driver died, or hangs and was killed. It is relaunched."""


class PageCrashed(WorldError):
    """The page's renderer died. The browser lives, the run is recorded as ``crashed``."""


class ProfileInUse(WorldError):
    """A live browser that isn't muxd's holds the profile directory."""

    exit_code = 2


class LedgerError(WorldError):
    """The ledger can't be opened, read or written."""


class DataError(WorldError):
    """The data file, with what jobs save and their states, can't be opened, read or written."""


class RunError(MuxdError):
    """A run ended badly by its own doing."""


class RunCutOff(RunError):
    """muxd died while it ran. The next start records it as ``interrupted``; nobody saw its end."""


class LoopBlocked(RunError):
    """The run blocked the whole of muxd for longer than that may be, so that muxd was killed and
    started again. It is recorded as ``crashed``, and its job is paused at once."""


class DeadlineExceeded(RunError):
    """The run was longer than its job's timeout and was ended."""


class SessionError(RunError):
    """The run's session could not be loaded or saved. What was saved before is still there."""


class ItemError(RunError):
    """What a body wanted to save can't be kept; nothing of that call was. It says what, and why."""


class StateError(RunError):
    """The state of a job can't be kept as it is, or is none of what its body wants it to be."""


class LoggedOut(RunError):
    """The run's session is logged out, and nothing but a person can change that.

    For bodies to raise. The job is paused, with all that need a login to the same session, until
    somebody has logged in: `muxd login`."""


class SecretMissing(RunError):
    """A secret that the body asked for is nowhere. The message says where it was looked for."""


class BodyMistake(RunError):
    """A job's body is written in a way that can't work: no ``await``, say. The message has the remedy."""


class BackgroundError(RunError):
    """A listener, route handler or callback of the run raised; the cause is ``__cause__``."""


class InternalError(MuxdError):
    """A mistake in muxd itself. Please report it."""
