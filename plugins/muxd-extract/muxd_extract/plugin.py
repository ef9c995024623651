"""The plugin: a job for each table ``[[plugins.extract.page]]``, and their pages on the dashboard."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from muxd import hookimpl
from muxd_extract.options import PageOptions, Settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from click import Group

    from muxd import Job
    from muxd.abc import Controlled, Service
    from muxd.section import Section

__all__ = ["ExtractPlugin", "plugin"]


@attrs.define
class ExtractPlugin:
    """Knows what it extracts, for its pages."""

    _options: dict[str, PageOptions] = attrs.field(factory=dict)

    @hookimpl
    def muxd_jobs(self, section: Section) -> Iterable[Job]:
        """One for each page, or set of pages, that rows are read from."""
        pages = section.structure(Settings).page
        jobs = list(_jobs(section, pages)) if pages else []
        # A reload may be refused after this: those of before stay, and a page shows what is a job.
        self._options.update({page.name: page for page in pages})
        return jobs

    @hookimpl
    def muxd_services(self, daemon: Controlled | None) -> Iterable[Service]:
        """The pages; where there is a dashboard, there is a daemon."""
        from muxd_extract.service import ExtractPages

        return [] if daemon is None else [ExtractPages(daemon, self._options)]

    @hookimpl
    def muxd_register_commands(self, cli: Group) -> None:
        """``muxd extract try``: selectors are tried on a page before they are written down."""
        from muxd_extract.command import extract

        cli.add_command(extract)


def _jobs(section: Section, pages: Sequence[PageOptions]) -> Iterator[Job]:
    from muxd_extract.body import extract  # who has it installed and uses it not pays for nothing

    names = set()
    for number, page in enumerate(pages):
        if page.name in names:
            raise section.wrong(
                f"page[{number}].name", f"{page.name!r} is there twice: give another"
            )
        names.add(page.name)
        yield page.as_job(
            page.name,
            extract,
            section=section,
            at=f"page[{number}]",
            interval="1h",
            idempotent=True,
            expects_result=True,
            config=page,
        )


plugin = ExtractPlugin()
