"""The agenda: what comes due, in order."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from muxd import Job
from muxd.agenda import Agenda, Due
from muxd.release import Cause


async def body(run):
    """Do nothing."""


def due(name: str, instant: float, cause: Cause = Cause.slot, priority: int = 50) -> Due:
    return Due(job=Job(name, body, interval=60, priority=priority), instant=instant, cause=cause)


changes = st.lists(
    st.tuples(
        st.sampled_from(["put", "drop", "pop"]),
        st.sampled_from("abc"),
        st.sampled_from([Cause.slot, Cause.retry]),
        st.integers(0, 20),
    )
)


@given(changes)
def test_it_holds_the_newest_of_each_kind_and_gives_the_earliest(
    story: list[tuple[str, str, Cause, int]],
) -> None:
    """Compared with a dictionary that is searched each time."""
    agenda, model = Agenda(), {}
    for change, name, cause, number in story:
        if change == "put":
            model[name, cause] = new = due(name, number, cause)
            agenda.put(new)
        elif change == "drop":
            assert agenda.drop(name, cause) is model.pop((name, cause), None)
        else:
            found = agenda.pop(number)
            earliest = min((entry.instant for entry in model.values()), default=math.inf)
            if earliest > number:
                assert found is None
            else:
                assert found is not None
                assert found.instant == earliest
                assert model.pop((found.job.name, found.cause)) is found
        assert set(agenda.in_order()) == set(model.values())
        assert set(agenda.of(name)) == {due for (job, _), due in model.items() if job == name}
        assert agenda.next_instant == min((e.instant for e in model.values()), default=math.inf)
        instants = [entry.instant for entry in agenda.in_order()]
        assert instants == sorted(entry.instant for entry in model.values())


def test_of_one_instant_the_higher_priority_comes_first_then_the_older() -> None:
    """Whatever the order in which they were put in."""
    agenda = Agenda()
    for name, priority in (("low", 1), ("first", 5), ("second", 5), ("high", 9)):
        agenda.put(due(name, 0, priority=priority))
    names = [found.job.name for _ in range(4) if (found := agenda.pop(0)) is not None]
    assert names == ["high", "first", "second", "low"]


def test_what_was_replaced_takes_no_memory_for_long() -> None:
    """A clock that is set again and again replaces everything each time."""
    agenda = Agenda()
    for round_ in range(1000):
        for name in "abc":
            agenda.put(due(name, 1e9 + round_))
    assert len(agenda._heap) <= 2 * 3 + 16
