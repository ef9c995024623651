"""Slips in ``@muxd.job(...)``: misspelt fields, and none at all, told with the name of the job."""

from __future__ import annotations

from functools import cache, wraps
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, cast

from muxd.errors import JobError
from muxd.hints import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["fields_checked"]

_F = TypeVar("_F", bound="Callable[..., Any]")


def fields_checked(known: Callable[[], Iterable[str]]) -> Callable[[_F], _F]:
    """Have a decorator with fields refuse misspelt ones as it refuses wrong values.

    Args:
      known: gives the names of the fields; ``interval`` has to be given.
    """

    known = cache(known)

    def wrap(decorate: _F) -> _F:
        @wraps(decorate)
        def checked(*body: Any, **given: Any) -> Any:
            fields = [field for field in known() if field != "body"]
            strange = [field for field in given if field not in fields]
            if not body and not strange and "interval" in given:
                return decorate(**given)
            field, value = (strange[0], given[strange[0]]) if strange else ("interval", None)
            allowed = (
                f"there is no such field; {did_you_mean(field, fields)}"
                if strange
                else "say how often it is to run, as in @muxd.job(interval='1h')"
            )

            def refuse(body: Any) -> NoReturn:
                name = str(given.get("name") or getattr(body, "__name__", ""))
                raise JobError(job=name, field=field, value=value, allowed=allowed)

            return refuse(body[0]) if body else refuse

        return cast("_F", checked)

    return wrap
