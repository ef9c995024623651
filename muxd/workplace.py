"""Where runs get their workspaces from: what jobs keep between runs, and what they are given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

import trio

from muxd.body.attachments import Attachments
from muxd.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from muxd.abc import Lease
    from muxd.artifacts import Artifacts
    from muxd.record import Record
    from muxd.release import Release

__all__ = ["FINISH_BOUND", "Workplace"]

FINISH_BOUND = 5.0
"""How long the end of a workspace may take, seconds. The browser is free meanwhile."""


@final
class Workplace:
    """One for all runs. Owned by who makes the `Runner`; without one a body has its page and no more."""

    def __init__(
        self,
        *,
        artifacts: Artifacts | None = None,
        in_thread: Callable[..., Awaitable[Any]] = trio.to_thread.run_sync,
    ) -> None:
        """Make one; nothing happens yet.

        Args:
          artifacts: where files of runs are kept; None: nowhere.
          in_thread: like `trio.to_thread.run_sync`. A test in virtual time gives one that calls.
        """
        self._artifacts, self._in_thread = artifacts, in_thread

    async def begin(
        self, release: Release, record: Record, lease: Lease, bodies: trio.Nursery
    ) -> Workspace:
        """The workspace of a run that has its page. Bounded, and never raises for what the world does.

        `bodies`: where its tasks may live.
        """
        return Workspace(
            release,
            record,
            lease,
            bodies,
            None if self._artifacts is None else Attachments(self._artifacts, record.id),
            self._in_thread,
        )
