"""The plugin: a job for each table ``[[plugins.extract.page]]``, and their pages on the dashboard."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from muxd import hookimpl
from muxd_extract.options import Settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from click import Group

    from muxd import Job
    from muxd.abc import Controlled, Service
    from muxd.section import Section

__all__ = ["ExtractPlugin", "plugin"]


@final
class ExtractPlugin:
    """What muxd asks it for."""

    @hookimpl
    def muxd_jobs(self, section: Section) -> Iterator[Job]:
        """One for each page, or set of pages, that rows are read from."""
        pages = section.structure(Settings).page
        if not pages:
            return  # who has it installed and uses it not pays for nothing
        from muxd_extract.body import extract

        for at, page in section.each("page", pages):
            yield page.as_job(
                page.name,
                extract,
                section=section,
                at=at,
                interval="1h",
                idempotent=True,
                expects_result=True,
                config=page,
            )

    @hookimpl
    def muxd_services(self, daemon: Controlled | None) -> Iterable[Service]:
        """The pages; where there is a dashboard, there is a daemon."""
        from muxd_extract.service import ExtractPages

        return [] if daemon is None else [ExtractPages(daemon)]

    @hookimpl
    def muxd_register_commands(self, cli: Group) -> None:
        """``muxd extract try``: selectors are tried on a page before they are written down."""
        from muxd_extract.command import extract

        cli.add_command(extract)


plugin = ExtractPlugin()
