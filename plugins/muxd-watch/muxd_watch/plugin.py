"""The plugin: a job for each table ``[[plugins.watch.page]]``, and their pages on the dashboard."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from muxd import hookimpl
from muxd_watch.options import Settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from muxd import Job
    from muxd.abc import Controlled, Service
    from muxd.section import Section

__all__ = ["WatchPlugin", "plugin"]


@final
class WatchPlugin:
    """What muxd asks it for."""

    @hookimpl
    def muxd_jobs(self, section: Section) -> Iterator[Job]:
        """One for each page that is watched."""
        pages = section.structure(Settings).page
        if not pages:
            return  # who has it installed and uses it not pays for nothing
        from muxd_watch.body import watch

        for at, page in section.each("page", pages):
            yield page.as_job(
                page.name,
                watch,
                section=section,
                at=at,
                interval="1h",
                idempotent=True,
                config=page,
            )

    @hookimpl
    def muxd_services(self, daemon: Controlled | None) -> Iterable[Service]:
        """The pages; where there is a dashboard, there is a daemon."""
        from muxd_watch.service import WatchPages

        return [] if daemon is None else [WatchPages(daemon)]


plugin = WatchPlugin()
