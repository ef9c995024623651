"""Loads plugins, each on its own: a broken one is left out and named, the others run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from muxd.abc import Controlled, LaunchOptions, PageWrapper, Service, Sink, Slotter, Store
from muxd.asking import Asking
from muxd.blame import blaming, problem_of
from muxd.disabled import DisabledPlugins
from muxd.discovery import BUILTINS, discover
from muxd.errors import ConfigError, LedgerError, MuxdError, PluginError
from muxd.freshness import Prints, find_new_paths, put_back
from muxd.hints import did_you_mean
from muxd.keys import dotted
from muxd.launchoptions import Say
from muxd.loading import Earlier, Member, forget_changed, load_or_keep, offer_of
from muxd.oddjobs import odd_in
from muxd.overrides import configured, overridden

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator
    from importlib.metadata import EntryPoint
    from pathlib import Path
    from types import ModuleType

    from muxd.config import Config
    from muxd.discovery import Source
    from muxd.errors import ConfigProblem
    from muxd.job import Job
    from muxd.loading import HookImpl, State
    from muxd.section import Section

__all__ = ["BrokenPlugins", "Plugin", "Plugins", "load_plugins"]

_T = TypeVar("_T")


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

    def as_dict(self) -> dict[str, Any]:
        """For JSON: stable keys."""
        problem = self.problem
        return {
            "name": self.name,
            "state": self.state.replace(" ", "_"),
            "distribution": self.distribution,
            "version": self.version,
            "location": self.location,
            "jobs": list(self.jobs),
            "hooks": list(self.hooks),
            "problem": {"hook": problem.hook, "reason": problem.reason} if problem else None,
            "disabled_by": self.disabled_by,
        }


@attrs.define(eq=False)
class Plugins:
    """All plugins that were found, and what the active ones declare.

    It changes in one way only: a plugin that breaks later (in a hook that is called then, or by
    `leave_out`) leaves the active ones, and its jobs go with it.
    """

    _config: Config
    _members: list[Member]
    warnings: tuple[str, ...]
    """What is odd in the configuration, but no mistake for sure."""
    tell: Callable[[PluginError], object] = attrs.field(default=lambda _: None)
    """Is called with the problem of a plugin that breaks in a hook after it was loaded."""
    _forgotten: dict[str, ModuleType] = attrs.field(factory=dict)
    _is_lenient: bool = False

    @property
    def stale(self) -> tuple[PluginError, ...]:
        """Why plugins go on as they were loaded before: as they are now they are broken."""
        return tuple(member.stale for member in self._members if member.stale)

    def is_as_before(self, plugin: str, before: Plugins, hooks: Iterable[str] = ()) -> bool:
        """True if this is the very plugin that it was, for these hooks: not loaded anew, nor told
        something else by a section that they read.
        """
        theirs = before._member(plugin)
        mine = self._member(plugin)
        if mine is None or theirs is None or mine.hooks is not theirs.hooks:
            return False
        impls = (impl for hook in hooks for impl in mine.hooks.get(hook, ()))
        reads = any("section" in impl.argnames for impl in impls)
        return mine.section == theirs.section or not reads

    def watch(self) -> None:
        """Note what their code is, so that `load_plugins` can tell later what has changed."""
        prints = Prints()
        find_new_paths()
        for member in self._members:
            member.take_print(prints)

    def undo(self) -> None:
        """These are not used, and those before go on: have their modules back."""
        put_back(self._forgotten)

    def _member(self, plugin: str) -> Member | None:
        return next((m for m in self._members if m.name == plugin), None)

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

    def sections(self) -> dict[str, Section]:
        """The section of each plugin that reads one, by its name; also of one that finds it wrong."""
        return {
            m.name: m.section
            for m in self._members
            if m.section.reads or (m.active and m.reads_section)
        }

    @property
    def problems(self) -> tuple[PluginError, ...]:
        """Why plugins are left out."""
        return tuple(member.problem for member in self._members if member.problem)

    def store(self, state_dir: Path) -> Store:
        """The store of the first plugin that gives one; muxd's own comes last.

        Raises:
          LedgerError: there is none.
          ConfigError: a plugin says that its section is wrong.
          BrokenPlugins: a plugin broke in it and ``plugins.strict`` is set.
        """
        offers = self._asking.offers("muxd_store", Store, "a muxd.abc.Store", state_dir=state_dir)  # type: ignore[type-abstract]
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
        return list(self._asking.offers("muxd_slotter", Slotter, "a muxd.abc.Slotter"))  # type: ignore[type-abstract]

    def sinks(self, *, only: Collection[str] | None = None) -> list[tuple[str, Sink]]:
        """The sinks of the active plugins, or of these, each with its plugin's name.

        Raises:
          BrokenPlugins: a plugin broke in it and ``plugins.strict`` is set.
        """
        return self._asking.collect("muxd_sinks", Sink, "muxd.abc.Sink", only)  # type: ignore[type-abstract]

    def services(
        self, daemon: Controlled | None = None, *, only: Collection[str] | None = None
    ) -> list[tuple[str, Service]]:
        """The services of the active plugins, each with its plugin's name.

        Args:
          daemon: what they may look at and steer; None if there is none.
          only: of these plugins alone.

        Raises:
          BrokenPlugins: a plugin broke in it and ``plugins.strict`` is set.
        """
        name = "muxd.abc.Service"
        return self._asking.collect("muxd_services", Service, name, only, daemon=daemon)  # type: ignore[type-abstract]

    def page_wrappers(
        self, *, only: Collection[str] | None = None
    ) -> list[tuple[str, PageWrapper]]:
        """What plugins do round each run's page, each with its plugin's name; or these plugins alone.

        Raises:
          BrokenPlugins: a plugin broke in it and ``plugins.strict`` is set.
        """
        kind = "muxd.abc.PageWrapper"
        return self._asking.collect("muxd_page_wrappers", PageWrapper, kind, only)  # type: ignore[type-abstract]

    def launch_options(self, configured: LaunchOptions) -> LaunchOptions:
        """How the browser is to be started: as it is configured, and what plugins want beside that.

        Raises:
          BrokenPlugins: a plugin broke in it, or is in conflict, and ``plugins.strict`` is set.
        """
        say = Say.of(configured, "[browser] args")

        def ask(member: Member, impl: HookImpl) -> None:
            given = {"options": say.options, "section": member.section}
            wanted = offer_of(impl, given, LaunchOptions, "muxd.abc.LaunchOptions")
            if wanted is not None:
                say.add(wanted, f"plugin {member.name!r}")

        self._asking.each("muxd_launch_options", ask)
        return say.options

    def commands(self, make: Callable[[], _T]) -> list[tuple[str, _T]]:
        """What plugins have put into groups of commands, each with its plugin's name.

        `make` makes an empty group.

        Raises:
          BrokenPlugins: a plugin broke in it and ``plugins.strict`` is set.
        """
        found: list[tuple[str, _T]] = []

        def ask(member: Member, impl: HookImpl) -> None:
            group = make()
            offer_of(impl, {"cli": group, "section": member.section}, type(None), "None")
            found.append((member.name, group))

        self._asking.each("muxd_register_commands", ask)
        return found

    def leave_out(self, plugin: str, hook: str, cause: BaseException) -> PluginError:
        """Leave out an active plugin, and its jobs, because of what its `hook` gave did.

        Gives the problem; of a plugin that is left out already, the first one.

        Raises:
          BrokenPlugins: ``plugins.strict`` is set.
          KeyError: there is no such plugin.
        """
        member = self._member(plugin)
        if member is None:
            raise KeyError(plugin)
        return member.problem or self._leave_out(member, problem_of(plugin, hook, cause))

    def _leave_out(self, member: Member, problem: PluginError) -> PluginError:
        member.state, member.problem = "left out", problem
        if self._config.plugins.strict:
            raise BrokenPlugins(problem) from problem
        return problem

    @property
    def _asking(self) -> Asking:
        def leave_out(member: Member, problem: PluginError) -> None:
            self.tell(self._leave_out(member, problem))

        patience = self._config.plugins.patience
        return Asking(self._members, patience, leave_out, is_lenient=self._is_lenient)

    def _all_jobs(self) -> list[Job]:
        jobs = (job for member in self._members if member.active for job in member.jobs)
        return sorted(jobs, key=lambda job: job.name)

    def _enabled(self, job: Job) -> bool:
        return bool(self._config.jobs.get(job.name, {}).get("enabled", True))


def load_plugins(
    config: Config,
    *,
    entry_points: Iterable[EntryPoint] | None = None,
    builtins: Iterable[str] = BUILTINS,
    sources: Iterable[Source] | None = None,
    before: Plugins | None = None,
    lenient: bool = False,
) -> Plugins:
    """Find and load all plugins, and apply what the configuration says of them and their jobs.

    Args:
      config: the configuration in force.
      entry_points: instead of those of the installed distributions.
      builtins: modules of muxd's own that are plugins.
      sources: these plugins, instead of all that are found.
      before: what was loaded earlier in this process, and is watched. Of these, what has not changed is not loaded
        again, and what is broken now goes on as it was. If the new ones are not used, call their
        `undo`.
      lenient: what the configuration says wrongly of plugins and jobs is no reason to stop: a plugin that
        can't do with it is left out, what is said wrongly of a job does not count.

    Raises:
      ConfigError: overrides of jobs, their configurations or sections of plugins are wrong (all of
        them are named).
      BrokenPlugins: a plugin is broken and ``plugins.strict`` is set.
    """
    members: list[Member] = []
    earlier = Earlier()
    warnings: list[str] = []
    prints = None if before is None else Prints()
    if before is not None:
        find_new_paths()
    disabled = _disabled(config, warnings)
    if sources is None:
        sources = discover(
            config, entry_points=entry_points, builtins=builtins, warn=warnings.append
        )
    sources = list(sources)
    known = [] if before is None else before._members
    last = {member.name: member for member in known if member.active}
    forgotten = {} if prints is None else forget_changed(sources, known, prints)
    wrong: list[ConfigProblem] = []
    for source in sources:
        member = Member(source, config.section(source.name))
        if source.name in disabled:
            member.state, member.disabled_by = "disabled", disabled[source.name]
        else:
            try:
                load_or_keep(member, last.get(source.name), earlier, config, prints, forgotten)
            except ConfigError as error:
                wrong += _leave_out_for(member, error, lenient=lenient)
        members.append(member)
        earlier.add(member)

    for member in members:
        if member.active:
            problems = list(_configure(member, config))
            wrong += [] if lenient else problems
            warnings += [str(problem) for problem in problems] if lenient else []
    if wrong:
        put_back(forgotten)
        raise ConfigError(*dict.fromkeys(wrong))
    plugins = Plugins(
        config,
        members,
        (*warnings, *_warnings(config, members)),
        forgotten=forgotten,
        is_lenient=lenient,
    )
    broken = (*plugins.problems, *plugins.stale)
    if config.plugins.strict and broken:
        plugins.undo()
        raise BrokenPlugins(*broken)
    return plugins


def _leave_out_for(
    member: Member, error: ConfigError, *, lenient: bool
) -> tuple[ConfigProblem, ...]:
    """A plugin that says that its section is wrong is left out; what it says, unless that is no matter."""
    member.state, member.jobs = "left out", []
    member.problem = problem_of(member.name, "section", error)
    return () if lenient else error.problems


def _configure(member: Member, config: Config) -> Iterator[ConfigProblem]:
    """Give the jobs of a plugin what the configuration says of them; what is wrong with that."""
    wrong: list[ConfigProblem] = []

    def configure() -> None:
        for at, job in enumerate(member.jobs):
            try:
                member.jobs[at] = configured(job, config)
            except ConfigError as error:
                wrong.extend(error.problems)

    given = any("config" in config.jobs.get(job.name, ()) for job in member.jobs)
    if given or any(job.config is not None for job in member.jobs):
        try:
            blaming(member.name, "config", config.plugins.patience, configure)
        except PluginError as problem:
            member.state, member.problem = "left out", problem
            return
    yield from wrong
    for at, job in enumerate(member.jobs):
        member.jobs[at], problems = overridden(job, config)
        yield from problems


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


def _warnings(config: Config, members: list[Member]) -> Iterator[str]:
    yield from config.warnings
    names = {member.name for member in members}
    origin = config.origin("plugins.disable")
    for name in config.plugins.disable:
        if name not in names:
            hint = did_you_mean(name, names)
            yield f"{origin}: plugins.disable: there is no plugin {name!r}; {hint}"
    for name in config.sections:
        key = dotted("plugins", (name,))
        if name not in names:
            hint = did_you_mean(name, names)
            yield f"{config.origin(key)}: {key}: there is no plugin {name!r}; {hint}"
        elif not any(member.reads_section for member in members if member.name == name):
            yield f"{config.origin(key)}: {key}: plugin {name!r} reads no section: it has no effect"
    yield from odd_in(job for member in members if member.active for job in member.jobs)
    known = {job.name for member in members for job in member.jobs}
    for name in config.jobs:
        if name not in known:
            origin = config.origin(f"jobs.{name}")
            hint = did_you_mean(name, known)
            yield f"{origin}: jobs.{name}: no plugin that is loaded has a job {name!r}; {hint}"
