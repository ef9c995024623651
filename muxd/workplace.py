"""Where runs get their workspaces from: what jobs keep between runs, and what they are given."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any, final

import structlog
import trio

from muxd.body.attachments import Attachments
from muxd.body.news import News
from muxd.body.progress import Progress, Reached
from muxd.body.secret import Keyring, find_secret
from muxd.body.unawaited import notice_unawaited
from muxd.secrets import SHORTEST, KnownSecrets
from muxd.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from muxd.abc import Lease
    from muxd.artifacts import Artifacts
    from muxd.body.memory import Memory
    from muxd.events import Event
    from muxd.record import Record
    from muxd.release import Release

__all__ = ["Workplace"]

TIDY_BOUND = 5.0
"""How long tidying up may take, seconds."""


@final
class Workplace:
    """One for all runs. Owned by who makes the `Runner`; without one a body has its page and no more."""

    def __init__(
        self,
        *,
        artifacts: Artifacts | None = None,
        memory: Memory | None = None,
        secrets: KnownSecrets | None = None,
        publish: Callable[[Event], object] = lambda _event: None,
        logs_news: bool = True,
        real_now: Callable[[], float] = time.time,
        in_thread: Callable[..., Awaitable[Any]] = trio.to_thread.run_sync,
    ) -> None:
        """Make one; nothing happens yet.

        Args:
          artifacts: where files of runs are kept; None: nowhere.
          memory: has what jobs save and know; None: they save nothing.
          secrets: what is masked; they become more when bodies ask for some.
          publish: is told what bodies have to say.
          logs_news: what they want people to know is logged too.
          real_now: Unix seconds.
          in_thread: like `trio.to_thread.run_sync`. A test in virtual time gives one that calls.
        """
        self._artifacts, self._memory, self._in_thread = artifacts, memory, in_thread
        self._publish, self._logs_news, self._real_now = publish, logs_news, real_now
        self.secrets = secrets if secrets is not None else KnownSecrets()
        """What is masked in all that is kept or told of runs."""
        self._keyring = Keyring()
        self._current: Workspace | None = None
        notice_unawaited()

    def progress_of(self, run_id: str) -> Reached | None:
        """How far the run in progress says that it is; None if it says nothing, and of any other."""
        current = self._current
        return current.progress.reached if current and current.record.id == run_id else None

    async def tidy(self) -> None:
        """Before the first run: remove what a muxd that died left unfinished. Bounded, never raises."""
        if self._artifacts is not None:
            with trio.move_on_after(TIDY_BOUND), contextlib.suppress(OSError):
                await self._in_thread(self._artifacts.clear_unfinished, abandon_on_cancel=True)

    async def begin(
        self, release: Release, record: Record, lease: Lease, bodies: trio.Nursery
    ) -> Workspace:
        """The workspace of a run that has its page. Bounded, and never raises for what the world does.

        `bodies`: where its tasks may live.
        """
        data = None if self._memory is None else await self._memory.begin(record.job, record.id)
        self._current = Workspace(
            release,
            record,
            lease,
            bodies,
            Progress(
                record,
                bodies,
                publish=self._publish,
                real_now=self._real_now,
                mask=self.secrets.mask,
            ),
            News(
                record.job,
                record.id,
                publish=self._publish,
                real_now=self._real_now,
                mask=self.secrets.mask,
                is_logged=self._logs_news,
            ),
            self.secret,
            None if self._artifacts is None else Attachments(self._artifacts, record.id),
            self._in_thread,
            data,
        )
        return self._current

    def secret(self, name: str) -> str:
        """A secret, wherever it is kept; it is masked from now on. See `muxd.Run.secret`."""
        value = find_secret(name, self._keyring)
        if len(value) < SHORTEST:
            structlog.get_logger().warning(
                "a secret is too short to be masked", secret=name, shortest=SHORTEST
            )
        self.secrets.learn(value)
        return value

    def ended(self, record: Record) -> None:
        """A run is recorded. Never blocks, never raises."""
        if self._memory is not None:
            self._memory.ended(record)
