"""JSON Schemas of single values: of muxd's durations and sizes, of a job's fields, and of types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from muxd.job import LONGEST, Misfire, OnInterrupt, Overlap, Priority
from muxd.readers import limits_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["DURATION", "JOB_FIELDS", "NAME", "SIZE", "Schema", "duration", "limited", "list_of"]

Schema = dict[str, Any]

DURATION = (
    r"^\s*(\+?(\d[\d_]*\.?\d*|\.\d+)([eE][+-]?\d+)?"
    r"|(\d+(\.\d+)?\s*(ms|s|m|h|d|w)\s*)+"
    r"|[Pp]([\d.]+[WwDd])*([Tt]([\d.]+[HhMmSs])+)?)\s*$"
)
SIZE = r"^\s*\d+(\.\d+)?\s*([kKmMgGtT][iI]?)?[bB]?\s*$"
NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$"
"""Of jobs and sessions."""


def duration(low: float = 0, high: float | None = None) -> Schema:
    """A duration: as a text it has its form, and as a number its limits."""
    number: Schema = {"type": "number", "minimum": low}
    if high is not None:
        number["maximum"] = high
    return {"anyOf": [number, {"type": "string", "pattern": DURATION}]}


def limited(read: Callable[[object], Any]) -> Schema:
    """What a reader of `muxd.readers` takes; anything, if that is not known."""
    kind, limits = limits_of(read) or ("", {})
    if kind in ("duration", "size"):
        text = {"type": "string", "pattern": DURATION if kind == "duration" else SIZE}
        return {"anyOf": [{"type": "number", **limits}, text]}
    return {"type": kind, **limits} if kind else {}


def list_of(items: Schema) -> Schema:
    """A list of such."""
    return {"type": "array", "items": items}


def _words(words: Any) -> Schema:
    return {"type": "string", "enum": list(words)}


JOB_FIELDS: Mapping[str, Schema] = {
    "enabled": {"type": "boolean"},
    "interval": duration(1, LONGEST),
    "preferred_phase": duration(0, LONGEST),
    "pinned": {"type": "boolean"},
    "duration": duration(0, LONGEST),
    "priority": {
        "anyOf": [
            _words(Priority.__members__),
            {"type": "integer", "minimum": -1000, "maximum": 1000},
        ]
    },
    "timeout": duration(0, 86_400),
    "session": {"type": "string", "pattern": NAME},
    "retries": {"type": "integer", "minimum": 0, "maximum": 20},
    "retry_on": list_of({"type": "string"}),
    "on_interrupt": _words(OnInterrupt),
    "overlap": _words(Overlap),
    "misfire": _words(Misfire),
    "expects_result": {"type": "boolean"},
    "idempotent": {"type": "boolean"},
    "block": list_of({"type": "string", "minLength": 1}),
    "needs_login": {"type": "string", "minLength": 1, "maxLength": 1000},
    "config": {"type": "object"},
    "description": {"type": "string"},
}
"""What may stand in ``[jobs.NAME]``, key by key."""
