"""Where runs get their workspaces from: what jobs keep between runs, and what they are given."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from muxd.workspace import Workspace

if TYPE_CHECKING:
    from muxd.abc import Lease
    from muxd.record import Record
    from muxd.release import Release

__all__ = ["FINISH_BOUND", "Workplace"]

FINISH_BOUND = 5.0
"""How long the end of a workspace may take, seconds. The browser is free meanwhile."""


@final
class Workplace:
    """One for all runs. Owned by who makes the `Runner`; without one a body has its page and no more."""

    async def begin(self, release: Release, record: Record, lease: Lease) -> Workspace:
        """The workspace of a run that has its page. Bounded, and never raises for what the world does."""
        return Workspace(release, record, lease)
