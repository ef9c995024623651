"""The plugin: a job for each flow, and what shows how they do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from muxd import hookimpl
from muxd_check.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from muxd import Job, Section
    from muxd.abc import Controlled, Service

__all__ = ["CheckPlugin", "plugin"]

INTERVAL = "5m"
"""Of a flow that says nothing else."""


@attrs.define
class CheckPlugin:
    """Remembers the settings that it made jobs of last, for the pages: a reload makes others."""

    settings: Settings = attrs.field(factory=Settings)

    @hookimpl
    def muxd_jobs(self, section: Section) -> Sequence[Job]:
        """A job for each ``[[plugins.check.flow]]``."""
        settings = section.structure(Settings)
        jobs = list(_jobs(section, settings)) if settings.flow else []
        self.settings = settings
        return jobs

    @hookimpl
    def muxd_services(self, daemon: Controlled | None) -> Iterable[Service]:
        """The status page, beside a daemon."""
        if daemon is None:
            return []
        from muxd_check.service import StatusPage

        return [StatusPage(daemon, lambda: self.settings)]


def _jobs(section: Section, settings: Settings) -> Iterable[Job]:
    from muxd_check.flow import check  # who has this installed and uses it not pays for nothing

    names = set()
    for number, flow in enumerate(settings.flow):
        if flow.name in names:
            raise section.wrong(
                f"flow[{number}].name", f"{flow.name!r} is there twice: give another"
            )
        names.add(flow.name)
        yield flow.as_job(
            flow.name,
            check,
            section=section,
            at=f"flow[{number}]",
            interval=INTERVAL,
            idempotent=True,
            session="fresh",
            description=flow.title or f"a check of {flow.steps[0].goto}",
            config=flow,
        )


plugin = CheckPlugin()
