"""Loads one plugin: imports it, and checks its hooks and the jobs that it declares."""

from __future__ import annotations

import contextlib
import inspect
import sys
import time
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import attrs
import pluggy
from pluggy import HookImpl

from muxd import hookspecs
from muxd.blame import Wrong, blaming, where
from muxd.errors import PluginError
from muxd.freshness import forget, is_as_it_was, put_back, root_of
from muxd.hints import did_you_mean, shown
from muxd.hookslips import strange_argument, unmarked_hook
from muxd.hooktrace import called
from muxd.job import Job

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from types import ModuleType

    from muxd.config import Config
    from muxd.discovery import Source
    from muxd.freshness import Print, Prints
    from muxd.section import Section

__all__ = [
    "Earlier",
    "HookImpl",
    "Member",
    "State",
    "all_items",
    "forget_changed",
    "load_or_keep",
    "offer_of",
]

State = Literal["active", "left out", "disabled"]
_T = TypeVar("_T")
MOST = 100_000
"""More items than this from one hook are a generator without an end."""


@attrs.define
class Member:
    """A plugin and what was made of it so far."""

    source: Source
    section: Section
    """What the configuration says to it."""
    plugin: object = None
    """What was imported: a module, or an object."""
    state: State = "active"
    hooks: dict[str, list[pluggy.HookImpl]] = attrs.field(factory=dict)
    # {hook name: its implementations, in the order of their definition's names}
    jobs: list[Job] = attrs.field(factory=list)
    declared: tuple[Job, ...] = ()
    """Its jobs without what the configuration says of them."""
    print: Print | None = None
    """What tells whether its code has changed since it was loaded."""
    printed_at: int = 0
    """When that was taken, nanoseconds since the epoch."""
    stale: PluginError | None = None
    """Why it goes on as it was loaded before: as it is now it is broken."""
    problem: PluginError | None = None
    disabled_by: str | None = None

    @property
    def name(self) -> str:
        """The plugin's."""
        return self.source.name

    @property
    def active(self) -> bool:
        """True if its jobs and hooks count."""
        return self.state == "active"

    @property
    def reads_section(self) -> bool:
        """True if a hook of it takes its section; also if that can't be known."""
        if not self.active:
            return True
        return any("section" in impl.argnames for impls in self.hooks.values() for impl in impls)

    @property
    def root(self) -> str | None:
        """The package that is imported anew when its code has changed."""
        return None if self.source.module is None else root_of(self.source.module)

    def print_now(self, prints: Prints) -> Print:
        """What its code is now."""
        if self.source.file is not None:
            return prints.of_file(self.source.file)
        return prints.of_modules(self.root, self.source.metadata)

    def take_print(self, prints: Prints) -> None:
        """Remember what its code is now."""
        self.printed_at = time.time_ns()
        self.print = self.print_now(prints)

    def is_print_of(self, now: Member, prints: Prints) -> bool:
        """Whether its code, looked for where `now` finds it, is as it was."""
        found = now.print_now(prints)
        if now.source.file is not None:
            return self.print == found
        return is_as_it_was(self.print, found, self.printed_at)


@attrs.frozen
class Earlier:
    """The plugins that were found so far."""

    plugins: dict[str, Member] = attrs.field(factory=dict)
    jobs: dict[str, Member] = attrs.field(factory=dict)
    """Who declares each job, by its name."""

    def add(self, member: Member) -> None:
        """One more was found."""
        self.plugins.setdefault(member.name, member)
        if member.active:
            self.jobs.update((job.name, member) for job in member.jobs)


def _claim_name(member: Member, earlier: Earlier) -> None:
    """Raises `PluginError` if another plugin has the name."""
    if member.name in earlier.plugins:
        other = earlier.plugins[member.name].source.location
        reason = f"the name is already taken by the plugin from {other}"
        raise PluginError(member.name, "name", reason)


def _load(member: Member, earlier: Earlier, patience: float) -> None:
    """Import a plugin and take its hooks and jobs. Raises `PluginError` for all that is wrong."""
    name = member.name
    _claim_name(member, earlier)
    plugin = member.plugin = blaming(name, "import", patience, member.source.load)
    member.hooks, declared = blaming(
        name, "hooks", patience, lambda: (_hooks(plugin, name), _declared(plugin))
    )
    if not declared and not member.hooks:
        reason = (
            "there is neither a job nor a hook in it "
            "(use @muxd.job(...) or @muxd.hookimpl; names of helper files start with _)"
        )
        raise PluginError(name, "hooks", reason)
    _take_jobs(member, declared, earlier, patience)


def _take_jobs(member: Member, declared: list[Job], earlier: Earlier, patience: float) -> None:
    member.jobs = blaming(
        member.name, "muxd_jobs", patience, lambda: list(_jobs(member, declared, earlier))
    )
    member.declared = tuple(member.jobs)


def _jobs(member: Member, declared: list[Job], earlier: Earlier) -> Iterator[Job]:
    """The jobs that the plugin declares and gives, each once, and with names that are free."""
    known = {id(job): job for job in declared}
    impls, arguments = member.hooks.get("muxd_jobs", []), {"section": member.section}
    for job in all_items(impls, arguments, Job, "muxd.Job"):
        known.setdefault(id(job), job)
    names: set[str] = set()
    for job in known.values():
        if job.name in names:
            _blame_section(member, job.name, "it is there twice")
            raise Wrong(f"two jobs are named {job.name!r}")
        names.add(job.name)
    _check_free(member, known.values(), earlier)
    for job in known.values():
        yield job.of_plugin(member.name)


def _check_free(member: Member, jobs: Iterable[Job], earlier: Earlier) -> None:
    """Raises `Wrong` if the name of a job is taken, or `ConfigError` if it was the user who gave it."""
    taken = earlier.jobs
    for name in sorted({job.name for job in jobs} & taken.keys()):
        other = taken[name]
        _blame_section(member, name, f"plugin {other.name!r} has a job of this name")
        _blame_section(other, name, f"plugin {member.name!r} has a job of this name")
        raise Wrong(
            f"the job name {name!r} is already taken by plugin {other.name!r} "
            f"from {other.source.location}"
        )


def _blame_section(member: Member, name: str, why: str) -> None:
    """Raises `ConfigError` if a job has its name from the plugin's section: all its others would go, too."""
    for key, tables in member.section.values.items():
        for at, table in enumerate(tables if isinstance(tables, list) else ()):
            if isinstance(table, dict) and table.get("name") == name:
                message = f"{name!r} is not possible: {why}; give another"
                raise member.section.wrong(f"{key}[{at}].name", message)


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
        told = ". ".join(line for line in lines if not line.startswith("Plugin "))
        raise Wrong(strange_argument(plugin) or told) from None
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
    if unmarked := unmarked_hook(plugin, found):
        raise Wrong(unmarked)
    return found


def _declared(plugin: object) -> list[Job]:
    """The jobs that stand at the top level of a module, or the plugin itself if it is one."""
    values = vars(plugin).values() if inspect.ismodule(plugin) else [plugin]
    return list({id(value): value for value in values if isinstance(value, Job)}.values())


def _call(impl: pluggy.HookImpl, arguments: dict[str, Any]) -> Any:
    return impl.function(*(arguments[name] for name in impl.argnames))


def offer_of(
    impl: pluggy.HookImpl, arguments: dict[str, Any], kind: type[_T], name: str
) -> _T | None:
    """What a hook of which the first result counts gave, checked to be a `kind`."""
    with called(impl, arguments) as call:
        offer = call.gave = _call(impl, arguments)
        if offer is not None and not isinstance(offer, kind):
            raise Wrong(f"returned {shown(offer)}, not {name}{where(impl.function)}")
    return offer


def all_items(
    impls: Iterable[pluggy.HookImpl], arguments: dict[str, Any], kind: type[_T], name: str
) -> list[_T]:
    """What these implementations gave, each checked to be a `kind`."""
    found: list[_T] = []
    for impl in impls:
        with called(impl, arguments) as call:
            call.gave = [*_items(impl, arguments, kind, name)]
        found += call.gave
    return found


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
        if count > MOST:
            raise Wrong(f"gives more than {MOST}: it has no end?{where(impl.function)}")
        yield item


def forget_changed(
    sources: Iterable[Source], before: Iterable[Member], prints: Prints
) -> dict[str, ModuleType]:
    """Have the packages of plugins whose code has changed imported anew; gives what they were."""
    here = {source.name: source for source in sources}
    roots: set[str] = set()
    for member in before:
        now = attrs.evolve(member, source=here.get(member.name, member.source))
        if member.root is not None and not member.is_print_of(now, prints):
            roots.add(member.root)
    return forget(roots)


def load_or_keep(
    member: Member,
    last: Member | None,
    earlier: Earlier,
    config: Config,
    prints: Prints | None = None,
    forgotten: Mapping[str, ModuleType] | None = None,
) -> None:
    """Load a plugin, or leave it out. One that was loaded before and has not changed is as it was.

    Args:
      member: becomes what it is.
      last: what it was, if it was active; one that is broken now goes on so, as `Member.stale`.
      earlier: the plugins that were loaded before this one.
      config: the configuration in force.
      prints: takes its print; None: nobody will ask whether it has changed.
      forgotten: the modules that were forgotten, of which those of what goes on are put back.

    Raises:
      ConfigError: the plugin says that its section is wrong.
    """
    if last is not None and last.source.location != member.source.location:
        last = None
    try:
        if last is not None and prints is not None and _is_unchanged(member, last, prints):
            member.declared = last.declared
            member.print, member.printed_at = last.print, last.printed_at
            member.hooks, member.plugin = last.hooks, last.plugin
            _is_here_again(last.plugin)
            if member.section == last.section:
                _claim(member, earlier)
            else:
                _claim_name(member, earlier)
                plugin, patience = last.plugin, config.plugins.patience
                _take_jobs(member, _declared(plugin), earlier, patience)
            return
        _load(member, earlier, config.plugins.patience)
    except PluginError as problem:
        member.hooks, member.jobs = {}, []
        member.state, member.problem = "left out", problem
        if last is not None and member.name not in earlier.plugins:
            _keep(member, last, earlier, problem)
        if last is not None and last.root is not None and member.stale is not None:
            root = last.root
            put_back({n: m for n, m in (forgotten or {}).items() if _is_in(n, root)})
    if prints is not None:
        member.take_print(prints)


def _is_unchanged(member: Member, last: Member, prints: Prints) -> bool:
    return last.stale is None and last.is_print_of(member, prints)


def _is_here_again(plugin: object) -> None:
    """Python finds the module of a plugin that goes on: annotations are looked up there."""
    if inspect.ismodule(plugin):
        sys.modules.setdefault(plugin.__name__, plugin)


def _is_in(module: str, root: str) -> bool:
    return module == root or module.startswith(f"{root}.")


def _keep(member: Member, last: Member, earlier: Earlier, problem: PluginError) -> None:
    """It goes on as it was, unless others have taken the names of its jobs meanwhile."""
    member.declared = last.declared
    with contextlib.suppress(PluginError):
        _claim(member, earlier)
        member.hooks, member.plugin = last.hooks, last.plugin
        _is_here_again(last.plugin)
        member.state, member.problem, member.stale = "active", None, problem


def _claim(member: Member, earlier: Earlier) -> None:
    """Take the jobs that the plugin declared when it was loaded. Raises `PluginError`, `ConfigError`."""
    _claim_name(member, earlier)
    try:
        _check_free(member, member.declared, earlier)
    except Wrong as error:
        raise PluginError(member.name, "muxd_jobs", str(error)) from None
    member.jobs = list(member.declared)
