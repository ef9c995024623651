"""What guard and daemon say to each other, and what both have open for it.

Lines of JSON lists over a socket pair. From the daemon::

    ["lock"]              it holds the state directory; with the open file that has the lock
    ["listening"]         it reads what the guard says: it can be asked, and told of signals
    ["running"]           it is up
    ["run", ID, JOB]      a run begins
    ["rest"]              no run is in progress
    ["stopping"]          it was told to stop: it is not to be started again
    ["restarting"]        it was told to end so that another is started
    ["bye"]               it ends by its own decision
    ["pong", T]           the answer to a ping

From the guard::

    ["ping", T]           is anybody there? T: seconds on the monotonic clock
    ["signal", NUMBER]    the guard got this signal
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
from dataclasses import dataclass
from typing import Any

__all__ = ["DUMP", "VARIABLE", "Lines", "Link", "is_a_runs", "new_stack_file", "read_stack"]

VARIABLE = "MUXD_GUARD"
"""The environment variable by which a daemon finds its guard. It is taken out at once."""
DUMP: int = signal.SIGRTMIN + 3 if hasattr(signal, "SIGRTMIN") else signal.Signals["SIGINFO"]
"""The signal at which the daemon writes its stack, whatever its main thread is in. Not one that a
job would use."""
STACK_LIMIT = 64_000
_DRIVER = os.path.join("muxd", "coroutine_driver.py")
_WAITING = (" in select", " in poll", " in get_events")
# what functions wait for events


@dataclass(frozen=True)
class Link:
    """What a daemon has of its guard."""

    guard: int
    """The guard's process."""
    socket: int
    """The file descriptor of its end of the socket pair."""
    stack: int
    """That of the file for the stack."""
    restarts: int = 0
    """How many daemons the guard has had before this one."""
    lock: int | None = None
    """That of the open file that has the state directory's lock, if the guard has it."""

    def as_text(self) -> str:
        """For the environment."""
        fields = (self.guard, self.socket, self.stack, self.restarts, self.lock)
        return ":".join(str(field) for field in fields if field is not None)

    @classmethod
    def from_text(cls, text: str) -> Link | None:
        """Read `as_text`; None if that is not what it is, or the guard is not our parent."""
        with contextlib.suppress(ValueError, TypeError):
            link = cls(*map(int, text.split(":")))
            if link.guard == os.getppid():
                return link
        return None


def new_stack_file() -> int:
    """A file in memory, or without a name; its descriptor."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("muxd stack")
    import tempfile

    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def read_stack(fd: int) -> tuple[float, str] | None:
    """When the block began (monotonic seconds), and the stack; None if the guard found no block."""
    first, newline, stack = os.pread(fd, STACK_LIMIT, 0).decode("utf-8", "replace").partition("\n")
    if not newline:
        return None
    try:
        return float(first), _main_part(stack)
    except ValueError:
        return None


def is_a_runs(stack: str) -> bool:
    """False if the stack shows that a sink or a service is what blocks, and not the run's body."""
    return os.path.join("muxd", "companions.py") not in stack


def _main_part(dump: str) -> str:
    """The main thread's stack if it is in a body, a sink or a service; else those of all threads.

    For then it may be another thread that keeps the interpreter's lock. That one comes first if the
    main thread only waits; threads without work are left out.
    """
    threads = [text.splitlines() for text in dump.strip().split("\n\n") if text]
    main = next((lines for lines in threads if lines[0].startswith("Current thread")), None)
    if main is None:
        return dump.strip()
    stack = "\n".join(main)
    if _DRIVER in stack or not is_a_runs(stack):
        return "\n".join(_own_part(main[1:]))
    others = [lines for lines in threads if lines is not main and not _is_idle(lines)]
    waits = len(main) > 1 and main[1].endswith(_WAITING)
    ordered = [*others, main] if waits else [main, *others]
    return "\n".join(line for lines in ordered for line in lines)


def _is_idle(lines: list[str]) -> bool:
    return len(lines) < 2 or "_thread_cache.py" in lines[1] or "<no Python frame>" in lines[1]


def _own_part(frames: list[str]) -> list[str]:
    """A body's own frames; all, if the stack is not a body's."""
    own = next((place for place, frame in enumerate(frames) if _DRIVER in frame), 0)
    return frames[:own] or frames


class Lines:
    """One end of the socket pair. Never blocks."""

    def __init__(self, fd: int) -> None:
        self.socket = socket.socket(fileno=fd)
        self.socket.setblocking(False)
        self.closed = False
        """True once the other end is gone."""
        self.handed: list[int] = []
        """Descriptors that came with what was said, to be taken out and closed by the reader."""
        self._unsent = b""
        self._unread = b""

    def hand(self, word: str, fd: int) -> None:
        """Say this word, and give the other end the open file of a descriptor.

        An end that is full, or gone, does not get it.
        """
        if self._unsent:
            return
        said = json.dumps([word]).encode() + b"\n"
        with contextlib.suppress(OSError):
            self._unsent = said[socket.send_fds(self.socket, [said], [fd]) :]

    def send(self, *words: object) -> None:
        """Say something; what the other end does not take yet goes with the next."""
        self._unsent += json.dumps(words).encode() + b"\n"
        try:
            while self._unsent:
                sent = self.socket.send(self._unsent, getattr(socket, "MSG_NOSIGNAL", 0))
                self._unsent = self._unsent[sent:]
        except BlockingIOError:
            pass
        except OSError:
            self._unsent, self.closed = b"", True

    def receive(self) -> list[list[Any]]:
        """What has been said since the last time."""
        while not self.closed:
            try:
                read, fds, _, _ = socket.recv_fds(self.socket, 65_536, 1)
            except BlockingIOError:
                break
            except OSError:
                read, fds = b"", []
            for fd in fds:
                os.set_inheritable(fd, False)
            self.handed += fds
            self.closed = not read
            self._unread += read
        *lines, self._unread = self._unread.split(b"\n")
        return [json.loads(line) for line in lines]
