"""A job: every field's range, and what a wrong value is told."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from datetime import timedelta

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from muxd.errors import JobError
from muxd.job import Job, Misfire, OnInterrupt, Overlap, Priority, default_timeout, job


async def body(run):
    """Do nothing."""


def make(**fields) -> Job:
    return Job(**({"name": "x", "body": body, "interval": "1h"} | fields))


class Callable:
    """An instance with an async ``__call__``."""

    async def __call__(self, run):
        """Do nothing."""


@attrs.frozen
class Shop:
    """A configuration."""

    url: str = ""


@dataclass
class Plain:
    """The same as a dataclass, which has no hash."""

    url: str = ""


RIGHT = {
    "name": ["a", "A.b-c_9", "9", "x" * 100],
    "body": [Callable(), functools.partial(body)],
    "interval": ["1s", "366d", 60, 60.0, timedelta(minutes=5), "PT15M"],
    "preferred_phase": [None, 0, "59m59s"],
    "pinned": [False],
    "duration": [None, "1ms", "1h"],
    "priority": ["critical", "background", -1000, 1000, Priority.high],
    "timeout": [None, "1ms", "1d"],
    "session": ["main", "fresh", "shop.example"],
    "retries": [0, 20],
    "retry_on": [[], ("failed",), ["TimeoutError", "httpx.ConnectError"], [OSError]],
    "on_interrupt": [None, "retry", OnInterrupt.leave],
    "overlap": ["coalesce", Overlap.skip, "queue_one"],
    "misfire": ["run_once", Misfire.skip, "all"],
    "expects_result": [True, False],
    "idempotent": [True, False],
    "block": [
        None,
        [],
        ("image", "font", "media", "stylesheet"),
        ["a-1.example", "*.Net", "localhost"],
    ],
    "needs_login": [None, body, Callable(), "/login*", "#login"],
    "config": [None, Shop, Shop(), Plain, Plain()],
    "description": ["", "One line."],
    "plugin": ["", "demo"],
}


def plain(run):
    """Not async."""


async def no_argument():
    """Takes no run."""


async def two_arguments(run, page):
    """Takes too much."""


async def generator(run):
    """Yields."""
    yield


WRONG = {
    "name": ["", " ", "a b", "ä", "-a", ".a", "a/b", "a\n", "x" * 101, 3, None],
    "body": [plain, None, "body", body(None), no_argument, two_arguments, generator],
    "interval": ["0s", "367d", "500ms", 1.5, "often", None, -60, True],
    "preferred_phase": ["1h", "2h", -1, "1.5s", "noon", True],
    "pinned": [1, None, "yes", True],  # True: there is no phase to be pinned to
    "duration": [0, "61m", "long", True],
    "priority": ["urgent", "HIGH", 1001, -1001, 1.5, None, True],
    "timeout": [0, "25h", "never", -1],
    "session": ["", "a b", "../x", None, 3],
    "retries": [-1, 21, 1.0, "3", None, True],
    "retry_on": ["failed", None, [3], ["a b"], [""], [Priority], [OSError()]],
    "on_interrupt": ["never", 3, True],
    "overlap": ["queue", None, 3],
    "misfire": ["run", None, 3],
    "expects_result": [1, None, "yes"],
    "idempotent": [1, None, "yes"],
    "block": [
        "image",
        [3],
        ["images"],
        ["*"],
        ["a/b.example"],
        ["https://a.example"],
        ["a.example:80"],
    ],
    "needs_login": [True, 3, "", plain],
    "config": [3, "Shop", {}, Callable, Callable()],
    "description": [None, 3],
    "plugin": [None, 3],
}
WRONG["body"][3].close()


def shown(value):
    """The same in every process: no addresses."""
    return re.sub(r" at 0x\w+", "", str(value))


def cases(table):
    return [(field, value) for field, values in table.items() for value in values]


def test_every_field_has_its_cases():
    """No field of Job is without a right and a wrong value here."""
    fields = {field.name for field in attrs.fields(Job)}
    assert set(RIGHT) == set(WRONG) == fields


@pytest.mark.parametrize(("field", "value"), cases(RIGHT), ids=shown)
def test_a_right_value_is_taken(field, value):
    """The whole of each range is allowed, ends included."""
    assert isinstance(make(**{field: value}), Job)


@pytest.mark.parametrize(("field", "value"), cases(WRONG), ids=shown)
def test_a_wrong_value_is_refused_with_all_that_helps(field, value):
    """The error carries and names job, field, value and what is allowed."""
    with pytest.raises(JobError) as caught:
        make(**{field: value})
    error = caught.value
    assert error.field == field
    assert error.value is value
    assert error.allowed
    text = str(error.of_plugin("demo"))
    name = str(value) if field == "name" else "x"
    assert text.startswith(f"plugin 'demo', job {name!r}: {field}=")
    assert " is not possible: " in text
    assert len(text) < 500


def test_a_long_value_is_cut_in_the_message():
    """A message stays readable whatever was given."""
    with pytest.raises(JobError) as caught:
        make(session="x" * 10_000)
    assert len(str(caught.value)) < 300


def test_durations_become_seconds():
    """The fields hold seconds, whole where the timetable counts."""
    made = make(interval="1h30m", preferred_phase="7m", duration="1.5s", timeout="PT2M")
    assert (made.interval, made.preferred_phase) == (5400, 420)
    assert (made.duration, made.timeout) == (1.5, 120.0)
    assert isinstance(made.interval, int)
    assert isinstance(made.preferred_phase, int)
    assert made.slot_duration == 2


@pytest.mark.parametrize(
    ("interval", "duration", "timeout"),
    [(3600, 10, 60), (3600, 60, 180), (120, 60, 120), (30, 5, 30)],
)
def test_the_default_timeout(interval, duration, timeout):
    """It is the larger of 60 s and three durations, but never above the interval."""
    assert make(interval=interval, duration=duration).timeout == timeout


@pytest.mark.parametrize(
    ("interval", "duration"), [("1h", 30), ("1m", 30), ("40s", 20), ("10s", 5), ("1s", 0.5)]
)
def test_the_default_duration(interval, duration):
    """A job that names only its interval is right, however short that is, and has room."""
    assert make(interval=interval).duration == duration
    assert make(interval="1h").replace(interval=interval).duration == duration


def test_a_body_is_named_by_its_name():
    """Where a function is in memory helps nobody: a message has its name, also of a partial."""

    async def two(run, more):
        pass

    for body, name in ((two, "body=test_a_body_is_named_by_its_name"), (print, "body=print")):
        with pytest.raises(JobError) as wrong:
            Job("a", body, interval="1h")
        assert name in str(wrong.value)
    with pytest.raises(JobError, match=r"body=partial\(print\)"):
        Job("a", functools.partial(print), interval="1h")


def test_names_of_priorities_are_numbers():
    """Higher goes first, and a name is the number that it stands for."""
    order = ["background", "low", "normal", "high", "critical"]
    values = [make(priority=name).priority for name in order]
    assert values == sorted(values) == [0, 25, 50, 75, 100]


def test_replace_checks_again():
    """A changed job is as sound as a new one."""
    made = make(preferred_phase="7m")
    assert made.replace(interval="2h").interval == 7200
    with pytest.raises(JobError, match="preferred_phase=420 is not possible"):
        made.replace(interval="5m")


def test_a_body_that_yields_is_told_to_return():
    """It is an `async def`, so to be told to write one would not help."""
    with pytest.raises(JobError, match="it yields: have it collect what it finds, and `return`"):
        Job("a", generator, interval="1h")


def test_replace_refuses_misspelt_fields():
    """As the decorator does."""
    with pytest.raises(
        JobError, match=r"timout='1m' is not possible: there is no such field; did y"
    ):
        make().replace(timout="1m")


def test_replace_keeps_a_timeout_that_was_given():
    """Only a timeout that nobody chose follows interval and duration."""
    assert make(interval="2m").replace(interval="1m").timeout == 60
    assert make().replace(duration="1m").timeout == 180
    assert make(timeout="5m").replace(duration="1m").timeout == 300


@given(st.integers(1, 366 * 86400), st.floats(0.001, 1))
def test_replacing_nothing_changes_nothing(interval, share):
    """A job made again from its own fields is the same job."""
    made = make(interval=interval, duration=min(interval * share, 8 * 3600))
    again = made.replace()
    assert again == made
    assert again.timeout == default_timeout(made.interval, made.duration)


def test_a_job_is_frozen():
    """A declaration never changes."""
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        make().interval = 5


def test_the_decorator_takes_name_and_description_from_the_function():
    """``@muxd.job`` needs no name; the first line of the docstring says what it does."""

    @job(interval="30m", preferred_phase="7m", priority="high")
    async def headlines(run):
        """Read the headlines.

        And more.
        """

    assert (headlines.name, headlines.description) == ("headlines", "Read the headlines.")
    assert (headlines.interval, headlines.preferred_phase, headlines.priority) == (1800, 420, 75)
    named = job(interval="30m", name="other", description="Else.")(headlines.body)
    assert (named.name, named.description) == ("other", "Else.")
