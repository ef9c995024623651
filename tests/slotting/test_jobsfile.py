"""Jobs from a file, and what is wrong with it."""

from __future__ import annotations

import json

import pytest
from sets import demand

from muxd.errors import ConfigError
from muxd.slotting.jobsfile import demands_from, read_jobs_file

GOOD = {"name": "feed", "interval": 600, "duration": 20}


def problems(document):
    with pytest.raises(ConfigError) as caught:
        demands_from(document, "jobs.json")
    return [(p.key, p.message) for p in caught.value.problems]


def test_all_fields(tmp_path):
    """A file gives the demands it says, in its order."""
    full = {**GOOD, "priority": 3, "preferred_phase": 180, "pinned": True, "spread": 0.2}
    path = tmp_path / "jobs.json"
    path.write_text(json.dumps({"jobs": [full, {**GOOD, "name": "b", "preferred_phase": None}]}))
    assert read_jobs_file(path) == [
        demand("feed", 600, 20, priority=3, preferred_phase=180, pinned=True, spread=0.2),
        demand("b", 600, 20),
    ]


def test_numbers_are_taken_as_people_write_them():
    """Durations are rounded up; whole floats are whole; a phase beyond the interval wraps."""
    (found,) = demands_from(
        [{**GOOD, "interval": 600.0, "duration": 1.2, "preferred_phase": 700}], "x"
    )
    assert found == demand("feed", 600, 2, preferred_phase=100)


def test_what_muxd_jobs_prints_can_be_planned():
    """Fields of a job that have nothing to do with time are passed over."""
    entry = {
        **GOOD,
        "plugin": "p",
        "timeout": 60,
        "session": "main",
        "description": "",
        "retries": 0,
    }
    assert len(demands_from([entry], "x")) == 1


@pytest.mark.parametrize(
    ("change", "key", "words"),
    [
        ({"interval": 0}, "jobs[0] (feed).interval", "1 to 31622400 (366 days), not 0"),
        ({"interval": "10m"}, "jobs[0] (feed).interval", 'not "10m"'),
        ({"interval": True}, "jobs[0] (feed).interval", "not true"),
        ({"interval": 31_622_401}, "jobs[0] (feed).interval", "366 days"),
        ({"duration": 0}, "jobs[0] (feed).duration", "above 0, not 0"),
        ({"duration": float("nan")}, "jobs[0] (feed).duration", "above 0"),
        ({"priority": 1.5}, "jobs[0] (feed).priority", "not 1.5"),
        ({"preferred_phase": -1}, "jobs[0] (feed).preferred_phase", "from 0, or null, not -1"),
        ({"pinned": "yes"}, "jobs[0] (feed).pinned", 'true or false, not "yes"'),
        ({"pinned": True}, "jobs[0] (feed).pinned", "needs a preferred_phase"),
        ({"spread": -1}, "jobs[0] (feed).spread", "from 0 to 10"),
        ({"prefered_phase": 3}, "jobs[0] (feed).prefered_phase", "is not known"),
        ({"name": ""}, "jobs[0].name", 'not ""'),
    ],
)
def test_a_wrong_value_is_named(change, key, words):
    """One problem, with the job, the key, what is allowed and what was given."""
    ((found, message),) = problems({"jobs": [{**GOOD, **change}]})
    assert found == key
    assert words in message


def test_all_problems_at_once():
    """Nobody has to run it five times to learn of five mistakes."""
    found = problems({"jobs": [{"name": "a"}, GOOD, GOOD, 7]})
    assert [key for key, _ in found] == [
        "jobs[0] (a).interval",
        "jobs[0] (a).duration",
        "jobs[2] (feed).name",
        "jobs[3]",
    ]


@pytest.mark.parametrize("document", [{}, {"jobs": {}}, 3, None, "jobs"])
def test_no_list_of_jobs(document):
    """A document of another shape is told what one looks like."""
    ((key, message),) = problems(document)
    assert key == "jobs"
    assert "list of jobs" in message


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"[1,", "is not JSON: Expecting value (line 1, column 4)"),
        (b"\xff\xfe\xff", "is not"),
        (b"[" * 100_000, "is nested too deeply"),
        (b"", "is not JSON"),
    ],
)
def test_no_json(tmp_path, content, words):
    """A file that is no JSON is named, with the place."""
    path = tmp_path / "jobs.json"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"jobs\.json: is ") as caught:
        read_jobs_file(path)
    assert words in str(caught.value)


def test_no_file(tmp_path):
    """A file that isn't there, or is a directory, is one clear message."""
    with pytest.raises(ConfigError, match=r"none\.json: can't be read: No such file"):
        read_jobs_file(tmp_path / "none.json")
    with pytest.raises(ConfigError, match="can't be read: Is a directory"):
        read_jobs_file(tmp_path)
