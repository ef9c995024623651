"""The plugin: a job for each table, and the dashboard's page of what they take."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from muxd import hookimpl
from muxd.abc import LaunchOptions
from muxd_shot.jobs import jobs_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from click import Group

    from muxd import Job, Section
    from muxd.abc import Controlled, Service

__all__ = ["ShotPlugin", "plugin"]

STEADY = ("--force-color-profile=srgb", "--font-render-hinting=none")
"""So that one machine's pictures are another's: neither its screen nor its fonts' settings show."""


@final
class ShotPlugin:
    """What muxd asks it for."""

    @hookimpl
    def muxd_jobs(self, section: Section) -> Iterable[Job]:
        """A job for each ``[[plugins.shot.page]]``."""
        return jobs_of(section)

    @hookimpl
    def muxd_launch_options(self, options: LaunchOptions, section: Section) -> LaunchOptions | None:
        """A browser that draws the same everywhere, if there is anything to be taken."""
        if not section.values.get("page") or options.engine in ("firefox", "webkit"):
            return None
        return LaunchOptions(args=STEADY)

    @hookimpl
    def muxd_services(self, daemon: Controlled | None) -> Iterable[Service]:
        """The contact sheet, beside a daemon."""
        from muxd_shot.service import ContactSheet

        return [] if daemon is None else [ContactSheet(daemon)]

    @hookimpl
    def muxd_register_commands(self, cli: Group) -> None:
        """``muxd devices``: what may stand in ``devices``."""
        from muxd_shot.commands import devices

        cli.add_command(devices)


plugin = ShotPlugin()
