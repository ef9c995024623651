"""The dashboard: muxd in a browser. See ``docs/dashboard.md``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from muxd import hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterable

    from muxd.abc import Controlled, Service


@hookimpl
def muxd_services(daemon: Controlled | None) -> Iterable[Service]:
    """Beside a daemon only: it is what the dashboard shows."""
    if daemon is None:
        return []
    from muxd.builtin._dashboard.service import Dashboard

    return [Dashboard(daemon)]
