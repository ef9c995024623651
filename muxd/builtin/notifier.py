"""Tells people when something is wrong, and when it is well again: see ``docs/notifications.md``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from muxd import hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterable

    from muxd.abc import Controlled, Service

__all__ = ["muxd_services"]


@hookimpl
def muxd_services(daemon: Controlled | None) -> Iterable[Service]:
    """One that watches and tells; none where there is no daemon."""
    if daemon is None:
        return ()
    from muxd.builtin._notifier_service import Notifier

    return (Notifier(daemon),)
