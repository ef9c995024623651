"""What may be given for the fields of a job."""

from __future__ import annotations

import inspect
import re
from enum import StrEnum
from types import FunctionType
from typing import TYPE_CHECKING, Any, TypeVar, cast

import attrs

from muxd.blocklist import parse_blocklist
from muxd.errors import JobError, qualified_name
from muxd.hints import slip_of
from muxd.jobpolicies import Priority
from muxd.jobslips import body_help
from muxd.units import DURATION_HELP, parse_duration

if TYPE_CHECKING:
    from collections.abc import Callable

    from muxd.job import LoginCheck

__all__ = ["RETRY_ON", "JobCheck"]

_E = TypeVar("_E", bound=StrEnum)

RETRY_ON = ("failed", "timed_out", "crashed", "empty")
"""The outcomes that can be tried again, and are unless a job says otherwise."""
_LOGIN_HELP = "give an `async def` check that takes the run, the pattern of an address ('/login*'), or a selector"
_CONFIG_HELP = "give a class made by `@attrs.frozen` (or by `@dataclass`), or an instance of one"
_CLASS = re.compile(r"[A-Za-z_]\w*(\.(\w+|<locals>))*")
_RETRY_ON_HELP = (
    f"outcomes ({', '.join(RETRY_ON)}) or classes of errors (TimeoutError, httpx.ConnectError)"
)


@attrs.frozen
class JobCheck:
    """Turns what was given for a job's fields into what they hold, or says what is wrong.

    Each method raises `JobError` where the value is wrong.
    """

    job: str
    """Its name, for messages."""

    def that(self, field: str, value: object, holds: object, allowed: str) -> None:
        """Whatever must hold of a value, and what to give where it does not."""
        if not holds:
            raise JobError(job=self.job, field=field, value=value, allowed=allowed)

    def seconds(self, field: str, value: object) -> float:
        """A duration, seconds."""
        try:
            return parse_duration(value)
        except ValueError:
            raise JobError(
                job=self.job, field=field, value=value, allowed=f"give {DURATION_HELP}"
            ) from None

    def whole(self, field: str, value: object) -> int:
        """A duration of whole seconds."""
        seconds = self.seconds(field, value)
        self.that(
            field, value, seconds == int(seconds), "give whole seconds, as the timetable counts"
        )
        return int(seconds)

    def flag(self, field: str, value: object) -> None:
        """True or false."""
        self.that(field, value, isinstance(value, bool), "give true or false")

    def one_of(self, field: str, kind: type[_E], value: object) -> _E:
        """One of the words of an enumeration."""
        try:
            return kind(cast("str", value))
        except ValueError:
            allowed = "give one of " + ", ".join(kind)
            raise JobError(job=self.job, field=field, value=value, allowed=allowed) from None

    def retry_on(self, value: object) -> tuple[str, ...]:
        """Outcomes, and classes of errors by name."""
        if value is RETRY_ON:
            return RETRY_ON
        given = value if isinstance(value, (list, tuple)) else None
        self.that("retry_on", value, given is not None, f"give a list: {_RETRY_ON_HELP}")
        names = []
        for item in given or ():
            if isinstance(item, type) and issubclass(item, BaseException):
                item = qualified_name(item)
            known = isinstance(item, str) and _CLASS.fullmatch(item)
            self.that("retry_on", value, known, f"give {_RETRY_ON_HELP}")
            near = slip_of(str(item), RETRY_ON)
            self.that("retry_on", value, not near, f"{item!r}: did you mean {near!r}?")
            names.append(str(item))
        return tuple(names)

    def block(self, value: object) -> tuple[str, ...]:
        """What pages need not load."""
        try:
            return parse_blocklist(value)
        except ValueError as error:
            raise JobError(job=self.job, field="block", value=value, allowed=str(error)) from None

    def config(self, value: object) -> None:
        """A class of attrs or an instance of one, or None."""
        if value is not None:
            from muxd.classfields import is_class

            self.that("config", value, is_class(value) or is_class(type(value)), _CONFIG_HELP)

    def priority(self, value: object) -> int:
        """A priority, by its name or as a number."""
        if isinstance(value, str) and value in Priority.__members__:
            return Priority[value].value
        if isinstance(value, int) and not isinstance(value, bool) and -1000 <= value <= 1000:
            return int(value)
        names = ", ".join(Priority.__members__)
        allowed = f"give one of {names}, or an integer from -1000 to 1000 (higher goes first)"
        raise JobError(job=self.job, field="priority", value=value, allowed=allowed)

    def needs_login(self, value: Any, session: str) -> LoginCheck | str | None:
        """A check, a pattern or a selector, of a session that somebody can log in to."""
        if value is None:
            return None
        self.that(
            "needs_login",
            value,
            session != "fresh",
            "nobody can log in to a fresh session: give it a session of its own, or 'main'",
        )
        if isinstance(value, str):
            self.that("needs_login", value, value.strip() and len(value) <= 1000, _LOGIN_HELP)
            return value
        call = getattr(value, "__call__", None)  # noqa: B004 - an instance with async __call__
        good = inspect.iscoroutinefunction(value) or inspect.iscoroutinefunction(call)
        self.that("needs_login", value, good, _LOGIN_HELP)
        return cast("LoginCheck", value)

    def body(self, value: object) -> None:
        """An ``async def`` of one argument, or what can be called like one."""
        if _is_plain_body(value):
            return
        call = getattr(value, "__call__", None)  # noqa: B004 - an instance with async __call__
        self.that(
            "body",
            value,
            inspect.iscoroutinefunction(value) or inspect.iscoroutinefunction(call),
            body_help(value),
        )
        try:
            inspect.signature(cast("Callable[..., Any]", value)).bind(None)
        except TypeError:
            raise JobError(
                job=self.job,
                field="body",
                value=value,
                allowed="it must take exactly one argument, the run",
            ) from None


def _is_plain_body(value: object) -> bool:
    """Whether it is an ordinary ``async def`` of one argument: seen at once, a thousand times over."""
    if type(value) is not FunctionType or vars(value):
        return False  # what is decorated is looked at closely
    code = value.__code__
    return (
        bool(code.co_flags & inspect.CO_COROUTINE)
        and code.co_argcount == 1
        and not code.co_kwonlyargcount
    )
