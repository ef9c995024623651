"""The hooks of muxd, which plugins implement.

Hooks declare, objects act: a hook returns jobs, a store, sinks, services; nothing is awaited in a
hook and nothing is started by one. Each implementation is called on its own: one that raises
leaves out its plugin and no other. An argument that an implementation does not need it may leave out.

A `muxd.errors.ConfigError`, which a `Section` makes, is the user's mistake, not the plugin's: the command ends
with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from click import Group

    from muxd.abc import (
        Controlled,
        LaunchOptions,
        PageWrapper,
        Service,
        Sink,
        Slotter,
        Store,
    )
    from muxd.job import Job
    from muxd.section import Section

__all__ = ["PROJECT", "hookimpl"]

PROJECT = "muxd"
"""The name of the entry point group and of the hooks' namespace."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)
"""Marks a function (or a method) in a plugin as an implementation of the hook of its name."""


@hookspec
def muxd_jobs(section: Section) -> Iterable[Job]:
    """The jobs of the plugin.

    Called once by every command that needs the jobs, before any other hook, and again by a reload if
    the plugin or its section has changed. Return or yield `muxd.Job`; jobs that stand at the top level
    of the plugin's module, made by ``@muxd.job``, are found without it.

    Args:
      section: ``[plugins.NAME]`` of the configuration.
    """
    raise NotImplementedError


@hookspec(firstresult=True)
def muxd_store(state_dir: Path, section: Section) -> Store | None:
    """Where records are kept: the first plugin that returns a store wins.

    Called once, before the daemon (or a command that reads records) opens the store. Without one
    of your own the ledger in SQLite is used.

    Args:
      state_dir: the state directory; it exists, mode 0700.
      section: ``[plugins.NAME]`` of the configuration.
    """
    raise NotImplementedError


@hookspec(firstresult=True)
def muxd_slotter(section: Section) -> Slotter | None:
    """Who makes the timetable: the first plugin that returns a slotter wins.

    Called once, before the first timetable is made, by the daemon and by `muxd plan`. Without one
    of your own muxd's is used.

    Args:
      section: ``[plugins.NAME]`` of the configuration.
    """
    raise NotImplementedError


@hookspec
def muxd_sinks(section: Section) -> Iterable[Sink]:
    """Who wants to be told of events.

    Called once at the daemon's start, after the store is open and before the services start.
    Return or yield `muxd.abc.Sink`.

    Args:
      section: ``[plugins.NAME]`` of the configuration.
    """
    raise NotImplementedError


@hookspec
def muxd_services(daemon: Controlled | None, section: Section) -> Iterable[Service]:
    """What the plugin needs to have running beside its jobs.

    Called once at the daemon's start, after the sinks, before the browser. No job is released
    before every service has started. Return or yield `muxd.abc.Service`.

    Args:
      daemon: what the services may look at and steer; None in `muxd run` without a daemon.
      section: ``[plugins.NAME]`` of the configuration.
    """
    raise NotImplementedError


@hookspec
def muxd_launch_options(options: LaunchOptions, section: Section) -> LaunchOptions | None:
    """How the browser is to be started: arguments, environment, proxy.

    Called once, before the first browser is launched, by the daemon and by `muxd run` without one; each
    further browser of the daemon is started in the same way. What is returned is put together with what is
    wanted already: arguments and variables that are new are added, lists of features are joined. Where two
    want something else of the same switch, variable or proxy, the later plugin is left out, and told
    with whom it is in conflict; the configuration goes before all plugins. The sandbox, the profile and ways
    to drive the browser from outside are not to be had.

    Args:
      options: what is wanted so far, by ``[browser] args`` and by the plugins before; add to it by
        ``attrs.evolve``, or return options with nothing but your own.
      section: ``[plugins.NAME]`` of the configuration.
    """
    raise NotImplementedError


@hookspec
def muxd_page_wrappers(section: Section) -> Iterable[PageWrapper]:
    """What is to be done round the bodies of runs, with their pages: setup before, teardown after.

    Called once at the daemon's start, before the browser, by `muxd run` without a daemon, and again by a
    reload if the plugin or its section has changed. Return or yield `muxd.abc.PageWrapper`; what it may do,
    and what becomes of its mistakes, is said there. Those of all plugins are round the runs of all jobs
    that they want, the first plugin's outermost; none is round a person's login.

    Args:
      section: ``[plugins.NAME]`` of the configuration.
    """
    raise NotImplementedError


@hookspec
def muxd_register_commands(cli: Group, section: Section) -> None:
    """Commands of the plugin's own: ``muxd NAME``.

    Called when a command is asked for that muxd has not, and by `muxd help`; never for a command of muxd's,
    so no plugin can be in its way, or take its name. Add commands of click to the group: by
    ``@cli.command()`` or ``cli.add_command(...)``. Errors of `muxd.errors` that a command raises are shown in
    one line, with their exit code; of two plugins with the same command the first has it.

    Args:
      cli: a group of click's for the commands of this plugin alone.
      section: ``[plugins.NAME]`` of the configuration.
    """
    raise NotImplementedError
