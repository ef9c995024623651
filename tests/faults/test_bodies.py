"""Bodies that misbehave: each costs its own run at most, and the browser is free in time."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from muxd.record import Outcome
from tests.variants import nightly

from . import bodies

TIMED_OUT = Outcome.timed_out
# Python tells of a coroutine that would not end when it is collected: so be it.
pytestmark = pytest.mark.filterwarnings(
    "ignore:.*(swallows|shielded|without_end):pytest.PytestUnraisableExceptionWarning"
)


@pytest.mark.parametrize(
    "body",
    [
        bodies.swallows_cancellation,
        nightly(bodies.swallows_asyncios),
        bodies.swallows_playwrights,
        nightly(bodies.shielded),
        bodies.thread_without_end,
    ],
)
def test_body_that_will_not_end(house, body):
    """It is left behind, never goes on, and costs the browser its life within the same bound."""
    bodies.ENDS.clear()
    try:
        record = house.survives(body, TIMED_OUT, kept=False)
    finally:
        bodies.ENDS.set()
    assert "would not end" in record.harm


@pytest.mark.parametrize(
    "body",
    [
        bodies.waits_for_a_future,
        nightly(bodies.waits_for_an_event),
        bodies.waits_in_a_thread,
        nightly(bodies.waits_in_asyncios_thread),
        nightly(bodies.children_wait),
        bodies.busy_without_rest,
    ],
)
def test_body_that_waits_for_ever(house, body):
    """Whatever it waits for, of trio's or asyncio's, it is cancelled."""
    house.survives(body, TIMED_OUT)


@pytest.mark.parametrize(
    "body", [bodies.huge_text, nightly(bodies.huge_list), bodies.recursive_result]
)
def test_huge_result(house, body):
    """100 MB of text or ten million items are recorded by a short account of them."""
    record = house.survives(body, Outcome.ok, timeout=10.0)
    assert len(record.result) <= 1000


def test_huge_result_of_a_page(house):
    """30 MB out of the page come through, and only a short account is recorded."""
    record = house.survives(bodies.huge_from_the_page, Outcome.ok, timeout=30.0)
    assert len(record.result) <= 1000


@pytest.mark.parametrize("body", [nightly(bodies.no_json), bodies.repr_raises, bodies.surrogates])
def test_strange_result(house, body):
    """What can't be serialised, shown or encoded is recorded as well as can be."""
    record = house.survives(body, Outcome.ok, timeout=5.0)
    record.result.encode()


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (bodies.huge_error, "ValueError"),
        (bodies.surrogates_in_an_error, "ValueError"),
        (bodies.str_of_the_error_raises, "Rude"),
        nightly(bodies.no_pickle, "Local"),
        nightly(bodies.exception_group, "ExceptionGroup"),
        (bodies.deep_recursion, "RecursionError"),
    ],
)
def test_strange_error(house, body, word):
    """Errors that are huge, many, without a message or past all encoding are recorded."""
    record = house.survives(body, Outcome.failed, timeout=10.0)
    assert word in record.error_type
    assert len(record.error.encode()) <= 4 * 4000


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (bodies.exits, "SystemExit"),
        (bodies.interrupts, "KeyboardInterrupt"),
        nightly(bodies.generator_exit, "GeneratorExit"),
        nightly(bodies.cancels_itself, "CancelledError"),
        (bodies.base_exception, "Fatal"),
    ],
)
def test_error_that_would_end_the_process(house, body, word):
    """`sys.exit`, a KeyboardInterrupt and the like end the run and nothing else."""
    record = house.survives(body, Outcome.failed, timeout=5.0)
    assert word in record.error_type


def test_loop_stopped(house):
    """A body that stops the event loop fails; the loop goes on."""
    house.survives(bodies.stops_the_loop, Outcome.failed, timeout=5.0)


def test_trying_again_without_a_browser(house):
    """A body that goes on calling a browser that is gone lets others in, and is ended."""
    house.survives(bodies.tries_again_for_ever, Outcome.crashed, timeout=5.0, kept=False)


@pytest.mark.parametrize("body", [bodies.closes_the_context, bodies.closes_the_browser])
def test_shared_browser_closed(house, body):
    """A body that closes what all runs share is charged with it; the next has a new browser."""
    record = house.survives(body, Outcome.crashed, timeout=5.0, kept=False)
    assert record.harm


def test_fork_that_comes_back(house):
    """A forked process that comes back out of the body ends at once: there is one muxd only."""
    record = house.survives(bodies.forks, Outcome.ok, timeout=10.0)
    assert record.result == "parent"


@pytest.mark.parametrize(
    "body", [bodies.forks_and_stays, nightly(bodies.leaves_a_process), bodies.leaves_a_daemon]
)
def test_process_left_running(house, body):
    """A process that a run leaves is ended and charged, wherever it has gone."""
    record = house.survives(body, Outcome.ok, timeout=10.0)
    while bodies.PROCESSES:
        bodies.PROCESSES.pop().wait(5)
    assert record.left == "1 process"
    assert "process" in record.harm


def test_multiprocessing_left_running(house):
    """A worker of multiprocessing's is ended and charged like any process."""
    record = house.survives(bodies.leaves_a_multiprocess, Outcome.ok, timeout=10.0)
    assert "1 process" in record.left


def test_thread_left_running(house):
    """A thread can't be ended: it is counted and charged."""
    try:
        record = house.survives(bodies.thread_left, Outcome.ok, timeout=5.0)
    finally:
        bodies.STAYS.set()
    assert record.left == "1 thread"


def test_temporary_files_left(house):
    """What `tempfile` made for a run goes with it."""
    record = house.survives(bodies.leaves_temporary_files, Outcome.ok, timeout=5.0)
    assert record.left == "2 temporary files"
    assert record.harm is None
    assert not Path(record.result).exists()


def test_what_all_share_changed(house):
    """Another working directory and another umask are none of the next run's."""
    before = Path.cwd()
    record = house.survives(bodies.changes_what_all_share, Outcome.ok, timeout=5.0)
    assert record.left == "1 changed umask, 1 changed working directory"
    assert record.harm is None
    assert Path.cwd() == before


def test_files_left_open(house):
    """Open files can't be closed for their owner: they are counted and charged."""
    try:
        record = house.survives(bodies.leaves_files_open, Outcome.ok, timeout=5.0)
    finally:
        while bodies.KEPT:
            os.close(bodies.KEPT.pop())
    assert record.left == "50 file handles"
    assert record.harm == "left 50 file handles"


def test_tasks_left_running(house):
    """asyncio tasks that a run leaves are cancelled, and none goes on in the next run."""
    house.survives(bodies.leaves_asyncio_tasks, Outcome.ok, timeout=5.0)
    assert [task.cancelled() for task in bodies.TASKS] == [True] * 5
    bodies.TASKS.clear()


def test_task_that_fails_in_the_background(house):
    """A task of asyncio's that raises where nobody waits for it fails the run that started it."""
    record = house.survives(bodies.leaves_a_task_that_fails, Outcome.failed, timeout=5.0)
    assert "bang" in record.error


def test_contexts_left_open(house):
    """Contexts that a run opened itself are closed and counted."""
    record = house.survives(bodies.many_contexts, Outcome.ok, timeout=20.0)
    assert "10 contexts" in record.left


def test_listeners_left_on_the_shared_session(house):
    """Listeners, headers and settings of the session that all runs share are taken off again."""
    record = house.survives(bodies.many_listeners, Outcome.ok, timeout=10.0)
    assert "1000 listeners" in record.left
