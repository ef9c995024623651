"""What happens in the daemon, told to sinks as frozen facts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from muxd.pause import Pause
from muxd.record import Record, utc_text

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "AllPaused",
    "AllResumed",
    "BrowserDown",
    "BrowserUp",
    "ClockJumped",
    "Draining",
    "Event",
    "EventsMissing",
    "JobNews",
    "JobPaused",
    "JobResumed",
    "LoginNeeded",
    "Notified",
    "PlanMade",
    "Reloaded",
    "Reloading",
    "ResourcesFine",
    "ResourcesLow",
    "RunEnded",
    "RunLogged",
    "RunProgress",
    "RunReleased",
    "RunStarted",
    "Started",
    "Steered",
    "WebOpened",
]

TITLE, TEXT, URL, FILES = 200, 4_000, 2_000, 10
"""How long news of jobs are at most: characters, and files."""


@attrs.frozen(kw_only=True)
class Event:
    """The root of all events."""

    at: float
    """When it happened, real Unix seconds."""

    @property
    def name(self) -> str:
        """What it is called where there are no classes: ``run_ended`` for `RunEnded`."""
        return "".join("_" + c.lower() if c.isupper() else c for c in type(self).__name__)[1:]

    def as_dict(self) -> dict[str, Any]:
        """For JSON: ``at`` in ISO 8601 UTC, ``event``, its name, and its fields."""
        fields = attrs.asdict(self, recurse=False)
        told: dict[str, Any] = {"at": utc_text(fields.pop("at")), "event": self.name}
        for name, value in fields.items():
            told[name] = value.as_dict() if isinstance(value, Record | Pause) else value
        return told


@attrs.frozen(kw_only=True)
class EventsMissing(Event):
    """Stands where events are missing, because they were not taken as fast as they came."""

    count: int
    """How many, 1 or more."""


@attrs.frozen(kw_only=True)
class Started(Event):
    """The daemon is up: the first release may come."""

    jobs: int
    """How many jobs are on the timetable."""
    speed: float
    """How much faster than real time the timetable runs."""


@attrs.frozen(kw_only=True)
class WebOpened(Event):
    """The dashboard can be opened."""

    url: str
    """Where it is, without the token."""


@attrs.frozen(kw_only=True)
class PlanMade(Event):
    """A timetable is in force."""

    feasible: bool
    """True if no two slots collide."""
    min_gap: float
    """The smallest gap between two slots, seconds; negative where they collide."""
    utilisation: float
    """The share of the browser's time that the slots ask for, 0 to 1 or more."""
    warnings: tuple[str, ...]
    moved: tuple[str, ...] = ()
    """The jobs whose phases are others than before."""


@attrs.frozen(kw_only=True)
class RunReleased(Event):
    """A run waits in the channel."""

    record: Record


@attrs.frozen(kw_only=True)
class RunStarted(Event):
    """A run has the browser."""

    record: Record


@attrs.frozen(kw_only=True)
class RunProgress(Event):
    """The run in progress has said how far it is; once a second at most."""

    job: str
    run: str
    """Its id."""
    done: float
    """How much is done, 0 or more."""
    total: float | None
    """Of how much, `done` or more; None: not known."""
    text: str
    """What it is doing, in one line; may be empty."""


@attrs.frozen(kw_only=True)
class RunLogged(Event):
    """The run in progress has logged something: told once after each time that its log was read.

    So nobody hears of it unless somebody looks on, and who does reads it again.
    """

    run: str
    """Its id."""


@attrs.frozen(kw_only=True)
class RunEnded(Event):
    """A run has its outcome and its record is in the ledger."""

    record: Record


@attrs.frozen(kw_only=True)
class BrowserUp(Event):
    """A browser is ready."""

    generation: int
    """Which life of the browser, from 1."""
    pid: int
    version: str


@attrs.frozen(kw_only=True)
class BrowserDown(Event):
    """A browser is gone; unless the daemon stops, another follows."""

    generation: int
    reason: str
    """``closed`` when it was closed on purpose, else what happened."""
    retry_in: float | None = None
    """Seconds to the next launch; None if none follows."""


@attrs.frozen(kw_only=True)
class JobPaused(Event):
    """A job's slots are passed over from now on."""

    pause: Pause


@attrs.frozen(kw_only=True)
class JobResumed(Event):
    """A job's slots are used again."""

    job: str
    by: str
    """Who: ``a person``, or ``its run ...``, which did no harm."""


def _line(text: str) -> str:
    """In one line, and no longer than a title."""
    return _cut(" ".join(text.split()), TITLE)


def _cut(text: str, most: int = TEXT) -> str:
    text = text.encode("utf-8", "backslashreplace").decode()  # half an emoji is no text
    return text if len(text) <= most else text[: most - 3] + "..."


def _address(url: str | None) -> str | None:
    return _cut(url, URL) if url else None


def _files(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(_cut(name, TITLE) for name in names)[:FILES]


@attrs.frozen(kw_only=True)
class JobNews(Event):
    """A job has found something that people want to know. What is too long is cut."""

    job: str
    run: str | None = None
    """Which of its runs; None: a service told it."""
    title: str = attrs.field(converter=_line)
    """What is new, in one line."""
    text: str = attrs.field(default="", converter=_cut)
    """More about it, lines."""
    url: str | None = attrs.field(default=None, converter=_address)
    """Where it is to be seen."""
    files: tuple[str, ...] = attrs.field(default=(), converter=_files)
    """The names of files that are kept of the run, to go with it."""


@attrs.frozen(kw_only=True)
class LoginNeeded(Event):
    """A session is logged out: a person has to log in again (`muxd login`)."""

    job: str
    """Whose run found that out."""
    session: str
    paused: tuple[str, ...]
    """The jobs that are paused until then."""


@attrs.frozen(kw_only=True)
class AllPaused(Event):
    """The slots of all jobs are passed over from now on."""

    pause: Pause
    drain: bool = False
    """True: nothing else becomes a run either, and what waits is run."""


@attrs.frozen(kw_only=True)
class AllResumed(Event):
    """The slots of all jobs that are not paused themselves are used again."""

    by: str
    """Who: ``uid 1000 (ann)``, or ``its end had come``."""
    drain: bool = False
    """True: it was a drain that has ended."""


@attrs.frozen(kw_only=True)
class Reloading(Event):
    """The configuration and the plugins are read anew."""


@attrs.frozen(kw_only=True)
class Reloaded(Event):
    """They were, be it in vain."""

    problems: tuple[str, ...] = ()
    """Why something was not taken over."""


@attrs.frozen(kw_only=True)
class Steered(Event):
    """Somebody wanted something of the daemon."""

    by: str
    """Who: ``uid 1000 (ann)``, ``token``, ``SIGTERM``."""
    action: str
    """What: ``run``, ``cancel``, ``pause``, ``resume``, ``skip``, ``reload``, ``drain``, ``restart`` or
    ``stop``."""
    target: str
    """Of what: a job, a run, or ``muxd``."""
    result: str
    """What came of it, for people; ``refused: ...`` if nothing did."""


@attrs.frozen(kw_only=True)
class Notified(Event):
    """People were told of something in one of the ways that are configured, or could not be."""

    way: str
    """Which: ``webhook``, ``desktop``, ``apprise 1 (ntfy)``."""
    title: str
    """What they were told, in one line."""
    error: str | None = None
    """Why they could not be, after all tries; None if they were."""


@attrs.frozen(kw_only=True)
class ResourcesLow(Event):
    """There is too little memory or disk; told again when more has to wait for it."""

    what: str
    """``memory``, ``disk``, or ``files``: how many more the disk can take."""
    free: int
    """What is left, bytes; of files, their number."""
    floor: int
    """What should be."""
    holding: tuple[str, ...]
    """The jobs whose runs are held until there is enough, by name."""


@attrs.frozen(kw_only=True)
class ResourcesFine(Event):
    """There is enough memory and disk again; what was held goes on."""


@attrs.frozen(kw_only=True)
class ClockJumped(Event):
    """The wall clock was stepped, or the machine slept."""

    seconds: float
    """How far; negative for a step back."""
    kind: str
    """``step`` or ``sleep``."""


@attrs.frozen(kw_only=True)
class Draining(Event):
    """The daemon was told to stop: no new release, the run in progress may finish."""

    grace: float
    """For how long, seconds."""
    job: str | None = None
    """The job of the run in progress; None if there is none."""
