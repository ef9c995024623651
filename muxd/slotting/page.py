"""A timetable as one page of HTML: picture, jobs, proof and comparison, with nothing to fetch."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from muxd.units import format_duration

from .account import measured, response_words
from .compare import OURS, compare_ways
from .palette import PALETTE
from .svg import draw

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .account import Account
    from .demand import Demand
    from .timetable import Timetable

__all__ = ["page"]

_STYLE = """
:root{color-scheme:light dark;--page:#fff;--ink:#1f2328;--dim:#656d76;--line:#d8dee4;
--lane:#f6f8fa;--good:#1a7f37;--bad:#d1434b}
@media (prefers-color-scheme:dark){:root{--page:#0d1117;--ink:#e6edf3;--dim:#8d96a0;
--line:#30363d;--lane:#151b23;--good:#3fb950;--bad:#f0626a}}
*{box-sizing:border-box}
body{margin:0 auto;padding:2rem 1.5rem 3rem;max-width:1250px;background:var(--page);
color:var(--ink);font:15px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif}
h1{font-size:1.5rem;margin:0 0 1rem}h2{font-size:1.15rem;margin:2.2rem 0 .6rem}
figure{margin:0;overflow-x:auto}figure svg{width:100%;min-width:720px;height:auto;display:block}
.wide{overflow-x:auto}table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{padding:.34rem .7rem;text-align:right;white-space:nowrap;border-bottom:1px solid var(--line)}
th{color:var(--dim);font-weight:600}th.name,td.name,td.why,th.why{text-align:left}
td.why{color:var(--dim);white-space:normal;min-width:15rem}tbody tr:nth-child(odd){background:var(--lane)}
.dot{display:inline-block;width:.7rem;height:.7rem;border-radius:.18rem;margin-right:.5rem}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.25rem 1.5rem;margin:0}
dt{color:var(--dim)}dd{margin:0}.good{color:var(--good);font-weight:600}
.bad{color:var(--bad);font-weight:600}.bar{display:inline-block;width:12rem;height:.7rem;
border-radius:.2rem;background:var(--line);vertical-align:middle;margin-right:.6rem;overflow:hidden}
.bar i{display:block;height:100%;background:var(--bad)}.share{text-align:left}
.ours td{font-weight:600}footer{margin-top:2.5rem;color:var(--dim);font-size:.9rem}
"""


def page(
    table: Timetable,
    demands: Sequence[Demand],
    told: Sequence[Account],
    *,
    start: int,
    hours: float,
) -> str:
    """One HTML document, for light and dark, without scripts and without anything to be fetched.

    Args:
        table: the timetable.
        demands: what it was made from, in the same order.
        told: what is said of each of its jobs, in the same order.
        start: seconds since the epoch at the left edge of the picture.
        hours: how much the picture shows, above 0.
    """
    title = f"{len(table.slots)} jobs on one browser"
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en">',
            '<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{title}</title>",
            f"<style>{_STYLE}</style>",
            f"<figure>{draw(table, demands, start=start, hours=hours)}</figure>",
            "<h2>What is proved</h2>",
            *_proof(table, told),
            *_warnings(table),
            "<h2>Jobs</h2>",
            *_jobs(told),
            "<h2>The same jobs as others place them</h2>",
            *_comparison(table, demands),
            "<footer>Made by <code>muxd plan --html</code>.</footer>",
            "</html>",
            "",
        ]
    )


def _proof(table: Timetable, told: Sequence[Account]) -> Iterable[str]:
    pairs = table.certificate.pairs
    if table.feasible:
        verdict = f'<span class="good">none, ever</span> (checked for all {pairs} pairs of jobs)'
    else:
        verdict = f'<span class="bad">{table.certificate.count} of {pairs} pairs of jobs</span>'
    facts = (
        ("collisions", verdict),
        ("smallest gap", f"{format_duration(table.min_gap)} between any two runs"),
        ("utilisation", f"{table.utilisation:.0%} of the browser's time is reserved"),
        ("response", escape(response_words(told))),
    )
    yield "<dl>"
    yield from (f"<dt>{name}</dt><dd>{words}</dd>" for name, words in facts)
    yield "</dl>"


def _warnings(table: Timetable) -> Iterable[str]:
    if table.warnings:
        yield "<h2>What to know</h2><ul>"
        yield from (f"<li>{escape(warning)}</li>" for warning in table.warnings)
        yield "</ul>"


def _jobs(told: Sequence[Account]) -> Iterable[str]:
    learned = any(account.learned is not None for account in told)
    heads = ["every", "phase", "takes"]
    heads += ["said", "p50", "p95", "spread", "drift"] if learned else []
    heads += ["ends within", "moved by"]
    yield '<div class="wide"><table><thead><tr><th class="name">job</th>'
    yield "".join(f"<th>{head}</th>" for head in heads) + '<th class="why">why</th></tr></thead>'
    yield "<tbody>"
    for number, account in enumerate(told):
        slot = account.slot
        cells = [slot.interval, slot.phase, slot.duration]
        texts = [format_duration(seconds) for seconds in cells]
        texts += _learned(account) if learned else []
        texts.append("-" if account.response is None else format_duration(account.response))
        texts.append("-" if slot.preferred_phase is None else format_duration(slot.moved))
        colour = PALETTE[number % len(PALETTE)]
        dot = f'<span class="dot" style="background:{colour}"></span>'
        yield f'<tr><td class="name">{dot}{escape(slot.name)}</td>' + "".join(
            f"<td>{text}</td>" for text in texts
        )
        yield f'<td class="why">{escape(account.reason)}</td></tr>'
    yield "</tbody></table></div>"


def _learned(account: Account) -> list[str]:
    said = "-" if account.declared is None else format_duration(account.declared)
    known = account.learned
    if known is None:
        return [said, *("-" for _ in range(4))]
    return [
        said,
        measured(round(known.p50, 1)),
        measured(round(known.p95, 1)),
        "-" if known.spread is None else f"{known.spread:.0%}",
        "-" if known.drift is None else f"{known.drift:+.0%}",
    ]


def _comparison(table: Timetable, demands: Sequence[Demand]) -> Iterable[str]:
    yield '<div class="wide"><table><thead><tr><th class="name">phases by</th>'
    for head in ("starts at once", "mean wait", "p95", "longest", "missed"):
        yield f"<th>{head}</th>"
    yield '<th class="why">runs that wait</th></tr></thead><tbody>'
    for way, found in compare_ways(demands, table.phases) if demands else ():
        style = ' class="ours"' if way == OURS else ""
        waits = (format_duration(round(t)) for t in (found.mean, found.p95, found.worst))
        cells = (str(found.peak), *waits, str(found.missed))
        yield f'<tr{style}><td class="name">{escape(way)}</td>' + "".join(
            f"<td>{cell}</td>" for cell in cells
        )
        width = f"{100 * found.waited:.4g}%"
        yield (
            f'<td class="share"><span class="bar"><i style="width:{width}"></i></span>'
            f"{found.waited:.0%}</td></tr>"
        )
    yield "</tbody></table></div>"
