"""What `all.py` measured, as a picture and as the table of docs/performance.md.

    python contrib/bench/chart.py               draw docs/images/performance.json anew
    python contrib/bench/chart.py bench.json    take over these results into the documentation

Both write docs/images/performance.json, docs/images/performance.svg and the table in
docs/performance.md; a test holds that the three say the same.
"""

from __future__ import annotations

import argparse
import json
import re
from html import escape
from pathlib import Path
from typing import Any

__all__ = ["PAGE", "RESULTS", "STYLE", "draw", "page_with", "table", "text"]

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = DOCS / "performance.md"
RESULTS = DOCS / "images" / "performance.json"
MARKED = re.compile(r"(?<=<!-- measured -->\n).*?(?=<!-- /measured -->)", re.DOTALL)
TWICE = "C-again"
"""It shows how far to trust the rest: it's in the table, but not in the picture."""

_WIDTH, _LEFT, _RIGHT, _MARGIN = 960, 300, 270, 28
_ROW, _BAR, _TOP = 30, 16, 112
STYLE = """
 .bench{--page:#fff;--ink:#1f2328;--dim:#656d76;--grid:#d8dee4;--other:#9aa4af;--base:#57606a;
  --muxd:#1a7f37;--bad:#d1434b}
 @media (prefers-color-scheme:dark){.bench{--page:#0d1117;--ink:#e6edf3;--dim:#8d96a0;
  --grid:#30363d;--other:#5b6570;--base:#b1bac4;--muxd:#3fb950;--bad:#f0626a}}
 .bench text{font:13px system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;
  fill:var(--ink)}
 .bench .title{font-size:19px;font-weight:650}.bench .dim{fill:var(--dim)}
 .bench .strong{font-weight:600}.bench .page{fill:var(--page)}.bench line{stroke:var(--grid)}
 .bench .other{fill:var(--other)}.bench .base{fill:var(--base)}.bench .muxd{fill:var(--muxd)}
 .bench .bad{fill:var(--bad)}
"""


def _slowest_first(results: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = sorted(results["contestants"], key=lambda each: -each["wall"])
    return found


def table(results: dict[str, Any]) -> str:
    """The results in Markdown, and on what machine they were found."""
    lines = [
        "| how the job is run | time | to C's | middle half | CPU time | to C's | memory |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for each in _slowest_first(results):
        label = f"**{each['label']}**" if _kind(each) != "other" else each["label"]
        lines.append(
            f"| {label} | {each['ms']:.0f} ms | {each['wall']:.2f} | "
            f"{each['wall_low']:.2f} to {each['wall_high']:.2f} | "
            f"{each['cpu_ms']:.0f} ms | {each['cpu']:.2f} | {each['memory_mb']:.0f} MB |"
        )
    machine = results["machine"]
    software = dict.fromkeys(part for each in results["contestants"] for part in _parts(each))
    lines += [
        "",
        f"{results['rounds']} rounds on {results['when']}: {machine['cores']} cores, "
        f"{machine['memory_gb']:.0f} GB of memory, {machine['system']}, {machine['browser']}, "
        f"Python {machine['python']}{', node ' + machine['node'] if machine['node'] else ''}; "
        f"{', '.join(software)}. Load of the machine before: {machine['load']:.1f}.",
    ]
    if machine["load"] > machine["cores"]:
        lines += [
            "",
            "**The machine was busy with other things: this gives no more than an idea.**",
        ]
    if results["left_out"]:
        lines += ["", f"Not there to be measured: {', '.join(results['left_out'])}."]
    if stampede := results["stampede"]:
        lines += [
            "",
            f"| {stampede['number']} jobs released at once | all done after | memory | "
            f"later than {stampede['timeout']:.0f} s |",
            "| --- | ---: | ---: | ---: |",
            *(
                f"| {label} | {each['seconds']:.1f} s | {each['memory_mb']:.0f} MB | "
                f"{each['late']} of {stampede['number']} |"
                for label, each in _sides(stampede)
            ),
        ]
    return "\n".join(lines) + "\n"


def _parts(each: dict[str, Any]) -> list[str]:
    return each["software"].split(", ")


def _sides(stampede: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [("a browser for each", stampede["browsers"]), ("**muxd**", stampede["muxd"])]


def _kind(each: dict[str, Any]) -> str:
    """Its colour."""
    if each["name"].startswith("muxd"):
        return "muxd"
    return "base" if each["name"] == "C" else "other"


def draw(results: dict[str, Any]) -> str:
    """An SVG document, for a light page or a dark one, as the reader has it."""
    rows = [each for each in _slowest_first(results) if each["name"] != TWICE]
    stampede = results["stampede"]
    room = _WIDTH - _LEFT - _RIGHT
    unit = room / max(each["wall"] for each in rows)
    bottom = _TOP + _ROW * len(rows)
    height = bottom + (132 if stampede else 28)
    title = "One job, and what it costs however it is run"
    one = round(_LEFT + unit, 1)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="bench" width="{_WIDTH}" '
        f'height="{height}" viewBox="0 0 {_WIDTH} {height}" role="img">',
        f"<title>{title}</title>",
        f"<style>{STYLE}</style>",
        f'<rect class="page" width="{_WIDTH}" height="{height}" rx="8"/>',
        text(_MARGIN, 42, title, "title"),
        text(
            _MARGIN,
            64,
            "Open a page, go to one of 100 kB, wait for a list, read its 50 items, close. "
            "All take turns; C is plain Playwright.",
            "dim",
        ),
        f'<line x1="{one}" y1="{_TOP - 8}" x2="{one}" y2="{bottom}"/>',
        text(one, _TOP - 14, "C", "dim", "middle"),
        text(_WIDTH - 190, _TOP - 14, "time / C's", "dim", "end"),
        text(_WIDTH - 100, _TOP - 14, "CPU / C's", "dim", "end"),
        text(_WIDTH - _MARGIN, _TOP - 14, "memory", "dim", "end"),
    ]
    for row, each in enumerate(rows):
        top, kind = _TOP + row * _ROW, _kind(each)
        style = "" if kind == "other" else "strong"
        parts += [
            text(_MARGIN, top + 20, each["label"], style),
            _bar(kind, top, each["wall"] * unit),
            text(_WIDTH - 190, top + 20, f"{each['wall']:.2f}", style, "end"),
            text(_WIDTH - 100, top + 20, f"{each['cpu']:.2f}", style, "end"),
            text(_WIDTH - _MARGIN, top + 20, f"{each['memory_mb']:.0f} MB", style, "end"),
        ]
    if stampede:
        parts += _stampede(stampede, bottom, room)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _stampede(stampede: dict[str, Any], bottom: int, room: float) -> list[str]:
    number = stampede["number"]
    words = f"{number} such jobs at once: seconds until all are done"
    found = [text(_MARGIN, bottom + 42, words, "strong")]
    sides = (("other", "a browser for each", "browsers"), ("muxd", "muxd", "muxd"))
    most = max(stampede[key]["seconds"] for *_, key in sides)
    for row, (kind, label, key) in enumerate(sides):
        top, each = bottom + 54 + row * _ROW, stampede[key]
        late = f"{each['late']} later than {stampede['timeout']:.0f} s"
        found += [
            text(_MARGIN, top + 20, f"{label}: {late}", "strong" if kind == "muxd" else ""),
            _bar("bad" if each["late"] else kind, top, each["seconds"] * room / most),
            text(_WIDTH - 190, top + 20, f"{each['seconds']:.1f} s", "", "end"),
            text(_WIDTH - _MARGIN, top + 20, f"{each['memory_mb']:.0f} MB", "", "end"),
        ]
    return found


def _bar(kind: str, top: float, width: float) -> str:
    return (
        f'<rect class="{kind}" x="{_LEFT}" y="{top + 7}" width="{width:.1f}" '
        f'height="{_BAR}" rx="2"/>'
    )


def text(x: float, y: float, words: str, style: str, anchor: str = "") -> str:
    """Words in a picture; `anchor` is SVG's, or empty for its default."""
    styled = f' class="{style}"' if style else ""
    anchored = f' text-anchor="{anchor}"' if anchor else ""
    return f'<text{styled} x="{x}" y="{y}"{anchored}>{escape(words)}</text>'


def page_with(results: dict[str, Any], page: str) -> str:
    """The text of docs/performance.md with these results."""
    return MARKED.sub(lambda _: table(results), page, count=1)


def main() -> None:
    """Write what the documentation shows."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("results", type=Path, nargs="?", default=RESULTS, help="of all.py")
    options = parser.parse_args()
    results = json.loads(options.results.read_text())
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")
    RESULTS.with_suffix(".svg").write_text(draw(results))
    PAGE.write_text(page_with(results, PAGE.read_text()))


if __name__ == "__main__":
    main()
