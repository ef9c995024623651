"""`run.progress`: how far a run says that it is."""

from __future__ import annotations

import math
import threading

import pytest
import trio

from muxd.body.progress import TEXT, Reached
from muxd.events import RunProgress
from muxd.record import Outcome


def shortly(value):
    return repr(value)[:30]


async def test_it_is_known_until_the_run_ends(autojump_clock, bench):
    """What was said last is known under the run's id, and gone when the run is."""
    seen = []

    async def body(run):
        assert bench.workplace.progress_of(run.id) is None
        run.progress(3, 12, "page three")
        seen.append(bench.workplace.progress_of(run.id))
        assert bench.workplace.progress_of("another") is None
        run.progress(4.5)
        seen.append(bench.workplace.progress_of(run.id))

    record = await bench.run(body)
    assert record.outcome is Outcome.ok
    assert seen == [Reached(3, 12, "page three"), Reached(4.5)]
    assert seen[0].as_dict() == {"done": 3, "total": 12, "text": "page three"}
    assert bench.workplace.progress_of(record.id) is None


async def test_a_run_that_is_ended_has_none_any_more(autojump_clock, bench):
    """Also at a deadline; and a body that talks on while it is ended is not heard."""

    async def body(run):
        run.progress(1, 2)
        try:
            await run.page.hang()
        finally:
            run.progress(2, 2)
            seen.append(bench.workplace.progress_of(run.id))

    seen = []
    record = await bench.run(body, timeout="5s")
    assert record.outcome is Outcome.timed_out
    assert bench.workplace.progress_of(record.id) is None


async def test_events_come_once_a_second_at_most_and_none_is_stale(autojump_clock, bench):
    """A thousand calls are a few events: the first at once, and the newest a second later."""
    with bench.bus.subscribe("test", only=(RunProgress,)) as events:

        async def body(run):
            for number in range(1000):
                run.progress(number, 1000)
            await trio.sleep(10)
            run.progress(1000, 1000, "done")
            run.progress(1000, 1000, "done")
            await trio.sleep(10)

        record = await bench.run(body)
        found = []
        while events.statistics().waiting:
            found.append(events.receive_nowait())
    assert [(round(event.at - found[0].at, 6), event.done, event.text) for event in found] == [
        (0, 0, ""),
        (1, 999, ""),
        (10, 1000, "done"),
    ]
    assert {(event.job, event.run, event.total) for event in found} == {("job", record.id, 1000)}
    assert found[0].as_dict()["event"] == "run_progress"


async def test_an_event_that_is_due_later_does_not_outlive_the_run(autojump_clock, bench):
    """The last words of a run that ends within the second are in no event after its end."""
    with bench.bus.subscribe("test", only=(RunProgress,)) as events:

        async def body(run):
            run.progress(1)
            run.progress(2)

        await bench.run(body)
        await trio.sleep(5)
        assert events.statistics().waiting == 1


@pytest.mark.parametrize(
    ("told", "reached"),
    [
        ((5, 3), Reached(5)),  # more than all
        ((-1, 3), Reached(0, 3)),
        ((0, 0), Reached(0)),
        ((math.nan,), None),
        ((math.inf, 3), None),
        ((10**400,), None),
        ((1, math.nan), Reached(1)),
        ((1, math.inf), Reached(1)),
        ((True, 2.0), Reached(1, 2)),
        ((1, 2, "x" * 10_000_000), Reached(1, 2, "x" * (TEXT - 3) + "...")),
        ((1, 2, " a\n\tb \x1b[31m\ud800\u202e"), Reached(1, 2, "a b \ufffd[31m\ufffd\ufffd")),
    ],
    ids=shortly,
)
async def test_odd_numbers_and_texts_cost_no_run(autojump_clock, bench, told, reached):
    """What data can bring about is shown as well as it can be, in one harmless line."""
    seen = []

    async def body(run):
        run.progress(*told)
        seen.append(bench.workplace.progress_of(run.id))

    assert (await bench.run(body)).outcome is Outcome.ok
    assert seen == [reached]


async def test_no_part_of_a_secret_is_left_by_a_cut(autojump_clock, bench):
    """What is too long is cut after secrets are masked."""

    async def body(run):
        bench.workplace.secrets.learn("open sesame")
        run.progress(1, text="x" * (TEXT - 10) + "open sesame")
        return bench.workplace.progress_of(run.id).text

    assert (await bench.run(body)).result == "x" * (TEXT - 10) + "***"


@pytest.mark.parametrize("told", [("3",), (None,), (1, "2"), (1, 2, None), ([],)], ids=shortly)
async def test_what_is_no_number_is_a_mistake(autojump_clock, bench, told):
    """A wrong type is the author's mistake: told at the first run, not hidden."""

    async def body(run):
        run.progress(*told)

    record = await bench.run(body)
    assert record.error_type == "TypeError"
    assert record.error.startswith("run.progress() takes ")


async def test_a_thread_may_tell_it(autojump_clock, bench):
    """From a thread it is in the status at once, without an error."""
    seen = []

    async def body(run):
        thread = threading.Thread(target=run.progress, args=(7, 9))
        thread.start()
        thread.join(10)
        seen.append(bench.workplace.progress_of(run.id))

    assert (await bench.run(body)).outcome is Outcome.ok
    assert seen == [Reached(7, 9)]
