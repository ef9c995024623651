"""The laws of `muxd.abc` as tests: subclass, say how to make one, and pytest does the rest.

Needs pytest and pytest-trio::

    from muxd.testing.contracts import StoreContract

    class TestMyStore(StoreContract):
        def make_store(self, directory):
            return MyStore(directory)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import pytest
import trio

from muxd.errors import LedgerError
from muxd.pause import Pause
from muxd.record import Outcome, Record
from muxd.release import Cause
from muxd.testing.copy_contract import CopyContract
from muxd.testing.history_contract import HistoryContract
from muxd.testing.page_contract import PageSourceContract as PageSourceContract
from muxd.testing.prune_contract import NOON as _NOON
from muxd.testing.prune_contract import PruneContract
from muxd.testing.prune_contract import ended as _ended
from muxd.testing.prune_contract import ids as _ids
from muxd.testing.prune_contract import record as _record
from muxd.testing.sink_contract import SinkContract as SinkContract
from muxd.testing.slotter_contract import SlotterContract as SlotterContract
from muxd.testing.statistics_contract import StatisticsContract

if TYPE_CHECKING:
    from pathlib import Path

    from muxd.abc import Store

__all__ = ["PageSourceContract", "SinkContract", "SlotterContract", "StoreContract"]


class StoreContract(HistoryContract, PruneContract, StatisticsContract, CopyContract):
    """The laws of `muxd.abc.Store`.

    Besides those stated there: a store that was closed can be opened again and has kept
    everything; one may be open twice, once for reading only, but then as two objects.
    """

    deadline = 30.0
    """How long each test may take, seconds."""

    def make_store(self, directory: Path) -> Store:
        """A store, not opened, that keeps its records in `directory` (which exists).

        Called again with the same directory it must give a store with the same records.
        """
        raise NotImplementedError

    @pytest.fixture
    def store(self, tmp_path: Path) -> Store:
        """A new, empty store, not opened."""
        return self.make_store(tmp_path)

    @pytest.mark.trio
    async def test_a_new_store_is_empty(self, store: Store) -> None:
        """Before the first write every question has an empty answer."""
        with trio.fail_after(self.deadline):
            async with store.open() as opened:
                assert list(await opened.history()) == []
                assert list(await opened.unfinished()) == []
                assert await opened.get("1") is None
                assert dict(await opened.last_releases()) == {}
                assert dict(await opened.learned()) == {}
                assert dict(await opened.phases()) == {}
                assert dict(await opened.pauses()) == {}

    @pytest.mark.trio
    async def test_every_field_comes_back(self, store: Store, tmp_path: Path) -> None:
        """A record that was written is the same after the store was closed and opened again."""
        full = _ended(
            "1",
            Outcome.failed,
            job="a.b-c_d",
            plugin="plug-in",
            cause=Cause.retry,
            attempt=3,
            first_id="0",
            error_type="builtins.ValueError",
            error="ünïcode 🎭, a 'quote', a \n line and a \0",
            result="[1, 2]",
            left="3 pages, 1 process",
            harm="left 1 process",
            session="shop",
            browser_generation=7,
            speed=60.0,
        )
        bare = _record("2")
        with trio.fail_after(self.deadline):
            async with store.open() as opened:
                await opened.write(full, bare)
                assert await opened.get("1") == full
            async with self.make_store(tmp_path).open(readonly=True) as opened:
                assert await opened.get("1") == full
                assert await opened.get("2") == bare

    @pytest.mark.trio
    async def test_every_outcome_and_cause_can_be_kept(self, store: Store) -> None:
        """There is no outcome and no cause that a store doesn't know."""
        with trio.fail_after(self.deadline):
            async with store.open() as opened:
                records = [
                    _ended(f"{cause}-{outcome}", outcome, cause=cause)
                    for cause in Cause
                    for outcome in Outcome
                ]
                await opened.write(*records)
                assert {record.id: record for record in await opened.history(limit=1000)} == {
                    record.id: record for record in records
                }

    @pytest.mark.trio
    async def test_instants_are_exact_to_the_microsecond(self, store: Store) -> None:
        """An instant comes back within half a microsecond, and stays as it is from then on."""
        with trio.fail_after(self.deadline):
            async with store.open() as opened:
                given = _record("1", released_at=_NOON + 0.123_456_789)
                await opened.write(given)
                first = await opened.get("1")
                assert first is not None
                assert abs(first.released_at - given.released_at) <= 0.5e-6
                await opened.write(first)
                assert await opened.get("1") == first

    @pytest.mark.trio
    async def test_any_text_can_be_kept(self, store: Store) -> None:
        """Text that UTF-8 can't hold, such as half an emoji from a page, costs no record."""
        with trio.fail_after(self.deadline):
            async with store.open() as opened:
                await opened.write(_ended("1", Outcome.failed, error="cut \ud83c", result="\udc80"))
                kept = await opened.get("1")
                assert kept is not None
                assert kept.outcome is Outcome.failed
                assert (kept.error or "").startswith("cut ")

    @pytest.mark.trio
    async def test_a_record_grows_until_it_has_an_outcome(self, store: Store) -> None:
        """Released, started and ended are three writes of one record."""
        released = _record("1")
        started = attrs.evolve(released, started_at=_NOON + 1, browser_generation=1)
        ended = attrs.evolve(started, ended_at=_NOON + 2, outcome=Outcome.ok)
        with trio.fail_after(self.deadline):
            async with store.open() as opened:
                for record in (released, started):
                    await opened.write(record)
                    assert list(await opened.unfinished()) == [record]
                    assert list(await opened.history()) == []
                await opened.write(ended)
                assert list(await opened.unfinished()) == []
                assert list(await opened.history()) == [ended]

    @pytest.mark.trio
    async def test_an_outcome_is_final(self, store: Store) -> None:
        """A record that has an outcome can't be written again, not even unchanged."""
        ended = _ended("1")
        with trio.fail_after(self.deadline):
            async with store.open() as opened:
                await opened.write(ended)
                for again in (ended, _ended("1", Outcome.failed), _record("1")):
                    with pytest.raises(LedgerError, match="'1'"):
                        await opened.write(again)
                with pytest.raises(LedgerError, match="'2'"):
                    await opened.write(_ended("2"), _ended("2"))
                assert list(await opened.history()) == [ended]

    @pytest.mark.trio
    async def test_a_write_is_all_or_nothing(self, store: Store) -> None:
        """If one record of a write is refused, none of it is written."""
        with trio.fail_after(self.deadline):
            async with store.open() as opened:
                await opened.write(_ended("1"), _record("2"))
                with pytest.raises(LedgerError):
                    await opened.write(_ended("2"), _ended("3"), _ended("1"), _ended("4"))
                assert _ids(await opened.history()) == ["1"]
                assert list(await opened.unfinished()) == [_record("2")]
                await opened.write()
                await opened.write(_ended("2"))
                assert _ids(await opened.history()) == ["2", "1"]

    @pytest.mark.trio
    async def test_unfinished_is_oldest_first(self, store: Store) -> None:
        """By their releases, then by their ids."""
        with trio.fail_after(self.deadline):
            async with store.open() as opened:
                await opened.write(
                    _record("3", released_at=_NOON + 2),
                    _record("2", released_at=_NOON + 1),
                    _record("1", released_at=_NOON + 2, started_at=_NOON + 3),
                    _ended("0"),
                )
                assert _ids(await opened.unfinished()) == ["2", "1", "3"]

    @pytest.mark.trio
    async def test_last_releases_are_those_of_the_slots(self, store: Store) -> None:
        """A person's run, a retry and a rehearsal move no slot; what was missed does."""
        with trio.fail_after(self.deadline):
            async with store.open() as opened:
                await opened.write(
                    _ended("1", job="a"),
                    _record("2", job="a", released_at=_NOON + 60),
                    _record("3", job="a", released_at=_NOON + 70, cause=Cause.manual),
                    _record("4", job="a", released_at=_NOON + 80, cause=Cause.retry),
                    _record("5", job="a", released_at=_NOON + 90, speed=60.0),
                    _ended("6", job="b", cause=Cause.catch_up, released_at=_NOON + 10),
                    _ended("7", Outcome.missed, job="b", released_at=_NOON + 20),
                    _ended("8", job="c", cause=Cause.manual),
                )
                newest = {"a": _NOON + 60, "b": _NOON + 20}
                assert dict(await opened.last_releases()) == newest

    @pytest.mark.trio
    async def test_learned_from_good_runs_only(self, store: Store) -> None:
        """Not from one that failed, a rehearsal, one not over, or one in which time ran backwards."""
        with trio.fail_after(self.deadline):
            async with store.open() as opened:
                await opened.write(
                    _ended("1", job="a"),
                    _ended("2", Outcome.timed_out, job="a", ended_at=_NOON + 60),
                    _ended("3", job="a", ended_at=_NOON + 60, speed=2.0),
                    _record("4", job="a", started_at=_NOON),
                    _ended("5", Outcome.failed, job="b"),
                    _ended("6", job="c", started_at=_NOON, ended_at=_NOON),
                    _ended("7", job="d", started_at=_NOON, ended_at=_NOON - 3),
                )
                learned = await opened.learned()
                assert set(learned) == {"a", "c"}
                assert learned["c"].p95 == 0
                assert learned["a"].runs == 1
                assert learned["a"].p50 == learned["a"].p95 == pytest.approx(1.5)

    @pytest.mark.trio
    async def test_learned_from_the_newest_fifty(self, store: Store) -> None:
        """What a job took long ago is forgotten, and one outlier among ten counts for nothing."""

        def taking(number: int, job: str, seconds: float) -> Record:
            start = _NOON + 1000 * number
            return _ended(f"{job}{number:03}", job=job, started_at=start, ended_at=start + seconds)

        with trio.fail_after(self.deadline):
            async with store.open() as opened:
                await opened.write(*(taking(n, "a", 900.0 if n < 20 else 10.0) for n in range(70)))
                await opened.write(*(taking(n, "b", 600.0 if n == 4 else 10.0) for n in range(10)))
                learned = await opened.learned()
                assert learned["a"].runs == 50
                assert learned["b"].runs == 10
                for job in "ab":
                    assert learned[job].p50 == learned[job].p95 == pytest.approx(10)

    @pytest.mark.trio
    async def test_pauses_are_replaced(self, store: Store, tmp_path: Path) -> None:
        """The pauses are those of the last `set_pauses`, also after a restart."""
        first = Pause(job="a", note="crashed the browser 3x", since=_NOON, probe_at=_NOON + 600)
        second = Pause(job="b", note="holiday ü", since=_NOON + 0.25, probes=2)
        with trio.fail_after(self.deadline):
            async with store.open() as opened:
                await opened.set_pauses({"a": first})
                await opened.set_pauses({"a": first, "b": second})
                assert dict(await opened.pauses()) == {"a": first, "b": second}
            async with self.make_store(tmp_path).open() as opened:
                assert dict(await opened.pauses()) == {"a": first, "b": second}
                await opened.set_pauses({})
                assert dict(await opened.pauses()) == {}

    @pytest.mark.trio
    async def test_phases_are_replaced(self, store: Store, tmp_path: Path) -> None:
        """The phases in force are those of the last `set_phases`, also after a restart."""
        with trio.fail_after(self.deadline):
            async with store.open() as opened:
                await opened.set_phases({"a": (3600, 900), "b": (600, 0)})
                await opened.set_phases({"b": (600, 30), "c": (60, 59)})
                assert dict(await opened.phases()) == {"b": (600, 30), "c": (60, 59)}
            async with self.make_store(tmp_path).open() as opened:
                assert dict(await opened.phases()) == {"b": (600, 30), "c": (60, 59)}
                await opened.set_phases({})
                assert dict(await opened.phases()) == {}

    @pytest.mark.trio
    async def test_a_job_counts_from_its_first_place_on(self, store: Store, tmp_path: Path) -> None:
        """It is known since when a job has a place, if it was said, however often it is moved."""
        with trio.fail_after(self.deadline):
            async with store.open() as opened:
                await opened.set_phases({"a": (60, 0), "b": (60, 9)}, at=_NOON)
                await opened.set_phases({"a": (60, 5), "b": (60, 9), "c": (60, 7)}, at=_NOON + 99)
                await opened.set_phases({"a": (60, 5), "c": (60, 7), "d": (60, 8)})
            async with self.make_store(tmp_path).open() as opened:
                assert dict(await opened.placed()) == {"a": _NOON, "c": _NOON + 99}
                await opened.set_phases({"c": (60, 7), "d": (60, 8)}, at=_NOON + 100)
                assert dict(await opened.placed()) == {"c": _NOON + 99, "d": _NOON + 100}

    @pytest.mark.trio
    async def test_reading_only_writes_nothing(self, store: Store, tmp_path: Path) -> None:
        """A store opened with ``readonly`` answers, and refuses to write; one not there is empty."""
        with trio.fail_after(self.deadline):
            async with store.open(readonly=True) as opened:
                assert list(await opened.history()) == []
                assert dict(await opened.learned()) == {}
                with pytest.raises(LedgerError):
                    await opened.write(_record("1"))
                with pytest.raises(LedgerError):
                    await opened.set_phases({"a": (60, 0)})
                with pytest.raises(LedgerError):
                    await opened.prune(older_than=_NOON, keep=0)
            async with self.make_store(tmp_path).open() as opened:
                assert list(await opened.unfinished()) == []
                await opened.write(_ended("1"))

    @pytest.mark.trio
    async def test_closed_is_closed(self, store: Store) -> None:
        """Before it is opened and after it is closed a store refuses, and can't be opened twice."""
        with trio.fail_after(self.deadline):
            with pytest.raises(LedgerError):
                await store.history()
            async with store.open() as opened:
                with pytest.raises(LedgerError):
                    async with store.open():
                        raise AssertionError("it was opened twice")
                await opened.write(_record("1"))
            with pytest.raises(LedgerError):
                await store.write(_record("2"))
            async with store.open() as opened:
                assert _ids(await opened.unfinished()) == ["1"]

    @pytest.mark.trio
    async def test_cancelled_before_it_began_it_did_nothing(self, store: Store) -> None:
        """Each method is a checkpoint, and one that is cancelled there has no effect."""
        with trio.fail_after(self.deadline):
            async with store.open() as opened:
                with trio.CancelScope() as scope:
                    scope.cancel()
                    await opened.write(_record("1"))
                assert scope.cancelled_caught
                with trio.CancelScope() as scope:
                    scope.cancel()
                    await opened.set_phases({"a": (60, 0)})
                assert scope.cancelled_caught
                assert list(await opened.unfinished()) == []
                assert dict(await opened.phases()) == {}

    @pytest.mark.trio
    async def test_cancelled_at_any_time_it_is_whole_or_nothing(self, store: Store) -> None:
        """Writes that are cancelled at some moment leave all their records or none."""
        with trio.fail_after(self.deadline):
            async with store.open() as opened:
                for number in range(30):
                    async with trio.open_nursery() as nursery:
                        for part in "ab":
                            nursery.start_soon(
                                opened.write,
                                *(_ended(f"{number:02}{part}{at}") for at in range(3)),
                            )
                        await trio.sleep(number * 0.0002)
                        nursery.cancel_scope.cancel()
                found = set(_ids(await opened.history(limit=1000)))
                for number in range(30):
                    for part in "ab":
                        whole = {f"{number:02}{part}{at}" for at in range(3)}
                        assert len(whole & found) in (0, 3)

    @pytest.mark.trio
    async def test_many_tasks_may_use_it_at_once(self, store: Store) -> None:
        """Tasks that write and read at the same time lose nothing."""
        with trio.fail_after(self.deadline):
            async with store.open() as opened:

                async def use(task: int) -> None:
                    for number in range(5):
                        run_id = f"{task}-{number}"
                        await opened.write(_record(run_id))
                        await opened.write(_ended(run_id))
                        assert await opened.get(run_id) == _ended(run_id)

                async with trio.open_nursery() as nursery:
                    for task in range(8):
                        nursery.start_soon(use, task)
                assert len(await opened.history()) == 40
                assert list(await opened.unfinished()) == []
