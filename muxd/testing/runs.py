"""``muxd_run``: runs a job once, for real, in a test."""

from __future__ import annotations

import functools
import shlex
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import attrs

from muxd.artifacts import Artifacts
from muxd.body.reading import DataReader
from muxd.events import JobNews
from muxd.evidence import Evidence
from muxd.job import Job
from muxd.record import Outcome
from muxd.testing.har import Recording, Replay
from muxd.testing.store import MemoryStore

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from muxd.events import Event
    from muxd.record import Record
    from muxd.running import Run
    from muxd.testing.browserthread import BrowserThread

__all__ = ["MuxdRun"]


@final
class MuxdRun:
    """Runs jobs on the browser of the test session: what the fixture ``muxd_run`` gives.

    Each test has sessions of its own: it begins logged out everywhere, and what its runs keep in
    `main` or a named session is there for its further runs. So are what they save, and their state.
    """

    def __init__(
        self,
        browser: BrowserThread,
        folder: Path,
        *,
        place: Path | None = None,
        records_har: bool = False,
    ) -> None:
        """For one test.

        Args:
          browser: that of all tests.
          folder: where the evidence goes; made when there is some.
          place: what paths of HARs are relative to; None: the working directory.
          records_har: they are recorded, not replayed.
        """
        self.returned: Any = None
        """What the body of the last run returned, itself; None if it raised."""
        self.raised: Exception | None = None
        """What the body of the last run raised, itself; None if it returned."""
        self.records: list[Record] = []
        """The records of all runs of the test, oldest first."""
        self.told: list[JobNews] = []
        """What the runs of the test have told (`muxd.Run.tell`), oldest first."""
        self._browser, self._folder, self._owner = browser, folder, browser.new_owner()
        self._evidence = Evidence(Artifacts(folder), trace="always", of_good=True)
        self._store = MemoryStore()
        self._place, self._records_har = place, records_har
        self._recorded: set[Path] = set()
        self._notes: dict[str, list[str]] = {}
        # {run: what is to be said of its HAR}

    def __call__(
        self,
        job: Job | Callable[[Run], Awaitable[Any]],
        *,
        har: str | Path | None = None,
        **fields: Any,
    ) -> Record:
        """Run a job once, now, and give its record. Blocks until the run has ended.

        The run is as in the daemon: under its timeout, with what it leaves taken away, and whatever
        goes wrong is in the record (``outcome``, ``error``). There are no retries, and services of
        the plugin are not started.

        Args:
          job: the job, or just an ``async def`` with one argument, the run.
          har: a file that answers what its pages ask for, instead of the network, as it was recorded
            by ``pytest --muxd-har=record``. What is not in there is refused; if the run does not end
            well, the record's error names it.
          **fields: fields of the job that are other for this run, as ``timeout="5s"``.

        Raises:
          JobError: a field is wrong.
          UserError: the HAR is not there, or is none.
          WorldError: there is no browser, or it can't be launched; or the HAR can't be written.
        """
        if not isinstance(job, Job):
            name = getattr(job, "__name__", "job").strip("<>")
            job = Job(name, job, interval="1h")
        if fields:
            job = job.replace(**fields)
        self.returned = self.raised = None
        between = self._har(har)
        record = self._browser.perform(
            self._watched(job), self._owner, self._evidence, self._store, self._hear, between
        )
        if between is not None:
            record = self._with_har(record, between)
        self.records.append(record)
        return record

    def _har(self, file: str | Path | None) -> Recording | Replay | None:
        if file is None:
            return None
        path = (self._place or Path()) / file
        if self._records_har:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return Recording(path, self._folder / "recorded.har")
        return Replay(path)

    def _with_har(self, record: Record, har: Recording | Replay) -> Record:
        """The record; its error says what was not in the file. A recording is put into its place."""
        if isinstance(har, Recording):
            lost = har.keep(self._evidence.secrets.now, after=har.file in self._recorded)
            self._recorded.add(har.file)
            note = f"recorded {har.file}"
            if lost:
                note += f"; not to be found there, as the address has a secret: {', '.join(lost)}"
        else:
            note = har.account()
        if note:
            self._notes[record.id] = [note]
        if note and isinstance(har, Replay) and record.outcome is not Outcome.ok:
            return attrs.evolve(record, error="\n".join(filter(None, (record.error, note))))
        return record

    def saved(self, job: str, table: str | None = None) -> list[dict[str, Any]]:
        """The rows that the runs of this job have saved (`muxd.Run.save`), those of one table."""
        return DataReader(self._folder).rows(job, table)

    def _hear(self, event: Event) -> None:
        if isinstance(event, JobNews):
            self.told.append(event)

    def _watched(self, job: Job) -> Job:
        """The same job; what its body returns or raises is noted."""
        body = job.body

        @functools.wraps(body)
        async def noting(run: Run) -> Any:
            try:
                self.returned = await body(run)
            except Exception as error:
                self.raised = error
                raise
            return self.returned

        return job.replace(body=noting)

    @property
    def files(self) -> dict[str, Path]:
        """The files that are kept of the last run, by name: its evidence, and what its body left."""
        return self._evidence.artifacts.files(self.records[-1].id) if self.records else {}

    def tidy(self) -> None:
        """The test passed: nothing is kept."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def account(self) -> str:
        """Where the evidence of the test's runs is, for people; empty if there were no runs."""
        return "\n".join(line for record in self.records for line in self._lines(record))

    def _lines(self, record: Record) -> Iterator[str]:
        told = f"{record.job}: {record.outcome}"
        if record.error_type:
            told += f", {record.error_type}: {record.error}"
        yield told
        yield from (f"  {note}" for note in self._notes.get(record.id, ()))
        folder = self._folder / record.id
        for file in sorted(folder.glob("*")):
            if file.name == "trace.zip":
                yield f"  playwright show-trace {shlex.quote(str(file))}"
            else:
                yield f"  {file}"
