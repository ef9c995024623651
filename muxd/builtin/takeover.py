"""The page on which a person logs in, as part of the dashboard: see ``docs/login.md``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from muxd import hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterable

    from muxd.abc import Controlled, Service

__all__ = ["muxd_services"]


@hookimpl
def muxd_services(daemon: Controlled | None) -> Iterable[Service]:
    """Beside a daemon only: else a login has a window."""
    if daemon is None:
        return ()
    from muxd.builtin._takeover.service import Takeover

    return (Takeover(daemon),)
