"""Watches of changedetection.io as tables of the plugin ``watch``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import attrs

from muxd.cli.importing.tomltext import comment, keys, table
from muxd.slotting.cronname import unique
from muxd.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from muxd.cli.importing.watches import Watches

__all__ = ["Page", "pages_of", "watches_toml"]

_DEFAULT = 3 * 3600
"""How often changedetection.io looks if nobody has said so, seconds."""
_LONGEST = 366 * 86_400
_UNITS = {"weeks": 604_800, "days": 86_400, "hours": 3600, "minutes": 60, "seconds": 1}
_PERL = re.compile(r"/(.*)/([a-z]*)", re.DOTALL)
_DATA = ("json:", "jq:", "jqraw:")
_NOT_CARRIED: Mapping[str, Sequence[object]] = {
    "body": ("",),
    "check_unique_lines": (),
    "conditions": (),
    "extract_text": (),
    "headers": (),
    "ignore_status_codes": (),
    "notification_urls": (),
    "price_change_max": (),
    "price_change_min": (),
    "price_change_threshold_percent": (),
    "proxy": ("system",),
    "sort_text_alphabetically": (),
    "text_should_not_be_present": (),
    "trigger_text": (),
    "webdriver_js_execute_code": (),
}
"""What is set but can't be said in a table of `watch`, with the values that mean nothing."""


@attrs.frozen
class Page:
    """One watch, as a table."""

    name: str
    values: Mapping[str, str | Sequence[str]]
    paused: bool
    notes: tuple[str, ...]
    """What isn't carried over."""


def watches_toml(watches: Watches) -> str:
    """The tables of all watches, with what they can't say beside them."""
    return "\n".join(_lines(watches)) + "\n"


def _lines(watches: Watches) -> Iterator[str]:
    yield comment("Watches of changedetection.io, for the plugin `watch` (the package muxd-watch).")
    urls = [url for url in _texts(watches.application.get("notification_urls")) if "{" not in url]
    if urls:
        yield from ("", table("notify"), *keys({"urls": urls}))
    for page in pages_of(watches):
        yield ""
        yield from map(comment, page.notes)
        yield table("plugins", "watch", "page", many=True)
        yield from keys(page.values)
        if page.paused:
            yield from ("", comment("It was paused."), table("jobs", page.name))
            yield from keys({"enabled": False})


def pages_of(watches: Watches) -> list[Page]:
    """A table for each watch; each has a name of its own."""
    pages: list[Page] = []
    taken: set[str] = set()
    for watch in watches.watching:
        name = unique(_name(watch), taken)
        taken.add(name)
        pages.append(_page(name, watch, watches))
    return pages


def _page(name: str, watch: Mapping[str, Any], watches: Watches) -> Page:
    values: dict[str, str | Sequence[str]] = {"name": name}
    notes: list[str] = []
    url = watch["url"].strip()
    values["url"] = url.removeprefix("source:")
    if url.startswith("source:"):
        notes.append("its source was watched, here it is what can be read on it")
    if "{{" in url or "{%" in url:
        notes.append("its address is a template: write an address that stays")
    values["interval"] = format_duration(_interval(watch, watches))
    if watch.get("processor") == "image_ssim_diff":
        values["what"] = "visual"
    elif watch.get("processor") == "restock_diff":
        notes.append(
            'it followed price and stock: what = "number" and select = "..." follow a price'
        )
    values |= _selectors(watch, watches, notes)
    if values.get("what") != "visual" and (patterns := _patterns(watch, watches, notes)):
        values["ignore"] = patterns
    delay = watch.get("webdriver_delay")
    if isinstance(delay, int) and 0 < delay <= 300:
        values["settle"] = format_duration(delay)
    left = sorted(_not_carried(watch))
    if values.get("what") == "visual" and watch.get("ignore_text"):
        left = [*left, "ignore_text"]
    if left:
        notes.append("not carried over: " + ", ".join(left))
    return Page(name, values, watch.get("paused") is True, tuple(notes))


def _selectors(
    watch: Mapping[str, Any], watches: Watches, notes: list[str]
) -> dict[str, str | Sequence[str]]:
    """What is looked at, and what of it doesn't count."""
    found: dict[str, str | Sequence[str]] = {}
    # Older versions have one filter, in a key of its own.
    filters = _texts(watch.get("include_filters")) or _texts([watch.get("css_filter")])
    usable = [_selector(each) for each in filters if not each.startswith(_DATA)]
    notes += [
        f"not carried over: the filter {f}: it is for JSON" for f in filters if f.startswith(_DATA)
    ]
    notes += [f"not carried over: the further filter {selector}" for selector in usable[1:]]
    if usable:
        found["select"] = usable[0]
    without = _texts(watches.application.get("global_subtractive_selectors"))
    mask = [_selector(each) for each in (*_texts(watch.get("subtractive_selectors")), *without)]
    if mask:
        found["mask"] = mask
    return found


def _selector(written: str) -> str:
    """As Playwright has it: CSS, or ``xpath=...``."""
    for prefix in ("xpath:", "xpath1:"):
        if written.startswith(prefix):
            return "xpath=" + written.removeprefix(prefix).strip()
    return f"xpath={written}" if written.startswith("/") else written


def _patterns(watch: Mapping[str, Any], watches: Watches, notes: list[str]) -> list[str]:
    """Regular expressions for what doesn't count, as far as they are some."""
    patterns = []
    ignored = _texts(watch.get("ignore_text"))
    for each in (*ignored, *_texts(watches.application.get("global_ignore_text"))):
        pattern = _pattern(each)
        try:
            re.compile(pattern)
        except re.error:
            notes.append(f"not carried over: the expression {each}, which can't be read")
        else:
            patterns.append(pattern)
    return patterns


def _pattern(ignored: str) -> str:
    """A regular expression for the whole of a line that has this text, or matches this /expression/."""
    perl = _PERL.fullmatch(ignored)
    if perl is None:
        return f"(?i).*{re.escape(ignored)}.*"
    flags = "".join(flag for flag in "imsx" if flag in perl[2])
    return f"(?{flags}).*(?:{perl[1]}).*" if flags else f".*(?:{perl[1]}).*"


def _interval(watch: Mapping[str, Any], watches: Watches) -> int:
    own = _seconds(watch.get("time_between_check"))
    # The oldest versions have minutes, and no word for the default.
    minutes = watch.get("minutes_between_check")
    if not own and isinstance(minutes, int):
        own = 60 * minutes
    if watch.get("time_between_check_use_default") is True:
        own = 0
    seconds = own or _seconds(watches.requests.get("time_between_check")) or _DEFAULT
    return min(seconds, _LONGEST)


def _seconds(given: object) -> int:
    if not isinstance(given, dict):
        return 0
    # Some versions have the numbers as texts.
    counts = {unit: str(given.get(unit)) for unit in _UNITS}
    return sum(_UNITS[unit] * int(count) for unit, count in counts.items() if count.isdecimal())


def _not_carried(watch: Mapping[str, Any]) -> Iterator[str]:
    """What the watch says beside that, by the names of its keys."""
    for key, nothing in _NOT_CARRIED.items():
        value = watch.get(key)
        if value and value not in nothing:
            yield key
    if str(watch.get("method") or "GET").upper() != "GET":
        yield "method"
    for key in ("filter_text_added", "filter_text_removed", "filter_text_replaced"):
        if watch.get(key) is False:
            yield key
    steps = watch.get("browser_steps")
    for step in steps if isinstance(steps, list) else ():
        if isinstance(step, dict) and step.get("operation") not in (None, "", "Choose one"):
            yield "browser_steps"
            break
    schedule = watch.get("time_schedule_limit")
    if isinstance(schedule, dict) and schedule.get("enabled") is True:
        yield "time_schedule_limit"


def _name(watch: Mapping[str, Any]) -> str:
    """What people called it, else the page's title, else its address: as a job's name may be."""
    parts = urlsplit(watch["url"].strip())
    for words in (watch.get("title"), watch.get("page_title"), f"{parts.netloc}{parts.path}"):
        if isinstance(words, str):
            name = re.sub(r"[^A-Za-z0-9_.]+", "-", words)[:60].strip("-.")
            if name:
                return name
    return "watch"


def _texts(value: object) -> list[str]:
    """The texts of a list, without those that are empty."""
    given = value if isinstance(value, list) else []
    return [each.strip() for each in given if isinstance(each, str) and each.strip()]
