"""Whether a run is tried again, and after how long."""

from __future__ import annotations

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from muxd import Job, Outcome, Record
from muxd.retry import FIRST_DELAY, LONGEST_DELAY, delay, wants_retry


async def body(run):
    """Do nothing."""


def record(outcome: Outcome, attempt: int = 1, *, started: bool = True) -> Record:
    return Record(
        id="1",
        job="a",
        released_at=0.0,
        started_at=1.0 if started else None,
        ended_at=2.0,
        attempt=attempt,
        outcome=outcome,
    )


@pytest.mark.parametrize(
    "outcome", [Outcome.failed, Outcome.timed_out, Outcome.crashed, Outcome.empty]
)
def test_what_did_not_end_well_is_tried_as_often_as_the_job_says(outcome: Outcome) -> None:
    """``retries=2`` makes three tries at most."""
    job = Job("a", body, interval="1h", retries=2)
    assert [wants_retry(job, record(outcome, attempt)) for attempt in (1, 2, 3)] == [
        True,
        True,
        False,
    ]
    assert not wants_retry(Job("a", body, interval="1h"), record(outcome))


@pytest.mark.parametrize(
    "outcome", [Outcome.ok, Outcome.cancelled, Outcome.missed, Outcome.coalesced]
)
def test_what_ended_well_or_was_not_wanted_is_not_tried_again(outcome: Outcome) -> None:
    """A person's cancellation counts, and another run stands for what never began."""
    job = Job("a", body, interval="1h", retries=20, idempotent=True)
    assert not wants_retry(job, record(outcome))


@pytest.mark.parametrize(
    ("retry_on", "outcome", "error_type", "again"),
    [
        (["timed_out"], Outcome.timed_out, "muxd.errors.DeadlineExceeded", True),
        (["timed_out"], Outcome.failed, "ValueError", False),
        (["ValueError"], Outcome.failed, "ValueError", True),
        ([ValueError], Outcome.failed, "UnicodeDecodeError", True),
        (["OSError"], Outcome.failed, "ConnectionResetError", True),
        (["ConnectionError"], Outcome.failed, "OSError", False),
        (["BrowserLost"], Outcome.crashed, "muxd.errors.BrowserLost", True),
        (["muxd.errors.WorldError"], Outcome.crashed, "muxd.errors.BrowserLost", True),
        (["Lost"], Outcome.crashed, "muxd.errors.BrowserLost", False),
        (["gone.Error"], Outcome.failed, "a.module.that.is.gone.Error", True),
        ([], Outcome.failed, "ValueError", False),
        (["empty", "ValueError"], Outcome.empty, None, True),
    ],
)
def test_a_job_says_what_is_tried_again(retry_on, outcome, error_type, again) -> None:
    """By outcome, or by the class of the error or of one of its bases."""
    job = Job("a", body, interval="1h", retries=1, retry_on=retry_on)
    assert wants_retry(job, attrs.evolve(record(outcome), error_type=error_type)) is again


def test_on_interrupt_comes_of_idempotent_unless_the_job_says_otherwise() -> None:
    """An idempotent job's interrupted run is tried again; each may say the opposite."""
    interrupted = record(Outcome.interrupted)
    for fields, again in [
        ({}, False),
        ({"idempotent": True}, True),
        ({"on_interrupt": "retry"}, True),
        ({"idempotent": True, "on_interrupt": "leave"}, False),
    ]:
        assert wants_retry(Job("a", body, interval="1h", **fields), interrupted) is again
    configured = Job("a", body, interval="1h").replace(idempotent=True)
    assert wants_retry(configured, interrupted)


def test_a_run_that_muxd_cut_off_is_tried_again_where_that_is_harmless() -> None:
    """If the job says so, or its body had not begun; once, even without retries."""
    plain = Job("a", body, interval="1h", retries=3)
    idempotent = Job("a", body, interval="1h", idempotent=True)
    assert not wants_retry(plain, record(Outcome.interrupted))
    assert wants_retry(plain, record(Outcome.interrupted, started=False))
    assert wants_retry(idempotent, record(Outcome.interrupted))


def test_a_job_that_ends_muxd_each_time_is_not_tried_for_ever() -> None:
    """An idempotent job without retries gets one further try after an interruption."""
    job = Job("a", body, interval="1h", idempotent=True)
    assert not wants_retry(job, record(Outcome.interrupted, attempt=2))


@given(st.integers(1, 1000), st.text(max_size=20))
def test_delays_double_within_a_quarter_up_to_a_limit(attempt: int, seed: str) -> None:
    """Never longer than the limit, never off the doubling middle by more than a quarter."""
    middle = FIRST_DELAY * 2.0 ** min(attempt - 1, 100)
    seconds = delay(attempt, seed=seed)
    assert min(0.75 * middle, LONGEST_DELAY) <= seconds <= min(1.25 * middle, LONGEST_DELAY)


def test_a_delay_is_the_same_each_time_and_differs_between_runs() -> None:
    """So a plan can be repeated, and runs that failed together are spread out."""
    delays = [delay(1, seed=f"run {n}") for n in range(200)]
    assert delays == [delay(1, seed=f"run {n}") for n in range(200)]
    assert len(set(delays)) == 200
    assert min(delays) < 0.8 * FIRST_DELAY
    assert max(delays) > 1.2 * FIRST_DELAY
