"""The evidence of runs that did not end well: taken from their pages, masked, kept in a folder."""

from __future__ import annotations

import contextlib
import json
import time
import zipfile
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs
import structlog
import trio

from muxd.errors import message_of, qualified_name
from muxd.observation import Observation
from muxd.secrets import KnownSecrets, Secrets, secrets_in
from muxd.tracebacks import traceback_through_jobs
from muxd.tracefile import TraceTooLarge, masked_trace, secrets_in_trace

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from pathlib import Path

    from muxd.abc import Lease, PageSource
    from muxd.artifacts import Artifacts
    from muxd.observation import TraceWhen
    from muxd.record import Outcome, Record
    from muxd.release import Release

__all__ = ["RECALLED", "Case", "Evidence"]

KEEP_BOUND = 10.0
"""How long masking and writing may take, seconds. The browser is free meanwhile."""
MASK_BOUND = 4.0
"""How long finding the secrets of a trace may take, and taking them out of it, seconds each."""
RECALLED = 200
"""How many records of the past tell which jobs' last run did not end well."""
LARGEST = {
    "screenshot.png": 5_000_000,
    "page.html": 2_000_000,
    "console.txt": 200_000,
    "network.txt": 200_000,
    "trace.zip": 20_000_000,
    "traceback.txt": 200_000,
    "blocked.txt": 200_000,
}
"""Bytes of each file at most. Of a longer page the beginning is kept, of other texts the end; a larger
picture or trace is not kept. The summary is made of parts that have their bounds."""

_INERT = """<!-- As muxd saw it. What follows keeps its scripts from running where it is opened. -->
<meta http-equiv="Content-Security-Policy" content="script-src 'none'; form-action 'none'">
"""


class Evidence:
    """Takes and keeps it, for one run after another. Of a run that is ok nothing is kept, as a rule."""

    def __init__(
        self,
        artifacts: Artifacts,
        *,
        secrets: KnownSecrets | Secrets | None = None,
        trace: TraceWhen = "retries",
        of_good: bool = False,
        in_thread: Callable[..., Awaitable[Any]] = trio.to_thread.run_sync,
    ) -> None:
        """Make one; nothing happens yet.

        Args:
          artifacts: where it is kept.
          secrets: what is never kept, besides what pages tell.
          trace: which runs Playwright traces with pictures; see `TraceWhen`.
          of_good: keep what was seen of runs that are ok, too: a test may fail all the same.
          in_thread: like `trio.to_thread.run_sync`. A test in virtual time gives one that calls.
        """
        known = secrets if isinstance(secrets, KnownSecrets) else KnownSecrets(secrets or ())
        self.artifacts, self.secrets, self.trace = artifacts, known, trace
        self.of_good, self.in_thread = of_good, in_thread
        self._ailing: set[str] = set()
        self._said = False

    async def begin(self, newest_first: Iterable[Record]) -> None:
        """Before the first run: recall the past, and remove what is not to be kept any more.

        Takes at most `KEEP_BOUND`; never raises for what the disk does.
        """
        self.recall(newest_first)
        with trio.move_on_after(KEEP_BOUND):
            try:
                await self.in_thread(self._tidy, abandon_on_cancel=True)
            except OSError as error:
                self.failed(error, "-")

    def _tidy(self) -> None:
        self.artifacts.clear_unfinished()
        self.artifacts.prune()

    def recall(self, newest_first: Iterable[Record]) -> None:
        """Learn from the records of the past which jobs' last run did not end well."""
        known: set[str] = set()
        for record in newest_first:
            if record.outcome is not None and record.outcome.ran and record.job not in known:
                known.add(record.job)
                self.learn(record.job, record.outcome)

    def learn(self, job: str, outcome: Outcome) -> None:
        """The job's newest run ended so."""
        (self._ailing.discard if outcome.good else self._ailing.add)(job)

    @property
    def traces(self) -> bool:
        """Whether runs are traced."""
        return self.trace != "never"

    def wants_pictures(self, release: Release) -> bool:
        """Whether the trace of this run is to have them: they cost."""
        suspicious = release.attempt > 1 or release.job.name in self._ailing
        return self.trace == "always" or suspicious

    def failed(self, error: BaseException, job: str) -> None:
        """Evidence could not be kept: said once, until it can be."""
        if not self._said:
            structlog.get_logger().warning(
                "the evidence of a run could not be kept", job=job, error=repr(error)
            )
        self._said = True

    def succeeded(self) -> None:
        """Evidence was kept."""
        self._said = False


class Case:
    """The evidence of one run. Without `Evidence` it does nothing."""

    def __init__(
        self,
        evidence: Evidence | None,
        release: Release,
        pages: PageSource,
        secrets: KnownSecrets | None = None,
    ) -> None:
        """For this run on this browser. `secrets`: what is never kept, beside what `evidence` knows."""
        self._evidence, self._release, self._pages = evidence, release, pages
        self._known = [known for known in (evidence and evidence.secrets, secrets) if known]
        self._found = Secrets()
        self._made: tuple[list[Secrets], Secrets] | None = None
        self._seen: Observation | None = None
        self._stack = contextlib.ExitStack()  # the folder that the trace is in until it is masked

    def mask(self, text: str) -> str:
        """A text without the secrets that are known by now."""
        return self._secrets.mask(text)

    @property
    def _secrets(self) -> Secrets:
        """What is known by now, and what its pages have told."""
        now = [*(known.now for known in self._known), self._found]
        if self._made is None or self._made[0] != now:
            self._made = (now, Secrets.union(*now))
        return self._made[1]

    def _learn(self, values: Iterable[str]) -> None:
        self._found = self._found.with_more(values)

    def is_wanted(self, outcome: Outcome) -> bool:
        """Whether anything is kept of a run that ended so."""
        return not outcome.good or (self._evidence is not None and self._evidence.of_good)

    async def begin(self, lease: Lease) -> None:
        """The run has its page: trace it. Bounded, never raises."""
        evidence = self._evidence
        if evidence is not None and evidence.traces:
            await self._pages.trace(lease, pictures=evidence.wants_pictures(self._release))

    async def look(self, lease: Lease) -> None:
        """See what the pages show, once; later calls change nothing. Bounded, never raises."""
        if self._evidence is None or self._seen is not None:
            return
        self._seen = Observation()
        self._seen = await self._pages.observe(lease, self._folder)
        self._learn(self._seen.secrets or ())

    async def _folder(self) -> Path:
        """A private one for the trace, until the evidence is kept."""
        assert self._evidence is not None
        enter = partial(self._stack.enter_context, self._evidence.artifacts.workshop())
        folder: Path = await self._evidence.in_thread(enter, abandon_on_cancel=True)
        return folder

    async def close(
        self, record: Record, outcome: Outcome, error: BaseException | None, *, stack: str = ""
    ) -> None:
        """The run is over: keep what there is, unless it ended well. Bounded, never raises.

        What can't be written costs the evidence and nothing else. `stack`: where it blocked muxd.
        """
        if self._evidence is None:
            return
        self._evidence.learn(self._release.job.name, outcome)
        if outcome.good and self._seen is None:
            return
        with trio.move_on_after(KEEP_BOUND) as scope:
            try:
                keep = partial(self._keep, record, outcome, error, stack)
                await self._evidence.in_thread(keep, abandon_on_cancel=True)
                self._evidence.succeeded()
            except Exception as trouble:
                # Full disks are the world's; whatever else, it must not cost the run its record.
                self._evidence.failed(trouble, self._release.job.name)
        if scope.cancelled_caught:
            reason = f"it was not done in {KEEP_BOUND:g} s"
            self._evidence.failed(TimeoutError(reason), self._release.job.name)

    def _keep(
        self, record: Record, outcome: Outcome, error: BaseException | None, stack: str
    ) -> None:
        """In a thread."""
        assert self._evidence is not None
        with self._stack:
            if outcome.good and not self._evidence.of_good:
                return
            seen = self._seen or Observation()
            missing = dict(seen.missing)
            files = self._work_up(seen, missing)
            if error is not None:
                files["traceback.txt"] = self._text(traceback_through_jobs(error), "traceback.txt")
            if stack:
                files["blocked.txt"] = self._text(stack, "blocked.txt")
            summary = self._summary(record, outcome, error, seen, missing)
            files["summary.json"] = summary.encode("utf-8", "backslashreplace")
            self._evidence.artifacts.write(record.id, files, beside_others=True)

    def _work_up(self, seen: Observation, missing: dict[str, str]) -> dict[str, bytes]:
        """The files of what was seen, masked. Adds to `missing` what can't be kept, and why."""
        if seen.trace is not None:
            try:
                self._learn(secrets_in_trace(seen.trace, in_time=_within(MASK_BOUND)))
            except (OSError, zipfile.BadZipFile, TraceTooLarge) as trouble:
                missing["trace"] = str(trouble)
        told = (seen.url, *seen.pages, *(seen.network or ()))
        self._learn(secrets_in("\n".join(filter(None, told))))
        files = {}
        texts = {
            "page.html": seen.html and _INERT + seen.html,
            "console.txt": None if seen.console is None else "\n".join(seen.console),
            "network.txt": None if seen.network is None else "\n".join(seen.network),
        }
        for name, text in texts.items():
            part = name.partition(".")[0].replace("page", "html")
            if text and seen.secrets is None and name != "network.txt":
                missing[part] = "not kept: the secrets that might be in it could not be read"
            elif text:
                files[name] = self._text(text, name)
        if seen.screenshot is not None and len(seen.screenshot) <= LARGEST["screenshot.png"]:
            files["screenshot.png"] = seen.screenshot
        elif seen.screenshot is not None:
            missing["screenshot"] = f"it would be larger than {LARGEST['screenshot.png']} bytes"
        if seen.trace is not None and "trace" not in missing:
            try:
                files["trace.zip"] = self._trace(seen)
            except (OSError, zipfile.BadZipFile, TraceTooLarge) as trouble:
                missing["trace"] = str(trouble)
        return files

    def _trace(self, seen: Observation) -> bytes:
        if seen.secrets is None or seen.trace is None:
            raise TraceTooLarge("not kept: the secrets that might be in it could not be read")
        return masked_trace(
            seen.trace,
            self._secrets,
            largest=LARGEST["trace.zip"],
            in_time=_within(MASK_BOUND),
        )

    def _text(self, text: str, name: str) -> bytes:
        """Masked, encoded, cut."""
        content = self._secrets.mask(text).encode("utf-8", "backslashreplace")
        largest = LARGEST[name]
        if len(content) > largest:
            if name == "page.html":
                content = content[:largest]
            else:  # its end, from the beginning of a line on if there is one
                content = content[-largest:]
                content = content.partition(b"\n")[2] or content
            content = content.decode("utf-8", "ignore").encode()  # no half of a character
        return content if content.endswith(b"\n") else content + b"\n"

    def _summary(
        self,
        record: Record,
        outcome: Outcome,
        error: BaseException | None,
        seen: Observation,
        missing: dict[str, str],
    ) -> str:
        if error is not None:
            record = attrs.evolve(
                record, error_type=qualified_name(type(error)), error=message_of(error)[:4000]
            )
        told = {
            "run": {
                key: value
                for key, value in attrs.evolve(record, outcome=outcome).as_dict().items()
                if value is not None
            },
            "url": seen.url,
            "title": seen.title,
            "pages": seen.pages,
            "missing": missing,
        }
        # Masked text by text: a secret that looks like a number must not break the document.
        return json.dumps(self._masked(told), indent=2, ensure_ascii=False) + "\n"

    def _masked(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._secrets.mask(value)
        if isinstance(value, dict):
            return {key: self._masked(each) for key, each in value.items()}
        if isinstance(value, (list, tuple)):
            return [self._masked(each) for each in value]
        return value


def _within(seconds: float) -> Callable[[], bool]:
    end = time.monotonic() + seconds
    return lambda: time.monotonic() < end
