"""Sinks and services of plugins run beside the jobs, and break alone."""

from __future__ import annotations

import asyncio

import pytest
import trio
from structlog.testing import capture_logs

from muxd.abc import Service, Sink
from muxd.bus import Bus
from muxd.companions import SERVICE_BOUND, start_services, start_sinks
from muxd.events import Draining


class Recorder(Sink):
    name = "recorder"

    def __init__(self, fail_at=None):
        self.got, self.fail_at = [], fail_at

    async def handle(self, event):
        self.got.append(event.grace)
        if event.grace == self.fail_at:
            raise RuntimeError("sink")


async def test_a_sink_that_raises_is_left_out_alone(autojump_clock):
    """The broken sink is told no more; the other gets everything, to the last event."""
    bus, good, bad = Bus(), Recorder(), Recorder(fail_at=1)
    async with trio.open_nursery() as nursery:
        await start_sinks([("p", bad), ("q", good)], bus, nursery)
        for n in range(4):
            bus.publish(Draining(at=0.0, grace=n))
            await trio.sleep(1)
        bus.close()
    assert good.got == [0, 1, 2, 3]
    assert bad.got == [0, 1]


class Scripted(Service):
    """A service that does as it is told."""

    def __init__(self, name, before=None, after=None, seconds=0.0):
        self.name, self.before, self.after, self.seconds = name, before, after, seconds
        self.ended = False

    async def run(self, *, task_status=trio.TASK_STATUS_IGNORED):
        try:
            await trio.sleep(self.seconds)
            if self.before is not None:
                raise self.before
            task_status.started()
            await trio.sleep(1)
            if self.after is not None:
                raise self.after
            await trio.sleep_forever()
        finally:
            self.ended = True


@pytest.fixture
def services():
    return [
        ("good", Scripted("a", seconds=5)),
        ("raises", Scripted("b", before=ValueError("no port"))),
        ("raises", Scripted("never asked")),
        ("slow", Scripted("c", seconds=SERVICE_BOUND + 5)),
        ("later", Scripted("d", after=RuntimeError("gone"))),
    ]


async def test_a_service_that_does_not_start_leaves_out_its_plugin(autojump_clock, services):
    """Raising and dawdling services are named with their plugin and reason; the others run on."""
    failed = {}
    async with trio.open_nursery() as nursery:
        await start_services(services, nursery, failed.__setitem__)
        assert set(failed) == {"raises", "slow"}
        assert "no port" in str(failed["raises"])
        assert "did not start in 30 s" in str(failed["slow"])
        await trio.sleep(100)  # what raises after its start is logged, and costs nobody else
        assert [s.ended for _, s in services] == [False, True, False, True, True]
        nursery.cancel_scope.cancel()
    assert services[0][1].ended


async def test_a_service_that_returns_without_having_started_is_broken(autojump_clock):
    """Forgetting task_status.started() is told as such."""

    class Forgetful(Service):
        name = "forgetful"

        async def run(self, *, task_status=trio.TASK_STATUS_IGNORED):
            pass

    failed = {}
    async with trio.open_nursery() as nursery:
        await start_services([("p", Forgetful())], nursery, failed.__setitem__)
    assert "started()" in str(failed["p"])


FATAL = [
    asyncio.CancelledError("gone"),
    SystemExit(0),
    KeyboardInterrupt(),
    GeneratorExit(),
    BaseExceptionGroup("several", [asyncio.CancelledError(), ValueError("and this")]),
]
"""What would end muxd without a word."""


@pytest.mark.parametrize("error", FATAL, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("when", ["before", "after"])
async def test_whatever_a_service_raises_costs_nobody_else(autojump_clock, error, when):
    """Also what is no Exception leaves out its plugin, or is logged once it has started."""
    failed, other = {}, Scripted("other")
    with capture_logs() as logs:
        async with trio.open_nursery() as nursery:
            services = [("p", Scripted("s", **{when: error})), ("q", other)]
            await start_services(services, nursery, failed.__setitem__)
            await trio.sleep(100)
            assert not other.ended
            nursery.cancel_scope.cancel()
    if when == "before":
        assert repr(failed["p"].__cause__) == repr(error)
    else:
        (log,) = logs
        assert (log["event"], log["plugin"]) == ("a service raised and is gone", "p")
        assert repr(log["exc_info"]) == repr(error)


async def test_what_a_service_raises_as_it_is_cancelled_is_logged(autojump_clock):
    """Its own error beside muxd's cancellation is told, and the cancellation goes on."""

    class Bad(Service):
        name = "bad"

        async def run(self, *, task_status=trio.TASK_STATUS_IGNORED):
            task_status.started()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.sleep_forever)
                try:
                    await trio.sleep_forever()
                finally:
                    raise asyncio.CancelledError

    with capture_logs() as logs:
        async with trio.open_nursery() as nursery:
            await start_services([("p", Bad())], nursery, pytest.fail)
            nursery.cancel_scope.cancel()
        assert nursery.cancel_scope.cancelled_caught
    (log,) = logs
    assert log["event"] == "a service raised and is gone"


@pytest.mark.parametrize("error", FATAL, ids=lambda error: type(error).__name__)
async def test_whatever_a_sink_raises_costs_nobody_else(autojump_clock, error):
    """It is left out and logged; the other gets everything."""

    class Bad(Recorder):
        async def handle(self, event):
            raise error

    bus, good = Bus(), Recorder()
    with capture_logs() as logs:
        async with trio.open_nursery() as nursery:
            await start_sinks([("p", Bad()), ("q", good)], bus, nursery)
            for n in range(3):
                bus.publish(Draining(at=0.0, grace=n))
                await trio.sleep(1)
            bus.close()
    assert good.got == [0, 1, 2]
    (log,) = logs
    assert (log["event"], log["plugin"]) == ("a sink raised and is left out", "p")
    assert repr(log["exc_info"]) == repr(error)
