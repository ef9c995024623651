"""What the doctor found, for people and for programs."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

import attrs
import click

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from muxd.cli.doctor.check import Check
    from muxd.cli.doctor.measure import Case, Findings

__all__ = ["document_of", "print_checks", "print_measured"]

_STYLES = {"ok": "green", "warning": "yellow", "error": "red"}


def _median(values: Sequence[float]) -> float:
    return statistics.median(values)


def document_of(findings: Findings) -> dict[str, Any]:
    """For JSON: stable keys; seconds and bytes; medians."""

    def medians(found: Sequence[Any]) -> dict[str, float]:
        names = [field.name for field in attrs.fields(type(found[0]))]
        return {name: _median([getattr(each, name) for each in found]) for name in names}

    return {
        "checks": [attrs.asdict(check) for check in findings.checks],
        "launch": medians(findings.launches) if findings.launches else None,
        "pages": [
            {
                "page": case.page,
                "block": case.block,
                "jobs": case.jobs,
                "rounds": len(case.pairs),
                "without": medians([without for without, _ in case.pairs]),
                "with": medians([with_it for _, with_it in case.pairs]),
            }
            for case in findings.cases
        ],
    }


def print_checks(checks: Sequence[Check]) -> None:
    """A line each, and what to do."""
    from rich.text import Text

    from muxd.cli.output import console, harmless

    out = console()
    for check in checks:
        line = Text.assemble(
            (f"{check.level:<8}", _STYLES[check.level]), f"{check.name}: {harmless(check.message)}"
        )
        out.print(line)
        if check.remedy:
            out.print(Text(f"        {harmless(check.remedy)}"))


def print_measured(findings: Findings) -> None:
    """Two tables, if anything was measured."""
    from muxd.cli.output import print_table
    from muxd.sizes import format_size

    if not findings.cases:
        return
    launches = findings.launches
    click.echo()
    print_table(
        ("launch", "first page", "fresh page", "CPU", "memory"),
        [
            (
                _seconds(_median([each.seconds for each in launches])),
                _seconds(_median([each.main_page for each in launches])),
                _seconds(_median([each.fresh_page for each in launches])),
                _seconds(_median([each.cpu for each in launches])),
                format_size(round(_median([each.memory for each in launches]))),
            )
        ],
    )
    click.echo()
    columns: tuple[str, ...] = (
        "page",
        "blocked",
        "by",
        "requests",
        "data",
        "loaded in",
        "CPU",
        "memory",
    )
    rows = [_row(case, format_size) for case in findings.cases]
    if not any(case.jobs for case in findings.cases):
        columns, rows = _without(2, columns), [_without(2, row) for row in rows]
    print_table(columns, rows)
    click.echo(
        f"\nMedians of {len(launches)}, without -> with what is blocked. CPU is of browser, driver "
        "and Python; memory of all\nprocesses of the browser. Everything with an empty cache."
    )


def _without(place: int, cells: tuple[str, ...]) -> tuple[str, ...]:
    return cells[:place] + cells[place + 1 :]


def _row(case: Case, size: Callable[[int], str]) -> tuple[str, ...]:
    def change(name: str, words: Callable[[float], str]) -> str:
        before, after = (
            _median([getattr(load, name) for load in loads])
            for loads in zip(*case.pairs, strict=True)
        )
        return f"{words(before)} -> {words(after)}"

    return (
        case.page,
        ", ".join(case.block),
        ", ".join(case.jobs),
        change("requests", lambda number: f"{number:g}"),
        change("size", lambda number: size(round(number))),
        change("seconds", _seconds),
        change("cpu", _seconds),
        change("memory", lambda number: size(round(number))),
    )


def _seconds(value: float) -> str:
    return f"{value:.2f} s"
