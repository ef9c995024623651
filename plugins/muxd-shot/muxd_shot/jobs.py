"""From the tables of ``[plugins.shot]`` to jobs."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import attrs

from muxd.units import parse_duration
from muxd_shot.album import Album
from muxd_shot.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from muxd import Job, Section
    from muxd_shot.settings import PageShots

__all__ = ["albums_of", "jobs_of"]

INTERVAL = "1d"
"""Of a page that says nothing else."""
_LONGEST_GUESS = 600.0


def jobs_of(section: Section) -> Iterator[Job]:
    """A job for each table; each puts what it takes into the album of its name, of `albums_of`.

    Raises:
      ConfigError: something in the section is wrong.
    """
    settings = section.structure(Settings)
    if not settings.page:
        return  # who has it installed and uses it not pays for nothing
    from muxd_shot.camera import shoot

    for at, given in section.each("page", settings.page):
        page = attrs.evolve(
            given,
            keep=settings.keep if given.keep is None else given.keep,
            keep_for=settings.keep_for if given.keep_for is None else given.keep_for,
        )
        yield page.as_job(
            page.name,
            partial(shoot, album=_album(section, settings, page.name)),
            section=section,
            at=at,
            interval=INTERVAL,
            duration=_likely_duration(page),
            idempotent=True,
            description=f"{'PDFs' if page.format == 'pdf' else 'pictures'} of {page.first_url}",
            config=page,
        )


def albums_of(section: Section) -> dict[str, Album]:
    """The albums of the jobs, by their names; there need not be anything in them."""
    settings = section.structure(Settings)
    return {page.name: _album(section, settings, page.name) for page in settings.page}


def _album(section: Section, settings: Settings, name: str) -> Album:
    return Album((settings.folder or section.path("shots")) / name)


def _likely_duration(page: PageShots) -> float:
    """How long a run is likely to take, seconds; what it learns takes its place."""
    guess = min(_LONGEST_GUESS, 5.0 + len(page.variants()) * (3.0 + page.delay))
    return min(guess, parse_duration(page.interval or INTERVAL) / 2)
