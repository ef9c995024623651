"""Records to rows and back, and the statements that move them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeAlias

from muxd.pause import Pause
from muxd.record import Outcome, Record
from muxd.release import Cause

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence

__all__ = [
    "AFTER_ALL_IDS",
    "BEGINNING_WITH",
    "COLUMNS",
    "DELETE",
    "ENDING_WITH",
    "GET",
    "INSERT_IF_NEW",
    "LAST_RELEASES",
    "LEARNED_FROM",
    "NEWEST_ID",
    "NEWEST_RELEASE",
    "NEWEST_RELEASES",
    "NTH_GOOD",
    "NTH_NEWEST",
    "OLDEST",
    "RELEASED_JOBS",
    "TRIES",
    "UNFINISHED",
    "UPSERT",
    "Place",
    "history_bounds",
    "history_query",
    "places_of",
    "read_pauses",
    "read_places",
    "record_of",
    "replace_pauses",
    "replace_places",
    "row_of",
    "statistics_query",
]

Place: TypeAlias = tuple[int, int, int | None]
"""Interval and phase, seconds, and since when, microseconds; None: not known."""

COLUMNS = (
    "id", "job", "plugin", "cause", "attempt", "first_id", "released_us", "started_us", "ended_us",
    "outcome", "error_type", "error", "result", "left_behind", "harm", "session",
    "browser_generation", "speed",
)  # fmt: skip
_LIST = ", ".join(COLUMNS)

# Only what the trigger `runs_are_final` lets through: a record that has an outcome stays.
UPSERT = (
    f"INSERT INTO runs ({_LIST}) VALUES ({', '.join('?' * len(COLUMNS))}) "
    f"ON CONFLICT (id) DO UPDATE SET {', '.join(f'{c} = excluded.{c}' for c in COLUMNS[1:])}"
)
INSERT_IF_NEW = f"INSERT OR IGNORE INTO runs ({_LIST}) VALUES ({', '.join('?' * len(COLUMNS))})"
GET = f"SELECT {_LIST} FROM runs WHERE id = ?"
DELETE = "DELETE FROM runs WHERE id = ?"
BEGINNING_WITH = f"SELECT {_LIST} FROM runs WHERE id >= ? AND id < ? ORDER BY id DESC LIMIT ?"
# No index is in the order of ends of ids: the newest are looked through, in an index of ids alone.
ENDING_WITH = (
    "SELECT id FROM (SELECT id FROM runs WHERE id > '' ORDER BY id DESC LIMIT ?) "
    "WHERE substr(id, ?) = ? LIMIT ?"
)
TRIES = (
    f"SELECT {_LIST} FROM runs WHERE id = ? UNION ALL SELECT {_LIST} FROM runs WHERE first_id = ?"
)
UNFINISHED = f"SELECT {_LIST} FROM runs WHERE outcome IS NULL ORDER BY released_us, id"


AFTER_ALL_IDS = chr(0x10FFFF)
"""Sorts after every id."""
_EARLIEST, _LATEST = -(2**63), 2**63 - 1


def history_query(*, by_job: bool, by_outcome: bool) -> str:
    """The statement for `history`.

    Its parameters are the job, the outcome, from which instant on, the place in the order (instant
    and id) before which to begin, and the limit. By place and not by OFFSET: the thousandth page is
    as quick as the first.
    """
    conditions = ["outcome IS NOT NULL"]
    if by_job:
        conditions.append("job = ?")
    if by_outcome:
        conditions.append("outcome = ?")
    return (
        f"SELECT {_LIST} FROM runs WHERE {' AND '.join(conditions)} "
        "AND sort_us >= ? AND (sort_us, id) < (?, ?) ORDER BY sort_us DESC, id DESC LIMIT ?"
    )


def statistics_query(*, by_job: bool) -> str:
    """The statement for the rows that are `muxd.statistics.Row`, in the order of `history`.

    Its parameters are as for `history_query`, with the class that says that nobody saw the end
    before them.
    """
    return (
        "SELECT job, outcome, sort_us, "
        "CASE WHEN error_type IS ? THEN NULL ELSE ended_us - started_us END, "
        "started_us - released_us, id "
        f"FROM runs WHERE outcome IS NOT NULL {'AND job = ? ' if by_job else ''}"
        "AND sort_us >= ? AND (sort_us, id) < (?, ?) ORDER BY sort_us DESC, id DESC LIMIT ?"
    )


def history_bounds(
    since: float | None, until: float | None, before: Record | None
) -> tuple[int, int, str]:
    """The parameters of `history_query` that say from where to where.

    Raises:
      ValueError: an instant is not a number.
    """
    first = _EARLIEST if since is None else _bound(since)
    end = (_LATEST, AFTER_ALL_IDS)
    if until is not None:
        end = (_bound(until), "")  # no id is before that
    if before is not None:
        at = before.released_at if before.ended_at is None else before.ended_at
        end = min(end, (_bound(at), _text(before.id) or ""))
    return first, *end


def _each_job(runs: str, condition: str) -> str:
    # Jumps from one job to the next in an index, where SELECT DISTINCT would walk all of it:
    # there are tens of jobs, and hundreds of thousands of runs after a year.
    return (
        "WITH RECURSIVE jobs (job) AS ("
        f"SELECT min(job) FROM {runs} WHERE {condition} UNION ALL "
        f"SELECT (SELECT min(job) FROM {runs} WHERE job > jobs.job AND {condition}) "
        "FROM jobs WHERE jobs.job IS NOT NULL) "
    )


# With the index by name: SQLite, which keeps no statistics here, prefers another one by itself,
# and walks all good runs.
_BY_SLOT = ("runs INDEXED BY runs_by_slot", "cause IN ('slot', 'catch_up') AND speed = 1")
_GOOD = (
    "runs INDEXED BY runs_to_learn_from",
    "outcome = 'ok' AND speed = 1 AND ended_us >= started_us",
)
_NEWEST = f"{_BY_SLOT[1]} ORDER BY released_us DESC LIMIT 1"

LAST_RELEASES = (
    _each_job(*_BY_SLOT) + "SELECT job, "
    f"(SELECT max(released_us) FROM {_BY_SLOT[0]} WHERE job = jobs.job AND {_BY_SLOT[1]}) "
    "FROM jobs WHERE job IS NOT NULL"
)
RELEASED_JOBS = _each_job(*_BY_SLOT) + "SELECT job FROM jobs WHERE job IS NOT NULL"
NEWEST_RELEASE = f"SELECT {_LIST} FROM {_BY_SLOT[0]} WHERE job = ? AND {_NEWEST}"
NEWEST_RELEASES = (
    f"{_each_job(*_BY_SLOT)}SELECT {', '.join(f'runs.{name}' for name in COLUMNS)} "
    "FROM jobs JOIN runs ON runs.rowid = "
    f"(SELECT rowid FROM {_BY_SLOT[0]} WHERE job = jobs.job AND {_NEWEST}) "
    "WHERE jobs.job IS NOT NULL"
)
NEWEST_ID = f"SELECT id FROM {_BY_SLOT[0]} WHERE job = ? AND {_NEWEST}"
# The newest good runs of all jobs in one pass, and a row for each job: with ten thousand jobs a
# question for each, and half a million rows, take many times as long.
LEARNED_FROM = (
    _each_job(*_GOOD) + "SELECT job, (SELECT group_concat(took) FROM "
    f"(SELECT ended_us - started_us AS took FROM {_GOOD[0]} WHERE job = jobs.job AND {_GOOD[1]} "
    "ORDER BY sort_us DESC, id DESC LIMIT ?)) FROM jobs WHERE job IS NOT NULL"
)
NTH_GOOD = (
    f"SELECT sort_us, id FROM {_GOOD[0]} WHERE job = ? AND {_GOOD[1]} "
    "ORDER BY sort_us DESC, id DESC LIMIT 1 OFFSET ?"
)
_BY_END = "runs INDEXED BY runs_by_end WHERE outcome IS NOT NULL"
NTH_NEWEST = f"SELECT sort_us, id FROM {_BY_END} ORDER BY sort_us DESC, id DESC LIMIT 1 OFFSET ?"
OLDEST = (
    f"SELECT sort_us, id, job, {_GOOD[1]} FROM {_BY_END} AND (sort_us, id) > (?, ?) "
    "ORDER BY sort_us, id LIMIT ?"
)


def row_of(record: Record) -> tuple[object, ...]:
    """The row that keeps `record`, in the order of `UPSERT`."""
    return (
        _text(record.id),
        _text(record.job),
        _text(record.plugin),
        record.cause.value,
        record.attempt,
        _text(record.first_id),
        _microseconds(record.released_at),
        _microseconds(record.started_at),
        _microseconds(record.ended_at),
        None if record.outcome is None else record.outcome.value,
        _text(record.error_type),
        _text(record.error),
        _text(record.result),
        _text(record.left),
        _text(record.harm),
        _text(record.session),
        record.browser_generation,
        record.speed,
    )


def record_of(row: Sequence[Any]) -> Record:
    """The record that a row of the columns above keeps.

    Raises:
      ValueError: it has a cause or an outcome that this muxd doesn't know.
    """
    fields: dict[str, Any] = dict(zip(COLUMNS, row, strict=True))
    for instant in ("released", "started", "ended"):
        stored = fields.pop(f"{instant}_us")
        fields[f"{instant}_at"] = None if stored is None else stored / 1e6
    fields["left"] = fields.pop("left_behind")
    fields["cause"] = Cause(fields["cause"])
    fields["outcome"] = None if fields["outcome"] is None else Outcome(fields["outcome"])
    return Record(**fields)


def read_places(connection: sqlite3.Connection) -> dict[str, Place]:
    """The phases in force, and since when each job has one: by job."""
    found = connection.execute("SELECT job, interval_s, phase_s, since_us FROM phases ORDER BY job")
    return {job: (interval, phase, since) for job, interval, phase, since in found.fetchall()}


def replace_places(connection: sqlite3.Connection, places: Mapping[str, Place]) -> None:
    """Write the phases in force, in the caller's transaction."""
    connection.execute("DELETE FROM phases")
    connection.executemany(
        "INSERT INTO phases (job, interval_s, phase_s, since_us) VALUES (?, ?, ?, ?)",
        [(job, *place) for job, place in places.items()],
    )


def places_of(
    phases: Mapping[str, tuple[int, int]], before: Mapping[str, Place], at: float | None
) -> dict[str, Place]:
    """The phases with since when: `at`, Unix seconds, where that was not known before."""
    since = {job: place[2] for job, place in before.items() if place[2] is not None}
    now = _microseconds(at)
    return {
        job: (interval, phase, since.get(job, now)) for job, (interval, phase) in phases.items()
    }


_PAUSE_COLUMNS = "job, note, since_us, probe_us, probes"


def read_pauses(connection: sqlite3.Connection) -> dict[str, Pause]:
    """The jobs that are paused, by name."""
    found = connection.execute(f"SELECT {_PAUSE_COLUMNS} FROM pauses ORDER BY job")
    return {row[0]: _pause_of(row) for row in found.fetchall()}


def replace_pauses(connection: sqlite3.Connection, pauses: Mapping[str, Pause]) -> None:
    """Write the pauses, in the caller's transaction."""
    connection.execute("DELETE FROM pauses")
    connection.executemany(
        f"INSERT INTO pauses ({_PAUSE_COLUMNS}) VALUES (?, ?, ?, ?, ?)",
        map(_row_of_pause, pauses.values()),
    )


def _row_of_pause(pause: Pause) -> tuple[object, ...]:
    return (
        _text(pause.job),
        _text(pause.note),
        _microseconds(pause.since),
        _microseconds(pause.probe_at),
        pause.probes,
    )


def _pause_of(row: Sequence[Any]) -> Pause:
    job, note, since_us, probe_us, probes = row
    probe_at = None if probe_us is None else probe_us / 1e6
    return Pause(job=job, note=note, since=since_us / 1e6, probe_at=probe_at, probes=probes)


def _bound(instant: float) -> int:
    """Microseconds; of what is further away than any run, the furthest that there is."""
    if math.isnan(instant):
        raise ValueError("nan is no instant: give Unix seconds")
    return round(min(max(instant, -9e12), 9e12) * 1e6)


def _microseconds(instant: float | None) -> int | None:
    return None if instant is None else round(instant * 1e6)


def _text(text: str | None) -> str | None:
    # Pages hand out half of a surrogate pair (a title cut in an emoji), which UTF-8 can't hold:
    # that must not cost the record.
    return None if text is None else text.encode("utf-8", "backslashreplace").decode("utf-8")
