"""The ledger's tables, and how an older ledger is brought up to date."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3

__all__ = ["APPLICATION_ID", "MIGRATIONS", "VERSION", "create", "migrate", "rewrite", "version_of"]

APPLICATION_ID = 0x6D757864  # "muxd": tells our files from other people's SQLite files

# One entry a schema version, each a list of statements. Never edit one that was released: add one.
# A new `Outcome` or `Cause` needs an entry too (an empty one will do): an older muxd must not
# stumble over a value that it doesn't know.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """\
CREATE TABLE runs (
    id TEXT PRIMARY KEY NOT NULL,     -- unique, sorts by time
    job TEXT NOT NULL,
    plugin TEXT NOT NULL,             -- who declared the job
    cause TEXT NOT NULL,              -- slot, manual, retry, catch_up, in_gap
    attempt INTEGER NOT NULL,         -- 1 for the first try
    first_id TEXT,                    -- for a retry: the id of the first try
    released_us INTEGER NOT NULL,     -- microseconds since 1970-01-01T00:00:00Z
    started_us INTEGER,               -- NULL if the run never had the browser
    ended_us INTEGER,
    outcome TEXT,                     -- NULL while it waits or runs
    error_type TEXT,
    error TEXT,
    result TEXT,
    session TEXT NOT NULL,
    browser_generation INTEGER,       -- which life of the browser, from 1 at each start
    speed REAL NOT NULL,              -- 1 but for rehearsals (--speed)
    sort_us INTEGER GENERATED ALWAYS AS (coalesce(ended_us, released_us)) VIRTUAL
)""",
        """\
CREATE TRIGGER runs_are_final BEFORE UPDATE ON runs WHEN OLD.outcome IS NOT NULL
BEGIN SELECT raise(ABORT, 'a run with an outcome is never changed'); END""",
        "CREATE INDEX runs_by_end ON runs (sort_us, id) WHERE outcome IS NOT NULL",
        "CREATE INDEX runs_by_job ON runs (job, sort_us, id) WHERE outcome IS NOT NULL",
        "CREATE INDEX runs_by_outcome ON runs (outcome, sort_us, id) WHERE outcome IS NOT NULL",
        """\
CREATE INDEX runs_by_job_and_outcome ON runs (job, outcome, sort_us, id)
WHERE outcome IS NOT NULL""",
        "CREATE INDEX runs_unfinished ON runs (released_us, id) WHERE outcome IS NULL",
        """\
CREATE INDEX runs_by_slot ON runs (job, released_us)
WHERE cause IN ('slot', 'catch_up') AND speed = 1""",
        """\
CREATE INDEX runs_to_learn_from ON runs (job, sort_us, id)
WHERE outcome = 'ok' AND speed = 1""",
        """\
CREATE TABLE phases (
    job TEXT PRIMARY KEY NOT NULL,
    interval_s INTEGER NOT NULL,      -- seconds between releases
    phase_s INTEGER NOT NULL          -- seconds from the timetable's epoch, 0 <= phase < interval
)""",
    ),
    (
        "ALTER TABLE runs ADD COLUMN left_behind TEXT",  # what it left and muxd took away
        "ALTER TABLE runs ADD COLUMN harm TEXT",  # what is charged to its job
        """\
CREATE TABLE pauses (
    job TEXT PRIMARY KEY NOT NULL,
    note TEXT NOT NULL,               -- why, for people
    since_us INTEGER NOT NULL,        -- microseconds since 1970-01-01T00:00:00Z
    probe_us INTEGER,                 -- when it is tried again; NULL: when a person says so
    probes INTEGER NOT NULL           -- how often it was tried again, in vain
)""",
    ),
    (
        "ALTER TABLE phases ADD COLUMN since_us INTEGER",  # when it got a place; NULL: not known
    ),
    (
        # With the instants in it, so that durations are read from it alone: fifty rows of each job
        # lie together there, while in the table each is on a page of its own.
        "DROP INDEX runs_to_learn_from",
        """\
CREATE INDEX runs_to_learn_from ON runs (job, sort_us, id, started_us, ended_us)
WHERE outcome = 'ok' AND speed = 1 AND ended_us >= started_us""",
        "CREATE INDEX runs_by_first_try ON runs (first_id) WHERE first_id IS NOT NULL",
    ),
)

VERSION = len(MIGRATIONS)
"""The schema version that this muxd reads and writes."""


def version_of(connection: sqlite3.Connection) -> int | None:
    """The schema version of a database: 0 when it is empty, None when it isn't a ledger.

    In a transaction that the caller has begun: it looks more than once.
    """
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application == APPLICATION_ID:
        return int(version)
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return 0 if (application, version, tables) == (0, 0, 0) else None


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the schema to `VERSION`, in the transaction that the caller has begun."""
    version = version_of(connection) or 0
    for statements in MIGRATIONS[version:]:
        for statement in statements:
            connection.execute(statement)
    if version < VERSION:
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {VERSION}")


def create(connection: sqlite3.Connection, *, incremental: bool = True) -> None:
    """Make the tables in a database that is empty.

    Args:
      connection: to it.
      incremental: the file can be made smaller bit by bit. False: as older ledgers are.
    """
    if incremental:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    connection.execute("BEGIN IMMEDIATE")
    migrate(connection)
    connection.execute("COMMIT")


def rewrite(connection: sqlite3.Connection) -> None:
    """Write the whole file anew, in one transaction, so that it can be made smaller bit by bit."""
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    connection.execute("VACUUM")
