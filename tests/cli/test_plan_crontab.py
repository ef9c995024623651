"""``muxd plan`` for people who don't use muxd yet: what collides now, and what would not."""

from __future__ import annotations

import json

import pytest

CRONTAB = """\
# as crontab -l prints it
MAILTO=ops@example.com
*/15 * * * * /opt/feed.sh
0 * * * * cd /srv && python3 news.py > /dev/null
0,30 * * * * /opt/sync
0 9-17 * * 1-5 /opt/report
@daily /opt/digest
@reboot /opt/warm-up
"""
JOBS = [
    {"name": "feed", "interval": 600, "duration": 20},
    {"name": "news", "interval": 3600, "duration": 60, "preferred_phase": 1200},
    {"name": "digest", "interval": 86400, "duration": 60, "preferred_phase": 90},
]


@pytest.fixture
def plan(muxd):
    """Run ``muxd plan ARGS...``; without an error."""

    def plan(*args, **kwargs):
        result = muxd("plan", *args, **kwargs)
        assert result.exit_code == 0, result.output
        return result.stdout

    return plan


def test_a_crontab_for_people(plan, write):
    """What shares its minute now, minute by minute, the worst first; then the timetable."""
    write("tab", CRONTAB)
    lines = plan("--from-crontab", "tab").splitlines()
    assert lines[0].startswith("Now: 5 jobs, ")
    assert "share their minute with another job, up to 4 in one" in lines[0]
    ruler = next(n for n, line in enumerate(lines) if ":00" in line and ":50" in line)
    midnight = lines[ruler + 1].removeprefix("00        ")
    assert (len(midnight), midnight[0], midnight[15], midnight[30], midnight[31]) == (
        60, "4", "1", "2", "·",
    )  # fmt: skip
    assert any(line.startswith("18 to 23  3") for line in lines)
    worst = next(n for n, line in enumerate(lines) if "worst minutes" in line)
    assert lines[worst + 1].split()[:2] == ["4", "00:00"]
    assert lines[worst + 2].split()[:2] == ["4", "09:00,"]
    assert any("a slot every 1h: 9 of 24 slots a day are used" in line for line in lines)
    assert "! line 8: '/opt/warm-up' is left out: it starts at boot only" in lines
    below = lines[lines.index("With phases that are solved for:") + 1 :]
    assert below[0].split()[:2] == ["job", "every"]
    assert below[1].split()[:3] == ["A", "feed", "15m"]
    assert any("no collision, ever (checked for all 10 pairs of jobs)" in line for line in below)


def test_a_crontab_as_json(plan, write):
    """One document: the timetable's keys, and beside them what collides now."""
    write("tab", CRONTAB)
    document = json.loads(plan("--from-crontab", "tab", "--duration", "90s", "--json"))
    assert document["feasible"] is True
    assert list(document["phases"]) == ["feed", "news", "sync", "report", "digest"]
    assert {job["duration"] for job in document["jobs"]} == {90}
    now = document["now"]
    assert (now["source"], now["days"], now["most_in_one_minute"]) == ("tab", 31, 4)
    assert 0 < now["sharing_their_minute"] < now["starts"]
    assert now["share"] == pytest.approx(now["sharing_their_minute"] / now["starts"], abs=1e-6)
    assert {"at": "12:30", "jobs": ["feed", "sync"], "on_days": 31} in now["crowds"]
    assert now["crontab"]["format"] == "user"
    report = now["crontab"]["entries"][3]
    assert (report["name"], report["line"], report["starts"]) == ("report", 6, "0 9-17 * * 1-5")
    assert (report["interval"], report["phase"], report["user"]) == (3600, 0, None)


def test_a_crontab_from_a_pipe(plan):
    """``crontab -l | muxd plan --from-crontab -`` needs no file."""
    document = json.loads(plan("--from-crontab", "-", "--json", input=CRONTAB))
    assert document["now"]["source"] == "stdin"
    assert len(document["phases"]) == 5
    assert {job["duration"] for job in document["jobs"]} == {60}


def test_the_format_of_a_crontab_can_be_chosen(plan, write):
    """With a user before each command the names come from the commands all the same."""
    write("tab", "0 * * * * me /opt/a.sh\n0 * * * * you /opt/b.sh\n")
    names = {
        form: list(json.loads(plan("--from-crontab", "tab", "--json", *option))["phases"])
        for form, option in {"auto": (), "system": ("--crontab-format", "system")}.items()
    }
    assert names == {"auto": ["me", "you"], "system": ["a", "b"]}
    assert "you" in plan("--from-crontab", "tab", "--crontab-format", "system")


def test_what_is_wrong_in_a_crontab(muxd, write):
    """All of it at once, each with file and line, on stderr, with exit code 2."""
    write("tab", "0 25 * * * x\n@soon x\n")
    result = muxd("plan", "--from-crontab", "tab")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "tab:1: hour: 25 is out of range: give 0 to 23" in result.stderr
    assert "tab:2: @soon: is not known" in result.stderr


def test_an_empty_crontab(muxd, write):
    """Nothing starts, so there is nothing to plan, and that is no mistake."""
    write("tab", "# nothing\n")
    result = muxd("plan", "--from-crontab", "tab")
    assert result.exit_code == 0
    assert "nothing starts in tab" in result.stdout
    document = json.loads(muxd("plan", "--from-crontab", "tab", "--json").stdout)
    assert (document["phases"], document["now"]["starts"]) == ({}, 0)


def test_jobs_of_a_file(plan, write):
    """They start at their preferred phases now, or from zero as setInterval has them."""
    write("jobs.json", json.dumps(JOBS))
    document = json.loads(plan("--from-jobs", "jobs.json", "--json"))
    now = document["now"]
    assert (now["days"], now["starts"]) == (7, 7 * (144 + 24 + 1))
    # feed and news meet at :20 each hour; the digest starts at 00:01:30, alone.
    assert now["sharing_their_minute"] == 7 * 24 * 2
    assert now["crowds"][0] == {"at": "00:20", "jobs": ["feed", "news"], "on_days": 7}
    assert "crontab" not in now
    assert document["feasible"] is True
    lines = plan("--from-jobs", "jobs.json").splitlines()
    assert lines[0].startswith("Now: 3 jobs, 1,183 starts in 7 days; 28% share their minute")
    assert lines[0].endswith("(those that prefer no phase start from zero, as setInterval does)")
    assert "With phases that are solved for:" in lines


def test_changes_can_be_tried_on_a_crontab(plan, write):
    """The other options go on from there."""
    write("tab", CRONTAB)
    text = plan("--from-crontab", "tab", "--what-if", "job=feed duration=5m", "--compare")
    assert "No other job moves." in text or "moves:" in text
    assert "Jenkins H" in text


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--from-crontab", "tab", "--from-jobs", "jobs.json"), "give only one of"),
        (("--from-crontab", "tab", "--jobs-file", "jobs.json"), "give only one of"),
        (("--duration", "5s"), "--duration goes with --from-crontab"),
        (("--from-jobs", "jobs.json", "--crontab-format", "user"), "goes with --from-crontab"),
        (("--from-crontab", "tab", "--duration", "soon"), "is not a duration such as"),
        (("--from-crontab", "tab", "--duration", "0s"), "at least 1s"),
        (("--from-crontab", "tab", "--crontab-format", "bsd"), "'bsd' is not one of"),
        (("--from-crontab", "none"), "none: can't be read"),
        (("--from-jobs", "none"), "none: can't be read"),
    ],
)
def test_options_that_do_not_go_together(muxd, write, options, words):
    """A mistake in the options is told, with exit code 2."""
    write("tab", CRONTAB)
    write("jobs.json", json.dumps(JOBS))
    result = muxd("plan", *options)
    assert (result.exit_code, result.stdout) == (2, "")
    assert words in result.stderr
