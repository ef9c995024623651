"""Crontabs: read as cron reads them, named, and told what in them can't be understood."""

from __future__ import annotations

from contextlib import suppress
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from muxd.errors import ConfigError
from muxd.slotting import solve
from muxd.slotting.cronname import name_of
from muxd.slotting.cronschedule import Schedule, parse_schedule
from muxd.slotting.crontab import crontab_demands, parse_crontab, read_crontab

MONDAY = date(2001, 1, 1)
SYSTEM = """\
# m h dom mon dow user command
SHELL=/bin/sh
PATH = /usr/bin:/bin
17 *\t* * *\troot\tcd / && run-parts --report /etc/cron.hourly
25 6 * * * root test -x /usr/sbin/anacron || { cd / && run-parts --report /etc/cron.daily; }
47 6 * * 7 root /opt/weekly.sh
  */5 * * * * deploy /srv/app/poll.py
"""


def entry(line):
    (only,) = parse_crontab(line + "\n", "crontab", "user").entries
    return only


def schedule(text):
    parsed = parse_schedule(text.split())
    assert isinstance(parsed, Schedule), parsed
    return parsed


def problems(text, form="user"):
    with pytest.raises(ConfigError) as caught:
        parse_crontab(text, "tab", form)
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("field", "minutes"),
    [
        ("7", {7}),
        ("*/15", {0, 15, 30, 45}),
        ("3,33", {3, 33}),
        ("10-12", {10, 11, 12}),
        ("10-30/10", {10, 20, 30}),
        ("50/4", {50, 54, 58}),
        ("0-2,58,*/30", {0, 1, 2, 30, 58}),
        ("*/59", {0, 59}),
        ("007", {7}),
    ],
)
def test_minutes(field, minutes):
    """Numbers, lists, ranges and steps mean what they mean to cron."""
    assert schedule(f"{field} * * * *").minutes == minutes


@pytest.mark.parametrize(
    ("field", "days"),
    [
        ("0", {0}),
        ("7", {0}),
        ("sun", {0}),
        ("Mon-FRI", {1, 2, 3, 4, 5}),
        ("5-7", {5, 6, 0}),
        ("fri-sun", {5, 6, 0}),
        ("mon,wed", {1, 3}),
        ("*", set(range(7))),
        ("*/2", {0, 2, 4, 6}),
    ],
)
def test_days_of_the_week(field, days):
    """Sunday is 0 and 7; names count in lists and ranges, in any case."""
    assert schedule(f"0 0 * * {field}").weekdays == days


def test_months_have_names():
    """jan to dec, in ranges too."""
    assert schedule("0 0 1 jan,mar-may *").months == {1, 3, 4, 5}


def test_either_day_is_enough_when_both_are_restricted():
    """On the 13th and on Fridays; with a star in one of them, both have to fit."""
    assert schedule("0 0 13 * 5").on(date(2026, 11, 13))
    assert schedule("0 0 13 * 5").on(date(2026, 11, 20))
    assert schedule("0 0 13 * 5").on(date(2026, 10, 13))
    assert not schedule("0 0 13 * 5").on(date(2026, 11, 12))
    # As cron does it: a field that begins with a star is no restriction.
    odd_fridays = schedule("0 0 */2 * 5")
    assert odd_fridays.on(date(2026, 11, 13))
    assert not odd_fridays.on(date(2026, 11, 20))


@pytest.mark.parametrize(
    ("line", "interval", "phase"),
    [
        ("*/15 * * * * x", 900, 0),
        ("5-59/15 * * * * x", 900, 300),
        ("* * * * * x", 60, 0),
        ("7 * * * * x", 3600, 420),
        ("30 */2 * * * x", 7200, 1800),
        ("10,40 * * * * x", 1800, 600),
        ("15 4 * * * x", 86400, 15300),
        ("15 4,16 * * * x", 43200, 15300),
        ("0 5 * * tue x", 604800, 86400 + 18000),
        ("0 5 * * 0 x", 604800, 6 * 86400 + 18000),
        ("@hourly x", 3600, 0),
        ("@daily x", 86400, 0),
        ("@midnight x", 86400, 0),
        ("@weekly x", 604800, 6 * 86400),
    ],
)
def test_what_is_strictly_periodic_is_taken_exactly(line, interval, phase):
    """The interval is the crontab's own, the phase its first start from a Monday's midnight on."""
    found = entry(line)
    assert (found.interval, found.phase, found.approximation) == (interval, phase, None)


@pytest.mark.parametrize(
    ("line", "interval", "phase", "told"),
    [
        (
            "0 9-17 * * 1-5 x",
            3600,
            0,
            "a slot every 1h: 9 of 24 slots a day are used, on 261 days a year",
        ),
        ("5 4,17 * * * x", 3600, 300, "a slot every 1h: 2 of 24 slots a day are used"),
        ("30 2 * * mon-sat x", 86400, 9000, "a slot every 1d: used on 313 days a year"),
        ("@monthly x", 86400, 0, "a slot every 1d: used on 12 days a year"),
        ("@yearly x", 86400, 0, "a slot every 1d: used on 1 day a year"),
        ("*/20 3 * * * x", 1200, 0, "a slot every 20m: 3 of 72 slots a day are used"),
        ("*/7 * * * * x", 360, 0, "9 uneven starts an hour: taken as 10, one every 6m"),
        ("3,17,42 * * * * x", 1200, 180, "3 uneven starts an hour: taken as 3, one every 20m"),
        ("1,8 3 * * * x", 1800, 60, "2 uneven starts an hour: taken as 2, one every 30m, all day"),
    ],
)
def test_what_is_not_is_approximated_and_says_how(line, interval, phase, told):
    """A slot wherever it may start, if its minutes allow that; else as many starts, evenly."""
    found = entry(line)
    assert (found.interval, found.phase, found.approximation) == (interval, phase, told)


fields = st.one_of(
    st.integers(1, 59).map(lambda n: f"*/{n}"),
    st.lists(st.integers(0, 59), min_size=1, max_size=5).map(lambda ns: ",".join(map(str, ns))),
)
hours = st.one_of(st.just("*"), st.integers(1, 12).map(lambda n: f"*/{n}"), st.just("9-17"))
days = st.sampled_from(["* * *", "* * 1", "* * 1-5", "1 * *", "*/3 6 *", "13 * 5"])


@given(fields, hours, days)
@settings(deadline=None)
def test_the_approximation_never_promises_too_little(minutes, hours, days):
    """An exact entry starts just at its slots; another has at least as many slots as starts."""
    found = entry(f"{minutes} {hours} {days} x")
    starts = [
        86_400 * number + 60 * minute
        for number in range(14)
        if found.schedule.on(MONDAY + timedelta(number))
        for minute in found.schedule.of_day
    ]
    slots = list(range(found.phase, 14 * 86_400, found.interval))
    if found.approximation is None:
        assert starts == slots
    elif "uneven" in found.approximation:
        assert len(starts) <= len(slots)
        assert 3600 // found.interval >= len(found.schedule.minutes)
    else:
        assert set(starts) < set(slots)


def test_the_format_is_told_by_the_users():
    """Where a well-known account stands before the commands, it's the system's format."""
    found = parse_crontab(SYSTEM, "tab")
    assert found.form == "system"
    assert [(e.name, e.line, e.user) for e in found.entries] == [
        ("cron.hourly", 4, "root"),
        ("cron.daily", 5, "root"),
        ("weekly", 6, "root"),
        ("poll", 7, "deploy"),
    ]
    assert [e.expression for e in found.entries][::3] == ["17 * * * *", "*/5 * * * *"]


@pytest.mark.parametrize(
    "line", ["0 * * * * python3 /x/y.py", "0 * * * * backup", "0 * * * * /usr/bin/git gc"]
)
def test_a_users_crontab_is_not_taken_for_the_systems(line):
    """Without a user that is known, or a command behind it, all of it is the command."""
    assert parse_crontab(line, "tab").form == "user"


def test_the_format_can_be_chosen_and_goes_by_the_place(tmp_path):
    """What is chosen counts; files where cron expects the system's format are read so."""
    line = "0 * * * * somebody /x/y.sh\n"
    assert parse_crontab(line, "tab").entries[0].user is None
    chosen = parse_crontab(line, "tab", "system").entries[0]
    assert (chosen.user, chosen.command, chosen.name) == ("somebody", "/x/y.sh", "y")
    for place in ("etc/crontab", "cron.d/mine"):
        path = tmp_path / place
        path.parent.mkdir()
        path.write_text(line)
        assert read_crontab(path).form == "system"
        assert read_crontab(path, "user").form == "user"


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("/usr/local/bin/backup --all", "backup"),
        ("/opt/feed.sh >> /var/log/feed.log 2>&1", "feed"),
        ("python3 -u /srv/app/scrape.py", "scrape"),
        ("python3.11 -m app.poster --now", "app.poster"),
        ("cd /srv/app && ./node_modules/.bin/sync run", "sync"),
        ("cd /srv && FOO=1 BAR='a b' /opt/x.pl", "x"),
        ("/usr/bin/flock -n /tmp/lock -c /opt/y", "y"),
        ("flock -n /tmp/l python /srv/z.py", "z"),
        ("sudo nice -n 19 ionice -c3 timeout 50 node /srv/crawl.mjs", "crawl"),
        ("/usr/bin/env bash /srv/a.bash", "a"),
        ("sleep 30; curl -s https://example.com/tick", "curl"),
        ("[ -x /usr/lib/php/sessionclean ] && /usr/lib/php/sessionclean", "sessionclean"),
        ("uv run report.py", "report"),
        ("bash -c 'echo hi'", "bash"),
        ('"/opt/my tool/go now" x', "go-now"),
        ("mysql -e 'select 1' | date", "mysql"),
        ("true", ""),
        (">/dev/null", ""),
    ],
)
def test_names_come_from_the_command(command, name):
    """A script's own name counts, not its interpreter's, its wrapper's or its preparations'."""
    assert name_of(command) == name


@given(st.text(min_size=1))
def test_any_command_can_be_named(command):
    """No command breaks the search for a name, and what is found fits into a table."""
    assert not set(name_of(command)) & set(" \t\n/'\"")


def test_names_are_unique():
    """The second of a name gets a number, even where one is called so already."""
    text = "1 * * * * /a/run.sh\n2 * * * * x-2\n3 * * * * x\n4 * * * * x\n5 * * * * true\n"
    names = [e.name for e in parse_crontab(text, "tab").entries]
    assert names == ["run", "x-2", "x", "x-3", "line-5"]


def test_percent_signs():
    """The first ends the command, what follows is its input; a backslash makes it a plain one."""
    assert entry(r"0 0 * * * mail -s 50\% you%Hello%%").command == "mail -s 50% you"


def test_what_is_passed_over_is_said():
    """Boot, days that never come, and time zones are noted with their lines, and cost nothing."""
    found = parse_crontab(
        "CRON_TZ=Europe/Berlin\nMAILTO=''\n\n@reboot /opt/up\n0 0 30 feb * /opt/never\n0 0 * * * x\n",
        "tab",
    )
    assert [e.name for e in found.entries] == ["x"]
    boot, never, zone = sorted(found.notes, key=lambda note: "CRON_TZ" in note)
    assert boot == "line 4: '/opt/up' is left out: it starts at boot only"
    assert never == "line 5: '/opt/never' is left out: it never starts, for want of such a day"
    assert zone.startswith("line 1: CRON_TZ=Europe/Berlin: ")


def test_all_that_is_wrong_is_told_at_once():
    """Each problem has the file, the line, the field, the value, and what is allowed."""
    told = problems(
        "61 * * * mox x\n* * * *\n@dayly x\n@daily\n30-20 24 0 13 8 x\n*/0 , 1- * mon#2 x\n1~3 ? L * * x"
    )
    assert told[0] == ("tab:1: minute: 61 is out of range: give 0 to 59, as *, 5, 1-5, 1,3 or */2")
    assert told[1].startswith("tab:1: day of week: 'mox' is no number and no name: give 0 to 7 or ")
    assert told[2].startswith("tab:2: give five fields of time and a command")
    assert told[3].startswith("tab:3: @dayly: is not known; known are @hourly, @daily")
    assert told[4] == "tab:4: @daily: give a command after it"
    starts = [line.partition(": give")[0] for line in told[5:]]
    assert starts == [
        "tab:5: minute: '30-20' goes backwards",
        "tab:5: hour: 24 is out of range",
        "tab:5: day of month: 0 is out of range",
        "tab:5: month: 13 is out of range",
        "tab:5: day of week: 8 is out of range",
        "tab:6: minute: the step of '*/0' is not a number from 1",
        "tab:6: hour: ',' has an empty place",
        "tab:6: day of month: '1-' can't be read",
        "tab:6: day of week: 'mon#2' is no number and no name",
        "tab:7: minute: '1~3' is chosen by chance, so it can't be planned",
        "tab:7: hour: '?' is no number",
        "tab:7: day of month: 'L' is no number",
    ]


def test_a_line_without_a_user_in_the_systems_format():
    """It names the line, and both formats."""
    (told,) = problems("0 * * * * root\n", "system")
    assert told.startswith("tab:1: user: give the user and then the command")
    assert "not 'root'" in told


@given(st.one_of(st.text(), st.text("0159 */-,~\n@%#=\\adilorty\t\"'")))
@settings(max_examples=100)
def test_any_text_is_read_or_refused(text):
    """Nothing but a `ConfigError` comes out of a file that is no crontab."""
    with suppress(ConfigError):
        assert all(e.interval > e.phase >= 0 for e in parse_crontab(text, "tab").entries)


def test_a_file_that_cannot_be_read(tmp_path):
    """No such file, a directory and bytes that are no text are told as the user's mistakes."""
    (tmp_path / "bytes").write_bytes(b"0 0 * * * \xff\n")
    for name, words in (
        ("none", "can't be read: No such file"),
        (".", "can't be read: Is a directory"),
        ("bytes", "is not a text file in UTF-8"),
    ):
        with pytest.raises(ConfigError, match=words):
            read_crontab(tmp_path / name)


def test_the_demands_of_a_crontab_can_be_kept_apart():
    """They ask for the crontab's own minutes; solved, none collide, and few are far away."""
    crontab = parse_crontab(SYSTEM + "17 * * * * root /opt/other\n", "tab")
    demands = crontab_demands(crontab, 45)
    assert {d.duration for d in demands} == {45}
    assert [d.preferred_phase for d in demands][:2] == [1020, 23100]
    table = solve(demands)
    assert table.feasible
    assert all(slot.moved < 900 for slot in table.slots)
