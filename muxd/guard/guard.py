"""The guard itself: waits for what happens to the daemon, and does what is to be done then."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from muxd.guard import processes
from muxd.guard.life import Life
from muxd.guard.lines import Log
from muxd.guard.link import VARIABLE, Lines, Link
from muxd.guard.note import FILE_NAME, Note
from muxd.guard.place import Place

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Guard", "Plan"]

FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PATIENCE = 0.3
"""How long a signal is kept from a daemon that is only starting, which may have got it, too."""
HEALTHY_AFTER, LONGEST_WAIT = 60.0, 60.0
"""After how long a life the next start comes at once again; the longest wait before one. Seconds."""
FALSE_STARTS = 5
"""After how many lives that ended before muxd was up, ever, the guard gives up."""
FAREWELL = 15.0
"""How long a daemon that said it ends may take to do so, seconds."""


@dataclass(frozen=True)
class Plan:
    """What a guard is to do."""

    command: list[str]
    """Starts a daemon."""
    state_dir: str
    blocked_limit: float
    """For how long the daemon may be blocked before it is killed, seconds."""
    log_format: str
    colours: bool
    pid: int
    """The first daemon's process: a child of the guard's."""
    socket: int
    """The file descriptor of the guard's end of the socket pair with it."""
    stack: int
    """That of the file for the stack."""
    spared: list[int] = field(default_factory=list)
    """Children that this process had before it became the guard."""

    def as_json(self) -> str:
        """For the command line of the guard's process."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Plan:
        """Read `as_json`."""
        return cls(**json.loads(text))


class Guard:
    """Keeps one daemon alive until it ends by its own decision, or is told to."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.log = Log(plan.log_format, colours=plan.colours)
        self.place = Place(plan.state_dir)
        self.calls = 0
        """How many signals to stop came here."""
        self.told = False
        """Somebody told muxd to stop: no other daemon is started."""
        self.ever_ran = False
        self.restarts = 0
        self.deaths = 0
        """How many lives ended badly since the last long one."""
        self._wakes = self._take_signals()
        self._pending: list[tuple[float, int]] = []  # (when to pass it on, signal)
        self._life = self._make_life(plan.pid, plan.socket)

    def run(self) -> int:
        """Guard until the end. Gives the exit code; what ended by a signal to stop ends so."""
        while True:
            status = self._live()
            self._hear()  # what it said last
            ended = self._life
            processes.end({*self.plan.spared})
            code = self._judge(ended, status)
            if code is None:
                self.place.take()
                code = self._start_again()
            if code is not None:
                self.place.leave()
                return code

    # --- One life -----------------------------------------------------------------------------

    def _live(self) -> int:
        """Until the daemon has ended; gives its status as of `os.waitpid`."""
        life, ready = self._life, select.poll()
        ready.register(self._wakes.fileno(), select.POLLIN)
        ready.register(life.lines.socket.fileno(), select.POLLIN)
        while True:
            for pid, status in processes.reap().items():
                if pid == life.pid:
                    return status
            timeout = self._timeout()
            events = ready.poll(None if timeout is None else max(0, int(timeout * 1000) + 1))
            for fd, _ in events:
                if fd == self._wakes.fileno():
                    self._heed()
                elif life.lines.closed:
                    ready.unregister(fd)
            now = time.monotonic()
            self._hear(now)
            self._pass_on(now)
            if self.calls > 1:
                life.cut_short(now)
            life.look(now)

    def _hear(self, now: float | None = None) -> None:
        """Take in what the daemon has said."""
        self._life.read(now)
        while self._life.lines.handed:
            self.place.share(self._life.lines.handed.pop(0))
        self.told |= self._life.stopping
        self.ever_ran |= self._life.running

    def _timeout(self) -> float | None:
        """Seconds until there is something to do although nothing happens; None: never."""
        due = [at for at, _ in self._pending]
        if self._life.next_look is not None:
            due.append(self._life.next_look)
        return max(0.0, min(due) - time.monotonic()) if due else None

    def _heed(self) -> None:
        with contextlib.suppress(BlockingIOError):
            for number in self._wakes.recv(4096):
                if number in FORWARDED:
                    self.told = True
                    self.calls += 1
                    wait = 0.0 if self._life.listening else PATIENCE
                    self._pending.append((time.monotonic() + wait, number))

    def _pass_on(self, now: float) -> None:
        """Tell the daemon of signals that came here.

        One that the terminal or a `kill` of the whole process group sent has reached the daemon as
        well: it knows to take such two for one, once it listens.
        """
        for at, number in list(self._pending):
            if self._life.listening:
                self._life.lines.send("signal", number)
            elif at <= now:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self._life.pid, number)
            else:
                continue
            self._pending.remove((at, number))

    # --- Its end --------------------------------------------------------------------------------

    def _judge(self, life: Life, status: int) -> int | None:
        """What the end of a daemon means: an exit code, or None if another is to be started."""
        code = os.waitstatus_to_exitcode(status)
        how = _name(-code) if code < 0 else f"exit code {code}"
        self._note(life, how)
        lived = time.monotonic() - life.born
        if life.restarting and life.bye and not self.told:
            self.deaths = 0
            self.log.say("info", "muxd is started again, as it was told to")
            return None
        if lived >= HEALTHY_AFTER:
            self.deaths = 0
        self.deaths += 1
        if life.blocked is not None:
            if self.told:
                return 1
        elif -code in FORWARDED and not life.listening:
            self._end_by(-code)  # somebody wanted it to end, and it had no time to hear of it
        elif life.bye and (life.stopping or not self.ever_ran):
            return max(code, 0) if code >= 0 else 1
        elif self.told:
            return code if code >= 0 else 128 - code
        if self._is_hopeless(how):
            return 1
        what = "muxd is started again" if life.blocked is not None else "muxd died"
        run = {"job": life.run[1], "run": life.run[0]} if life.run else {}
        self.log.say("error", what, how=how, lived=round(lived, 1), again_in=self._wait, **run)
        return None

    def _is_hopeless(self, how: str) -> bool:
        """Whether there is no point in another start; then it says so."""
        if self.ever_ran or self.deaths < FALSE_STARTS:
            return False
        self.log.say(
            "critical",
            f"muxd died {self.deaths} times before it was up, last by {how}: it is not "
            "started again; `muxd --debug start` may show why",
        )
        return True

    @property
    def _wait(self) -> float:
        """How long to wait before the next start, seconds."""
        return 0.0 if self.deaths <= 1 else min(2.0 ** (self.deaths - 2), LONGEST_WAIT)

    def _note(self, life: Life, how: str) -> None:
        """Write down what became of the run in progress."""
        if life.run is None or life.bye or not life.guilty:
            return
        run, job = life.run
        note = Note(
            run=run, job=job, at=time.time(), how=how, blocked=life.blocked, stack=life.stack
        )
        try:
            note.write(self.plan.state_dir)
        except OSError as error:
            name = os.path.join(self.plan.state_dir, FILE_NAME)
            self.log.say("error", f"{name} can't be written: {error}", job=job, run=run)

    def _end_by(self, number: int) -> None:
        """End as the daemon did, so that whoever started muxd sees what they would without us."""
        self.place.leave()
        self.log.finish()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    # --- The next -------------------------------------------------------------------------------

    def _start_again(self) -> int | None:
        """Start the next daemon, as soon as that can be; the exit code if it is not to be."""
        while self._pause(self._wait):
            error = self._spawn()
            if error is None:
                return None
            self.deaths += 1
            if self._is_hopeless(str(error)):
                return 1
            self.log.say("error", "muxd can't be started", error=str(error), again_in=self._wait)
        return 0

    def _pause(self, seconds: float) -> bool:
        """Wait before the next start; False if told to stop meanwhile."""
        until = time.monotonic() + seconds
        while not self.told and (left := until - time.monotonic()) > 0:
            select.select([self._wakes], [], [], left)
            self._heed()
            processes.reap()
        self._heed()
        return not self.told

    def _spawn(self) -> OSError | None:
        """Start the next daemon; gives why that can't be: no memory, an upgrade under way."""
        self._life.close()
        self._pending.clear()
        try:
            ours, theirs = socket.socketpair()
            with ours, theirs:
                link = Link(
                    os.getpid(),
                    theirs.fileno(),
                    self.plan.stack,
                    self.restarts + 1,
                    self.place.fd,
                )
                for fd in (link.socket, link.stack, link.lock):
                    if fd is not None:
                        os.set_inheritable(fd, True)
                pid = os.posix_spawn(
                    self.plan.command[0],
                    self.plan.command,
                    {**os.environ, VARIABLE: link.as_text()},
                    setsigmask=(),
                    setsigdef=[
                        number
                        for number in FORWARDED
                        if signal.getsignal(number) is not signal.SIG_IGN
                    ],
                )
                self._life = self._make_life(pid, ours.detach())
        except OSError as error:
            return error
        self.restarts += 1
        return None

    def _make_life(self, pid: int, fd: int) -> Life:
        return Life(
            pid,
            Lines(fd),
            self.plan.stack,
            self.log,
            limit=self.plan.blocked_limit,
            farewell=FAREWELL,
        )

    def _take_signals(self) -> socket.socket:
        """Have signals wake us, each as a byte of its number; gives what is to be read."""
        wakes, theirs = socket.socketpair()
        wakes.setblocking(False)
        theirs.setblocking(False)
        signal.set_wakeup_fd(theirs.detach(), warn_on_full_buffer=False)
        ignore: Callable[..., None] = lambda *_: None  # noqa: E731 - the byte is what counts
        for number in (*FORWARDED, signal.SIGCHLD):
            if number == signal.SIGCHLD or signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, ignore)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        return wakes


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # most of the real-time signals have none
        return f"signal {number}"
