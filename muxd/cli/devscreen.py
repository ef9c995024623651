"""What `muxd dev` shows of each run."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, final

import attrs
from rich.pretty import pretty_repr
from rich.text import Text

from muxd.cli.live import STYLES
from muxd.cli.output import (
    clock_text,
    console,
    duration_text,
    error_text,
    harmless,
    progress_text,
)
from muxd.cli.recorder import has_screen
from muxd.errors import PluginError
from muxd.events import JobNews, RunProgress
from muxd.record import Outcome
from muxd.tracebacks import traceback_through_jobs
from muxd.zone import zone

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from muxd.config import Config
    from muxd.develop import Tried
    from muxd.errors import MuxdError
    from muxd.events import Event
    from muxd.job import Job
    from muxd.project import Project
    from muxd.record import Record

__all__ = ["DevScreen"]

TAIL = 20
"""Lines of console and of network that are shown."""
LINES = 40
"""Lines of a result that are shown."""
TEXTS = ("traceback.txt", "blocked.txt", "console.txt", "network.txt", "summary.json")
"""What needs no path: it is shown, or of no interest."""


@final
class DevScreen:
    """Shows it on stdout, for people."""

    def __init__(
        self, config: Config, path: Path, mask: Callable[[str], str], *, show_trace: bool
    ) -> None:
        """Nothing is shown yet.

        Args:
          config: what is in force.
          path: what is tried, as it was typed.
          mask: takes secrets out of what the bodies return.
          show_trace: open the viewer after each run.
        """
        self._out, self._zone = console(), zone(config)
        self._path, self._mask, self._show_trace = path, mask, show_trace
        self._state = config.daemon.state_dir
        self._viewer: subprocess.Popen[bytes] | None = None

    def opens(self, project: Project) -> None:
        """It begins."""
        self._say(f"muxd dev: {self._path}; what is kept of the runs is in {self._state}")
        if project.place.is_dir():
            self._say(f"saves below {', '.join(map(str, project.watched))} run it again")

    def begins(self, job: Job) -> None:
        """See `muxd.develop.Screen`."""
        self._say(Text(f"\n{self._now()}  {job.name}", "bold").append("  runs", "cyan"))

    def tried(self, tried: Tried) -> None:
        """See `muxd.develop.Screen`."""
        record = tried.record
        self._say(self._verdict(record))
        if record.outcome in (Outcome.cancelled, Outcome.interrupted):
            self._block("ended", [record.error or ""])
            return
        if tried.returned is not None:
            self._block("result", self._result(tried.returned))
        trace = _text(tried.folder, "traceback.txt") or _text(tried.folder, "blocked.txt")
        if trace:
            self._block("traceback", trace.rstrip().splitlines())
        elif error := error_text(record.error_type, record.error):
            self._block("error", [error])
        said = _text(tried.folder, "console.txt").splitlines()
        for name, lines in _parted(said).items():
            self._block(name, lines[-TAIL:])
        self._block("network", _text(tried.folder, "network.txt").splitlines()[-TAIL:])
        for file in sorted(tried.folder.iterdir()) if tried.folder else ():
            if file.name == "trace.zip":
                self._trace(file)
            elif file.name not in TEXTS:
                self._say(f"  {file.stem if file.suffix == '.png' else file.name}: {file}")

    def hears(self, event: Event) -> None:
        """See `muxd.develop.Screen`."""
        if isinstance(event, JobNews):
            self._block("tells", [event.title, *event.text.splitlines()])
            if event.url:
                self._say(f"    {event.url}")
        elif isinstance(event, RunProgress):
            self._say(Text(f"  {progress_text(attrs.asdict(event))}", "dim"))

    def wrong(self, error: MuxdError) -> None:
        """See `muxd.develop.Screen`."""
        told = str(error)
        if isinstance(error, PluginError):
            told = f"{error.plugin}: {error.hook}: {error.reason}"
        self._say(Text(f"\n{self._now()}  {told}", "red"))
        if error.__cause__ is not None:
            lines = traceback_through_jobs(error.__cause__).rstrip().splitlines()
            self._block("traceback", lines)

    def later(self, what: str) -> None:
        """Something counts only from the next start."""
        self._say(Text(f"\n{self._now()}  {what}", "yellow"))

    def waits(self, ran: int) -> None:
        """See `muxd.develop.Screen`."""
        self._say(Text("\nwaits for the next save; Ctrl-C ends it" if ran else _NOTHING, "dim"))

    def _verdict(self, record: Record) -> Text:
        outcome = str(record.outcome)
        line = Text(f"{self._now()}  {record.job}  ", "bold")
        line.append(outcome, STYLES.get(record.outcome, "bold red") if record.outcome else "")
        line.append(f"  {duration_text(record.duration)}", "not bold")
        for what, value in (("left", record.left), ("harm", record.harm)):
            if value:
                line.append(f"  {what}: {value}", "yellow")
        return line

    def _result(self, returned: Any) -> list[str]:
        if isinstance(returned, str):
            text = returned
        else:
            try:
                text = pretty_repr(returned, max_width=96, max_length=LINES, max_string=1000)
            except Exception as error:  # its own repr raises
                text = f"<{type(returned).__name__} that can't be shown: {type(error).__name__}>"
        lines = self._mask(text).splitlines()
        return lines if len(lines) <= LINES else [*lines[:LINES], f"... ({len(lines)} lines)"]

    def _trace(self, file: Path) -> None:
        command = [sys.executable, "-m", "playwright", "show-trace", str(file)]
        if not self._show_trace or not has_screen():
            self._say(f"  trace: playwright show-trace {file}")
            return
        self._say(f"  trace: {file}, opened")
        if self._viewer is not None and self._viewer.poll() is None:
            self._viewer.terminate()
        self._viewer = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # the viewer stays when this command has ended
        )

    def _block(self, heading: str, lines: list[str]) -> None:
        if lines:
            self._say(Text(f"  {heading}:", "bold"))
        for line in lines:
            self._say(f"    {line}")

    def _now(self) -> str:
        return clock_text(time.time(), self._zone, now=time.time())

    def _say(self, line: str | Text) -> None:
        text = Text(harmless(line)) if isinstance(line, str) else line
        if isinstance(line, Text):
            text.plain = harmless(text.plain)
        self._out.print(text, soft_wrap=True)


_NOTHING = "\nnothing was run; waits for the next save; Ctrl-C ends it"


def _text(folder: Path | None, name: str) -> str:
    file = folder / name if folder else None
    return file.read_text("utf-8", "replace") if file and file.is_file() else ""


def _parted(console: list[str]) -> dict[str, list[str]]:
    """Errors that the page's scripts did not catch, and what was said on its console."""
    parts: dict[str, list[str]] = {"page errors": [], "console": []}
    name = "console"
    for line in console:
        if not line.startswith("    "):  # what goes on is of the one before
            name = "page errors" if line.startswith("uncaught: ") else "console"
        parts[name].append(line.removeprefix("uncaught: "))
    return parts
