"""What muxd can be asked over HTTP: the table of all operations.

Every answer is one JSON object, but for streams and files; errors are ``{"error": message}``. 404:
there is no such job or run; of jobs, ``known`` has those that there are. 422: the request can't be
granted, or is none. 500: muxd failed.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any

import trio
from starlette.responses import FileResponse, Response

from muxd.control import schemas
from muxd.control.field import Field
from muxd.control.logins import LOGINS
from muxd.control.operation import Answer, NotFound, Operation
from muxd.control.steer import NOTE, STEERING
from muxd.control.stream import event_stream
from muxd.errors import MuxdError
from muxd.record import Outcome, utc_text

if TYPE_CHECKING:
    from muxd.control.operation import Call
    from muxd.controlled import Controlled
    from muxd.record import Record

__all__ = ["OPERATIONS"]

UPCOMING, PAGE, MOST = 10, 100, 1_000
"""How many of the next releases, and of the jobs, are told if nobody says, and at most."""


PICTURES = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "webp": "image/webp",
}
"""The kinds of files that a browser shows, by their endings: of these nothing can be made to run."""


async def _status(call: Call) -> dict[str, Any]:
    return call.daemon.status(upcoming=call["next"])


async def _jobs(call: Call) -> dict[str, Any]:
    return call.daemon.jobs(after=call["after"], limit=call["limit"])


async def _run(call: Call) -> dict[str, Any] | Response:
    job, at = call["job"], None
    if call["in_gap"]:
        release, at = await call.daemon.request_in_gap(job, by=call.by)
    else:
        release = await call.daemon.request(job, by=call.by)
    if not call["wait"]:
        return {"id": release.id, "job": release.job.name, "at": utc_text(at)}
    try:
        record = await call.waited(call.daemon.wait_ended, release.id)
    except KeyError:
        message = f"run {release.id} of job {release.job.name!r} is not in the ledger"
        raise MuxdError(message) from None
    return Answer(record.as_dict())


async def _pause(call: Call) -> dict[str, Any]:
    note = call["note"] or "by a person"
    call.daemon.pause(call["job"], note, seconds=call["seconds"], by=call.by)
    return {"paused": [call["job"]]}


async def _resume(call: Call) -> dict[str, Any]:
    return {"resumed": list(call.daemon.resume(call.given.get("job"), by=call.by))}


async def _stop(call: Call) -> dict[str, Any]:
    grace = call.daemon.grace
    call.daemon.stop(at_once=call["at_once"], by=call.by)
    return {"stopping": True, "pid": os.getpid(), "grace": grace}


async def _events(call: Call) -> Response:
    return event_stream(call.daemon, call.lasting)


async def _health(call: Call) -> Response:
    found = call.daemon.health()
    return Answer(found, status_code=200 if found["state"] in ("ok", "ailing") else 503)


async def _runs(call: Call) -> dict[str, Any]:
    store, before = call.daemon.store, None
    if call["before"]:
        before = await store.get(call["before"])
        if before is None:
            raise NotFound(f"there is no run {call['before'][:100]!r}")
    found = await store.history(
        job=call["job"],
        outcome=Outcome(call["outcome"]) if call["outcome"] else None,
        since=call["since"],
        until=call["until"],
        before=before,
        limit=call["limit"] + 1,
    )
    page = found[: call["limit"]]
    more = len(found) > len(page)
    return {
        "runs": [record.as_dict() for record in page],
        "next": page[-1].id if more and page else None,
    }


async def _run_of(call: Call) -> Record:
    if call.given.get("wait"):
        with contextlib.suppress(KeyError):
            return await call.waited(call.daemon.wait_ended, call["run"])
    record = await call.daemon.store.get(call["run"])
    if record is None:
        raise NotFound(f"there is no run {call['run'][:100]!r}")
    return record


async def _one_run(call: Call) -> dict[str, Any]:
    record = await _run_of(call)
    files = await trio.to_thread.run_sync(_sizes, call.daemon, record.id)
    return record.as_dict() | {"files": files}


def _sizes(daemon: Controlled, run_id: str) -> list[dict[str, Any]]:
    found = []
    for name, path in daemon.evidence(run_id).items():
        with contextlib.suppress(OSError):  # pruned meanwhile
            found.append({"name": name, "size": path.stat().st_size})
    return found


async def _page(call: Call) -> Response:
    picture = await call.daemon.look(call["run"])
    if picture is None:
        return Response(status_code=204)
    return Response(picture, media_type="image/jpeg")


async def _file(call: Call) -> Response:
    record, name = await _run_of(call), call["file"]
    files = await trio.to_thread.run_sync(call.daemon.evidence, record.id)
    if name not in files:
        raise NotFound(f"run {record.id} has no file {name[:100]!r}")
    # A page that was seen is not to be trusted: it is never shown as one of muxd's own.
    picture = PICTURES.get(name.rpartition(".")[2].lower())
    return FileResponse(
        files[name],
        media_type=picture or "application/octet-stream",
        filename=f"{record.id}-{name}",
        content_disposition_type="inline" if picture else "attachment",
        headers={"Content-Security-Policy": "sandbox; default-src 'none'"},
    )


_NO_JOB = {404: "There is no such job."}
_NO_RUN = {404: "There is no such run, or no such file of it."}

OPERATIONS = (
    *STEERING,
    *LOGINS,
    Operation(
        name="getStatus",
        path="/v1/status",
        answer=_status,
        summary="How the daemon is: browser, what runs, waits and comes, totals, warnings.",
        query=[Field("next", "count", "How many of the next releases.", UPCOMING, 0, MOST)],
        schema=schemas.STATUS,
    ),
    Operation(
        name="listJobs",
        path="/v1/jobs",
        answer=_jobs,
        summary="A page of the jobs, by name.",
        query=[
            Field("after", "text", "The name that the page begins after.", "", 0, 1_000),
            Field("limit", "count", "How many jobs.", PAGE, 1, MOST),
        ],
        schema=schemas.JOBS,
    ),
    Operation(
        name="runJob",
        method="POST",
        path="/v1/jobs/{job}/run",
        answer=_run,
        status=202,
        summary="Ask for a run now, before everything that waits.",
        query=[
            Field("wait", "flag", "Answer with its record, once it has ended.", False),
            Field("in_gap", "flag", "Not now, but in the next gap of the timetable.", False),
        ],
        schema=schemas.ASKED,
        also={200: schemas.RECORD},
        errors=_NO_JOB,
    ),
    Operation(
        name="pauseJob",
        method="POST",
        path="/v1/jobs/{job}/pause",
        answer=_pause,
        summary="Pass over the slots of a job.",
        body=[
            Field("note", "text", "Why.", "", 0, NOTE),
            Field("seconds", "number", "For how long; null: until it is resumed.", None, 0, 1e9),
        ],
        schema=schemas.names("paused"),
        errors=_NO_JOB,
    ),
    Operation(
        name="resumeJob",
        method="POST",
        path="/v1/jobs/{job}/resume",
        answer=_resume,
        summary="Use the slots of a job again.",
        schema=schemas.names("resumed"),
        errors=_NO_JOB,
    ),
    Operation(
        name="resumeAll",
        method="POST",
        path="/v1/resume",
        answer=_resume,
        summary="End the pause of all jobs, and a drain; or, if there is neither, each job's own, but "
        "for those that wait for a login.",
        schema=schemas.names("resumed"),
    ),
    Operation(
        name="listRuns",
        path="/v1/runs",
        answer=_runs,
        summary="A page of the runs that have ended, newest end first.",
        query=[
            Field("job", "text", "Only this job's.", None, 1, 1_000),
            Field("outcome", "text", "Only those that ended so.", None, choices=[*Outcome]),
            Field("since", "number", "Only from then on, Unix seconds.", None, 0, 1e11),
            Field("until", "number", "Only before that, Unix seconds.", None, 0, 1e11),
            Field("before", "text", "The run that the page comes after: its id.", "", 0, 100),
            Field("limit", "count", "How many runs.", PAGE, 1, MOST),
        ],
        schema=schemas.RUNS,
        errors=_NO_RUN,
    ),
    Operation(
        name="getFile",
        path="/v1/runs/{run}/files/{file}",
        answer=_file,
        summary="A file that is kept of a run.",
        schema={},
        media_type="*/*",
        errors=_NO_RUN,
    ),
    Operation(
        name="getRun",
        path="/v1/runs/{run}",
        answer=_one_run,
        summary="The record of a run, and which files are kept of it.",
        query=[Field("wait", "flag", "Answer once it has ended.", False)],
        schema=schemas.RUN,
        errors=_NO_RUN,
    ),
    Operation(
        name="getPage",
        path="/v1/page.jpg",
        answer=_page,
        summary="What the page of the run in progress shows now; a new picture each second at most.",
        query=[Field("run", "text", "Only of this run: its id.", None, 1, 100)],
        schema={"type": "string", "format": "binary"},
        media_type="image/jpeg",
        also={204: {}},
    ),
    Operation(
        name="getHealth",
        path="/healthz",
        answer=_health,
        summary="Is all well; needs no token on the machine itself.",
        schema=schemas.HEALTH,
        is_open=True,
        errors={503: "It starts, it stops, or it is stuck."},
    ),
    Operation(
        name="followEvents",
        path="/v1/events",
        answer=_events,
        summary="All that happens from now on, as server-sent events.",
        schema={"type": "string"},
        media_type="text/event-stream",
    ),
    Operation(
        name="stop",
        method="POST",
        path="/v1/stop",
        answer=_stop,
        status=202,
        summary="Stop muxd: the run in progress may end within the grace.",
        body=[Field("at_once", "flag", "Cut the run in progress short.", False)],
        schema=schemas.STOPPING,
    ),
)
"""All of them; paths are tried in this order."""
