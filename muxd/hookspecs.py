"""The hooks, in the order in which muxd calls them.

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

    from muxd.abc import Controlled, Service, Sink, Slotter, Store
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
