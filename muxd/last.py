"""How the runs of a job went before: `muxd.Run.last`."""

from __future__ import annotations

import attrs

from muxd.record import Outcome, Record

__all__ = ["Last"]


@attrs.frozen(kw_only=True)
class Last:
    """The newest runs of a job that have ended."""

    good: Record | None = None
    """The one that ended well; None if none ever did."""
    failure: Record | None = None
    """The one that didn't: ``failed``, ``empty``, ``timed_out``, ``crashed`` or ``interrupted``; None if
    there was none."""

    FAILURES = (
        Outcome.failed,
        Outcome.empty,
        Outcome.timed_out,
        Outcome.crashed,
        Outcome.interrupted,
    )
    """The outcomes that are failures. What a person cancelled is none, nor what never ran."""

    def after(self, record: Record) -> Last:
        """With this run, which has ended now."""
        if record.outcome is Outcome.ok:
            return attrs.evolve(self, good=record)
        if record.outcome in self.FAILURES:
            return attrs.evolve(self, failure=record)
        return self
