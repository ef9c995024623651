"""Changes to a set of jobs, tried before they are made."""

from __future__ import annotations

import difflib
from math import ceil
from typing import TYPE_CHECKING, Any

import attrs

from muxd.errors import UnknownJob, UserError
from muxd.units import DURATION_HELP, parse_duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .demand import Demand
    from .timetable import Timetable

__all__ = ["Difference", "changed", "difference", "without"]

_LONGEST = 366 * 86_400
_FIELDS = ("interval", "duration", "phase", "pinned", "priority")


def changed(demands: Sequence[Demand], change: str) -> list[Demand]:
    """The jobs after one change such as ``"job=feed interval=20m phase=5m"``.

    ``phase`` is the preferred phase, or ``none``; ``pinned`` is ``yes`` or ``no``.

    Raises:
        UserError: it is not of this form, or asks for something impossible.
        UnknownJob: there is no such job.
    """
    words = dict(_pair(word, change) for word in change.split())
    name = words.pop("job", None)
    if name is None:
        raise UserError(f"{change!r}: name the job, as in 'job=NAME interval=20m'")
    number = _position(demands, name)
    fields: dict[str, Any] = {}
    for field, text in words.items():
        fields |= _field(field, text, change)
    demand = demands[number]
    if fields.get("pinned", demand.pinned) and (
        fields.get("preferred_phase", demand.preferred_phase) is None
    ):
        raise UserError(f"{change!r}: a pinned job needs a phase: that is where it is pinned")
    result = list(demands)
    result[number] = attrs.evolve(demand, **fields)
    return result


def without(demands: Sequence[Demand], name: str) -> list[Demand]:
    """The jobs but one.

    Raises:
        UnknownJob: there is no such job.
    """
    number = _position(demands, name)
    return [*demands[:number], *demands[number + 1 :]]


def _position(demands: Sequence[Demand], name: str) -> int:
    for number, demand in enumerate(demands):
        if demand.name == name:
            return number
    raise UnknownJob(name, tuple(d.name for d in demands))


def _pair(word: str, change: str) -> tuple[str, str]:
    key, sign, value = word.partition("=")
    if not sign or not key or not value:
        raise UserError(f"{change!r}: {word!r} is not of the form FIELD=VALUE")
    return key, value


def _field(field: str, text: str, change: str) -> dict[str, Any]:
    match field:
        case "interval" | "duration":
            seconds = _seconds(field, text, change)
            if not 0 < seconds <= _LONGEST:
                raise UserError(f"{change!r}: {field} must be above 0 and at most 366 days")
            if field == "interval" and seconds != int(seconds):
                raise UserError(f"{change!r}: interval must be whole seconds")
            return {field: ceil(seconds)}
        case "phase":
            if text == "none":
                return {"preferred_phase": None}
            seconds = _seconds(field, text, change)
            if seconds != int(seconds):
                raise UserError(f"{change!r}: phase must be whole seconds")
            return {"preferred_phase": int(seconds)}
        case "pinned":
            if text not in ("yes", "no", "true", "false"):
                raise UserError(f"{change!r}: pinned must be yes or no, not {text!r}")
            return {"pinned": text in ("yes", "true")}
        case "priority":
            try:
                return {"priority": int(text)}
            except ValueError:
                raise UserError(
                    f"{change!r}: priority must be a whole number, not {text!r}"
                ) from None
    near = difflib.get_close_matches(field, _FIELDS, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(_FIELDS)}"
    raise UserError(f"{change!r}: {field!r} is not known: {hint}")


def _seconds(field: str, text: str, change: str) -> float:
    try:
        return parse_duration(text)
    except ValueError:
        raise UserError(f"{change!r}: {field} must be {DURATION_HELP}, not {text!r}") from None


@attrs.frozen(kw_only=True)
class Difference:
    """What another plan would change."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    moved: tuple[tuple[str, int, int], ...]
    """Name, phase before and phase after of each that is in both at the same interval."""
    min_gap: tuple[int, int]
    """Before and after, seconds."""
    utilisation: tuple[float, float]
    """Before and after."""


def difference(before: Timetable, after: Timetable) -> Difference:
    """Compare two timetables slot by slot."""
    return Difference(
        added=_only(after.phases, before.phases),
        removed=_only(before.phases, after.phases),
        moved=tuple(
            (slot.name, before.slot(slot.name).phase, slot.phase)
            for slot in after.slots
            if slot.name in before.phases
            and before.slot(slot.name).interval == slot.interval
            and before.slot(slot.name).phase != slot.phase
        ),
        min_gap=(before.min_gap, after.min_gap),
        utilisation=(before.utilisation, after.utilisation),
    )


def _only(names: Iterable[str], but: Iterable[str]) -> tuple[str, ...]:
    other = set(but)
    return tuple(name for name in names if name not in other)
