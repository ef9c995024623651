"""A job: what a plugin declares, once, and never changes."""

from __future__ import annotations

import inspect
import math
import re
from typing import TYPE_CHECKING, Any

import attrs

from muxd.jobcheck import RETRY_ON, JobCheck
from muxd.jobpolicies import Misfire, OnInterrupt, Overlap, Priority
from muxd.jobslips import check_fields, fields_checked
from muxd.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from datetime import timedelta
    from typing import Unpack

    from muxd.jobfields import JobFields
    from muxd.running import Run

    Duration = str | float | timedelta
    Body = Callable[[Run], Awaitable[Any]]
    LoginCheck = Callable[[Run], Awaitable[object]]

__all__ = ["Job", "Misfire", "OnInterrupt", "Overlap", "Priority", "job"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_NAME_HELP = "give 1 to 100 letters, digits, '_', '.' or '-', the first a letter or a digit"
_SESSION_HELP = "give 'main', 'fresh' or a name of your own (letters, digits, '_', '.', '-')"
LONGEST = 366 * 86400
"""The longest interval, seconds."""


@attrs.frozen(init=False)
class Job:
    """A frozen declaration: what to run, how often, when in the interval, how important.

    Durations are given as ``"90s"``, ``"15m"``, ``"1h30m"``, ``"2d"``, ISO 8601, a `timedelta` or
    seconds; the fields hold seconds.

    Raises:
      JobError: a value is wrong; it names the job, the field, the value and what is allowed.
    """

    name: str
    """Unique among all jobs: letters, digits, ``_ . -``, at most 100 characters."""
    body: Body = attrs.field(eq=False, repr=False)
    """The ``async def body(run)``. It may await Playwright and trio alike."""
    interval: int
    """Seconds between releases: whole, 1 to 366 days."""
    preferred_phase: int | None
    """Wished offset of each release within the interval, whole seconds from the timetable's epoch
    (a local midnight): ``"15m"`` on a 60 m job is :15 past. 0 <= phase < interval, or None."""
    pinned: bool
    """True: the phase is exactly `preferred_phase`; the slotter may not move it."""
    duration: float
    """How long a run is expected to hold the browser, seconds: more than 0, at most the
    interval. Default: 30 s, or half the interval where that is less, so that a job that names only its
    interval has room. What was learned from runs takes its place."""
    priority: int
    """Higher goes first when runs wait; see `Priority`."""
    timeout: float
    """The deadline of a run, real seconds after its start: more than 0, at most 1 day. Default:
    the larger of 60 s and three durations, but not above the interval or a day."""
    session: str
    """Whose cookies the page has: ``main`` (the persistent profile), ``fresh`` (thrown away
    after the run), or a name of your own (kept in a file)."""
    retries: int
    """How many more times a run that did not end well is tried: 0 to 20."""
    retry_on: tuple[str, ...]
    """What is tried again: outcomes (``failed``, ``timed_out``, ``crashed``, ``empty``), and classes
    of errors by name, as in ``TimeoutError`` or ``httpx.ConnectError``; subclasses are meant too.
    Default: all four outcomes."""
    on_interrupt: OnInterrupt
    """See `OnInterrupt`. Default: ``retry`` for a job that is `idempotent`, else ``leave``."""
    overlap: Overlap
    """See `Overlap`."""
    misfire: Misfire
    """See `Misfire`."""
    expects_result: bool
    """True: a run that returns nothing (None, or an empty collection) is ``empty``, not ``ok``."""
    idempotent: bool
    """True: doing it twice does no harm."""
    block: tuple[str, ...] | None
    """What its pages need not load: ``image``, ``font``, ``media``, ``stylesheet``, hosts, ``*.host``
    for all below a host. None: what ``[browser] block`` says."""
    needs_login: LoginCheck | str | None
    """How to see that nobody is logged in to its session; then it is paused until somebody is.

    An ``async def check(run)``, or a `LoggedIn`, is made before each run: what is false, 0 or None says
    that it is logged out. A text is what shows that to a run which did not end well: the pattern of an
    address (``/login*``, ``https://*.example/login``), else a selector (``#login-form``)."""
    config: Any = attrs.field(hash=False, repr=False)
    """What ``[jobs.NAME.config]`` is made into: a class of attrs, or an instance of one, which has the
    defaults. Of a job that muxd has loaded it is an instance; None: the job has no configuration."""
    description: str
    """One line for people."""
    plugin: str
    """The plugin that declared it; filled in by muxd."""

    def __init__(
        self,
        name: str,
        body: Body,
        *,
        interval: Duration,
        preferred_phase: Duration | None = None,
        pinned: bool = False,
        duration: Duration | None = None,
        priority: int | str = Priority.normal,
        timeout: Duration | None = None,
        session: str = "main",
        retries: int = 0,
        retry_on: Sequence[str | type[BaseException]] = RETRY_ON,
        on_interrupt: OnInterrupt | str | None = None,
        overlap: Overlap | str = Overlap.coalesce,
        misfire: Misfire | str = Misfire.run_once,
        expects_result: bool = False,
        idempotent: bool = False,
        block: Sequence[str] | None = None,
        needs_login: LoginCheck | str | None = None,
        config: Any = None,
        description: str = "",
        plugin: str = "",
    ) -> None:
        check = JobCheck(str(name))
        check.that("name", name, isinstance(name, str) and _NAME.fullmatch(name), _NAME_HELP)
        check.body(body)
        whole_interval = check.whole("interval", interval)
        check.that("interval", interval, 1 <= whole_interval <= LONGEST, "give 1s to 366d")
        phase = None if preferred_phase is None else check.whole("preferred_phase", preferred_phase)
        check.that(
            "preferred_phase",
            preferred_phase,
            phase is None or phase < whole_interval,
            f"it must be less than the interval, {format_duration(whole_interval)}",
        )
        check.flag("pinned", pinned)
        check.that(
            "pinned",
            pinned,
            not pinned or phase is not None,
            "a pinned job needs a preferred_phase to be pinned to",
        )
        if duration is None:
            seconds = default_duration(whole_interval)
        else:
            seconds = check.seconds("duration", duration)
        check.that(
            "duration",
            duration,
            0 < seconds <= whole_interval,
            f"give more than 0 and at most the interval, {format_duration(whole_interval)}: "
            "a job that is longer than its interval can never keep up",
        )
        if timeout is None:
            limit = default_timeout(whole_interval, seconds)
        else:
            limit = check.seconds("timeout", timeout)
        check.that("timeout", timeout, 0 < limit <= 86400, "give more than 0 and at most 1d")
        check.that(
            "session", session, isinstance(session, str) and _NAME.fullmatch(session), _SESSION_HELP
        )
        check.that(
            "retries",
            retries,
            isinstance(retries, int) and not isinstance(retries, bool) and 0 <= retries <= 20,
            "give an integer from 0 to 20",
        )
        check.flag("expects_result", expects_result)
        check.flag("idempotent", idempotent)
        check.config(config)
        check.that("description", description, isinstance(description, str), "give a text")
        check.that("plugin", plugin, isinstance(plugin, str), "give a text")
        self.__attrs_init__(
            name=name,
            body=body,
            interval=whole_interval,
            preferred_phase=phase,
            pinned=pinned,
            duration=seconds,
            priority=check.priority(priority),
            timeout=limit,
            session=session,
            retries=retries,
            retry_on=check.retry_on(retry_on),
            on_interrupt=check.one_of("on_interrupt", OnInterrupt, default_on_interrupt(idempotent))
            if on_interrupt is None
            else check.one_of("on_interrupt", OnInterrupt, on_interrupt),
            overlap=check.one_of("overlap", Overlap, overlap),
            misfire=check.one_of("misfire", Misfire, misfire),
            expects_result=expects_result,
            idempotent=idempotent,
            block=None if block is None else check.block(block),
            needs_login=check.needs_login(needs_login, session),
            config=config,
            description=description,
            plugin=plugin,
        )

    @property
    def slot_duration(self) -> int:
        """The declared duration as the timetable counts it: whole seconds, 1 or more."""
        return math.ceil(self.duration)

    def of_plugin(self, plugin: str) -> Job:
        """The same job, as declared by this plugin: nothing else changes, or is checked again."""
        return self._with(plugin=plugin)

    def configured(self, config: object) -> Job:
        """The same job with its configuration, an instance: nothing else changes, or is checked."""
        return self._with(config=config)

    def renamed(self, name: str, description: str) -> Job:
        """The same job under a name of muxd's own, which no plugin could give; for people, this."""
        return self._with(name=name, description=description)

    def _with(self, **changes: Any) -> Job:
        twin = object.__new__(Job)
        fields = {field.name: getattr(self, field.name) for field in attrs.fields(Job)}
        twin.__attrs_init__(**(fields | changes))
        return twin

    def replace(self, **fields: Any) -> Job:
        """The same job with some fields changed, checked again (`JobError`).

        What was only a default that comes of other fields (`duration`, `timeout`, `on_interrupt`) is
        worked out anew.
        """
        known = {field.name: getattr(self, field.name) for field in attrs.fields(Job)}
        check_fields(self.name, fields, known)
        if self.duration == default_duration(self.interval):
            del known["duration"]
        if self.timeout == default_timeout(self.interval, self.duration):
            del known["timeout"]
        if self.on_interrupt is default_on_interrupt(self.idempotent):
            del known["on_interrupt"]
        return Job(**(known | fields))


def default_duration(interval: int) -> float:
    """The duration of a job that names none, seconds."""
    return min(30.0, interval / 2)


def default_timeout(interval: int, duration: float) -> float:
    """The timeout of a job that names none, seconds."""
    return min(max(60.0, 3 * duration), float(interval), 86400.0)


def default_on_interrupt(idempotent: bool) -> OnInterrupt:
    """What becomes of interrupted runs of a job that doesn't say."""
    return OnInterrupt.retry if idempotent else OnInterrupt.leave


@fields_checked(lambda: inspect.signature(Job).parameters)
def job(
    *, interval: Duration, name: str | None = None, **fields: Unpack[JobFields]
) -> Callable[[Body], Job]:
    """Decorate an ``async def body(run)`` to make it a `Job`, with the same fields.

    A job at the top level of a plugin's module needs no hook to be found. The name defaults to
    the function's, the description to the first line of its docstring.

    Raises:
      JobError: a value is wrong.
    """

    def declare(body: Body) -> Job:
        own_name = name if name is not None else getattr(body, "__name__", "")
        doc = (inspect.getdoc(body) or "").partition("\n")[0]
        told: JobFields = {"description": doc, **fields}
        return Job(own_name, body, interval=interval, **told)

    return declare
