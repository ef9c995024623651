"""What a body finds beside its page, for one run."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

import attrs

if TYPE_CHECKING:
    from muxd.abc import Lease
    from muxd.record import Record
    from muxd.release import Release

__all__ = ["Workspace"]


@final
@attrs.define(eq=False)
class Workspace:
    """What is a run's own beside its page. Made by `Workplace.begin`; what is not asked for costs nothing."""

    release: Release
    record: Record
    """As it stands: the run has begun."""
    lease: Lease

    def leave(self) -> None:
        """The body has ended, or is told to: nothing is to reach the pages from here any more.

        Before the pages are looked through for what was left. Never blocks, never raises.
        """

    async def finish(self, *, good: bool) -> None:
        """Keep what is to be kept; the browser is free already, the record not yet written.

        Bounded (`muxd.workplace.FINISH_BOUND`), and never raises for what the world does.

        Args:
          good: the run has ended well.
        """
