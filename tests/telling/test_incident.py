"""When people are told: grouped, not twice, and not too often."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from muxd.builtin._notifier_incident import Incident
from muxd.builtin._notifier_trouble import KINDS, Trouble
from muxd.configvalues import TOLD_OF

GATHER, QUIET = 100.0, 1000.0


def trouble(subject, kind="failure", since=0.0):
    return Trouble(kind=kind, subject=subject, text=f"{subject} is bad", since=since)


class Story:
    """What is wrong over time, and what people were told of it."""

    def __init__(self, on=TOLD_OF, told=(), recent=None):
        self.incident = Incident(gather=GATHER, quiet=QUIET, on=on, told=told, recent=recent)
        self.wrong = {each.key: each for each in told}
        self.notices = []
        self.now = 0.0
        self.told = []  # (when, fresh, going on, recovered)

    def until(self, instant):
        """Let time pass; whoever waits for what is due wakes at that time."""
        while (due := self.incident.due(self.wrong, self.notices, self.now)) <= instant:
            self.now = max(self.now, due)
            change = self.incident.tell(self.wrong, self.notices, self.now)
            if change is not None:
                self.notices.clear()
                names = [[each.subject for each in group] for group in change[:3]]
                names[0] += [each.subject for each in change.notices]
                self.told.append((self.now, *names))
        self.now = instant

    def begins(self, *subjects, kind="failure"):
        for subject in subjects:
            one = trouble(subject, kind, self.now)
            self.wrong[one.key] = one
        self.until(self.now)

    def ends(self, *subjects, kind="failure"):
        for subject in subjects:
            del self.wrong[kind, subject]
        self.until(self.now)


def test_what_comes_together_is_told_together():
    """All that goes wrong within `gather` is one message, and its end is another."""
    story = Story()
    story.begins("a")
    story.until(50)
    story.begins("b")
    story.until(500)
    story.ends("a", "b")
    story.until(9000)
    assert story.told == [(100, ["a", "b"], [], []), (600, [], [], ["a", "b"])]


def test_what_is_over_in_a_moment_is_not_told():
    """A job whose retry did better, or a recovery that did not last, is nothing to tell."""
    story = Story()
    story.begins("a")
    story.until(99)
    story.ends("a")
    story.until(5000)
    assert story.told == []
    story.begins("a")
    story.until(6000)
    story.ends("a")
    story.until(6050)
    story.begins("a")
    story.until(20_000)
    assert story.told == [(5100, ["a"], [], [])]


def test_an_outage_is_one_message_however_many_jobs_fail():
    """More and more jobs fail for as long as it lasts: they are told once no other has for a while."""
    story = Story()
    for number in range(50):
        story.until(number * 20)
        story.begins(f"job-{number}")
    story.until(980 + QUIET + GATHER - 1)
    assert len(story.told) == 1
    story.until(980 + QUIET + GATHER)
    assert [len(each) for each in story.told[1][1:]] == [45, 5, 0]
    story.until(90_000)
    assert len(story.told) == 2


def test_jobs_that_fail_for_ever_are_told_in_the_end():
    """Though each is followed by another, after four times `quiet` people know."""
    story = Story()
    for number in range(100):
        story.until(number * 500)
        story.begins(f"job-{number}")
    gaps = [after[0] - before[0] for before, after in pairwise(story.told)]
    assert gaps
    assert all(QUIET <= gap <= 5 * QUIET for gap in gaps)


def test_other_troubles_are_told_after_quiet():
    """While jobs fail, a login that is needed waits for `quiet` from the last message, no longer."""
    story = Story()
    story.begins("a")
    story.until(300)
    story.begins("main", kind="login")
    story.until(5000)
    assert story.told == [(100, ["a"], [], []), (1100, ["main"], ["a"], [])]


def test_what_comes_and_goes_is_told_once_in_quiet():
    """A job that fails every other time is no message each time; a new trouble is not held back."""
    story = Story()
    for number in range(0, 4000, 400):
        story.until(number)
        story.begins("flaps")
        story.until(number + 200)
        story.ends("flaps")
    fresh = [at for at, fresh, _, _ in story.told if fresh]
    assert len(fresh) > 1
    assert all(after - before >= QUIET for before, after in pairwise(fresh))
    story = Story()
    story.begins("a")
    story.until(200)
    story.ends("a")
    story.until(400)
    story.begins("b")
    story.until(5000)
    assert [each[0] for each in story.told] == [100, 300, 500]


def test_a_part_that_is_well_again_is_told_when_nothing_else_changes():
    """One of two recovers: people are told after `quiet`, and that the other is still wrong."""
    story = Story()
    story.begins("a", "b")
    story.until(200)
    story.ends("a")
    story.until(9000)
    assert story.told == [(100, ["a", "b"], [], []), (1200, [], ["b"], ["a"])]


def test_kinds_that_nobody_wants_are_not_told():
    """``on`` says what is told; without ``recovery`` an end is not, and the next failure is."""
    story = Story(on=("failure",))
    story.begins("x", kind="pause")
    story.begins("a")
    story.until(200)
    story.ends("a")
    story.until(3000)
    story.begins("a")
    story.until(9000)
    assert story.told == [(100, ["a"], [], []), (3100, ["a"], [], [])]
    assert Story(on=()).incident.due({}, [trouble("restarted", "muxd")], 0.0) == math.inf


def test_a_notice_is_told_once_in_quiet():
    """Deaths of muxd, again and again, are a message now and then, over restarts too."""
    story = Story(recent={("muxd", "restarted"): -500.0})
    story.notices.append(trouble("restarted", "muxd"))
    story.until(5000)
    assert story.told == [(500, ["restarted"], [], [])]
    assert story.notices == []


def test_what_people_know_is_not_told_again_after_a_restart():
    """What was told is wrong is still known; its end is told."""
    story = Story(told=[trouble("a")])
    story.until(5000)
    assert story.told == []
    story.ends("a")
    story.until(9000)
    assert story.told == [(5100, [], [], ["a"])]


def test_the_kinds_are_those_of_the_configuration():
    """Each can be switched on, and nothing else but the recovery, and news."""
    assert {*KINDS, "recovery", "news"} == set(TOLD_OF)


@settings(max_examples=50)
@given(
    st.lists(
        st.tuples(
            st.floats(0, 700),
            st.sampled_from("abc"),
            st.sampled_from(["failure", "login"]),
        ),
        max_size=30,
    )
)
def test_whatever_happens_messages_are_few_and_true(steps):
    """What people know in the end is what is wrong, and there is nothing left to tell; each message
    goes on from what the last has told."""
    story = Story()
    for wait, subject, kind in steps:
        story.until(story.now + wait)
        subject = f"{kind} {subject}"
        (story.ends if (kind, subject) in story.wrong else story.begins)(subject, kind=kind)
    story.until(story.now + 6 * QUIET)
    assert set(story.incident.told) == set(story.wrong)
    assert story.incident.due(story.wrong, [], story.now) == math.inf
    known = set()
    for _, fresh, going_on, recovered in story.told:
        assert set(going_on) | set(recovered) == known
        known = (known | set(fresh)) - (set(recovered) - set(fresh) - set(going_on))


@pytest.mark.parametrize("told", [{}, {"kind": "no", "text": "", "since": 1}, [], {"kind": "muxd"}])
def test_what_is_no_trouble_is_not_read_as_one(told):
    """A file that somebody edited is refused, not believed."""
    with pytest.raises((TypeError, ValueError)):
        Trouble.from_dict(told)
