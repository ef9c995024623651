"""Loads plugins, each on its own: a broken one is left out and named, the others run."""

from __future__ import annotations

import inspect
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import attrs
import pluggy

from muxd import hookspecs
from muxd.abc import Controlled, Service, Sink, Slotter, Store
from muxd.blame import Wrong, blaming, problem_of, where
from muxd.disabled import DisabledPlugins
from muxd.discovery import BUILTINS, Source, discover
from muxd.errors import ConfigError, LedgerError, MuxdError, PluginError
from muxd.hints import did_you_mean, shown
from muxd.job import Job
from muxd.overrides import overridden

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from importlib.metadata import EntryPoint
    from pathlib import Path

    from muxd.config import Config
    from muxd.errors import ConfigProblem

__all__ = ["BrokenPlugins", "Plugin", "Plugins", "load_plugins"]

State = Literal["active", "left out", "disabled"]
_T = TypeVar("_T")
_MOST = 100_000
"""More items than this from one hook are a generator without an end."""


class BrokenPlugins(MuxdError):
    """Plugins are broken, and ``plugins.strict`` makes that fatal."""

    def __init__(self, *problems: PluginError) -> None:
        self.problems = problems
        super().__init__("\n".join(map(str, problems)))


@attrs.frozen(kw_only=True)
class Plugin:
    """What is known of one plugin that was found."""

    name: str
    distribution: str | None
    """The installed distribution that it belongs to; None for a file in a jobs directory."""
    version: str | None
    location: str
    """What to look at: a module, an entry point's value or a file."""
    hooks: tuple[str, ...]
    """The hooks that it implements."""
    jobs: tuple[str, ...]
    """The jobs that it declares, disabled ones too."""
    state: State
    problem: PluginError | None
    """Why it is left out."""
    disabled_by: str | None
    """Where it was disabled: the configuration's file, option or variable, or the command."""


@attrs.define
class _Member:
    """A plugin and what was made of it so far."""

    source: Source
    state: State = "active"
    hooks: dict[str, list[pluggy.HookImpl]] = attrs.field(factory=dict)
    # {hook name: its implementations, in the order of their definition's names}
    jobs: list[Job] = attrs.field(factory=list)
    problem: PluginError | None = None
    disabled_by: str | None = None

    @property
    def name(self) -> str:
        return self.source.name

    @property
    def active(self) -> bool:
        return self.state == "active"


@attrs.define(eq=False)
class Plugins:
    """All plugins that were found, and what the active ones declare.

    It changes in one way only: a plugin that breaks later (in `store`, `sinks`, `services`, or
    by `leave_out`) leaves the active ones, and its jobs go with it.
    """

    _config: Config
    _members: list[_Member]
    warnings: tuple[str, ...]
    """What is odd in the configuration, but no mistake for sure."""
    tell: Callable[[PluginError], object] = attrs.field(default=lambda _: None)
    """Is called with the problem of a plugin that breaks in `store`, `slotters`, `sinks` or
    `services`."""

    @property
    def found(self) -> tuple[Plugin, ...]:
        """All of them, in the order in which they were found."""
        return tuple(
            Plugin(
                name=member.name,
                distribution=member.source.distribution,
                version=member.source.version,
                location=member.source.location,
                hooks=tuple(sorted(member.hooks)),
                jobs=tuple(sorted(job.name for job in member.jobs)),
                state=member.state,
                problem=member.problem,
                disabled_by=member.disabled_by,
            )
            for member in self._members
        )

    @property
    def jobs(self) -> tuple[Job, ...]:
        """The jobs to run, by name, each with the configuration's overrides and its plugin."""
        return tuple(job for job in self._all_jobs() if self._enabled(job))

    @property
    def disabled_jobs(self) -> tuple[Job, ...]:
        """The jobs of active plugins that the configuration switches off, by name."""
        return tuple(job for job in self._all_jobs() if not self._enabled(job))

    @property
    def problems(self) -> tuple[PluginError, ...]:
        """Why plugins are left out."""
        return tuple(member.problem for member in self._members if member.problem)

    def store(self, state_dir: Path) -> Store:
        """The store of the first plugin that gives one; muxd's own comes last.

        Raises:
          LedgerError: there is none.
          BrokenPlugins: a plugin broke in it and ``plugins.strict`` is set.
        """
        offers = self._offers("muxd_store", Store, "a muxd.abc.Store", state_dir=state_dir)  # type: ignore[type-abstract]
        for _plugin, store in offers:
            return store
        raise LedgerError(
            "no plugin keeps records: enable or mend the plugin 'muxd.ledger' (see `muxd plugins`)"
        )

    def slotters(self) -> list[tuple[str, Slotter]]:
        """Who can make the timetable, each with its plugin's name, best first; muxd's own is last.

        Raises:
          BrokenPlugins: a plugin broke in it and ``plugins.strict`` is set.
        """
        return list(self._offers("muxd_slotter", Slotter, "a muxd.abc.Slotter"))  # type: ignore[type-abstract]

    def sinks(self) -> list[tuple[str, Sink]]:
        """The sinks of the active plugins, each with its plugin's name.

        Raises:
          BrokenPlugins: a plugin broke in it and ``plugins.strict`` is set.
        """
        return self._collect("muxd_sinks", Sink, "muxd.abc.Sink")  # type: ignore[type-abstract]

    def services(self, daemon: Controlled | None = None) -> list[tuple[str, Service]]:
        """The services of the active plugins, each with its plugin's name.

        Args:
          daemon: what they may look at and steer; None if there is none.

        Raises:
          BrokenPlugins: a plugin broke in it and ``plugins.strict`` is set.
        """
        return self._collect("muxd_services", Service, "muxd.abc.Service", daemon=daemon)  # type: ignore[type-abstract]

    def leave_out(self, plugin: str, hook: str, cause: BaseException) -> PluginError:
        """Leave out an active plugin, and its jobs, because of what its `hook` gave did.

        Gives the problem; of a plugin that is left out already, the first one.

        Raises:
          BrokenPlugins: ``plugins.strict`` is set.
          KeyError: there is no such plugin.
        """
        member = next((m for m in self._members if m.name == plugin), None)
        if member is None:
            raise KeyError(plugin)
        return member.problem or self._leave_out(member, problem_of(plugin, hook, cause))

    def _leave_out(self, member: _Member, problem: PluginError) -> PluginError:
        member.state, member.problem = "left out", problem
        if self._config.plugins.strict:
            raise BrokenPlugins(problem) from problem
        return problem

    def _all_jobs(self) -> list[Job]:
        jobs = (job for member in self._members if member.active for job in member.jobs)
        return sorted(jobs, key=lambda job: job.name)

    def _enabled(self, job: Job) -> bool:
        return bool(self._config.jobs.get(job.name, {}).get("enabled", True))

    def _offers(
        self, hook: str, kind: type[_T], name: str, **arguments: object
    ) -> Iterator[tuple[str, _T]]:
        """What the implementations of a first-result hook give, one after another as asked for."""
        found = [(m, impl) for m in self._members for impl in m.hooks.get(hook, ())]
        found.sort(key=lambda p: (p[1].trylast - p[1].tryfirst, p[0].source.builtin))
        for member, impl in found:
            if not member.active:
                continue
            call = partial(_offer, impl, arguments, kind, name)
            try:
                offer = blaming(member.name, hook, self._config.plugins.patience, call)
            except PluginError as problem:
                self.tell(self._leave_out(member, problem))
            else:
                if offer is not None:
                    yield member.name, offer

    def _collect(
        self, hook: str, kind: type[_T], name: str, **arguments: object
    ) -> list[tuple[str, _T]]:
        found: list[tuple[str, _T]] = []
        for member in self._members:
            if not member.active or hook not in member.hooks:
                continue
            call = partial(_all_items, member.hooks[hook], arguments, kind, name)
            try:
                items = blaming(member.name, hook, self._config.plugins.patience, call)
            except PluginError as problem:
                self.tell(self._leave_out(member, problem))
            else:
                found += ((member.name, item) for item in items)
        return found


def load_plugins(
    config: Config,
    *,
    entry_points: Iterable[EntryPoint] | None = None,
    builtins: Iterable[str] = BUILTINS,
) -> Plugins:
    """Find and load all plugins, and apply what the configuration says of them and their jobs.

    Args:
      config: the configuration in force.
      entry_points: instead of those of the installed distributions.
      builtins: modules of muxd's own that are plugins.

    Raises:
      ConfigError: overrides of jobs are wrong (all of them are named).
      BrokenPlugins: a plugin is broken and ``plugins.strict`` is set.
    """
    members: list[_Member] = []
    earlier = _Earlier()
    warnings: list[str] = []
    disabled = _disabled(config, warnings)
    for source in discover(config, entry_points=entry_points, builtins=builtins):
        member = _Member(source)
        if source.name in disabled:
            member.state, member.disabled_by = "disabled", disabled[source.name]
        else:
            try:
                _load(member, earlier, config.plugins.patience)
            except PluginError as problem:
                member.state, member.problem = "left out", problem
        members.append(member)
        earlier.add(member)

    wrong: list[ConfigProblem] = []
    for member in members:
        if member.active:
            for at, job in enumerate(member.jobs):
                member.jobs[at], problems = overridden(job, config)
                wrong += problems
    if wrong:
        raise ConfigError(*wrong)
    plugins = Plugins(config, members, (*warnings, *_warnings(config, members)))
    if config.plugins.strict and plugins.problems:
        raise BrokenPlugins(*plugins.problems)
    return plugins


def _disabled(config: Config, warnings: list[str]) -> dict[str, str]:
    """Which plugins are disabled, each with where it was."""
    by_command: tuple[str, ...] = ()
    try:
        by_command = DisabledPlugins(config.daemon.state_dir).read()
    except ConfigError as error:
        warnings.append(f"{error}; no plugin counts as disabled by it")
    origin = config.origin("plugins.disable")
    return dict.fromkeys(by_command, "muxd plugins disable") | dict.fromkeys(
        config.plugins.disable, origin
    )


@attrs.frozen
class _Earlier:
    """The plugins that were found so far."""

    plugins: dict[str, _Member] = attrs.field(factory=dict)
    jobs: dict[str, _Member] = attrs.field(factory=dict)
    """Who declares each job, by its name."""

    def add(self, member: _Member) -> None:
        self.plugins.setdefault(member.name, member)
        if member.active:
            self.jobs.update((job.name, member) for job in member.jobs)


def _load(member: _Member, earlier: _Earlier, patience: float) -> None:
    """Import a plugin and take its hooks and jobs. Raises `PluginError` for all that is wrong."""
    name = member.name
    if name in earlier.plugins:
        other = earlier.plugins[name].source.location
        raise PluginError(name, "name", f"the name is already taken by the plugin from {other}")
    plugin = blaming(name, "import", patience, member.source.load)
    member.hooks, declared = blaming(
        name, "hooks", patience, lambda: (_hooks(plugin, name), _declared(plugin))
    )
    if not declared and not member.hooks:
        reason = (
            "there is neither a job nor a hook in it "
            "(use @muxd.job(...) or @muxd.hookimpl; names of helper files start with _)"
        )
        raise PluginError(name, "hooks", reason)
    impls = member.hooks.get("muxd_jobs", [])
    member.jobs = blaming(
        name, "muxd_jobs", patience, lambda: list(_jobs(name, declared, impls, earlier))
    )


def _jobs(
    plugin: str, declared: list[Job], impls: list[pluggy.HookImpl], earlier: _Earlier
) -> Iterator[Job]:
    """The jobs that the plugin declares and gives, each once, and with names that are free."""
    known = {id(job): job for job in declared}
    for job in _all_items(impls, {}, Job, "muxd.Job"):
        known.setdefault(id(job), job)
    taken = earlier.jobs
    names: set[str] = set()
    for job in known.values():
        if job.name in names:
            raise Wrong(f"two jobs are named {job.name!r}")
        names.add(job.name)
    for name in sorted(names & taken.keys()):
        raise Wrong(
            f"the job name {name!r} is already taken by plugin {taken[name].name!r} "
            f"from {taken[name].source.location}"
        )
    for job in known.values():
        yield job.of_plugin(plugin)


def _hooks(plugin: object, name: str) -> dict[str, list[pluggy.HookImpl]]:
    """The plugin's implementations of each hook, all of them checked."""
    if isinstance(plugin, Job):
        return {}
    if inspect.isclass(plugin):
        raise Wrong(f"{plugin.__qualname__} is a class: name an instance of it")
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    known = sorted(vars(manager.hook))
    try:
        manager.register(plugin, name)
    except pluggy.PluginValidationError as error:
        # "Plugin ... for hook ...\nhookimpl definition: ...\nArgument(s) ..."
        lines = str(error).splitlines()
        raise Wrong(". ".join(line for line in lines if not line.startswith("Plugin "))) from None
    found: dict[str, list[pluggy.HookImpl]] = {}
    for hook, caller in vars(manager.hook).items():
        for impl in caller.get_hookimpls():
            if hook not in known:
                if impl.optionalhook:
                    continue
                raise Wrong(
                    f"there is no hook {hook!r}; {did_you_mean(hook, known)}{where(impl.function)}"
                )
            if impl.wrapper or impl.hookwrapper:
                raise Wrong(
                    f"{hook} can't be wrapped: each plugin is called alone{where(impl.function)}"
                )
            if inspect.iscoroutinefunction(impl.function) or inspect.isasyncgenfunction(
                impl.function
            ):
                raise Wrong(
                    f"{hook} is `async def`, but hooks are plain `def`{where(impl.function)}"
                )
            found.setdefault(hook, []).append(impl)
    for hook in known:
        if hook not in found and inspect.isroutine(inspect.getattr_static(plugin, hook, None)):
            raise Wrong(f"{hook} is not marked with @muxd.hookimpl")
    return found


def _declared(plugin: object) -> list[Job]:
    """The jobs that stand at the top level of a module, or the plugin itself if it is one."""
    values = vars(plugin).values() if inspect.ismodule(plugin) else [plugin]
    return list({id(value): value for value in values if isinstance(value, Job)}.values())


def _call(impl: pluggy.HookImpl, arguments: dict[str, Any]) -> Any:
    return impl.function(*(arguments[name] for name in impl.argnames))


def _offer(
    impl: pluggy.HookImpl, arguments: dict[str, Any], kind: type[_T], name: str
) -> _T | None:
    """What a hook of which the first result counts gave, checked to be a `kind`."""
    offer = _call(impl, arguments)
    if offer is not None and not isinstance(offer, kind):
        raise Wrong(f"returned {shown(offer)}, not {name}{where(impl.function)}")
    return offer


def _all_items(
    impls: Iterable[pluggy.HookImpl], arguments: dict[str, Any], kind: type[_T], name: str
) -> list[_T]:
    return [item for impl in impls for item in _items(impl, arguments, kind, name)]


def _items(
    impl: pluggy.HookImpl, arguments: dict[str, Any], kind: type[_T], name: str
) -> Iterator[_T]:
    """What a hook that declares things returned or yields, each checked to be a `kind`."""
    result = _call(impl, arguments)
    if isinstance(result, kind):
        raise Wrong(f"returned one {name}, not several: yield it{where(impl.function)}")
    try:
        items = iter(result)
    except TypeError:
        hint = f"return or yield {name}"
        raise Wrong(f"returned {shown(result)}: {hint}{where(impl.function)}") from None
    for count, item in enumerate(items, 1):
        if not isinstance(item, kind):
            raise Wrong(f"gave {shown(item)}, not a {name}{where(impl.function)}")
        if count > _MOST:
            raise Wrong(f"gives more than {_MOST}: it has no end?{where(impl.function)}")
        yield item


def _warnings(config: Config, members: list[_Member]) -> Iterator[str]:
    names = {member.name for member in members}
    origin = config.origin("plugins.disable")
    for name in config.plugins.disable:
        if name not in names:
            hint = did_you_mean(name, names)
            yield f"{origin}: plugins.disable: there is no plugin {name!r}; {hint}"
    known = {job.name for member in members for job in member.jobs}
    for name in config.jobs:
        if name not in known:
            origin = config.origin(f"jobs.{name}")
            hint = did_you_mean(name, known)
            yield f"{origin}: jobs.{name}: no plugin that is loaded has a job {name!r}; {hint}"
