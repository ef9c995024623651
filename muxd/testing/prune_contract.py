"""The laws of `muxd.abc.Store` about old records, as tests: a part of `StoreContract`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
import trio

from muxd.record import Outcome, Record
from muxd.release import Cause

if TYPE_CHECKING:
    from muxd.abc import Store

__all__ = ["NOON", "PruneContract", "ended", "ids", "record"]

NOON = 1_795_521_600.0
"""Some noon, Unix seconds."""


def record(run_id: str, **fields: object) -> Record:
    """A run that waits; some fields are given."""
    return Record(**({"id": run_id, "job": "headlines", "released_at": NOON} | fields))  # type: ignore[arg-type]


def ended(run_id: str, outcome: Outcome = Outcome.ok, **fields: object) -> Record:
    """A run that ended; some fields are given."""
    own = {"started_at": NOON + 0.5, "ended_at": NOON + 2.0, "outcome": outcome}
    return record(run_id, **(own | fields))


def ids(records: object) -> list[str]:
    """Their ids, in their order."""
    return [each.id for each in records]  # type: ignore[attr-defined]


class PruneContract:
    """What `prune` and `check` do, and what they leave."""

    deadline: float

    @pytest.mark.trio
    async def test_old_records_are_pruned(self, store: Store) -> None:
        """Those that ended before an instant go, whatever their job; those that have not ended stay."""
        with trio.fail_after(self.deadline):
            async with store.open() as opened:
                await opened.write(
                    ended("1", Outcome.failed, cause=Cause.manual, ended_at=NOON + 10),
                    ended("2", Outcome.failed, cause=Cause.manual, ended_at=NOON + 20),
                    record("3", cause=Cause.manual, outcome=Outcome.missed),
                    record("4", cause=Cause.manual),
                    ended("5", speed=60.0, ended_at=NOON + 10),
                )
                assert await opened.prune(older_than=NOON - 1, keep=1000) == 0
                assert await opened.prune(older_than=NOON + 20, keep=1000) == 3
                assert ids(await opened.history()) == ["2"]
                assert ids(await opened.unfinished()) == ["4"]
                assert await opened.prune(older_than=NOON + 20, keep=1000) == 0

    @pytest.mark.trio
    async def test_too_many_records_are_pruned(self, store: Store) -> None:
        """Of more than `keep` the oldest go, by the order of `history`."""
        with trio.fail_after(self.deadline):
            async with store.open() as opened:
                await opened.write(
                    *(
                        ended(f"{n:03}", Outcome.failed, cause=Cause.manual, ended_at=NOON + n % 7)
                        for n in range(500)
                    )
                )
                newest = ids(await opened.history(limit=120))
                assert await opened.prune(older_than=0, keep=120) == 380
                assert ids(await opened.history(limit=1000)) == newest
                assert await opened.prune(older_than=0, keep=0) == 120
                assert ids(await opened.history()) == []
                for wrong in ({"older_than": 0, "keep": -1}, {"older_than": math.nan, "keep": 1}):
                    with pytest.raises(ValueError, match=r"keep|older_than"):
                        await opened.prune(**wrong)

    @pytest.mark.trio
    async def test_what_is_needed_is_not_pruned(self, store: Store) -> None:
        """However old: each job's newest release, and the fifty good runs that are learned from."""

        def good(number: int, **fields: object) -> Record:
            start = NOON + 100 * number
            own = {"job": "a", "released_at": start, "started_at": start, "ended_at": start + 5}
            return record(f"{number:03}", **({"outcome": Outcome.ok} | own | fields))

        with trio.fail_after(self.deadline):
            async with store.open() as opened:
                await opened.write(
                    *(good(number) for number in range(60)),
                    good(60, outcome=Outcome.failed, cause=Cause.manual),
                    good(61, outcome=Outcome.missed, started_at=None),
                    good(62, outcome=Outcome.failed),
                    good(63, outcome=Outcome.failed, cause=Cause.retry, first_id="062"),
                    good(64, job="b", outcome=Outcome.missed, started_at=None),
                    good(65, job="b", outcome=Outcome.missed, started_at=None),
                )
                before = await opened.last_releases(), await opened.learned()
                assert await opened.prune(older_than=NOON + 1e9, keep=0) == 14
                assert (await opened.last_releases(), await opened.learned()) == before
                left = {f"{number:03}" for number in range(10, 60)} | {"062", "065"}
                assert set(ids(await opened.history(limit=1000))) == left

    @pytest.mark.trio
    async def test_pruning_keeps_to_the_pace(self, store: Store) -> None:
        """It waits for the moment; cancelled while it does, nothing is deleted any more."""
        begun = trio.Event()

        async def never() -> None:
            begun.set()
            await trio.sleep_forever()

        with trio.fail_after(self.deadline):
            async with store.open() as opened:
                await opened.write(*(ended(f"{n}", Outcome.failed) for n in range(20)))
                async with trio.open_nursery() as nursery:

                    async def prune() -> None:
                        await opened.prune(older_than=NOON + 1e9, keep=0, pace=never)

                    nursery.start_soon(prune)
                    await begun.wait()
                    await opened.settle()
                    nursery.cancel_scope.cancel()
                assert len(await opened.history()) == 20

    @pytest.mark.trio
    async def test_pruning_can_be_cancelled(self, store: Store) -> None:
        """Cancelled at once it has deleted nothing; what is left goes the next time."""
        with trio.fail_after(self.deadline):
            async with store.open() as opened:
                await opened.write(*(ended(f"{n}", Outcome.failed) for n in range(20)))
                with trio.CancelScope() as scope:
                    scope.cancel()
                    await opened.prune(older_than=NOON + 1e9, keep=0)
                assert scope.cancelled_caught
                assert len(await opened.history()) == 20
                assert await opened.prune(older_than=NOON + 1e9, keep=0) == 19

    @pytest.mark.trio
    async def test_a_check_changes_nothing_that_is_whole(self, store: Store) -> None:
        """`check` of a store that is as it should be finds nothing, and there are no warnings."""
        with trio.fail_after(self.deadline):
            async with store.open() as opened:
                await opened.write(ended("1"), record("2"))
                await opened.check()
                assert list(opened.warnings) == []
                assert ids(await opened.history()) == ["1"]
                assert ids(await opened.unfinished()) == ["2"]
