"""Whatever is done to a ledger, it answers as the store in memory does."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import attrs
import trio
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from muxd.builtin.ledger import Ledger
from muxd.errors import LedgerError
from muxd.record import Outcome, Record
from muxd.release import Cause
from muxd.testing.store import MemoryStore

JOBS = ("a", "b", "B", "ä")
# Few instants, so that runs often end at the same one, and some that lie between microseconds.
INSTANTS = st.integers(0, 40).map(lambda n: 1_795_521_600 + n / 3)
TEXTS = st.none() | st.text(max_size=5) | st.just("\ud800")


class LedgerAndMemory(RuleBasedStateMachine):
    """Does everything to both stores, reopening the ledger for each step, and compares."""

    ids = Bundle("ids")

    def __init__(self):
        super().__init__()
        self.directory = Path(tempfile.mkdtemp())
        self.memory = MemoryStore()
        self.count = 0

    def teardown(self):
        shutil.rmtree(self.directory)

    def both(self, *methods):
        """What calling each method gives, or raises, with both stores: it must be the same."""

        async def outcomes(store):
            found = []
            with trio.fail_after(30):
                async with store.open() as opened:
                    for method in methods:
                        try:
                            found.append(await method(opened))
                        except LedgerError as error:
                            found.append(str(error))
            return found

        real, fake = trio.run(outcomes, Ledger(self.directory)), trio.run(outcomes, self.memory)
        assert real == fake

    @rule(
        target=ids,
        job=st.sampled_from(JOBS),
        cause=st.sampled_from(Cause),
        released_at=INSTANTS,
        speed=st.sampled_from((1.0, 60.0)),
    )
    def release(self, job, cause, released_at, speed):
        """Write a run that waits."""
        self.count += 1
        run_id = f"{self.count % 7}-{self.count}"  # not in the order of time
        record = Record(id=run_id, job=job, cause=cause, released_at=released_at, speed=speed)
        self.both(lambda store: store.write(record))
        return run_id

    @rule(
        run_ids=st.lists(ids, min_size=1, max_size=4),
        outcome=st.sampled_from((None, Outcome.ok, Outcome.ok, *Outcome)),
        started_at=st.none() | INSTANTS,
        ended_at=st.none() | INSTANTS,
        error=TEXTS,
    )
    def change(self, run_ids, outcome, started_at, ended_at, error):
        """Start or end some runs in one write; refused if one of them has ended."""
        changed = [
            attrs.evolve(
                self.memory.records[run_id],
                outcome=outcome,
                started_at=started_at,
                ended_at=ended_at,
                error=error,
            )
            for run_id in run_ids
        ]
        self.both(lambda store: store.write(*changed))

    @rule(phases=st.dictionaries(st.sampled_from(JOBS), st.tuples(st.integers(1, 9), st.just(0))))
    def set_phases(self, phases):
        """Replace the phases."""
        self.both(lambda store: store.set_phases(phases))

    @rule(
        job=st.none() | st.sampled_from(JOBS),
        outcome=st.none() | st.sampled_from(Outcome),
        since=st.none() | INSTANTS,
        until=st.none() | INSTANTS,
        after=st.none() | ids,
        limit=st.integers(0, 5),
    )
    def narrow(self, job, outcome, since, until, after, limit):
        """Ask for a part of the history."""
        before = None if after is None else self.memory.records[after]
        self.both(
            lambda store: store.history(
                job=job, outcome=outcome, since=since, until=until, before=before, limit=limit
            )
        )

    @rule(run_id=ids, first=st.integers(0, 3), length=st.integers(1, 3))
    def find(self, run_id, first, length):
        """Ask for runs by a part of an id."""
        self.both(
            lambda store: store.find(run_id[first : first + length] or run_id),
            lambda store: store.tries(run_id),
        )

    @invariant()
    def answers_are_the_same(self):
        """Every other question has the same answer."""
        self.both(
            lambda store: store.history(limit=1000),
            lambda store: store.unfinished(),
            lambda store: store.last_releases(),
            lambda store: store.learned(),
            lambda store: store.phases(),
        )


LedgerAndMemory.TestCase.settings = settings(
    max_examples=15,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestLedgerAndMemory = LedgerAndMemory.TestCase
