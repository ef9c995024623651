"""Slips in ``@muxd.job(...)``: misspelt fields, and none at all, told with the name of the job."""

from __future__ import annotations

import inspect
from functools import cache, wraps
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, cast

from muxd.errors import JobError
from muxd.hints import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = ["body_help", "check_fields", "fields_checked"]

_F = TypeVar("_F", bound="Callable[..., Any]")


def body_help(body: object) -> str:
    """What to give in place of this, which is no body."""
    if inspect.isasyncgenfunction(body):
        return "it yields: have it collect what it finds, and `return` that at its end"
    return (
        "give an `async def` function that takes the run "
        "(muxd uses Playwright's async API: `await run.page.goto(...)`)"
    )


def check_fields(job: str, given: Mapping[str, object], known: Iterable[str]) -> None:
    """Raise `JobError` if one of the fields that are given for a job is none of `known`."""
    fields = [*known]
    for field, value in given.items():
        if field not in fields:
            allowed = f"there is no such field; {did_you_mean(field, fields)}"
            raise JobError(job=job, field=field, value=value, allowed=allowed)


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
            if not body and "interval" in given and all(field in fields for field in given):
                return decorate(**given)

            def refuse(body: Any) -> NoReturn:
                name = str(given.get("name") or getattr(body, "__name__", ""))
                check_fields(name, given, fields)
                raise JobError(
                    job=name,
                    field="interval",
                    value=None,
                    allowed="say how often it is to run, as in @muxd.job(interval='1h')",
                )

            return refuse(body[0]) if body else refuse

        return cast("_F", checked)

    return wrap
