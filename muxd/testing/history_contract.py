"""The laws of `muxd.abc.Store` about looking back, as tests: a part of `StoreContract`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest
import trio

from muxd.record import Outcome
from muxd.release import Cause
from muxd.testing.prune_contract import NOON, ended, ids, record

if TYPE_CHECKING:
    from muxd.abc import Store
    from muxd.record import Record

__all__ = ["HistoryContract"]


class HistoryContract:
    """What `history`, `find` and `tries` give, in which order."""

    deadline: float

    @pytest.mark.trio
    async def test_history_is_newest_end_first(self, store: Store) -> None:
        """By their ends, then by their ids; a run that never started counts by its release."""
        with trio.fail_after(self.deadline):
            async with store.open() as opened:
                await opened.write(
                    ended("1", ended_at=NOON + 30),
                    ended("2", ended_at=NOON + 10),
                    ended("3", ended_at=NOON + 20),
                    ended("4", ended_at=NOON + 20),
                    record("5", released_at=NOON + 15, outcome=Outcome.missed),
                    record("6", released_at=NOON + 99),
                )
                assert ids(await opened.history()) == ["1", "4", "3", "5", "2"]
                assert ids(await opened.history(limit=2)) == ["1", "4"]
                assert ids(await opened.history(limit=0)) == []
                with pytest.raises(ValueError, match="-1"):
                    await opened.history(limit=-1)

    @pytest.mark.trio
    async def test_history_can_be_narrowed(self, store: Store) -> None:
        """By job, by outcome and by both; the limit counts what is left."""
        with trio.fail_after(self.deadline):
            async with store.open() as opened:
                await opened.write(
                    ended("1", Outcome.ok, job="a"),
                    ended("2", Outcome.failed, job="a"),
                    ended("3", Outcome.ok, job="b"),
                    ended("4", Outcome.ok, job="A"),
                    ended("5", Outcome.ok, job="a"),
                )
                assert ids(await opened.history(job="a")) == ["5", "2", "1"]
                assert ids(await opened.history(outcome=Outcome.ok, limit=3)) == ["5", "4", "3"]
                assert ids(await opened.history(job="a", outcome=Outcome.ok)) == ["5", "1"]
                assert ids(await opened.history(job="a", outcome=Outcome.ok, limit=1)) == ["5"]
                assert ids(await opened.history(job="c")) == []
                assert ids(await opened.history(job="a", outcome=Outcome.crashed)) == []

    @pytest.mark.trio
    async def test_history_of_a_time(self, store: Store) -> None:
        """From `since` on, before `until`, by the end or else the release; with job and outcome."""
        with trio.fail_after(self.deadline):
            async with store.open() as opened:
                await opened.write(
                    *(ended(f"{n}", job="ab"[n % 2], ended_at=NOON + n / 4) for n in range(8)),
                    ended("8", Outcome.failed, job="a", ended_at=NOON + 1),
                    record("9", job="a", released_at=NOON + 1, outcome=Outcome.missed),
                )
                since, until = NOON + 0.5, NOON + 1.25

                async def found(**given: Any) -> list[str]:
                    return ids(await opened.history(**given))

                assert await found(since=since, until=until) == ["9", "8", "4", "3", "2"]
                assert await found(since=since, until=until, job="a") == ["9", "8", "4", "2"]
                assert await found(until=until, job="b") == ["3", "1"]
                assert await found(since=since, outcome=Outcome.failed) == ["8"]
                assert await found(since=since, job="a", outcome=Outcome.ok) == ["6", "4", "2"]
                assert await found(since=since, until=since) == []
                assert await found(since=-math.inf, until=math.inf, limit=1) == ["7"]
                with pytest.raises(ValueError, match="nan"):
                    await opened.history(since=math.nan)

    @pytest.mark.trio
    async def test_history_in_pages(self, store: Store) -> None:
        """Each page goes on where the one before ended, also among runs that ended at one instant."""
        with trio.fail_after(self.deadline):
            async with store.open() as opened:
                await opened.write(
                    *(ended(f"{n:02}", job="ab"[n % 2], ended_at=NOON + n // 7) for n in range(40)),
                    record("40", released_at=NOON + 3, outcome=Outcome.missed),
                )
                for narrowed in (
                    dict[str, Any](),
                    {"job": "a"},
                    {"outcome": Outcome.ok, "since": NOON + 1},
                ):
                    pages: list[Record] = []
                    last = None
                    while page := await opened.history(before=last, limit=6, **narrowed):
                        pages += page
                        last = page[-1]
                    assert pages == list(await opened.history(limit=100, **narrowed))
                assert await opened.history(before=ended("0", ended_at=NOON - 1)) == []

    @pytest.mark.trio
    async def test_runs_are_found_by_parts_of_theirids(self, store: Store) -> None:
        """By the beginning or the end, ended or not; of several the newest ids first."""
        with trio.fail_after(self.deadline):
            async with store.open() as opened:
                await opened.write(
                    ended("01abxy"), ended("01acxy"), record("02adxy"), ended("01%_zz")
                )
                for part, meant in (
                    ("01a", ["01acxy", "01abxy"]),
                    ("xy", ["02adxy", "01acxy", "01abxy"]),
                    ("01abxy", ["01abxy"]),
                    ("02", ["02adxy"]),
                    ("1abx", []),
                    ("%", []),
                    ("_zz", ["01%_zz"]),
                    ("longer than any", []),
                ):
                    assert ids(await opened.find(part)) == meant, part
                assert ids(await opened.find("xy", limit=2)) == ["02adxy", "01acxy"]

    @pytest.mark.trio
    async def test_all_tries_of_a_run(self, store: Store) -> None:
        """The first and the further ones, whether they have ended; not those of another run."""
        with trio.fail_after(self.deadline):
            async with store.open() as opened:
                await opened.write(
                    ended("2", Outcome.failed, cause=Cause.retry, attempt=2, first_id="9"),
                    ended("9", Outcome.failed),
                    record("1", cause=Cause.retry, attempt=3, first_id="9"),
                    ended("3", cause=Cause.retry, attempt=2, first_id="0"),
                )
                assert ids(await opened.tries("9")) == ["9", "2", "1"]
                assert ids(await opened.tries("0")) == ["3"]
                assert list(await opened.tries("2")) == [await opened.get("2")]
                assert list(await opened.tries("nobody")) == []
