"""Metrics for Prometheus, at ``/metrics``: see ``docs/monitoring.md``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from muxd import hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterable

    from muxd.abc import Controlled, Service

__all__ = ["muxd_services"]


@hookimpl
def muxd_services(daemon: Controlled | None) -> Iterable[Service]:
    """One that counts and is asked; none where there is no daemon."""
    if daemon is None:
        return ()
    import psutil

    from muxd.builtin._metrics_service import Metrics

    return (Metrics(daemon, since=psutil.Process().create_time()),)
