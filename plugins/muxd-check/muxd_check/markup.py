"""The status page as HTML: for the dashboard, with all there is to know, and for everybody."""

from __future__ import annotations

from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import quote

from muxd.pageparts import badge
from muxd_check.drawing import sparkline, strip
from muxd_check.judge import shown
from muxd_check.vitals import NAMES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from muxd_check.standing import Standing

__all__ = ["dashboard_body", "public_page"]

_FIGURES = ("lcp", "cls", "inp", "load", "took")
_OTHERS = ("console_errors", "failed_requests", "requests", "tls_days")
_LABELS = {**NAMES, "took": "all steps", "tls_days": "certificate, days"}
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>{title}</title>
<style>
:root {{ --ok: #21795a; --bad: #b53026; --line: #8884; }}
@media (prefers-color-scheme: dark) {{ :root {{ --ok: #58c197; --bad: #ff8f83; }} }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 44rem; margin: 3rem auto; padding: 0 1rem; }}
.all {{ padding: .8rem 1rem; border-radius: 8px; border: 1px solid var(--line); font-weight: 600; }}
section {{ border-top: 1px solid var(--line); padding: 1rem 0; }}
h2 {{ font-size: 1.05rem; margin: 0; display: flex; justify-content: space-between; gap: 1rem; }}
p {{ margin: .4rem 0; }} .note {{ opacity: .7; font-size: .9rem; }}
.up {{ color: var(--ok); }} .down {{ color: var(--bad); }}
.days {{ width: 100%; height: 28px; margin-top: .5rem; }} .o-ok {{ fill: var(--ok); }} .o-failed {{ fill: var(--bad); }}
.unknown {{ fill: var(--line); }}
</style></head><body><h1>{title}</h1>
{body}
<p class="note">As of {now}. Times are UTC.</p>
</body></html>
"""


def dashboard_body(standings: Sequence[Standing]) -> str:
    """Below the dashboard's title."""
    if not standings:
        return (
            '<p class="empty">Nothing is checked yet: describe a flow in muxd.toml, in a table '
            "<code>[[plugins.check.flow]]</code>.</p>"
        )
    down = [each for each in standings if each.is_up is False]
    parts = ['<link rel="stylesheet" href="/check/style.css">']
    if down:
        items = "".join(
            f'<li class="bad">{escape(each.flow.shown)} is down: {escape(_why(each))}</li>'
            for each in down
        )
        parts.append(f'<ul class="warnings">{items}</ul>')
    parts.append('<div class="cards checks">' + "".join(map(_card, standings)) + "</div>")
    return "\n".join(parts)


def _card(standing: Standing) -> str:
    flow = standing.flow
    link = f"/jobs/{quote(flow.name, safe='')}"
    return (
        f'<section class="card"><div class="cardhead"><h2><a class="plain" href="{link}">'
        f"{escape(flow.shown)}</a></h2>{_badge(standing)}</div>"
        f"{_strip(standing)}<p>{_uptime(standing)}</p>{_when(standing)}{_table(standing)}</section>"
    )


def _badge(standing: Standing) -> str:
    if standing.newest is None:
        return f'<span class="note">{standing.word}</span>'
    link = f"/runs/{quote(standing.newest.id, safe='')}"
    shown = badge("ok" if standing.is_up else "failed", standing.word)
    return f'<a class="plain" href="{link}">{shown}</a>'


def _why(standing: Standing) -> str:
    record = standing.newest
    if record is None:
        return ""
    return (record.error or str(record.outcome).replace("_", " "))[:300]


def _when(standing: Standing) -> str:
    if standing.newest is None or standing.newest.ended_at is None:
        return ""
    since = "" if standing.since is None else f", {standing.word} since {_time(standing.since)}"
    return f'<p class="note">checked {_time(standing.newest.ended_at)}{since}</p>'


def _time(at: float) -> str:
    moment = datetime.fromtimestamp(at, UTC)
    return f'<time datetime="{moment:%Y-%m-%dT%H:%M:%SZ}">{moment:%Y-%m-%d %H:%M} UTC</time>'


def _strip(standing: Standing) -> str:
    label = f"Checks of {standing.flow.shown} in the last 30 days"
    return strip(standing.bars, label=label) if standing.bars else ""


def _uptime(standing: Standing) -> str:
    """The shares, in words: never 100 % where there was something."""
    told = []
    for span, share in standing.uptime.items():
        if share is not None:
            percent = f"{share * 100:.2f}" if share == 1 else f"{min(share * 100, 99.99):.2f}"
            told.append(f"<b>{percent.removesuffix('.00')} %</b> in {span}")
    return ", ".join(told)


def _table(standing: Standing) -> str:
    """The newest figures, each with a line of those before."""
    if not standing.checks:
        return ""
    newest, lines = standing.checks[-1], []
    for name in (*_FIGURES, *_OTHERS):
        if (value := newest.get(name)) is None:
            continue
        label = _LABELS.get(name, name.replace("_", " "))
        limit = getattr(standing.flow.budget, name, None)
        told = shown(name, float(value))
        kind = ' class="o-failed"' if limit is not None and float(value) > limit else ""
        line = ""
        if name in _FIGURES:
            line = sparkline(
                standing.series(name), limit=limit, label=f"{label} of the last checks"
            )
        lines.append(
            f'<tr><th scope="row">{escape(label)}</th>'
            f'<td class="num"><span{kind}>{escape(told)}</span></td><td>{line}</td></tr>'
        )
    return f"<table><tbody>{''.join(lines)}</tbody></table>"


def public_page(title: str, standings: Sequence[Standing], now: float) -> str:
    """A page that stands for itself, without what is nobody's business: addresses and messages."""
    known = [each for each in standings if each.is_up is not None]
    down = [each for each in known if not each.is_up]
    if down:
        names = ", ".join(each.flow.shown for each in down)
        state = f'<p class="all down">✕ Down: {escape(names)}</p>'
    elif known:
        state = '<p class="all up">✓ All is well</p>'
    else:
        state = '<p class="all">Nothing was checked yet</p>'
    parts = [state]
    for each in standings:
        kind = "" if each.is_up is None else ' class="up"' if each.is_up else ' class="down"'
        parts.append(
            f"<section><h2><span>{escape(each.flow.shown)}</span><span{kind}>{each.word}</span></h2>"
            f'{_strip(each)}<p class="note">{_uptime(each)}</p>{_when(each)}</section>'
        )
    moment = f"{datetime.fromtimestamp(now, UTC):%Y-%m-%d %H:%M}"
    return _PAGE.format(title=escape(title), body="\n".join(parts), now=moment)
