"""A run that has not ended, and how its record grows. No I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

import attrs
import trio

from muxd.errors import qualified_name
from muxd.record import Outcome, Record
from muxd.remedies import slip_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from muxd.release import Release

__all__ = ["LiveRun", "new_record"]

ERROR_LENGTH, RESULT_LENGTH = 4000, 1000
MASKED_LENGTH = 100_000
"""How much of a text is looked through for secrets, before it is cut to its length."""


def new_record(release: Release, *, speed: float) -> Record:
    """The record of a release at its beginning: it waits."""
    job = release.job
    return Record(
        id=release.id,
        job=job.name,
        plugin=job.plugin,
        cause=release.cause,
        attempt=release.attempt,
        first_id=release.first_id,
        released_at=release.released_at,
        session=job.session,
        speed=speed,
    )


@final
@attrs.define(eq=False)
class LiveRun:
    """One run between its release and its end."""

    release: Release
    record: Record
    """As it stands; in its final form once `ended` is set."""
    ending: bool = False
    """Its end is being written: nothing else may happen to it."""
    ended: trio.Event = attrs.field(factory=trio.Event)

    def start(self, at: float, generation: int) -> Record:
        """It has the browser; returns the record."""
        self.record = attrs.evolve(self.record, started_at=at, browser_generation=generation)
        return self.record

    def end(
        self,
        at: float,
        outcome: Outcome,
        *,
        error: BaseException | str | None = None,
        result: str | None = None,
        left: str | None = None,
        harm: str | None = None,
        mask: Callable[[str], str] | None = None,
    ) -> Record:
        """Begin its end; returns the record in its final form, which is not in `record` yet.

        `mask` takes out of texts what must not be kept.
        """
        self.ending = True
        error_type, text = _described(error)
        if mask is not None:
            # Before they are cut: half a secret is not recognised.
            text, result, harm = (
                told and mask(told[:MASKED_LENGTH]) for told in (text, result, harm)
            )
        return attrs.evolve(
            self.record,
            # The clock may have been set back in between.
            ended_at=max(at, self.record.started_at or 0.0),
            outcome=outcome,
            error_type=error_type,
            error=_cut(text, ERROR_LENGTH),
            result=_cut(result, RESULT_LENGTH),
            left=_cut(left, RESULT_LENGTH),
            harm=_cut(harm, RESULT_LENGTH),
        )


def _described(error: BaseException | str | None) -> tuple[str | None, str | None]:
    """The qualified name of an exception's class, and its message. Never raises."""
    if error is None or isinstance(error, str):
        return None, error
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    name = qualified_name(type(error))
    try:
        return name, str(error) + slip_in(error)
    except Exception:
        return name, "<its message can't be shown>"


def _cut(text: str | None, length: int) -> str | None:
    if text is None:
        return None
    text = text.encode("utf-8", "backslashreplace").decode()  # half an emoji is no text
    if len(text) <= length:
        return text
    return text[: length - 3] + "..."
