"""Is the daemon truly well? What only a new start would mend, apart from what it deals with itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, final

import attrs
import trio

from muxd.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from muxd.core import Core

__all__ = ["Checkup", "Health", "health_of"]

RUN_SLACK = 60.0
"""How much longer than its timeout a run may go on before it is stuck, seconds: muxd promises 10."""
PATIENCE = 120.0
"""How long what takes a moment may take before it is stuck, seconds. A page that will not open and the
launch of another browser are within it."""
LOOK_EVERY = 60.0
"""How often it is looked at least, seconds, so that one who asks once in a while learns what lasts."""
UNLUCKY = 60.0
"""How long there may be no browser, or a record unwritten, before it is worth a word, seconds."""


@attrs.frozen
class Health:
    """How the daemon is."""

    stuck: tuple[str, ...] = ()
    """What does not move any more and never will by itself: muxd should be started anew."""
    ailing: tuple[str, ...] = ()
    """What muxd tries to mend, and a person should know of."""


class _Symptom(NamedTuple):
    key: str
    """The same as long as it is the same trouble: any progress makes another of it."""
    bound: float
    """How long it may last before it counts, seconds."""
    words: str
    stuck: bool


@final
class Checkup:
    """Looks at a core now and then.

    How long something lasts is counted from the look that first saw it, on the monotonic clock: so
    neither a step of the wall clock nor a machine that slept makes anything look stuck.
    """

    def __init__(self, core: Core) -> None:
        """Nothing was seen yet. `core`: assembled."""
        self._core = core
        self._since: dict[str, float] = {}  # {key of a symptom: when it was first seen}

    def look(self) -> Health:
        """How it is now. Never blocks; constant time."""
        now, symptoms = trio.current_time(), list(self._symptoms())
        self._since = {each.key: self._since.get(each.key, now) for each in symptoms}
        counted = [each for each in symptoms if now - self._since[each.key] >= each.bound]
        return Health(
            stuck=tuple(each.words for each in counted if each.stuck),
            ailing=tuple(each.words for each in counted if not each.stuck),
        )

    async def look_now_and_then(self, beat: Callable[[], Awaitable[object]]) -> None:
        """Look until cancelled, whoever else does: what began is then known to have.

        Args:
          beat: returns when muxd is awake anyway. It is looked then, and every minute at least.
        """
        while True:
            self.look()
            with trio.move_on_after(LOOK_EVERY):
                await beat()

    def _symptoms(self) -> Iterator[_Symptom]:
        core = self._core
        running, scheduler = core.book.running, core.scheduler
        if scheduler is None:
            return
        if running is not None and running.job in scheduler.jobs:
            timeout = scheduler.jobs[running.job].timeout
            words = (
                f"a run of {running.job!r} does not end; its timeout is {format_duration(timeout)}"
            )
            yield _Symptom(f"run {running.id}", timeout + RUN_SLACK, words, stuck=True)
        yield from self._ailments()
        if core.stopping.is_set():
            return
        yield from self._left_lying()
        if core.overdue > 0:
            words = "the next release is due and is not made"
            yield _Symptom(f"due {scheduler.next_instant}", PATIENCE, words, stuck=True)

    def _left_lying(self) -> Iterator[_Symptom]:
        """A release that nobody takes, although there is a browser and nothing else is done."""
        core = self._core
        browser = core.supervisor.current
        if core.book.running is not None or browser is None or core.worker.retired is not None:
            return
        held = core.holding.held if core.holding else ()
        if core.book.waits(but={release.id for release in held}):
            key = f"waits {core.supervisor.launched} {core.worker.runs}"
            yield _Symptom(key, PATIENCE, "runs wait, and none is begun", stuck=True)

    def _ailments(self) -> Iterator[_Symptom]:
        core = self._core
        if core.supervisor.current is None:
            words = f"there is no browser: {core.supervisor.last_loss or 'none came up'}"
            yield _Symptom("no browser", UNLUCKY, words, stuck=False)
        if unwritten := core.book.unwritten:
            words = f"{len(unwritten)} records can't be written to the ledger yet"
            yield _Symptom(f"unwritten {unwritten[0].id}", UNLUCKY, words, stuck=False)
        if core.holding is not None and (shortage := core.holding.shortage) is not None:
            yield _Symptom("short", 0.0, str(shortage), stuck=False)


def health_of(core: Core, health: Health) -> dict[str, Any]:
    """How the daemon is, as one JSON object with stable keys.

    Args:
      core: assembled.
      health: as last seen.
    """
    state = core.phase
    if state == "running":
        state = "stuck" if health.stuck else "ailing" if health.ailing else "ok"
    elif health.stuck:
        state = "stuck"
    running, browser = core.book.running, core.supervisor.current
    return {
        "state": state,
        "stuck": list(health.stuck),
        "ailing": list(health.ailing),
        "browser_up": browser is not None,
        "running": running.job if running else None,
        "waiting": len(core.waiting()),
        "overdue": round(core.overdue, 3),
        "unwritten": len(core.book.unwritten),
    }
