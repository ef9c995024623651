"""From the tables of ``[plugins.shot]`` to jobs."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs

from muxd import Job
from muxd.errors import JobError
from muxd.hints import shown
from muxd.units import parse_duration
from muxd_shot.album import Album
from muxd_shot.camera import shoot
from muxd_shot.settings import Settings

if TYPE_CHECKING:
    from muxd import Section
    from muxd_shot.settings import PageShots

__all__ = ["jobs_of"]

_JOB_KEYS = frozenset(field.name for field in attrs.fields(Job)) - {
    "name",
    "body",
    "config",
    "plugin",
}


_DEFAULTS: Mapping[str, Any] = {"interval": "1d", "idempotent": True}
_LONGEST_GUESS = 600.0


def jobs_of(section: Section) -> tuple[list[Job], dict[str, Album]]:
    """The jobs, and by their names the albums where they put what they take.

    Raises:
      ConfigError: something in the section is wrong.
    """
    tables = section.values.get("page", ())
    own = section
    if isinstance(tables, (list, tuple)):
        own = attrs.evolve(
            section, values={**section.values, "page": [_without_job(each) for each in tables]}
        )
    settings = own.structure(Settings)
    folder = section.path("shots") if settings.folder is None else settings.folder
    jobs, albums = list[Job](), dict[str, Album]()
    for number, given in enumerate(settings.page):
        page = attrs.evolve(
            given,
            keep=settings.keep if given.keep is None else given.keep,
            keep_for=settings.keep_for if given.keep_for is None else given.keep_for,
        )
        if page.name in albums:
            raise section.wrong(f"page[{number}].name", "there is a page of this name before it")
        albums[page.name] = Album(folder / page.name)
        fields = _own_fields(page, tables[number])
        try:
            body = partial(shoot, album=albums[page.name])
            jobs.append(Job(page.name, body, config=page, **fields))
        except JobError as error:
            message = f"{shown(error.value)} is not possible: {error.allowed}"
            raise section.wrong(f"page[{number}].{error.field}", message) from None
    return jobs, albums


def _without_job(table: object) -> object:
    if not isinstance(table, Mapping):
        return table
    return {key: value for key, value in table.items() if key not in _JOB_KEYS}


def _own_fields(page: PageShots, table: Mapping[str, Any]) -> dict[str, Any]:
    """The job's fields: what its table says, else what is likely."""
    given = {key: value for key, value in table.items() if key in _JOB_KEYS}
    count = len(page.variants())
    address = page.url if page.url is not None else page.urls[0]
    what = "PDFs" if page.format == "pdf" else "pictures"
    fields = {**_DEFAULTS, "description": f"{what} of {address}", **given}
    if "duration" not in fields:
        with contextlib.suppress(ValueError):  # the interval is wrong: the job will say so
            guess = min(_LONGEST_GUESS, 5.0 + count * (3.0 + page.delay))
            fields["duration"] = min(guess, parse_duration(fields["interval"]) / 2)
    return fields
