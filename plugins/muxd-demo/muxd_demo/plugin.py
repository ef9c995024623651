"""The plugin: its jobs, the site that they work on, and who watches its door."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from muxd import hookimpl
from muxd_demo.jobs import demo_jobs
from muxd_demo.site import Site
from muxd_demo.studio import Studio
from muxd_demo.visitors import Guestbook, Porter, Visitors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from click import Group

    from muxd import Job
    from muxd.abc import PageWrapper, Service, Sink

__all__ = ["DemoPlugin", "plugin"]


@attrs.frozen
class DemoPlugin:
    """One site and the jobs that know its address.

    The entry point names an object rather than a module, so that what the jobs and the service
    share has an owner.
    """

    site: Site = attrs.field(factory=Site)
    visitors: Visitors = attrs.field(factory=Visitors)

    @hookimpl
    def muxd_jobs(self) -> Iterator[Job]:
        """The sixteen jobs."""
        yield from demo_jobs(Studio(self.site))

    @hookimpl
    def muxd_services(self) -> Iterator[Service]:
        """The site: opened before the first run, closed when muxd stops."""
        yield self.site

    @hookimpl
    def muxd_page_wrappers(self) -> Iterator[PageWrapper]:
        """Counts the runs that are on the site."""
        yield Porter(self.visitors)

    @hookimpl
    def muxd_sinks(self) -> Iterator[Sink]:
        """Tells at the end how many they were."""
        yield Guestbook(self.visitors)

    @hookimpl
    def muxd_register_commands(self, cli: Group) -> None:
        """``muxd stampede``, beside ``muxd-demo stampede``."""
        from muxd_demo.cli import stampede

        cli.add_command(stampede)


plugin = DemoPlugin()
