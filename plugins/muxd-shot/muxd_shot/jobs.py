"""From the tables of ``[plugins.shot]`` to jobs."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import attrs

from muxd.units import parse_duration
from muxd_shot.album import Album
from muxd_shot.settings import Settings

if TYPE_CHECKING:
    from muxd import Job, Section
    from muxd_shot.settings import PageShots

__all__ = ["jobs_of"]

INTERVAL = "1d"
"""Of a page that says nothing else."""
_LONGEST_GUESS = 600.0


def jobs_of(section: Section) -> tuple[list[Job], dict[str, Album]]:
    """The jobs, and by their names the albums where they put what they take.

    Raises:
      ConfigError: something in the section is wrong.
    """
    settings = section.structure(Settings)
    jobs: list[Job] = []
    albums: dict[str, Album] = {}
    if not settings.page:
        return jobs, albums
    from muxd_shot.camera import shoot  # who has this installed and uses it not pays for nothing

    folder = section.path("shots") if settings.folder is None else settings.folder
    for number, given in enumerate(settings.page):
        page = attrs.evolve(
            given,
            keep=settings.keep if given.keep is None else given.keep,
            keep_for=settings.keep_for if given.keep_for is None else given.keep_for,
        )
        if page.name in albums:
            raise section.wrong(
                f"page[{number}].name", f"{page.name!r} is there twice: give another"
            )
        albums[page.name] = Album(folder / page.name)
        job = page.as_job(
            page.name,
            partial(shoot, album=albums[page.name]),
            section=section,
            at=f"page[{number}]",
            interval=INTERVAL,
            duration=_likely_duration(page),
            idempotent=True,
            description=f"{'PDFs' if page.format == 'pdf' else 'pictures'} of {page.first_url}",
            config=page,
        )
        jobs.append(job)
    return jobs, albums


def _likely_duration(page: PageShots) -> float:
    """How long a run is likely to take, seconds; what it learns takes its place."""
    guess = min(_LONGEST_GUESS, 5.0 + len(page.variants()) * (3.0 + page.delay))
    return min(guess, parse_duration(page.interval or INTERVAL) / 2)
