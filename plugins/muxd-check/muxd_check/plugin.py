"""The plugin: a job for each flow, and what shows how they do."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from muxd import hookimpl
from muxd_check.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from muxd import Job, Section
    from muxd.abc import Controlled, Service

__all__ = ["CheckPlugin", "plugin"]

INTERVAL = "5m"
"""Of a flow that says nothing else."""


@final
class CheckPlugin:
    """What muxd asks it for."""

    @hookimpl
    def muxd_jobs(self, section: Section) -> Iterator[Job]:
        """A job for each ``[[plugins.check.flow]]``."""
        flows = section.structure(Settings).flow
        if not flows:
            return  # who has it installed and uses it not pays for nothing
        from muxd_check.flow import check

        for at, flow in section.each("flow", flows):
            yield flow.as_job(
                flow.name,
                check,
                section=section,
                at=at,
                interval=INTERVAL,
                idempotent=True,
                session="fresh",
                description=flow.title or f"a check of {flow.steps[0].goto}",
                config=flow,
            )

    @hookimpl
    def muxd_services(self, daemon: Controlled | None) -> Iterable[Service]:
        """The status page, beside a daemon."""
        from muxd_check.service import StatusPage

        return [] if daemon is None else [StatusPage(daemon)]


plugin = CheckPlugin()
