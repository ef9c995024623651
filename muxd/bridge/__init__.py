"""The border between trio and asyncio: with `muxd.crossing` all in the house that knows asyncio.

`run` hosts trio as a guest of a native asyncio loop. `bridged` lets a coroutine await asyncio and
trio things alike (`muxd.coroutine_driver` does the work). So Playwright's calls work verbatim
beside trio's, at asyncio's speed. What works in a body, what does not and why is told in
``docs/bridge.md``.
"""

from muxd.background import BackgroundErrors
from muxd.bridge.bridging import bridged
from muxd.bridge.hosting import run
from muxd.bridge.hostloop import background_errors
from muxd.bridge.leash import Leash
from muxd.bridge.nursery import BridgedNursery, open_nursery
from muxd.coroutine_driver import Abandoned
from muxd.unbridged import UnbridgedAwait

__all__ = [
    "Abandoned",
    "BackgroundErrors",
    "BridgedNursery",
    "Leash",
    "UnbridgedAwait",
    "background_errors",
    "bridged",
    "open_nursery",
    "run",
]
