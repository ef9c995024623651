"""The half of a daemon by which it is steered."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

import trio

from muxd.audit import AuditTrail, read_trail
from muxd.companions import start_services, start_sinks
from muxd.controlled import Controlled
from muxd.errors import LedgerError, UserError
from muxd.record import utc_text
from muxd.steering import MUXD, Steering

if TYPE_CHECKING:
    from collections.abc import Sequence

    from muxd.body.memory import Memory
    from muxd.bus import Bus
    from muxd.companions import Served
    from muxd.core import Core
    from muxd.events import Event
    from muxd.plugins import Plugins
    from muxd.pulse import Pulse
    from muxd.release import Release
    from muxd.reload import Reloader
    from muxd.restarting import Gap, RestartGap
    from muxd.state import StateDir

__all__ = ["Helm"]

LASTING = frozenset(("muxd_store", "muxd_sinks", "muxd_services", "muxd_launch_options"))
"""The hooks that are called once in a daemon's life."""


class Helm(Controlled):
    """What people can have the daemon do: each is in the audit trail."""

    core: Core
    bus: Bus[Event]
    state: StateDir
    pulse: Pulse | None
    trail: AuditTrail
    """Who wanted what."""
    steering: Steering
    memory: Memory
    """What jobs know from run to run."""
    reloader: Reloader
    restart_gap: RestartGap
    outer: trio.Nursery
    """For what lives as long as the daemon."""
    beside: trio.Nursery
    """For the plugins' services."""
    told: trio.Nursery
    """For the plugins' sinks."""
    served: Served
    """What the plugins' services have to be seen."""

    async def request(self, job: str, *, by: str) -> Release:
        """Have a run of this job now, before everything that waits."""
        return await self.steering.request(job, by=by)

    async def request_in_gap(self, job: str, *, by: str) -> tuple[Release, float | None]:
        """Have a run of this job in the next gap; when that is."""
        return await self.steering.request_in_gap(job, by=by)

    async def cancel(self, run: str, *, by: str) -> dict[str, Any]:
        """End a run that has not ended."""
        return (await self.steering.cancel(run, by=by)).as_dict()

    def skip(self, job: str, note: str = "", *, by: str) -> float:
        """Pass over the next release of a job by its slot, once."""
        return self.steering.skip(job, note, by=by)

    def unskip(self, job: str, *, by: str) -> bool:
        """Don't pass over it after all."""
        return self.steering.unskip(job, by=by)

    async def forget_state(self, job: str, *, by: str) -> bool:
        """Have the next run of a job begin without a state."""
        with self.trail.of(by, "forget-state", job) as told:
            gone = await self.memory.forget(job)
            told.result = "done" if gone else "there was none"
        return gone

    def pause(self, job: str | None, note: str, *, seconds: float | None, by: str) -> None:
        """Pause a job, or all."""
        self.steering.pause(job, note, seconds=seconds, by=by)

    def resume(self, job: str | None, *, by: str) -> Sequence[str]:
        """End the pause of a job; or of the whole muxd, and a drain; or, if neither is, of all jobs."""
        return self.steering.resume(job, by=by)

    def drain(self, note: str = "", *, by: str) -> None:
        """Let nothing become a run any more; what waits is run."""
        self.steering.drain(note, by=by)

    async def wait_drained(self) -> bool:
        """Wait until no run waits and none is in progress; False if the drain ends before."""
        return await self.steering.wait_drained()

    async def reload(self, note: str = "", *, by: str) -> dict[str, Any]:
        """Take over what changed in the configuration, the jobs directories and the plugins."""
        with self.trail.of(by, "reload", MUXD) as told:
            changes = await self.reloader.reload()
            numbers = {
                what: len(changes[what]) for what in ("added", "removed", "changed", "moved")
            }
            told.result = f"{note}: " if note else ""
            told.result += ", ".join(f"{count} {what}" for what, count in numbers.items())
            if changes["problems"]:
                told.result += f"; {'; '.join(changes['problems'])}"
        return changes

    async def restart(self, *, at_once: bool = False, by: str) -> dict[str, Any]:
        """Have another daemon in place of this one, in a gap or at once; when."""
        with self.trail.of(by, "restart", MUXD) as told:
            if self.core.stopping.is_set():
                raise UserError("muxd is stopping")
            if self.pulse is None:
                raise UserError(
                    "nobody would start muxd again, since daemon.restart is off: stop it and start "
                    "it again, or have your service manager do that"
                )
            await self.reloader.check()
            gap = None if at_once else self.restart_gap.find()
            at = time.time() if gap is None else gap.at
            told.result = "now" if gap is None else f"in a gap at {utc_text(at)}"
        waits = self.restart_gap.waits_for is not None
        if gap is None or not waits:
            self.restart_gap.waits_for = at
        if gap is None:
            self._restart()
        elif not waits:
            self.outer.start_soon(self._restart_in, gap)
        return {"at": utc_text(at), "length": None if gap is None else round(gap.length, 3)}

    def stop(self, *, at_once: bool = False, by: str = "") -> None:
        """Begin to stop. `at_once`: the run in progress does not get its grace. Never blocks."""
        if self.pulse is not None:
            self.pulse.stopping()
        self.core.restarting = False
        self.trail.add(by or "muxd", "stop", MUXD, "at once" if at_once else "in order")
        self.core.stop(at_once=at_once)

    async def audit(self, *, limit: int = 100) -> list[dict[str, Any]]:
        """The newest entries of the audit trail, newest first."""
        read = partial(read_trail, self.state.root, limit)
        try:
            return await trio.to_thread.run_sync(read, abandon_on_cancel=True)
        except OSError as error:
            raise LedgerError(f"the audit trail can't be read: {error}") from None

    async def _restart_in(self, gap: Gap) -> None:
        await self.restart_gap.wait(gap)
        self._restart()

    def _restart(self) -> None:
        if self.core.stopping.is_set():
            return
        assert self.pulse is not None
        self.pulse.restarting()
        self.core.restarting = True
        self.core.stop()

    async def start_new(self, plugins: Plugins, before: Plugins) -> list[str]:
        """Start the sinks and services of plugins that are new; what only a restart would do."""
        active = {plugin.name for plugin in before.found if plugin.state == "active"}
        here = {plugin.name for plugin in plugins.found if plugin.state == "active"}
        new = here - active
        # Asked for both before anything is started: what is wrong with a section is a refusal.
        sinks, services = plugins.sinks(only=new), plugins.services(self, only=new)
        same = [
            plugin.name
            for plugin in plugins.found
            if plugin.name in here & active
            and plugins.is_as_before(plugin.name, before, ["muxd_page_wrappers"])
        ]
        wrappers = plugins.page_wrappers(only=here - {*same})
        await start_sinks(sinks, self.bus, self.told)

        def leave_out(plugin: str, cause: Exception) -> None:
            plugins.leave_out(plugin, "muxd_services", cause)

        await start_services(services, self.beside, leave_out, self.served)
        self.core.wrappers.replace(wrappers, kept=same)
        later = [
            f"what plugin {plugin.name!r} gives by muxd_launch_options"
            for plugin in plugins.found
            if plugin.name in new and "muxd_launch_options" in plugin.hooks
        ]
        for plugin in before.found:
            lasting = LASTING & set(plugin.hooks)
            as_before = plugins.is_as_before(plugin.name, before, lasting)
            if plugin.name in active and lasting and not as_before:
                gives = f"plugin {plugin.name!r} gives by {', '.join(sorted(lasting))}"
                gone = plugin.name not in here
                later.append(f"the end of what {gives}" if gone else f"what {gives}")
        return later
