"""muxd: cron for one browser.

Periodic Playwright jobs as plugins, each in a slot of its own on one timetable, on one browser.

This module is the public API for job authors; `muxd.abc` has the contracts for those who extend
muxd, `muxd.errors` the errors. Names are imported when they are first used: a command that
needs no browser doesn't pay for one.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.async_api import expect as expect

    from muxd.body.runstate import RunState as RunState
    from muxd.bridge import UnbridgedAwait as UnbridgedAwait
    from muxd.bridge import bridged as bridged
    from muxd.bridge import open_nursery as open_nursery
    from muxd.bridge import run as run
    from muxd.browser.find import find_browser as find_browser
    from muxd.channel import open_priority_channel as open_priority_channel
    from muxd.errors import ConfigError as ConfigError
    from muxd.errors import JobError as JobError
    from muxd.errors import LoggedOut as LoggedOut
    from muxd.errors import MuxdError as MuxdError
    from muxd.fields import duration_field as duration_field
    from muxd.fields import number_field as number_field
    from muxd.fields import size_field as size_field
    from muxd.fields import texts_field as texts_field
    from muxd.fields import url_field as url_field
    from muxd.fields import urls_field as urls_field
    from muxd.fields import whole_field as whole_field
    from muxd.hookspecs import hookimpl as hookimpl
    from muxd.job import Job as Job
    from muxd.job import Misfire as Misfire
    from muxd.job import OnInterrupt as OnInterrupt
    from muxd.job import Overlap as Overlap
    from muxd.job import Priority as Priority
    from muxd.job import job as job
    from muxd.jobkeys import JobKeys as JobKeys
    from muxd.last import Last as Last
    from muxd.logincheck import LoggedIn as LoggedIn
    from muxd.record import Outcome as Outcome
    from muxd.record import Record as Record
    from muxd.running import Run as Run
    from muxd.saved import Change as Change
    from muxd.saved import Saved as Saved
    from muxd.section import Section as Section

__version__ = "0.1.0.dev0"

_HOMES = {
    "Change": "muxd.saved",
    "ConfigError": "muxd.errors",
    "Job": "muxd.job",
    "JobError": "muxd.errors",
    "JobKeys": "muxd.jobkeys",
    "Last": "muxd.last",
    "LoggedIn": "muxd.logincheck",
    "LoggedOut": "muxd.errors",
    "Misfire": "muxd.job",
    "MuxdError": "muxd.errors",
    "OnInterrupt": "muxd.job",
    "Outcome": "muxd.record",
    "Overlap": "muxd.job",
    "Priority": "muxd.job",
    "Record": "muxd.record",
    "Run": "muxd.running",
    "RunState": "muxd.body.runstate",
    "Saved": "muxd.saved",
    "Section": "muxd.section",
    "UnbridgedAwait": "muxd.bridge",
    "bridged": "muxd.bridge",
    "expect": "playwright.async_api",
    "duration_field": "muxd.fields",
    "find_browser": "muxd.browser.find",
    "hookimpl": "muxd.hookspecs",
    "number_field": "muxd.fields",
    "open_nursery": "muxd.bridge",
    "open_priority_channel": "muxd.channel",
    "run": "muxd.bridge",
    "size_field": "muxd.fields",
    "texts_field": "muxd.fields",
    "url_field": "muxd.fields",
    "urls_field": "muxd.fields",
    "whole_field": "muxd.fields",
}

__all__ = ["__version__", "job", *_HOMES]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        value = getattr(import_module(_HOMES[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'muxd' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)


class _Package(ModuleType):
    """Has the decorator ``job``, also once the module of that name is imported.

    The import of a submodule binds its name in the package, which must not hide the decorator.
    """

    @property
    def job(self) -> Any:
        return import_module("muxd.job").job

    @job.setter
    def job(self, module: ModuleType) -> None:
        pass


sys.modules[__name__].__class__ = _Package
