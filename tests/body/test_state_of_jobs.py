"""`run.state` and `run.last`: what a job knows from run to run."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from datetime import datetime

import attrs
import pytest
import trio

from muxd.body import rundata
from muxd.body.data import Data
from muxd.body.memory import Memory
from muxd.body.reading import DataReader
from muxd.body.runstate import LARGEST, RunState
from muxd.book import RunBook
from muxd.bus import Bus
from muxd.errors import DataError, LedgerError, RunError, StateError
from muxd.job import Job
from muxd.last import Last
from muxd.record import Outcome, Record
from muxd.runner import Runner
from muxd.testing import FakePages, MemoryStore
from muxd.workplace import Workplace


async def at_once(call, *args, **_options):
    await trio.lowlevel.checkpoint()
    return call(*args)


class Town:
    """A state directory, and the lives of muxd in it, one after another."""

    def __init__(self, folder):
        self.folder, self.store, self.pages = folder, MemoryStore(), FakePages()
        self.reader = DataReader(folder)

    @asynccontextmanager
    async def life(self, in_thread=at_once):
        data = Data(self.folder, real_now=trio.current_time, in_thread=in_thread)
        self.memory = Memory(data, self.store, real_now=trio.current_time)
        async with self.store.open(), data, trio.open_nursery() as nursery:
            self.book = RunBook(self.store, Bus(), real_now=trio.current_time)
            workplace = Workplace(memory=self.memory, in_thread=at_once)
            self.runner = Runner(
                self.book, nursery, real_now=trio.current_time, workplace=workplace
            )
            with trio.fail_after(1000):
                yield self
            nursery.cancel_scope.cancel()
        data._disconnect()  # where the disk of a test did not answer

    async def run(self, body, name="job", **fields):
        job = Job(name, body, **({"interval": "1h", "timeout": "60s"} | fields))
        release = await self.book.release(job, released_at=trio.current_time())
        return await self.runner.run(release, self.pages)

    async def state(self, name="job"):
        """What the next run of the job has."""
        seen = {}

        async def look(run):
            seen.update(run.state)

        record = await self.run(look, name)
        assert record.outcome is Outcome.ok, record
        return seen


@pytest.fixture
def town(tmp_path):
    return Town(tmp_path)


async def count(run):
    run.state["n"] = run.state.get("n", 0) + 1
    run.state.setdefault("seen", []).append(run.id)  # changed in place


async def count_and_fail(run):
    await count(run)
    raise ValueError("no")


async def count_and_hang(run):
    await count(run)
    await run.page.hang()


async def count_to_nothing(run):
    await count(run)
    return []


async def test_a_state_counts_if_its_run_ends_well(autojump_clock, town):
    """Runs that fail, find nothing or are ended leave it as it was; in this life and the next."""
    bad = [
        (count_and_fail, {}, Outcome.failed),
        (count_and_hang, {}, Outcome.timed_out),
        (count_to_nothing, {"expects_result": True}, Outcome.empty),
    ]
    async with town.life():
        first = await town.run(count)
        for body, fields, outcome in bad:
            record = await town.run(body, **fields)
            assert record.outcome is outcome
            assert await town.state() == {"n": 1, "seen": [first.id]}
        assert await town.state("other") == {}
    async with town.life():
        assert await town.state() == {"n": 1, "seen": [first.id]}
        await town.run(count)
        assert (await town.state())["n"] == 2


async def test_what_a_run_does_not_change_costs_nothing(autojump_clock, town):
    """No file is made for a run that only looks, and no write for one that changes nothing."""
    async with town.life():
        assert await town.state() == {}
        assert list(town.folder.iterdir()) == []
        await town.run(count)
        before = town.reader.state("job")
        await town.state()
        assert town.reader.state("job") == before


@pytest.mark.parametrize("outcome", [None, Outcome.interrupted, Outcome.ok])
async def test_kill_9_between_the_state_and_the_record(autojump_clock, town, outcome):
    """Which of both states counts, what the store says of the run decides, at the next start."""
    async with town.life():
        await town.run(count)
        run = await town.memory.begin("job", "cut-off")
        run.state["n"] = 100
        run.close()
        assert await run.finish(good=True) is None
        # Here muxd is killed: the record is what the store has by then, or gets at the next start.
        await town.store.write(cut_off(outcome))
    async with town.life():
        n = 100 if outcome is Outcome.ok else 1
        assert (await town.state())["n"] == n
        # And so again, if it is killed once more, and after a write upon it.
        run = await town.memory.begin("job", "cut-off-2")
        run.state["n"] = 200
        assert await run.finish(good=True) is None
        await town.store.write(cut_off(outcome, "cut-off-2"))
    async with town.life():
        assert (await town.state())["n"] == (200 if outcome is Outcome.ok else 1)


def cut_off(outcome, run="cut-off"):
    ended = {} if outcome is None else {"started_at": 2.0, "ended_at": 3.0}
    return Record(id=run, job="job", released_at=1.0, outcome=outcome, **ended)


@pytest.mark.parametrize("outcome", [Outcome.interrupted, Outcome.ok])
@pytest.mark.parametrize("n_before", [None, 1])
async def test_a_state_outlives_the_record_of_its_run(autojump_clock, town, outcome, n_before):
    """Old records are deleted, and ledgers are lost: what a state is stays as it was decided once."""
    async with town.life():
        if n_before:
            await town.run(count)
        run = await town.memory.begin("job", "cut-off")
        run.state["n"] = 100
        assert await run.finish(good=True) is None
        await town.store.write(cut_off(outcome))
    n = 100 if outcome is Outcome.ok else n_before
    async with town.life():
        assert (await town.state()).get("n") == n
    town.store = MemoryStore()
    async with town.life():
        assert (await town.state()).get("n") == n


async def test_a_state_that_can_t_be_kept_fails_its_run(autojump_clock, town):
    """Else the run would be good and its state none of it: the record says what is wrong."""

    async def too_large(run):
        for n in range(1, 5):
            run.state[f"k{n}"] = "x" * (LARGEST // 3)

    async def no_json(run):
        run.state["a"] = []
        run.state["a"].append({1})

    async def too_deep(run):
        run.state["a"] = []
        run.state["a"].append(nested(100_000))

    async with town.life():
        await town.run(count)
        record = await town.run(too_large)
        assert (record.outcome, record.error_type) == (Outcome.failed, "muxd.errors.StateError")
        assert "bytes of JSON are too many, at most 64000" in record.error
        record = await town.run(no_json)
        assert record.outcome is Outcome.failed
        assert "{1}" in record.error
        assert "not JSON" in record.error
        record = await town.run(too_deep)
        assert (record.outcome, record.error_type) == (Outcome.failed, "muxd.errors.StateError")
        assert "not JSON" in record.error
        assert (await town.state())["n"] == 1

        def broken(*_args):
            raise DataError("the disk is full")

        town.memory.write = broken
        record = await town.run(count)
        assert (record.outcome, record.error) == (Outcome.failed, "the disk is full")
        assert (await town.state())["n"] == 1
        assert (await town.run(count_and_fail)).error == "no"


async def test_a_disk_that_does_not_answer_has_its_bound(autojump_clock, town):
    """The end of a run waits for so long; the run has failed, and the state is as it was."""

    async def never(call, *args, **_options):
        if town.folder.joinpath("data.db").exists():
            await trio.sleep_forever()
        return await at_once(call, *args)

    async with town.life(never):
        begun = trio.current_time()
        assert (await town.run(count)).outcome is Outcome.ok
        record = await town.run(count)
        assert record.outcome is Outcome.failed
        assert "was not written in 4 s: the disk does not answer" in record.error
        assert trio.current_time() - begun == pytest.approx(rundata.WRITE_BOUND)
    async with town.life(never):

        async def nothing(run):
            pass

        begun = trio.current_time()
        assert (await town.run(nothing)).outcome is Outcome.ok  # it needs no state
        record = await town.run(count)
        assert "what is known of job 'job' was not found in 5 s" in record.error
        assert trio.current_time() - begun == pytest.approx(10)


async def test_a_run_that_is_over_keeps_nothing_more(autojump_clock, town):
    """What holds on to it can change and save nothing any more, and is told so."""
    held = []

    async def leaks(run):
        held.append(run)
        await count(run)

    async with town.life():
        await town.run(leaks)
        (run,) = held
        with pytest.raises(StateError, match="the run of job 'job' is over"):
            run.state["n"] = 6
        with pytest.raises(RuntimeError, match="the run is over: nothing can be saved"):
            await run.save([{"a": 1}])
        assert (await town.state())["n"] == 1


async def test_last_is_what_the_store_has_and_then_what_was_recorded(autojump_clock, town):
    """The newest good run and the newest failure, however long ago; only the first look reads."""
    told = []

    async def look(run):
        told.append(run.last)

    async def fail(run):
        raise ValueError("no")

    async with town.life():
        await town.run(look)
        assert told == [Last()]
        failed = await town.run(fail)
        for _ in range(30):
            good = await town.run(look)
    async with town.life():
        reads, history = [], town.store.history

        async def counted(**wanted):
            reads.append(wanted)
            return await history(**wanted)

        town.store.history = counted
        told.clear()
        newer = await town.run(look)
        newest = await town.run(fail)
        looked = len(reads)
        await town.run(look)
        assert told == [Last(good=good, failure=failed), Last(good=newer, failure=newest)]
        assert len(reads) == looked
        town.store.history = history


async def test_a_store_that_fails_is_told_to_who_asks(autojump_clock, town):
    """A body gets no wrong answer; one that does not ask is run, and later all is well again."""

    async def ask(run):
        return run.last.good is not None

    async with town.life():
        history = town.store.history

        async def broken(**_wanted):
            raise LedgerError("the ledger is damaged")

        town.store.history = broken
        record = await town.run(ask)
        assert (record.outcome, record.error) == (Outcome.failed, "the ledger is damaged")
        town.store.history = history
        assert (await town.run(ask)).outcome is Outcome.ok


async def test_only_so_many_jobs_are_kept_in_memory(autojump_clock, town, monkeypatch):
    """Of others it is read again: with very many jobs the daemon stays small."""
    monkeypatch.setattr("muxd.body.memory.MOST", 2)
    async with town.life():
        for _ in range(2):
            for name in ("a", "b", "c"):
                await town.run(count, name)
        assert len(town.memory._known) == 2
        assert [(await town.state(name))["n"] for name in ("a", "b", "c")] == [2, 2, 2]


async def test_what_was_saved_can_be_read(town):
    """A body reads the rows of all runs of its job, its own last; no other job's. There may be none."""
    found = []

    async def look(run):
        found.append(await run.data.rows("seen"))
        await run.save([{"n": len(found)}], table="seen")
        found.append(await run.data.rows("seen"))

    async with town.life():
        for name in ("job", "job", "other"):
            assert (await town.run(look, name)).outcome is Outcome.ok
    assert [[row["n"] for row in rows] for rows in found] == [[], [1], [1], [1, 3], [], [5]]


async def test_a_state_is_forgotten(autojump_clock, town):
    """The next run begins anew, in this life and the next."""
    async with town.life():
        assert not await town.memory.forget("job")
        await town.run(count)
        assert await town.memory.forget("job")
        assert await town.state() == {}
    async with town.life():
        assert await town.state() == {}


async def test_without_a_workspace_it_is_said(autojump_clock):
    """A run that nothing carries out has one clear error for each."""
    pages, store = FakePages(), MemoryStore()
    async with store.open(), trio.open_nursery() as nursery:
        book = RunBook(store, Bus(), real_now=trio.current_time)
        runner = Runner(book, nursery, real_now=trio.current_time)
        for ask in (lambda r: r.state, lambda r: r.last, lambda r: r.save([])):

            async def body(run, ask=ask):
                await ask(run)

            job = Job("job", body, interval="1h")
            release = await book.release(job, released_at=0.0)
            record = await runner.run(release, pages)
            assert record.error_type == "RuntimeError"
            assert "this run has nothing beside its page" in record.error
        nursery.cancel_scope.cancel()


# The mapping itself


@attrs.define
class Page:
    url: str
    etag: str | None = None


@attrs.define
class Cursor:
    after: int = 0
    at: datetime | None = None
    pages: list[Page] = attrs.field(factory=list)


def test_a_state_is_read_and_written_as_an_object():
    """What `write` was given `read` gives back; where there is none yet, its defaults, or a default."""
    state = RunState("job", None)
    assert state.read(Cursor) == Cursor()
    assert state.read(Page, default=Page("x")) == Page("x")
    cursor = Cursor(7, datetime(2026, 1, 31, 9, 15), [Page("a", "e"), Page("b")])
    state["old"] = 1
    state.write(cursor)
    assert "old" not in state
    later = RunState("job", state.close())
    assert later.read(Cursor) == cursor
    assert later.close() is None  # it is as it was
    assert json.loads(later._text)["pages"][1] == {"url": "b", "etag": None}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"after": "7"}, "expected int at .after"),
        ({"pages": [{"url": "a"}, {"url": 3}]}, r"expected str at .pages\[1\].url"),
        ({"pages": [{}]}, r"required field missing at .pages\[0\].url"),
        ({"pages": 3}, "at .pages"),
    ],
)
def test_a_state_that_does_not_fit_is_told(values, said):
    """The error names the job and the key, and how to begin anew."""
    state = RunState("shop", json.dumps(values))
    with pytest.raises(StateError, match=said) as raised:
        state.read(Cursor)
    assert str(raised.value).startswith("the state of job 'shop' does not fit Cursor: ")
    assert str(raised.value).endswith("or begin anew: `muxd data shop --forget-state`")


def test_a_state_has_no_defaults_of_its_own():
    """A class with a field that has no default needs one, if there is no state yet."""
    with pytest.raises(StateError, match=r"required field missing at \.url"):
        RunState("job", None).read(Page)


class Sulky(dict):
    """Raises whatever it is asked."""

    def __repr__(self):
        raise OSError("no")

    items = keys = __iter__ = __len__ = __eq__ = __repr__
    __hash__ = None


def nested(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        (1, 1, "the key 1: give a str"),
        ("a", {1}, "key 'a': .1. is not JSON"),
        ("a", {1: 2}, "keys must be str"),
        ("a", (1, 2), "sequences lists"),
        ("a", float("nan"), "not JSON"),
        ("a", [10**5000], "<list that can't be shown> is not JSON"),
        ("a", Sulky(a=1), "<Sulky that can't be shown> is not JSON"),
        ("a", nested(100_000), "<list that can't be shown> is not JSON"),
        ("a", "x" * (LARGEST + 1), "bytes of JSON are too many"),
    ],
)
def test_only_json_goes_into_a_state(key, value, said):
    """What would come back as something else is refused where it is set, with the key."""
    with pytest.raises(StateError, match=said):
        RunState("job", None)[key] = value
    assert issubclass(StateError, RunError)


def test_a_state_is_written_from_mappings_too():
    """But from nothing that has no fields."""
    state = RunState("job", None)
    state.write({"a": 1})
    assert dict(state) == {"a": 1}
    assert repr(state) == "<state of job job: {'a': 1}>"
    del state["a"]
    for wrong in (5, [1], Cursor):
        with pytest.raises(StateError, match="give an object of an attrs class"):
            state.write(wrong)
