"""The plugin: a job for each table, and the dashboard's page of what they take."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from muxd import hookimpl
from muxd.abc import LaunchOptions
from muxd_shot.jobs import jobs_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from click import Group

    from muxd import Job, Section
    from muxd.abc import Controlled, Service
    from muxd_shot.album import Album

__all__ = ["ShotPlugin", "plugin"]

STEADY = ("--force-color-profile=srgb", "--font-render-hinting=none")
"""So that one machine's pictures are another's: neither its screen nor its fonts' settings show."""


@attrs.define
class ShotPlugin:
    """Remembers the albums of the jobs that it made last, for the page: a reload makes others."""

    albums: dict[str, Album] = attrs.field(factory=dict)

    @hookimpl
    def muxd_jobs(self, section: Section) -> Sequence[Job]:
        """A job for each ``[[plugins.shot.page]]``."""
        made, self.albums = jobs_of(section)
        return made

    @hookimpl
    def muxd_launch_options(self, options: LaunchOptions) -> LaunchOptions | None:
        """A browser that draws the same everywhere, if there is anything to be taken."""
        if not self.albums or options.engine in ("firefox", "webkit"):
            return None
        return LaunchOptions(args=STEADY)

    @hookimpl
    def muxd_services(self, daemon: Controlled | None) -> Iterable[Service]:
        """The contact sheet, beside a daemon."""
        if daemon is None:
            return []
        from muxd_shot.service import ContactSheet

        return [ContactSheet(daemon, lambda: self.albums)]

    @hookimpl
    def muxd_register_commands(self, cli: Group) -> None:
        """``muxd devices``: what may stand in ``devices``."""
        from muxd_shot.commands import devices

        cli.add_command(devices)


plugin = ShotPlugin()
