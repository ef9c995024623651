"""What a watch remembers from one run to the next.

Texts and pictures may be large: they are rows of a table of the job's, three places that are used in
turn. Which of them counts is in its state, and that is kept only if the run ends well: whatever becomes
of a run, what was remembered before it is still there.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import attrs

from muxd_watch.looking import Seen

if TYPE_CHECKING:
    from muxd import Run
    from muxd_watch.options import WatchOptions

__all__ = ["Memory", "Pending"]

TABLE = "seen"
PLACES = ("a", "b", "c")
_SHAPE = ("url", "what", "select", "attribute", "mask", "ignore", "viewport", "decimal")


@attrs.frozen
class Pending:
    """A change that has been seen, but not often enough."""

    verdict: str
    times: int
    place: str = ""
    """Where its picture is."""


@attrs.define
class Memory:
    """That of one job, for one run."""

    run: Run
    options: WatchOptions

    async def before(self) -> Seen | None:
        """What was seen when it last counted; None: this watch has not looked yet, or for other things."""
        state = self.run.state
        if state.get("shape") != self._shape():
            return None
        place = state.get("place")
        number = state.get("number")
        is_there = bool(state.get("is_there"))
        if not place:
            return Seen(number=number, is_there=is_there)
        return await self._recall(place)

    @property
    def told(self) -> float | None:
        """The number that was last told, or the first one."""
        told: float | None = self.run.state.get("told")
        return told

    @property
    def pending(self) -> Pending | None:
        """The change that is to be confirmed."""
        pending = self.run.state.get("pending")
        return Pending(**pending) if pending else None

    async def pending_seen(self) -> Seen | None:
        """The picture of the change that is to be confirmed."""
        pending = self.pending
        return await self._recall(pending.place) if pending and pending.place else None

    async def keep(self, now: Seen, *, told: bool = False) -> None:
        """From now on this is what counts; `told`: and people know of it."""
        state = self.run.state
        place = await self._put(now)
        state["shape"], state["place"], state["pending"] = self._shape(), place, None
        state["is_there"], state["number"] = now.is_there, now.number
        if now.number is not None and (told or state.get("told") is None):
            state["told"] = now.number

    async def wait_for(self, verdict: str, times: int, now: Seen) -> None:
        """The change has been seen so many times."""
        place = await self._put(now) if now.picture is not None else ""
        self.run.state["pending"] = attrs.asdict(Pending(verdict, times, place))

    def forget_pending(self) -> None:
        """It was nothing."""
        if self.run.state.get("pending"):
            self.run.state["pending"] = None

    async def _recall(self, place: str) -> Seen | None:
        for row in await self.run.data.rows(TABLE, limit=None):
            if row["place"] == place:
                is_there = row["picture"] is not None or row["text"] is not None
                return Seen(text=row["text"], picture=row["picture"], is_there=is_there)
        return None  # somebody has deleted the data: it is begun anew

    async def _put(self, seen: Seen) -> str:
        """Put it where nothing is that counts; gives where."""
        if (
            seen.text is None
            and seen.picture is None
            and self.options.what not in ("text", "visual")
        ):
            return ""
        used = {self.run.state.get("place"), (self.run.state.get("pending") or {}).get("place")}
        place = next(each for each in PLACES if each not in used)
        row = {"place": place, "text": seen.text, "picture": seen.picture}
        await self.run.save([row], key="place", table=TABLE)
        return place

    def _shape(self) -> str:
        """Changes with the options that say what is looked at."""
        told = [str(getattr(self.options, name)) for name in _SHAPE]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]
