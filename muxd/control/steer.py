"""The operations by which muxd is steered, but for those of one job that are in `muxd.control.api`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from muxd.control import schemas
from muxd.control.field import Field
from muxd.control.operation import Answer, Operation
from muxd.record import utc_text

if TYPE_CHECKING:
    from starlette.responses import Response

    from muxd.control.operation import Call

__all__ = ["NOTE", "STEERING"]

NOTE = 1_000
"""How long a note may be, characters."""
_NO_JOB = {404: "There is no such job."}


async def _cancel(call: Call) -> dict[str, Any]:
    return await call.daemon.cancel(call["run"], by=call.by)


async def _skip(call: Call) -> dict[str, Any]:
    job = call["job"]
    if call["undo"]:
        return {"job": job, "at": None, "undone": call.daemon.unskip(job, by=call.by)}
    at = call.daemon.skip(job, call["note"], by=call.by)
    return {"job": job, "at": utc_text(at), "undone": False}


async def _forget_state(call: Call) -> dict[str, Any]:
    job = call["job"]
    return {"job": job, "forgotten": await call.daemon.forget_state(job, by=call.by)}


async def _pause(call: Call) -> dict[str, Any]:
    call.daemon.pause(None, call["note"], seconds=call["seconds"], by=call.by)
    return {"paused": ["*"]}


async def _drain(call: Call) -> dict[str, Any] | Response:
    call.daemon.drain(call["note"], by=call.by)
    if not call["wait"]:
        return {"drained": False}
    return Answer({"drained": await call.waited(call.daemon.wait_drained)})


async def _reload(call: Call) -> dict[str, Any]:
    return await call.daemon.reload(call["note"], by=call.by)


async def _restart(call: Call) -> dict[str, Any]:
    return await call.daemon.restart(at_once=call["at_once"], by=call.by)


async def _audit(call: Call) -> dict[str, Any]:
    return {"entries": await call.daemon.audit(limit=call["limit"])}


STEERING = (
    Operation(
        name="cancelRun",
        method="POST",
        path="/v1/runs/{run}/cancel",
        answer=_cancel,
        summary="End a run that waits or is in progress; a part of its id will do.",
        schema=schemas.CANCELLED,
        errors={404: "There is no such run."},
    ),
    Operation(
        name="skipRelease",
        method="POST",
        path="/v1/jobs/{job}/skip",
        answer=_skip,
        summary="Pass over the next release of a job by its slot, once.",
        body=[
            Field("note", "text", "Why.", "", 0, NOTE),
            Field("undo", "flag", "Don't pass over it after all.", False),
        ],
        schema=schemas.SKIPPED,
        errors=_NO_JOB,
    ),
    Operation(
        name="forgetState",
        method="POST",
        path="/v1/jobs/{job}/forget-state",
        answer=_forget_state,
        summary="Have the next run of a job begin without a state; of one that is gone, too.",
        schema=schemas.FORGOTTEN,
        errors={404: "This can't be the name of a job."},
    ),
    Operation(
        name="pauseAll",
        method="POST",
        path="/v1/pause",
        answer=_pause,
        summary="Pass over the slots of all jobs.",
        body=[
            Field("note", "text", "Why.", "", 0, NOTE),
            Field("seconds", "number", "For how long; null: until it is resumed.", None, 0, 1e9),
        ],
        schema=schemas.names("paused"),
    ),
    Operation(
        name="drain",
        method="POST",
        path="/v1/drain",
        answer=_drain,
        status=202,
        summary="Let nothing become a run any more; what waits is run.",
        query=[Field("wait", "flag", "Answer once nothing waits or runs.", False)],
        body=[Field("note", "text", "Why.", "", 0, NOTE)],
        schema=schemas.DRAINED,
        also={200: schemas.DRAINED},
    ),
    Operation(
        name="reload",
        method="POST",
        path="/v1/reload",
        answer=_reload,
        summary="Take over what changed in the configuration, the jobs directories and the plugins.",
        body=[Field("note", "text", "Why.", "", 0, NOTE)],
        schema=schemas.RELOADED,
    ),
    Operation(
        name="restart",
        method="POST",
        path="/v1/restart",
        answer=_restart,
        status=202,
        summary="Start muxd anew, in the next gap that is long enough for it.",
        body=[Field("at_once", "flag", "Don't wait for a gap.", False)],
        schema=schemas.RESTARTS,
    ),
    Operation(
        name="listAudit",
        path="/v1/audit",
        answer=_audit,
        summary="Who wanted what of muxd, newest first.",
        query=[Field("limit", "count", "How many entries.", 100, 1, 1_000)],
        schema=schemas.AUDIT,
    ),
)
"""All of them."""
