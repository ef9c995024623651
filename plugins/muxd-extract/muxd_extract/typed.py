"""What was read from a page, as what it stands for: numbers, instants, addresses."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from muxd.amounts import parse_amount

if TYPE_CHECKING:
    from collections.abc import Mapping

    from muxd_extract.options import Field

__all__ = ["typed_row"]


def typed_row(raw: Mapping[str, Any], fields: Mapping[str, Field]) -> dict[str, Any]:
    """A row as the page gave it, each field of its type.

    Raises:
      ValueError: something is there, but is not what its field says; it is named.
    """
    return {name: _typed(raw.get(name), field, name) for name, field in fields.items()}


def _typed(value: Any, field: Field, name: str) -> Any:
    if field.list:
        found = [_one(item, field, name) for item in value or ()]
        return [item for item in found if item is not None]
    return _one(value, field, name)


def _one(value: Any, field: Field, name: str) -> Any:
    if value is None:
        return None
    if field.inner:
        try:
            return typed_row(value, field.inner)
        except ValueError as error:
            raise ValueError(f"{name}.{error}") from None
    # Half a surrogate pair, which pages may have, could not be kept as it is.
    text = str(value).encode("utf-8", "backslashreplace").decode()
    if field.type != "html":
        text = " ".join(text.split())
    if field.match is not None:
        found = field.match.search(text)
        if found is None:
            return None
        text = next((group for group in found.groups() if group is not None), found[0])
    if not text:
        return None
    try:
        return _of_type(text, field)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def _of_type(text: str, field: Field) -> str | float | int:
    if field.type == "number":
        amount = parse_amount(text, decimal=field.decimal)
        return int(amount) if amount.is_integer() and abs(amount) < 2**53 else amount
    if field.type == "date":
        return _instant(text, tuple(field.format))
    return text


def _instant(text: str, formats: tuple[str, ...]) -> str:
    """A day or an instant as ISO 8601, whatever of the known forms it has."""
    for form in formats:
        try:
            found = datetime.strptime(text, form)
        except ValueError:
            continue
        return found.isoformat() if re.search("%[HIMSfpzcXsT]", form) else found.date().isoformat()
    if not formats:
        if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
            return date.fromisoformat(text).isoformat()
        try:
            return datetime.fromisoformat(text).isoformat()
        except ValueError:
            pass
        if re.fullmatch(r"\d{10}(\d{3})?", text):  # Unix time, in seconds or milliseconds
            return datetime.fromtimestamp(int(text[:10]), UTC).isoformat()
        try:
            return parsedate_to_datetime(text).isoformat()
        except (ValueError, OverflowError):  # the year 99999999999
            pass
    known = " or ".join(map(repr, formats)) or 'ISO 8601: give its format, such as "%d.%m.%Y"'
    raise ValueError(f"{text!r} is no date like {known}")
