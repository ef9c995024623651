"""``muxd history show``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import attrs
import click

from muxd.cli.complete import run_ids
from muxd.cli.options import config_options, epilog, json_option
from muxd.errors import UserError
from muxd.record import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import tzinfo
    from pathlib import Path

    from muxd.abc import Store
    from muxd.config import Config
    from muxd.record import Record

__all__ = ["resolve", "show"]

TAIL = 20
"""Lines of console and of network that are printed."""
WHOLE = ("traceback.txt", "blocked.txt")
"""Texts that are printed whole."""
TEXTS = (*WHOLE, "console.txt", "network.txt")


@attrs.frozen
class _Found:
    """A run, those that it is linked to, and what is kept of it."""

    record: Record
    family: Sequence[Record]
    """All tries, the first one first."""
    folder: Path | None
    summary: dict[str, Any]

    def files(self) -> dict[str, int]:
        """What is in the folder, with the sizes in bytes."""
        return (
            {path.name: path.stat().st_size for path in sorted(self.folder.iterdir())}
            if self.folder
            else {}
        )

    def text(self, name: str) -> str:
        """A text of the folder; "" if it isn't there."""
        path = self.folder / name if self.folder else None
        return path.read_text("utf-8", "replace") if path and path.is_file() else ""


@click.command(
    name="show",
    epilog=epilog(
        ("muxd history show last-failed", "the newest run that did not end well"),
        ("muxd history show dvcga0", "a run, by the end (or the beginning) of its id"),
        ("muxd history show headlines --open", "a job's newest run; look at its page"),
    ),
)
@click.argument("run", shell_complete=run_ids)
@click.option(
    "--open",
    "open_files",
    is_flag=True,
    help="Open the screenshot, the HTML and the trace.",
)
@config_options(needs=["daemon.state_dir"])
@json_option
def show(config: Config, run: str, open_files: bool, as_json: bool) -> None:
    """Show all that is known of one run: its record, and its evidence if it did not end well.

    RUN is an id, or so much of its beginning or end that it can be no other; `last`,
    `last-failed`, or the name of a job, whose newest run is shown.
    """
    from muxd.cli.output import print_json
    from muxd.zone import zone

    found = _find(config, run)
    if as_json:
        print_json(_as_dict(found))
    else:
        _print(found, zone(config))
    if open_files:
        _open(found)


def _find(config: Config, name: str) -> _Found:
    """The run that is meant.

    Raises:
      UserError: there is none, or there are several.
      LedgerError: the ledger can't be read.
    """
    from muxd import run
    from muxd.cli.context import load
    from muxd.keeping import artifacts_of
    from muxd.state import StateDir

    state = StateDir(config.daemon.state_dir)
    state.check()
    if not state.root.is_dir():
        raise UserError(f"there is no run {name!r}: there are no runs yet")
    store = load(config, lenient=True).store(state.root)

    async def read() -> tuple[Record, Sequence[Record]]:
        async with store.open(readonly=True) as opened:
            record = await resolve(opened, name)
            return record, await opened.tries(record.first_id or record.id)

    record, family = run(read)
    folder = artifacts_of(config, state).find(record.id)
    return _Found(record, family, folder, _summary(folder))


async def resolve(store: Store, name: str) -> Record:
    """The run that a person means.

    Args:
      store: open.
      name: an id, the beginning or the end of one, ``last``, ``last-failed``, or a job's name.

    Raises:
      UserError: there is none, or there are several.
      LedgerError: the store can't be read.
    """
    if name == "last":
        found = await store.history(limit=1)
    elif name == "last-failed":
        bad = (outcome for outcome in Outcome if outcome.ran and not outcome.good)
        newest = [record for each in bad for record in await store.history(outcome=each, limit=1)]
        found = sorted(newest, key=lambda each: (each.ended_at or each.released_at, each.id))[-1:]
    elif (exact := await store.get(name)) is not None:
        found = [exact]
    else:
        found = await store.find(name.lower()) or await store.history(job=name, limit=1)
    match list(found):
        case [record]:
            return record
        case []:
            from muxd.store import FOUND

            raise UserError(
                f"there is no run {name!r}: `muxd history` shows those there are (the end of an id "
                f"is enough for the newest {FOUND} only)"
            )
        case several:
            ids = ", ".join(f"{each.id} ({each.job})" for each in several[:3])
            more = " and more" if len(several) > 3 else ""
            raise UserError(f"{name!r} may be {ids}{more}: give more of the id")


def _summary(folder: Path | None) -> dict[str, Any]:
    try:
        told = json.loads((folder / "summary.json").read_text("utf-8")) if folder else {}
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


def _as_dict(found: _Found) -> dict[str, Any]:
    from muxd.artifacts import EVIDENCE

    files, evidence = found.files(), None
    artifacts = {
        name: {"size": size, "path": found.folder / name}
        for name, size in files.items()
        if found.folder is not None and name not in EVIDENCE
    }
    if found.folder is not None and len(artifacts) < len(files):
        evidence = {
            "folder": found.folder,
            "files": {name: size for name, size in files.items() if name in EVIDENCE},
            **{key: found.summary.get(key) for key in ("url", "title", "pages", "missing")},
            **{name.partition(".")[0]: found.text(name) or None for name in TEXTS},
        }
    tries = [each.id for each in found.family]
    return found.record.as_dict() | {
        "tries": tries,
        "artifacts": artifacts,
        "evidence": evidence,
    }


def _print(found: _Found, zone: tzinfo) -> None:
    from rich.text import Text

    from muxd.cli.live import STYLES
    from muxd.cli.output import console, error_text, harmless

    record, out = found.record, console()

    def heading(text: str) -> None:
        out.print(Text(f"\n{text}", "bold"))

    outcome = record.outcome or ("in progress" if record.started_at else "waits")
    title = Text(f"{record.id}  {record.job}  ", "bold")
    style = STYLES.get(record.outcome, "bold red") if record.outcome else "cyan"
    out.print(title.append(str(outcome), style))
    width = max(len(name) for name, _ in _facts(found, zone))
    for name, value in _facts(found, zone):
        out.print(Text(harmless(f"  {name:<{width}}  {value}")), soft_wrap=True)
    error = error_text(record.error_type, record.error)
    traceback = found.text("traceback.txt").rstrip()
    if error and not traceback:
        heading("error")
        out.print(Text(harmless(error)), soft_wrap=True)
    for name in TEXTS:
        lines = found.text(name).rstrip().splitlines()
        if name not in WHOLE and len(lines) > TAIL:
            heading(f"{name.partition('.')[0]}, the last {TAIL} of {len(lines)} lines")
            lines = lines[-TAIL:]
        elif lines:
            heading(name.partition(".")[0])
        for line in lines:
            out.print(Text(harmless(line)), soft_wrap=True)
    _print_files(found, heading)


def _facts(found: _Found, zone: tzinfo) -> Iterator[tuple[str, str]]:
    from muxd.cli.output import clock_text, duration_text

    record = found.record
    yield "asked for", f"{clock_text(record.released_at, zone)} ({record.cause})"
    if record.started_at is not None:
        late = duration_text(record.lateness)
        yield "started", f"{clock_text(record.started_at, zone)} ({late} late)"
    if record.ended_at is not None:
        took = f" (took {duration_text(record.duration)})" if record.duration is not None else ""
        yield "ended", clock_text(record.ended_at, zone) + took
    if len(found.family) > 1 or record.attempt > 1:
        tries = ", ".join(
            f"{each.attempt}: {each.id} {each.outcome or 'not ended'}" for each in found.family
        )
        yield "try", f"{record.attempt} of {tries}"
    browser = record.browser_generation
    yield "session", record.session + (f", browser {browser}" if browser is not None else "")
    for name in ("harm", "left", "result"):
        if value := getattr(record, name):
            yield name, value
    for name in ("url", "title"):
        if value := found.summary.get(name):
            yield name, str(value)
    if len(pages := found.summary.get("pages") or ()) > 1:
        yield "pages", ", ".join(map(str, pages))


def _print_files(found: _Found, heading: Any) -> None:
    from muxd.cli.output import harmless
    from muxd.sizes import format_size

    if found.folder is None:
        record = found.record
        if record.outcome is not None and record.outcome.ran and not record.outcome.good:
            click.echo(f"\n{_why_none(record)}", err=True)
        return
    heading(f"files in {found.folder}")
    for name, size in found.files().items():
        click.echo(f"  {name:<16}{format_size(size):>8}")
    for part, reason in (found.summary.get("missing") or {}).items():
        click.echo(harmless(f"  no {part}: {reason}"))


def _why_none(record: Record) -> str:
    from muxd.errors import LoopBlocked, qualified_name
    from muxd.record import CUT_OFF

    if record.error_type in (CUT_OFF, qualified_name(LoopBlocked)):
        return "There is no evidence of it: muxd itself ended while it ran."
    return "No evidence is kept of it (any more)."


def _open(found: _Found) -> None:
    """Open what can be looked at, each with the program of the desktop; the trace with Playwright's.

    Raises:
      UserError: there is nothing.
    """
    import subprocess
    import sys
    import webbrowser

    files = [name for name in ("screenshot.png", "page.html", "trace.zip") if name in found.files()]
    if found.folder is None or not files:
        raise UserError(f"run {found.record.id} has no picture, page or trace to open")
    for name in files:
        path = found.folder / name
        if name == "trace.zip":
            subprocess.Popen(
                [sys.executable, "-m", "playwright", "show-trace", str(path)],
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # the viewer stays when this command has ended
            )
        elif not webbrowser.open(path.resolve().as_uri()):
            click.echo(f"muxd: nothing here opens {path}", err=True)
