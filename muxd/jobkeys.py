"""The keys of a job, in a table of a plugin: where one table makes one job."""

# ruff: noqa: RUF009 - `_key` is `attrs.field`
from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs

from muxd.errors import JobError
from muxd.fields import FIELD, Read
from muxd.hints import shown
from muxd.job import Job
from muxd.jobvalues import allowed_in_job

if TYPE_CHECKING:
    from collections.abc import Callable

    from muxd.job import Body
    from muxd.section import Section

__all__ = ["JobKeys"]


Duration = str | float | timedelta


def _key(name: str) -> Any:
    """A key that need not be given: None then."""
    read: Callable[[object], Any] = partial(_read, name)
    return attrs.field(
        default=None,
        converter=attrs.converters.optional(read),
        metadata={FIELD: Read(read, f"what [jobs.NAME] takes for {name}", job_key=name)},
    )


def _read(name: str, value: object) -> object:
    allowed = allowed_in_job(name, value)
    if allowed is not None:
        raise ValueError(allowed)
    return value


@attrs.frozen(kw_only=True)
class JobKeys:
    """What can be said of a job in a table that makes one. Inherit, and add keys of your own::

        @attrs.frozen(kw_only=True)
        class Page(JobKeys):
            name: str
            url: str

    Each key is as in ``[jobs.NAME]``, and None if it is not given.
    """

    interval: Duration | None = _key("interval")
    preferred_phase: Duration | None = _key("preferred_phase")
    pinned: bool | None = _key("pinned")
    duration: Duration | None = _key("duration")
    priority: int | str | None = _key("priority")
    timeout: Duration | None = _key("timeout")
    session: str | None = _key("session")
    retries: int | None = _key("retries")
    retry_on: list[str] | None = _key("retry_on")
    on_interrupt: str | None = _key("on_interrupt")
    overlap: str | None = _key("overlap")
    misfire: str | None = _key("misfire")
    expects_result: bool | None = _key("expects_result")
    idempotent: bool | None = _key("idempotent")
    block: list[str] | None = _key("block")
    needs_login: str | None = _key("needs_login")
    description: str | None = _key("description")

    def as_job(self, name: str, body: Body, *, section: Section, at: str, **defaults: Any) -> Job:
        """The job of this table.

        Args:
          name: the job's.
          body: what it does.
          section: where the table stands.
          at: where in there: ``page[2]``.
          **defaults: fields of the job; what is given in the table takes their place.

        Raises:
          ConfigError: the keys do not go with each other, or with the defaults.
        """
        given = {
            field.name: value
            for field in attrs.fields(JobKeys)
            if (value := getattr(self, field.name)) is not None
        }
        try:
            return Job(name, body, **(defaults | given))
        except JobError as error:
            message = f"{shown(error.value)} is not possible: {error.allowed}"
            raise section.wrong(f"{at}.{error.field}" if at else error.field, message) from None
