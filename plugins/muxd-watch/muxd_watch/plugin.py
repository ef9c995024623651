"""The plugin: a job for each table ``[[plugins.watch.page]]``, and their pages on the dashboard."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from muxd import hookimpl
from muxd_watch.options import Settings, WatchOptions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from muxd import Job
    from muxd.abc import Controlled, Service
    from muxd.section import Section

__all__ = ["WatchPlugin", "plugin"]


@attrs.define
class WatchPlugin:
    """Knows its watches, for its pages."""

    _options: dict[str, WatchOptions] = attrs.field(factory=dict)

    @hookimpl
    def muxd_jobs(self, section: Section) -> Iterable[Job]:
        """One for each page that is watched."""
        pages = section.structure(Settings).page
        jobs = list(_jobs(section, pages)) if pages else []
        # A reload may be refused after this: those of before stay, and a page shows what is a job.
        self._options.update({page.name: page for page in pages})
        return jobs

    @hookimpl
    def muxd_services(self, daemon: Controlled | None) -> Iterable[Service]:
        """The pages; where there is a dashboard, there is a daemon."""
        from muxd_watch.service import WatchPages

        return [] if daemon is None else [WatchPages(daemon, self._options)]


def _jobs(section: Section, pages: Sequence[WatchOptions]) -> Iterator[Job]:
    from muxd_watch.body import watch  # who has it installed and uses it not pays for nothing

    names = set()
    for number, page in enumerate(pages):
        if page.name in names:
            raise section.wrong(
                f"page[{number}].name", f"{page.name!r} is there twice: give another"
            )
        names.add(page.name)
        yield page.as_job(
            page.name,
            watch,
            section=section,
            at=f"page[{number}]",
            interval="1h",
            idempotent=True,
            config=page,
        )


plugin = WatchPlugin()
