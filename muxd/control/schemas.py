"""What is answered, as JSON Schema 2020-12: what clients may rely on. There may be more in it."""

from __future__ import annotations

from typing import Any

__all__ = [
    "ASKED",
    "AUDIT",
    "CANCELLED",
    "DRAINED",
    "ERROR",
    "FORGOTTEN",
    "HEALTH",
    "JOBS",
    "LOGIN",
    "LOGIN_PAGE",
    "RECORD",
    "RELOADED",
    "RESTARTS",
    "RUN",
    "RUNS",
    "SKIPPED",
    "STATUS",
    "STOPPING",
    "names",
]


def _object(required: dict[str, Any], **optional: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": required | optional,
        "required": list(required),
    }


def _list(item: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": item}


def _or_null(kind: str, **more: Any) -> dict[str, Any]:
    return {"type": [kind, "null"], **more}


TEXT, FLAG = {"type": "string"}, {"type": "boolean"}
COUNT, NUMBER = {"type": "integer", "minimum": 0}, {"type": "number"}
INSTANT = {"type": "string", "format": "date-time"}
INSTANT_OR_NULL = _or_null("string", format="date-time")


def names(key: str) -> dict[str, Any]:
    """Of an answer that lists names of jobs."""
    return _object({key: _list(TEXT)})


ERROR = _object({"error": TEXT}, known=_list(TEXT), missing=FLAG)
RECORD = _object(
    {
        "id": TEXT,
        "job": TEXT,
        "outcome": _or_null("string"),
        "released_at": INSTANT,
        "started_at": INSTANT_OR_NULL,
        "ended_at": INSTANT_OR_NULL,
    }
)
_PROGRESS = _object(
    {"done": {"type": "number", "minimum": 0}, "total": _or_null("number"), "text": TEXT}
)
_RUNNING = {
    "allOf": [RECORD, _object({"progress": {"anyOf": [_PROGRESS, {"type": "null"}]}})],
}
ASKED = _object({"id": TEXT, "job": TEXT})
CANCELLED = _object({"was": TEXT, "run": RECORD})
SKIPPED = _object({"job": TEXT, "at": INSTANT_OR_NULL, "undone": FLAG})
FORGOTTEN = _object({"job": TEXT, "forgotten": FLAG})
DRAINED = _object({"drained": FLAG})
RESTARTS = _object({"at": INSTANT, "length": _or_null("number")})
_ENTRY = {"at": INSTANT, "by": TEXT, "action": TEXT, "target": TEXT, "result": TEXT}
AUDIT = _object({"entries": _list(_object(_ENTRY))})
_PLACED = _object(
    {
        "job": TEXT,
        "plugin": TEXT,
        "interval": NUMBER,
        "phase": NUMBER,
        "duration": NUMBER,
        "next_at": INSTANT_OR_NULL,
    }
)
RELOADED = _object(
    {
        "added": _list(_PLACED),
        "removed": _list(TEXT),
        "changed": _list({"allOf": [_PLACED, _object({"what": _list(TEXT)})]}),
        "moved": _list({"allOf": [_PLACED, _object({"before": NUMBER})]}),
        "cancelled": _list(TEXT),
        "problems": _list(TEXT),
        "warnings": _list(TEXT),
        "settings": _list(TEXT),
        "needs_restart": _list(TEXT),
    }
)
STOPPING = _object({"stopping": FLAG, "pid": COUNT, "grace": NUMBER})
JOBS = _object(
    {
        "jobs": _list(
            _object(
                {
                    "name": TEXT,
                    "plugin": _or_null("string"),
                    "interval": NUMBER,
                    "phase": NUMBER,
                    "duration": NUMBER,
                    "next_at": INSTANT_OR_NULL,
                    "paused": _or_null("string"),
                }
            )
        ),
        "total": COUNT,
        "timezone": TEXT,
        "next": _or_null("string"),
    }
)
STATUS = _object(
    {
        "pid": COUNT,
        "state": {"type": "string", "enum": ["starting", "running", "draining"]},
        "started_at": INSTANT_OR_NULL,
        "speed": NUMBER,
        "timezone": TEXT,
        "browser": _object({"up": FLAG, "generation": COUNT}),
        "running": {"anyOf": [_RUNNING, {"type": "null"}]},
        "waiting": _list(_object({"id": TEXT, "job": TEXT})),
        "waiting_total": COUNT,
        "upcoming": _list(_object({"job": TEXT, "at": INSTANT})),
        "paused": _list(_object({"job": TEXT, "note": TEXT})),
        "paused_total": COUNT,
        "runs": _object({"by_outcome": {"type": "object", "additionalProperties": COUNT}}),
        "timetable": _object({"jobs": COUNT, "feasible": FLAG, "utilisation": NUMBER}),
    }
)
HEALTH = _object(
    {
        "state": {"type": "string", "enum": ["ok", "ailing", "stuck", "starting", "draining"]},
        "stuck": _list(TEXT),
        "ailing": _list(TEXT),
    }
)
LOGIN = _object(
    {
        "id": TEXT,
        "session": TEXT,
        "state": {"type": "string", "enum": ["waiting", "open", "saving", "ended"]},
        "outcome": _or_null("string"),
        "said": _or_null("string"),
        "resumed": _list(TEXT),
    }
)
LOGIN_PAGE = {"allOf": [LOGIN, _object({"page": TEXT, "sessions": _list(TEXT)})]}
RUNS = _object({"runs": _list(RECORD), "next": _or_null("string")})
_FILES = {"files": _list(_object({"name": TEXT, "size": COUNT}))}
RUN = {"allOf": [RECORD, _object(_FILES)]}
