"""How the dashboard says times, sizes and outcomes."""

from __future__ import annotations

from datetime import datetime, tzinfo
from typing import TYPE_CHECKING, Any, final
from urllib.parse import quote

from muxd.sizes import format_size
from muxd.units import format_duration, format_share

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Almanac", "duration", "every", "link", "share", "size", "unix"]


def duration(seconds: float | None) -> str:
    """For people: as exactly as it matters."""
    if seconds is None:
        return "\N{EN DASH}"
    sign, seconds = ("-" if seconds < 0 else ""), abs(seconds)
    if seconds < 9.95:
        return f"{sign}{seconds:.1f}s".replace(".0s", "s")
    whole = round(seconds)
    if whole < 60:
        return f"{sign}{whole}s"
    if whole < 3600:
        return f"{sign}{whole // 60}m {whole % 60:02d}s"
    if whole < 86_400:
        return f"{sign}{whole // 3600}h {whole % 3600 // 60:02d}m"
    return f"{sign}{whole // 86_400}d {whole % 86_400 // 3600:02d}h"


def every(seconds: float) -> str:
    """An interval or a phase, exactly."""
    return format_duration(seconds)


def size(count: float | None) -> str:
    """Of memory or a file."""
    return "\N{EN DASH}" if count is None else format_size(round(count))


def share(progress: Mapping[str, Any]) -> str:
    """How far a run says that it is."""
    return format_share(progress["done"], progress["total"])


def link(text: str) -> str:
    """As one part of a path."""
    return quote(text, safe="", errors="replace")


def unix(text: str | None) -> float | None:
    """An instant of the daemon's documents, Unix seconds."""
    return None if text is None else datetime.fromisoformat(text).timestamp()


@final
class Almanac:
    """Says instants in the timetable's time: its zone, and in a rehearsal its speed."""

    def __init__(
        self, zone: tzinfo, *, now: float, timetable_now: float, speed: float, begun: float = 0.0
    ) -> None:
        """Make one for this moment.

        Args:
          zone: the timetable's.
          now: real Unix seconds.
          timetable_now: what the timetable's clock shows then.
          speed: how much faster than real time that runs.
          begun: since when, real Unix seconds. What was before it had real time.
        """
        self.zone, self.now, self.speed = zone, now, speed
        self.timetable_now, self._begun = timetable_now, begun

    def shown(self, real: float) -> float:
        """What the timetable's clock shows at a real instant, if nothing jumps."""
        return self.timetable_now + (real - self.now) * self.speed

    def real(self, shown: float) -> float:
        """When the timetable's clock shows this."""
        return self.now + (shown - self.timetable_now) / self.speed

    def local(self, shown: float) -> datetime:
        """In the timetable's zone."""
        return datetime.fromtimestamp(shown, self.zone)

    def clock(self, real: float | None, *, seconds: bool = True) -> str:
        """The time of day, with the date if it isn't today's; what is given is a real instant."""
        if real is None:
            return "\N{EN DASH}"
        before = self.speed != 1 and real < self._begun
        moment = self.local(real if before else self.shown(real))
        today = self.local(self.timetable_now)
        text = moment.strftime("%H:%M:%S" if seconds else "%H:%M")
        return text if moment.date() == today.date() else f"{moment:%-d %b} {text}"

    def midnight(self) -> float:
        """When this day of the timetable began, the timetable's Unix seconds."""
        today = self.local(self.timetable_now)
        return today.replace(hour=0, minute=0, second=0, microsecond=0, fold=0).timestamp()
