"""What can stand in ``[plugins.extract]``: a table ``[[plugins.extract.page]]`` for each job."""

from __future__ import annotations

import re
from collections.abc import Mapping  # noqa: TC003 - the annotations are read when it runs
from datetime import datetime
from pathlib import Path  # noqa: TC003
from typing import Any, Literal

import attrs

from muxd import JobKeys, duration_field, texts_field, urls_field, whole_field
from muxd.hints import did_you_mean

__all__ = ["Field", "PageOptions", "Settings"]

OURS = ("first_seen", "last_seen", "run", "gone_at")
"""The columns that muxd adds to each row."""
MOST, LONGEST = 500, 200
"""So many columns can a table have, and so many characters the name of one."""
_XPATH = re.compile(r"xpath=|\.?//|\./|\.\.")
_SHORT = re.compile(r"(?P<select>.*?)@(?P<attribute>[A-Za-z_][\w:.-]*)\s*", re.DOTALL)


def _fields(value: Mapping[str, str | Field]) -> Mapping[str, Field]:
    found = {n: _short(f) if isinstance(f, str) else f for n, f in value.items()}
    if not all(isinstance(field, Field) for field in found.values()):
        raise ValueError("give a selector or a table for each")
    return found


def _short(text: str) -> Field:
    """``"a@href"`` is the attribute ``href`` of ``a``, and an address."""
    found = _SHORT.fullmatch(text)
    if found is None:
        return Field(select=text)
    kind: Literal["url", "text"] = "url" if found["attribute"] in ("href", "src") else "text"
    select = found["select"].strip()
    if _XPATH.match(select):
        select = _without_end(select, found["attribute"])
    return Field(select=select, attribute=found["attribute"], type=kind)


def _without_end(path: str, attribute: str) -> str:
    """An XPath as it stands before the ``@href`` at its end: ``//a/`` is ``//a``."""
    if path.endswith("//"):
        return f"{path}*[@{attribute}]"
    path = path.removesuffix("/")
    return "" if path in (".", "xpath=.") else path


def _check_names(instance: object, attribute: object, value: Mapping[str, Field]) -> None:
    if not value:
        raise ValueError("give one field at least")
    for name in value:
        if not name.strip() or name.startswith("_muxd"):
            raise ValueError(f"{name!r} is no name for a field: give another")


def _check_columns(instance: object, attribute: object, value: Mapping[str, Field]) -> None:
    _check_names(instance, attribute, value)
    names: dict[str, str] = {}
    for name in value:
        if name.lower() in OURS:
            raise ValueError(f"muxd has a column {name!r} of its own: give another name")
        if len(name) > LONGEST or "\0" in name:
            raise ValueError(
                f"{name[:60]!r}... is no name for a field: {LONGEST} characters at most"
            )
        other = names.setdefault(name.lower(), name)
        if other != name:
            raise ValueError(f"{other!r} and {name!r} would be the same column: rename one")
    if len(value) > MOST:
        raise ValueError(f"{len(value)} fields are too many: {MOST} at most")


def _check_urls(instance: object, attribute: object, value: tuple[str, ...]) -> None:
    if not value:
        raise ValueError("give one address at least")


def _check_file(instance: object, attribute: object, value: Path | None) -> None:
    if value is not None and value.suffix.lower() not in (".csv", ".jsonl", ".ndjson"):
        raise ValueError("give a file whose name ends with .csv or .jsonl")


def _check_format(field: Field, attribute: object, value: tuple[str, ...]) -> None:
    if value and field.type != "date":
        raise ValueError('it is of dates: give type = "date"')
    for each in value:
        try:
            datetime.strptime("", each)
        except ValueError as error:
            if "does not match" not in str(error):
                raise ValueError(f'{error}: give one such as "%d.%m.%Y"') from None


def _check_decimal(field: Field, attribute: object, value: str) -> None:
    if value and field.type != "number":
        raise ValueError('it is of numbers: give type = "number"')


@attrs.frozen(kw_only=True)
class Field:
    """One column: where it stands in a row, and what it is."""

    select: str = ""
    """CSS, or XPath if it begins with ``./`` or ``//``, within the row; empty: the row itself."""
    attribute: str = ""
    """Which attribute, instead of the text."""
    type: Literal["text", "number", "date", "url", "html"] = "text"
    """``number`` is for prices too; ``date`` becomes ISO 8601; ``url`` is made absolute."""
    list: bool = False
    """All that are found, not only the first."""
    match: re.Pattern[str] | None = None
    """A regular expression: its first group is what counts of the text, or all that it matches."""
    format: tuple[str, ...] = texts_field((), validator=_check_format)
    """How dates are written, as for `datetime.strptime`; several are tried in turn."""
    decimal: Literal["", ".", ","] = attrs.field(default="", validator=_check_decimal)
    """What stands before the decimals of numbers; empty: what is likelier."""
    required: bool = False
    """A row without it is passed over."""
    fields: Mapping[str, str | Field] = attrs.field(factory=dict, converter=_fields)
    """Fields within it: it is nested."""

    @fields.validator
    def _check_inner(self, attribute: object, value: Mapping[str, Field]) -> None:
        if value:
            _check_names(self, attribute, value)
        for other, default in (("attribute", ""), ("type", "text"), ("match", None)):
            if value and getattr(self, other) != default:
                raise ValueError(
                    f"what has fields has no {other} of its own: give it to one of them"
                )

    @property
    def inner(self) -> Mapping[str, Field]:
        """The fields within it."""
        return self.fields  # type: ignore[return-value]  # the converter has made them


@attrs.frozen(kw_only=True)
class PageOptions(JobKeys):
    """What is read from one page, or from several that look alike: one job."""

    name: str
    """The job's."""

    url: tuple[str, ...] = urls_field(validator=_check_urls)
    """The page, or a list of them."""
    fields: Mapping[str, str | Field] = attrs.field(converter=_fields, validator=_check_columns)
    """The columns, by name: a selector, ``"a@href"`` for an attribute, or a table."""
    row: str = attrs.field(default="")
    """What a row is: any selector of Playwright's. Empty: the whole page is one row."""
    key: tuple[str, ...] = texts_field(())
    """The field, or fields, by which a row is known again. Without, all of them together."""
    wait: str = ""
    """What has to be there before anything is read. Empty: the first row, for `patience`."""
    patience: float = duration_field("10s", at_least="100ms", at_most="10m")
    """How long that, and each further part of the list, may take to appear."""
    settle: float = duration_field("0s", at_most="5m")
    """How long the page is left alone before its rows are read."""
    click: tuple[str, ...] = texts_field(())
    """What is clicked first, where it is there: banners."""
    next: str = ""
    """The link or button that leads to the next page."""
    more: str = attrs.field(default="")
    """The button that makes the list longer."""
    scroll: bool = attrs.field(default=False)
    """The list gets longer when one scrolls to its end."""
    pages: int = whole_field(20, at_least=1, at_most=10_000)
    """How many parts of the list are read at most."""
    limit: int = whole_field(5000, at_least=1, at_most=1_000_000)
    """How many rows are read at most."""
    complete: bool = False
    """Rows that are not there any more are gone: as long as the list was read to its end."""
    tell: tuple[Literal["new", "changed", "gone"], ...] = attrs.field(default=())
    """What is news. The first time nothing is."""
    file: Path | None = attrs.field(default=None, validator=_check_file)
    """A CSV or JSON lines file that has the rows too."""
    append: bool = attrs.field(default=False)
    """Rows that the file does not have are added to it. False: it has what was read last."""
    stamp: str = attrs.field(default="")
    """The name of a further column of the file: when the row was read."""

    @key.validator
    def _check_key(self, attribute: object, value: tuple[str, ...]) -> None:
        for name in value:
            if name not in self.fields:
                raise ValueError(f"there is no field {name!r}; {did_you_mean(name, self.fields)}")
            if self.columns[name].inner or self.columns[name].list:
                raise ValueError(f"{name} is a list, or nested: give a field that is one value")

    @more.validator
    @scroll.validator
    def _check_way(self, attribute: attrs.Attribute[Any], value: object) -> None:
        others = [name for name in ("next", "more", "scroll") if getattr(self, name)]
        if value and len(others) > 1:
            raise ValueError(f"a list goes on in one way: give one of {' and '.join(others)}")

    @row.validator
    def _check_row(self, attribute: object, value: str) -> None:
        if not value and (self.next or self.more or self.scroll):
            raise ValueError("a list that goes on has a row")

    @tell.validator
    def _check_tell(self, attribute: object, value: tuple[str, ...]) -> None:
        if "gone" in value and not self.complete:
            raise ValueError("what is gone is known with complete = true only")
        if "changed" in value and not self.key:
            raise ValueError("what has changed is known with a key only")

    @append.validator
    @stamp.validator
    def _check_with_file(self, attribute: object, value: bool | str) -> None:
        if value and self.file is None:
            raise ValueError("give a file too")
        if value in self.fields:
            raise ValueError("that is one of the fields: give another name")

    @property
    def columns(self) -> Mapping[str, Field]:
        """The fields."""
        return self.fields  # type: ignore[return-value]  # the converter has made them


@attrs.frozen(kw_only=True)
class Settings:
    """The section."""

    page: tuple[PageOptions, ...] = ()
