"""The plugin: its jobs, and the site that they work on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from muxd import hookimpl
from muxd_demo.jobs import demo_jobs
from muxd_demo.site import Site
from muxd_demo.studio import Studio

if TYPE_CHECKING:
    from collections.abc import Iterator

    from muxd import Job
    from muxd.abc import Service

__all__ = ["DemoPlugin", "plugin"]


@attrs.frozen
class DemoPlugin:
    """One site and the jobs that know its address.

    The entry point names an object rather than a module, so that what the jobs and the service
    share has an owner.
    """

    site: Site = attrs.field(factory=Site)

    @hookimpl
    def muxd_jobs(self) -> Iterator[Job]:
        """The sixteen jobs."""
        yield from demo_jobs(Studio(self.site))

    @hookimpl
    def muxd_services(self) -> Iterator[Service]:
        """The site: opened before the first run, closed when muxd stops."""
        yield self.site


plugin = DemoPlugin()
