"""What `muxd top` shows of a status, as texts. No I/O."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich.text import Text

from muxd.cli.output import duration_text, error_text, harmless, progress_text, short
from muxd.cli.toldclock import ToldClock
from muxd.login import login_session
from muxd.sizes import format_size
from muxd.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["columns", "details", "failures", "head", "job_rows", "past_rows", "queue", "states"]

COLUMNS = (
    ("job", 0),
    ("every", 5),
    ("state", 8),
    ("next", 7),
    ("last", 11),
    ("ago", 6),
    ("took", 6),
)
"""The columns of the table of jobs, with their widths; 0: what is left."""
NARROW = 76
"""On fewer columns than that some are left out."""
TO_THE_RIGHT = ("every", "next", "ago", "took")
PAST_COLUMNS = ("ended", "run", "outcome", "took", "late", "error or result")
STYLES = {"ok": "green", "coalesced": "dim", "missed": "dim", "": ""}
STYLES |= dict.fromkeys(("empty", "interrupted", "cancelled"), "yellow")
_BAR = 12

Told = dict[str, Any]


def _unix(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _line(*parts: str | tuple[str, str]) -> Text:
    """One line of a screen, however narrow that is."""
    return Text.assemble(*parts, no_wrap=True, overflow="ellipsis", end="")


def _name(text: str) -> tuple[str, str]:
    return (f"{text:<9}", "bold")


def outcome_style(outcome: str) -> str:
    """How an outcome is shown."""
    return STYLES.get(outcome, "bold red")


def head(told: Told, now: float, away: str = "") -> list[Text]:
    """muxd, its browser, the run in progress, today, and what people should see to.

    Args:
      told: the status.
      now: Unix seconds.
      away: why nothing newer is known; "" if it is new.
    """
    clock, plan = ToldClock(told, now), told["timetable"]
    up = f", up {_since(told['started_at'], now)}" if told["started_at"] else ""
    use = f"{plan['jobs']} jobs, {plan['utilisation']:.0%} of the time used"
    what = f"process {told['pid']}; {use}; {clock(now)}"
    if clock.speed != 1:
        what = f"at {clock(now)} ({clock.speed:g}x real time); {use}"
    lines = [
        _line(_name("muxd"), f"{told['state']}{up}, {what}"),
        _line(_name("browser"), *_browser(told["browser"], now)),
        _line(_name("running"), *_running(told["running"], now, clock.speed)),
        _line(_name("today"), *_counts(told.get("today", {}))),
    ]
    if away:
        lines[0] = _line(_name("muxd"), (f" {harmless(short(away, 300))} ", "bold reverse red"))
    return lines + [_line((each, "yellow")) for each in _warnings(told, clock)]


def _since(instant: str, now: float) -> str:
    return duration_text(round(max(0.0, now - _unix(instant))))


def _browser(browser: Told, now: float) -> list[str | tuple[str, str]]:
    if not browser["up"]:
        return [(f"none: {browser['last_loss'] or 'being launched'}", "bold red")]
    parts = [f"{browser['version']}, up {_since(browser['up_since'], now)}"]
    parts.append(f"generation {browser['generation']}")
    if browser["memory"] is not None:
        parts.append(format_size(browser["memory"]))
    if browser.get("pages") is not None:
        parts.append(f"{browser['pages']} {'page' if browser['pages'] == 1 else 'pages'}")
    if browser["recycling"]:
        parts.append(f"to be recycled: {browser['recycling']['reason']}")
    return [", ".join(parts)]


def _running(running: Told | None, now: float, speed: float = 1) -> list[str | tuple[str, str]]:
    if running is None:
        return [("nothing", "dim")]
    took = max(0.0, now - _unix(running["started_at"]))
    parts: list[str | tuple[str, str]] = [(running["job"], "bold cyan"), f"  {duration_text(took)}"]
    expected = running.get("expected")
    if expected:
        expected /= speed  # it is the timetable's
        full = min(_BAR, int(_BAR * took / expected))
        late = "yellow" if took > 2 * expected else "cyan"
        parts += [f" of about {duration_text(expected)}  ", ("━" * full, late)]
        parts.append(("━" * (_BAR - full), "dim"))
    if running.get("deadline"):
        left = duration_text(max(0.0, _unix(running["deadline"]) - now))
        parts.append((f"  {left} to its deadline", "dim"))
    if progress := running.get("progress"):
        parts.insert(2, (f"  {short(progress_text(progress), 60)} ", "bold"))
    return parts


def _counts(by_outcome: Mapping[str, int]) -> list[str | tuple[str, str]]:
    parts: list[str | tuple[str, str]] = []
    for outcome, count in by_outcome.items():
        parts += [", " if parts else "", (f"{count} {outcome}", outcome_style(outcome))]
    return parts or [("no run has ended", "dim")]


def _warnings(told: Told, clock: ToldClock) -> list[str]:
    found = []
    if drain := told.get("drained"):
        found.append(f"drained: {drain['note']}")
    if whole := told.get("paused_whole"):
        end = whole["probe_at"]
        until = f" until {clock(_unix(end))}" if end else ""
        found.append(f"all jobs are paused{until}: {whole['note']}")
    if again := told.get("restart_at"):
        found.append(f"muxd restarts at {clock(_unix(again))}, in a gap")
    found += sorted({one["note"] for one in told.get("paused", ()) if login_session(one["note"])})
    return [short(harmless(f"! {each}"), 300) for each in (*found, *told.get("warnings", ()))]


def queue(told: Told, now: float, room: int) -> list[Text]:
    """What waits, in its order, on so many lines at most."""
    waiting, total = told["waiting"], told["waiting_total"]
    shown = waiting if total <= room else waiting[: room - 1]
    lines = []
    for at, item in enumerate(shown):
        name = "held" if item.get("held") else "queue" if at == 0 else ""
        waited = duration_text(max(0.0, now - _unix(item["released_at"])))
        lines.append(
            _line(
                _name(name),
                (item["job"], "bold"),
                f"  {waited}, by {item['cause']}, priority {item['priority']}: ",
                harmless(item.get("reason", "")),
            )
        )
    if total > len(shown):
        lines.append(_line(_name(""), (f"and {total - len(shown)} more", "dim")))
    return lines


def failures(told: Told, now: float, room: int) -> list[Text]:
    """The last failures, the newest first, on so many lines at most."""
    lines = []
    for at, item in enumerate(told.get("failures", ())[:room]):
        error = short(harmless(error_text(item["error_type"], item["error"])), 300)
        lines.append(
            _line(
                _name("failed" if at == 0 else ""),
                (item["job"], "bold"),
                f"  {_since(item['ended_at'], now)} ago: ",
                (item["outcome"], outcome_style(item["outcome"])),
                f"  {error}",
            )
        )
    return lines


def states(told: Told) -> dict[str, str]:
    """What jobs are doing that do something: ``running``, ``queued``, ``held`` or ``skipped``."""
    found = {item["job"]: "skipped" for item in told.get("skipped", ())}
    found |= {
        item["job"]: "held" if item.get("held") else "queued" for item in reversed(told["waiting"])
    }
    return found | ({told["running"]["job"]: "running"} if told["running"] else {})


def columns(width: int) -> dict[str, int]:
    """The columns of the table of jobs on a screen of this width, each with its own."""
    left_out = ("ago", "took") if width < NARROW else ()
    found = {name: wide for name, wide in COLUMNS if name not in left_out}
    around = 2 * len(found) + 1
    return found | {"job": max(8, width - sum(found.values()) - around)}


def job_rows(
    jobs: Sequence[Told], told: Told, now: float, *, by_name: bool
) -> dict[str, dict[str, Text]]:
    """By job its cells by column, in the order in which the jobs are shown."""
    doing = states(told)

    def place(job: Told) -> tuple[Any, ...]:
        if by_name:
            return (job["name"],)
        order = ["running", "queued", "held"]
        state = doing.get(job["name"], "")
        return (
            order.index(state) if state in order else len(order),
            job["next_at"] is None,
            job["next_at"] or "",
            job["name"],
        )

    return {job["name"]: _cells(job, doing, now) for job in sorted(jobs, key=place)}


def _cells(job: Told, doing: Mapping[str, str], now: float) -> dict[str, Text]:
    paused, last = job["paused"] is not None, job.get("last")
    state = doing.get(job["name"], "paused" if paused else "")
    style = {"running": "bold cyan", "paused": "yellow", "held": "yellow"}.get(state, "")
    due = None if job["next_at"] is None else max(0.0, _unix(job["next_at"]) - now)
    outcome = last["outcome"] if last else ""
    return {
        "job": Text(job["name"], "dim" if paused else "", no_wrap=True, overflow="ellipsis"),
        "every": Text(format_duration(job["interval"]), justify="right"),
        "state": Text(state, style),
        "next": Text("-" if due is None else duration_text(round(due)), justify="right"),
        "last": Text(outcome, outcome_style(outcome)),
        "ago": Text(_since(last["ended_at"], now) if last else "", justify="right"),
        "took": Text(duration_text(last["duration"]) if last else "", justify="right"),
    }


def details(job: Told, told: Told, now: float) -> list[Text]:
    """All that is known of a job now."""
    clock = ToldClock(told, now)

    def fact(name: str, value: str) -> Text:
        return Text.assemble((f"{name:<10}", "bold"), harmless(value))

    lines = [
        fact("job", job["name"]),
        fact("plugin", job["plugin"] or "-"),
        fact("every", f"{format_duration(job['interval'])}, at {format_duration(job['phase'])}"),
        fact("takes", f"{duration_text(job['duration'])} (what the timetable reserves)"),
        fact("priority", str(job["priority"])),
    ]
    if job["next_at"]:
        at = _unix(job["next_at"])
        due = duration_text(max(0.0, at - now))
        lines.append(fact("next", f"{clock(at)}, in {due}"))
    if job["paused"] is not None:
        lines.append(fact("paused", job["paused"]))
    state = states(told).get(job["name"])
    if state:
        lines.append(fact("now", state))
    lines += [
        fact("waits", f"{item['id']}: {item.get('reason', '')}")
        for item in told["waiting"]
        if item["job"] == job["name"]
    ]
    running = told["running"]
    if running and running["job"] == job["name"]:
        lines.append(fact("run", f"{running['id']}, try {running['attempt']}, {running['cause']}"))
    if last := job.get("last"):
        took = duration_text(last["duration"])
        text = f"{last['id']}: {last['outcome']}, {_since(last['ended_at'], now)} ago, took {took}"
        lines.append(fact("last", text))
    for item in told.get("failures", ()):
        if item["job"] == job["name"]:
            error = short(error_text(item["error_type"], item["error"]), 300)
            lines.append(fact("failed", f"{_since(item['ended_at'], now)} ago: {error}"))
    return lines


def past_rows(runs: Sequence[Told], clock: ToldClock) -> list[tuple[Text, ...]]:
    """The runs of a job, as `muxd history --json` has them."""
    return [
        (
            Text(clock(_unix(run["ended_at"] or run["released_at"]))),
            Text(run["id"][-6:]),
            Text(run["outcome"], outcome_style(run["outcome"])),
            Text(duration_text(run["duration"]), justify="right"),
            Text(duration_text(run["lateness"]), justify="right"),
            Text(
                short(harmless(error_text(run["error_type"], run["error"]) or run["result"] or ""))
            ),
        )
        for run in runs
    ]
