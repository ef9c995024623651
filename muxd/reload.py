"""Takes over what changed in the configuration, the jobs directories and the plugins, while muxd runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

import attrs
import structlog
import trio

from muxd.config import SECTIONS
from muxd.errors import MuxdError, UserError
from muxd.events import Reloaded, Reloading
from muxd.floors import Floors
from muxd.job import Job
from muxd.keys import dotted
from muxd.login import is_login
from muxd.plugins import load_plugins
from muxd.record import utc_text
from muxd.recycling import Limits

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from muxd.config import Config
    from muxd.core import Core
    from muxd.plugins import Plugins
    from muxd.slotting import Timetable

__all__ = ["Changes", "Reloader", "changes_of", "in_force", "needs_restart", "taken_over"]

LIVE = frozenset(
    {
        *(f"plugins.{field}" for field in ("disable", "strict", "patience", "jobs_dirs")),
        "slotting.headroom",
        "slotting.max_utilisation",
        "resources.memory_floor",
        "resources.disk_floor",
        "daemon.grace",
        "browser.recycle_runs",
        "browser.recycle_age",
        "browser.recycle_memory",
        *(f"notify.{field.name}" for field in attrs.fields(SECTIONS["notify"])),
    }
)
"""What can change while muxd runs; ``[jobs.NAME]`` and ``[plugins.NAME]`` can as well."""
BOUND = 120.0
"""How long the plugins may take to be read anew, seconds."""
GONE = "its job is gone: muxd was reloaded without it"


@attrs.frozen(kw_only=True)
class Changes:
    """What is different about the jobs; names, in their order."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: Mapping[str, tuple[str, ...]]
    """{name: what of it: fields, ``code``}"""

    @property
    def replaced(self) -> frozenset[str]:
        """The jobs that ask for another place than they have."""
        wishes = {"interval", "preferred_phase", "pinned"}
        return frozenset(name for name, what in self.changed.items() if wishes & set(what))


def changes_of(before: Sequence[Job], after: Sequence[Job]) -> Changes:
    """What is different about the jobs. Pure."""
    old, new = {job.name: job for job in before}, {job.name: job for job in after}
    differences = {
        name: _differences(old[name], job) for name, job in sorted(new.items()) if name in old
    }
    return Changes(
        added=tuple(sorted(new.keys() - old.keys())),
        removed=tuple(sorted(old.keys() - new.keys())),
        changed={name: what for name, what in differences.items() if what},
    )


def _differences(before: Job, after: Job) -> tuple[str, ...]:
    found = [
        "code" if field.name == "body" else field.name
        for field in attrs.fields(Job)
        if getattr(before, field.name) != getattr(after, field.name)
    ]
    return tuple(sorted(found))


def needs_restart(before: Config, after: Config) -> list[str]:
    """The dotted keys whose values have changed and can't change while muxd runs. Pure."""
    return [
        key
        for section, kind in SECTIONS.items()
        for field in attrs.fields(kind)
        for key in (f"{section}.{field.name}",)
        if key not in LIVE and _value(before, key) != _value(after, key)
    ]


def taken_over(before: Config, after: Config) -> list[str]:
    """The dotted keys, of muxd and of plugins' sections, whose values change without a restart. Pure."""
    own = [key for key in sorted(LIVE) if _value(before, key) != _value(after, key)]
    names = sorted({*before.sections, *after.sections})
    return own + [
        dotted("plugins", (name,))
        for name in names
        if before.sections.get(name) != after.sections.get(name)
    ]


def in_force(before: Config, after: Config) -> Config:
    """What is in force once all that can change has changed. Pure."""
    sections = {
        section: attrs.evolve(
            getattr(before, section),
            **{
                field.name: _value(after, key)
                for field in attrs.fields(kind)
                for key in (f"{section}.{field.name}",)
                if key in LIVE
            },
        )
        for section, kind in SECTIONS.items()
    }
    live = {key for key in (*before.origins, *after.origins) if key in LIVE or _is_of_plugins(key)}
    kept = {key: origin for key, origin in before.origins.items() if key not in live}
    fresh = {key: origin for key, origin in after.origins.items() if key in live}
    return attrs.evolve(
        before, **sections, sections=after.sections, jobs=after.jobs, origins=kept | fresh
    )


def _is_of_plugins(key: str) -> bool:
    """Whether it is a key of a job, or of a plugin's own section."""
    section, _, name = key.partition(".")
    return section == "jobs" or (
        section == "plugins" and name not in attrs.fields_dict(SECTIONS[section])
    )


def _value(config: Config, key: str) -> Any:
    section, _, name = key.partition(".")
    return getattr(getattr(config, section), name)


@final
class Reloader:
    """Reloads one daemon, one time after another. If it refuses, nothing has changed."""

    def __init__(
        self,
        core: Core,
        config: Config,
        plugins: Plugins,
        *,
        read: Callable[[], Config] | None,
        start: Callable[[Plugins, Plugins], Awaitable[list[str]]],
        real_now: Callable[[], float],
    ) -> None:
        """Make one; nothing is reloaded.

        Args:
          core: of the daemon.
          config: what is in force.
          plugins: as loaded; watched from now on.
          read: reads the configuration anew; None: it can't be.
          start: starts the sinks and services of plugins that are new; given the plugins and those
            before, it says what only a restart would do.
          real_now: Unix seconds.
        """
        self.config, self.plugins = config, plugins
        self._core, self._read, self._start, self._real_now = core, read, start, real_now
        self._turn = trio.Lock()
        if read is not None:
            plugins.watch()

    async def look(self) -> tuple[Config, Plugins]:
        """Read the configuration, and load the plugins that have changed, in a thread.

        Raises:
          UserError: something is wrong with them.
        """
        read, before = self._read, self.plugins
        if read is None:
            raise UserError("muxd does not know where its configuration is: start it again")

        late = False

        def load() -> tuple[Config, Plugins]:
            config = read()
            plugins = load_plugins(config, before=before)
            if late:  # nobody waits for it any more
                plugins.undo()
            return config, plugins

        with trio.move_on_after(BOUND):
            return await trio.to_thread.run_sync(load, abandon_on_cancel=True)
        late = True
        raise UserError(f"the plugins could not be read within {BOUND:g} s; nothing has changed")

    async def check(self) -> None:
        """Would another daemon find a configuration that it can start with?

        Raises:
          UserError: it would not.
        """
        if self._read is None:
            return
        async with self._turn:  # else a reload beside it would find modules that come and go
            _config, plugins = await self.look()
            plugins.undo()

    async def reload(self) -> dict[str, Any]:
        """Read everything anew and take it over. What changed, for JSON.

        Raises:
          UserError: the configuration is wrong, plugins are broken and that is to be fatal, or the
            jobs ask for too much.
          MuxdError: the ledger can't be used, or muxd is stopping.
        """
        core = self._core
        async with self._turn:
            if core.scheduler is None or core.stopping.is_set():
                raise UserError(
                    f"muxd is {'starting' if not core.stopping.is_set() else 'stopping'}"
                )
            core.bus.publish(Reloading(at=self._real_now()))
            problems: tuple[str, ...] = ()
            try:
                told = await self._reload()
                problems = tuple(told["problems"])
            except MuxdError as error:
                problems = (str(error),)
                raise
            finally:
                core.bus.publish(Reloaded(at=self._real_now(), problems=problems))
        return told

    async def _reload(self) -> dict[str, Any]:
        config, plugins = await self.look()
        try:
            return await self._take_over(config, plugins)
        except BaseException:
            plugins.undo()
            raise

    async def _take_over(self, read: Config, plugins: Plugins) -> dict[str, Any]:
        core, before = self._core, self.plugins
        if not plugins.jobs:
            raise UserError("there would be no jobs left: `muxd pause --all`, or `muxd stop`")
        config = in_force(self.config, read)
        async with core.planner.lock:
            slot = await trio.to_thread.run_sync(core.planner.slot_of, plugins)
            changes, table = changes_of(before.jobs, plugins.jobs), core.planner.timetable
            draft = core.planner.draft
            new = await draft(plugins, slot, config.slotting, renewed=changes.replaced)
            later = await self._start(plugins, before)
            if changes_of(before.jobs, plugins.jobs) != changes:  # some were left out
                changes = changes_of(before.jobs, plugins.jobs)
                new = await draft(plugins, slot, config.slotting, renewed=changes.replaced)
            if core.stopping.is_set():
                raise UserError("muxd is stopping")
            # From here on to its end nothing may come in between.
            with trio.CancelScope(shield=True):
                await core.planner.take_over(new, plugins, slot, config.slotting)
                self._apply(config)
                settings = taken_over(self.config, config)
                self.config, self.plugins = config, plugins
                core.take_over(plugins)
        cancelled = await self._cancel_gone(plugins)
        for problem in (*plugins.problems, *plugins.stale):
            structlog.get_logger().error(str(problem))
        told = self._account(changes, table, new) | {"settings": settings}
        told["cancelled"] = cancelled
        told["problems"] = [
            *(str(problem) for problem in plugins.problems),
            *(
                f"plugin {problem.plugin!r} goes on as it was: {problem.hook}: {problem.reason}"
                for problem in plugins.stale
            ),
        ]
        told["warnings"] = [*plugins.warnings, *new.warnings]
        told["needs_restart"] = [*needs_restart(config, read), *later]
        return told

    def _apply(self, config: Config) -> None:
        core, browser, floors = self._core, config.browser, config.resources
        core.grace = config.daemon.grace
        if core.recycler is not None:
            core.recycler.limits = Limits(
                runs=browser.recycle_runs, age=browser.recycle_age, memory=browser.recycle_memory
            )
            core.recycler.news()
        if core.holding is not None:
            core.holding.floors = Floors(memory=floors.memory_floor, disk=floors.disk_floor)

    async def _cancel_gone(self, plugins: Plugins) -> list[str]:
        """End the runs that wait of jobs that are gone; which."""
        names = {job.name for job in plugins.jobs}
        gone = [
            record
            for record in self._core.book.queued()
            if record.job not in names and not is_login(record.job)
        ]
        for record in gone:
            await self._core.withdraw(record, GONE)
        return [record.id for record in gone]

    def _account(self, changes: Changes, before: Timetable, after: Timetable) -> dict[str, Any]:
        scheduler, plugin = self._core.scheduler, {j.name: j.plugin for j in self.plugins.jobs}
        assert scheduler is not None

        def row(name: str) -> dict[str, Any]:
            slot = after.slot(name)
            return {
                "job": name,
                "plugin": plugin[name],
                "interval": slot.interval,
                "phase": slot.phase,
                "duration": slot.duration,
                "next_at": utc_text(scheduler.next_release_of(name)),
            }

        return {
            "added": [row(name) for name in changes.added],
            "removed": list(changes.removed),
            "changed": [row(name) | {"what": list(what)} for name, what in changes.changed.items()],
            "moved": [
                row(name) | {"before": before.phases[name]}
                for name in after.moved
                if name not in changes.replaced
            ],
            "jobs": len(after.slots),
            "min_gap": after.min_gap,
            "feasible": after.feasible,
        }
