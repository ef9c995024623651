"""What runs beside the jobs: the plugins' sinks and services."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import attrs
import structlog
import trio

from muxd.bus import EventsLost
from muxd.hints import shown
from muxd.links import PageLink
from muxd.performance import split

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from starlette.routing import BaseRoute

    from muxd.abc import Service, Sink
    from muxd.bus import Bus
    from muxd.events import Event

__all__ = ["Served", "start_services", "start_sinks"]

SERVICE_BOUND = 30.0
"""How long a service may take to start, seconds."""


@attrs.define
class Served:
    """What services have to be seen over HTTP. It grows when further ones start."""

    routes: list[BaseRoute] = attrs.field(factory=list)
    links: list[PageLink] = attrs.field(factory=list)


async def start_sinks(
    sinks: Iterable[tuple[str, Sink]], bus: Bus[Event], nursery: trio.Nursery
) -> None:
    """Have each sink told of every event from now on, until the bus is closed and drained.

    One that raises, whatever that is, is logged and told no more.
    """
    for plugin, sink in sinks:
        await nursery.start(partial(_feed, sink, plugin, bus), name=f"sink {sink.name}")


async def _feed(
    sink: Sink,
    plugin: str,
    bus: Bus[Event],
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    with bus.subscribe(sink.name) as events:
        task_status.started()
        async for event in events:
            if isinstance(event, EventsLost):
                structlog.get_logger().warning(
                    "a sink is too slow", sink=sink.name, plugin=plugin, events_lost=event.count
                )
                continue
            try:
                await sink.handle(event)
            except BaseException as error:
                # Also asyncio's cancellation or an exit, which would end muxd without a word.
                own, cancelled = split(error)
                if own is not None:
                    structlog.get_logger().error(
                        "a sink raised and is left out",
                        sink=sink.name,
                        plugin=plugin,
                        exc_info=own,
                    )
                if cancelled is not None:
                    raise cancelled from None
                return


async def start_services(
    services: Iterable[tuple[str, Service]],
    nursery: trio.Nursery,
    failed: Callable[[str, Exception], object],
    served: Served | None = None,
) -> None:
    """Start each service and wait until it has started.

    Args:
      services: each with its plugin's name.
      nursery: where they live; cancel it to end them.
      failed: is told of each plugin with a service that did not start within `SERVICE_BOUND`, and
        why; its further services are not started.
      served: gets the routes and the links to pages of those that have.
    """
    broken: set[str] = set()
    for plugin, service in services:
        if plugin in broken:
            continue
        try:
            with trio.fail_after(SERVICE_BOUND):
                serve = partial(_serve, service, plugin)
                await nursery.start(serve, name=f"service {service.name}")
            if served is not None:
                routes, links = list(service.routes), list(map(_link, service.pages))
                served.routes += routes
                served.links += links
            continue
        except trio.TooSlowError:
            error: Exception = TimeoutError(
                f"service {service.name!r} did not start in {SERVICE_BOUND:g} s"
            )
        except Exception as raised:
            error = raised
        broken.add(plugin)
        failed(plugin, error)


def _link(link: object) -> PageLink:
    if not isinstance(link, PageLink):
        raise TypeError(f"its pages are muxd.abc.PageLink, not {shown(link)}")
    return link


async def _serve(service: Service, plugin: str, *, task_status: trio.TaskStatus[None]) -> None:
    """Run the service. What it raises once it has started is logged; before that, raised.

    Whatever it raises: only muxd's own cancellation of it goes further.
    """
    started = False

    class Status:
        def started(self, value: None = None) -> None:
            nonlocal started
            started = True
            task_status.started(value)

    log = structlog.get_logger().bind(service=service.name, plugin=plugin)
    try:
        await service.run(task_status=Status())
        if not started:
            raise RuntimeError("it returned without calling task_status.started()")
        log.warning("a service has ended")
    except BaseException as error:
        own, cancelled = split(error)
        if own is not None and (started or cancelled is not None):
            log.error("a service raised and is gone", exc_info=own)
        elif own is not None:
            raise RuntimeError(f"it raised {own!r}") from own
        if cancelled is not None:
            raise cancelled from None
