"""The dashboard on a daemon that only tells, in process."""

from __future__ import annotations

import contextlib

import httpx
import pytest
import trio

from muxd.builtin._dashboard.service import Dashboard
from muxd.control.server import make_app

from .pretend import Pretend


@contextlib.asynccontextmanager
async def shown(daemon):
    """A client of the dashboard, which has heard all that happened since the daemon's start."""
    async with daemon.store.open(), trio.open_nursery() as nursery:
        await daemon.remember()
        dashboard = Dashboard(daemon)
        await nursery.start(dashboard.run)
        transport = httpx.ASGITransport(make_app(daemon, dashboard.routes))
        async with httpx.AsyncClient(transport=transport, base_url="http://muxd") as client:
            client.dashboard = dashboard
            yield client
        nursery.cancel_scope.cancel()


@pytest.fixture
def daemon():
    """Sixteen jobs at 14:37, with most of a day behind them."""
    return Pretend()
