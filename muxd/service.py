"""The contract of what runs beside the jobs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import trio
    from starlette.routing import BaseRoute

    from muxd.links import PageLink

__all__ = ["Service"]


class Service(ABC):
    """Runs beside the jobs for the whole life of the daemon, in its outer nursery.

    Laws: one that raises before it has started leaves out its plugin's jobs; one that raises or
    returns later is logged, and the daemon goes on.
    """

    name: str
    """For messages."""

    @property
    def routes(self) -> Sequence[BaseRoute]:
        """What it serves over HTTP, on the control socket and on the dashboard's port: none, as here.

        Starlette's routes, their endpoints in `trio`. They are asked for once, after it has started.
        muxd's own paths go before, then those of other services that started earlier. Who gets to
        them has shown the token; on the port each answer has a strict content security policy.
        """
        return ()

    @property
    def pages(self) -> Sequence[PageLink]:
        """Its pages that people may want: they are in the dashboard's navigation. None, as here.

        Asked for once, after it has started. The pages themselves are among its `routes`; what makes
        them look like the dashboard's own is `Controlled.page`.
        """
        return ()

    @abstractmethod
    async def run(self, *, task_status: trio.TaskStatus[None] = ...) -> None:
        """Call ``task_status.started()`` when ready (within 30 s); run until cancelled."""
