"""What plugin authors and muxd's own tests test with.

The fixtures are in `muxd.testing.plugin`, which pytest finds by itself; the contract suites in
`muxd.testing.contracts`. Names are imported when they are first used: a test run that uses none of
them doesn't pay for one.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from muxd.testing.clock import VirtualClock as VirtualClock
    from muxd.testing.daemons import MuxdDaemon as MuxdDaemon
    from muxd.testing.daemons import TestedDaemon as TestedDaemon
    from muxd.testing.pages import FakePage as FakePage
    from muxd.testing.pages import FakePages as FakePages
    from muxd.testing.runs import MuxdRun as MuxdRun
    from muxd.testing.schedule import MuxdClock as MuxdClock
    from muxd.testing.schedule import Schedule as Schedule
    from muxd.testing.site import Answer as Answer
    from muxd.testing.site import MuxdSite as MuxdSite
    from muxd.testing.site import Request as Request
    from muxd.testing.site import Site as Site
    from muxd.testing.store import MemoryStore as MemoryStore

_HOMES = {
    "Answer": "muxd.testing.site",
    "FakePage": "muxd.testing.pages",
    "FakePages": "muxd.testing.pages",
    "MemoryStore": "muxd.testing.store",
    "MuxdClock": "muxd.testing.schedule",
    "MuxdDaemon": "muxd.testing.daemons",
    "MuxdRun": "muxd.testing.runs",
    "MuxdSite": "muxd.testing.site",
    "Request": "muxd.testing.site",
    "Schedule": "muxd.testing.schedule",
    "Site": "muxd.testing.site",
    "TestedDaemon": "muxd.testing.daemons",
    "VirtualClock": "muxd.testing.clock",
}

__all__ = [*_HOMES]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        value = getattr(import_module(_HOMES[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'muxd.testing' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
