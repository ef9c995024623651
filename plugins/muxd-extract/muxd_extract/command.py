"""``muxd extract try``: a page's rows at once, and the table for muxd.toml that gives them."""

from __future__ import annotations

import json
import re
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click
import structlog
from playwright.async_api import Error, async_playwright

import muxd
from muxd import find_browser
from muxd.errors import RunError
from muxd.section import Section
from muxd_extract.body import rows_of
from muxd_extract.options import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from muxd_extract.options import PageOptions

__all__ = ["extract"]

MOST_SHOWN = 20
"""How many rows are shown."""
LONGEST = 60


@click.group()
def extract() -> None:
    """Rows from web pages, without code."""


@extract.command("try")
@click.argument("url")
@click.option("--row", default="", help="Selector of a row. Without: the page is one row.")
@click.option(
    "-f",
    "--field",
    "fields",
    multiple=True,
    metavar="NAME=SELECTOR",
    help='A field: "title=h2", "link=a@href", "price=.price:number" (or :date, :url, :html). '
    "Without any: the text of the row.",
)
@click.option("--next", "next_", default="", help="Selector of the link to the next page.")
@click.option("--more", default="", help="Selector of the button that makes the list longer.")
@click.option("--scroll", is_flag=True, help="The list gets longer when one scrolls.")
@click.option("--pages", default=2, show_default=True, help="How many parts are read at most.")
@click.option("--headed", is_flag=True, help="Show the browser.")
@click.option("--json", "as_json", is_flag=True, help="Print the rows as JSON lines instead.")
def try_(
    url: str,
    row: str,
    fields: Sequence[str],
    next_: str,
    more: str,
    scroll: bool,
    pages: int,
    headed: bool,
    as_json: bool,
) -> None:
    """Read the rows of a page now, and print what to write into muxd.toml for them.

    Nothing is kept, and no daemon is needed: it has a browser of its own, logged in nowhere.

    Example: muxd extract try https://example.org/news --row article -f title=h2 -f link=a@href
    """
    table: dict[str, Any] = {"name": _name_of(url), "url": url}
    ways = {"row": row, "next": next_, "more": more, "scroll": scroll}
    table |= {key: value for key, value in ways.items() if value}
    table["fields"] = dict(map(_field, fields)) or {"text": ""}
    tried = {**table, "pages": pages}
    [options] = Section("extract", {"page": [tried]}).structure(Settings).page
    try:
        rows, whole = muxd.run(partial(_read, options, headed=headed))
    except (LookupError, ValueError) as error:
        raise RunError(str(error)) from None
    except Error as error:  # a page that is not there, a selector that is none
        raise RunError(error.message.strip().partition("\n")[0]) from None
    if as_json:
        for each in rows:
            click.echo(json.dumps(each, ensure_ascii=False))
        return
    _show(rows, list(options.columns), whole)
    click.echo(f"\n{_toml(table)}", nl=False)


async def _read(options: PageOptions, *, headed: bool) -> tuple[list[dict[str, Any]], bool]:
    async def with_browser() -> tuple[list[dict[str, Any]], bool]:
        async with (
            async_playwright() as playwright,
            await playwright.chromium.launch(
                executable_path=find_browser().path, headless=not headed
            ) as browser,
        ):
            page = await browser.new_page()
            return await rows_of(page, options, structlog.get_logger())

    return await muxd.bridged(with_browser)()


def _field(text: str) -> tuple[str, str | dict[str, str]]:
    name, equals, select = text.partition("=")
    if not equals or not name.strip():
        raise click.BadParameter(f'{text!r}: give NAME=SELECTOR, such as "title=h2"')
    if kind := re.fullmatch(r"(.*):(number|date|url|html)", select, re.DOTALL):
        return name.strip(), {"select": kind[1].strip(), "type": kind[2]}
    return name.strip(), select.strip()


def _name_of(url: str) -> str:
    """A name for the job."""
    parts = urlsplit(url)
    words = re.findall(r"[A-Za-z0-9]+", f"{parts.hostname or ''} {parts.path}")
    return "-".join(words)[:60].rstrip("-") or "page"


def _show(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], whole: bool) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table
    from rich.text import Text

    if not rows:
        click.echo("No rows: is the selector of the row right?")
        return
    table = Table(*map(escape, columns))
    for row in rows[:MOST_SHOWN]:
        table.add_row(*(Text(_short(row[column])) for column in columns))
    Console().print(table)
    more = "" if whole else ", and there are more"
    click.echo(f"{len(rows)} row{'s' * (len(rows) != 1)}{more}.")


def _short(value: Any) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."


def _toml(table: Mapping[str, Any]) -> str:
    lines = ["[[plugins.extract.page]]"]
    lines += [f"{key} = {_value(value)}" for key, value in table.items() if key != "fields"]
    lines += ["[plugins.extract.page.fields]"]
    lines += [f"{_key(key)} = {_value(value)}" for key, value in table["fields"].items()]
    return "\n".join(lines) + "\n"


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else json.dumps(key, ensure_ascii=False)


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_value(item)}" for key, item in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False)  # of texts and truth values, TOML too
