"""The state directory: where a daemon keeps everything, and whose it is."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import time
from typing import TYPE_CHECKING, Literal, get_args

import attrs

from muxd.errors import AlreadyRunning, ConfigError, ConfigProblem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Owner", "Role", "StateDir"]

Role = Literal["daemon", "run", "restore"]
"""What holds a state directory: a daemon, a `muxd run` without one, or a `muxd restore`."""
PATIENCE = 2.0
"""How long others that only look at the lock may be in the way of taking it, seconds."""


@attrs.frozen
class Owner:
    """Who holds a state directory."""

    pid: int | None
    """Its process; None if it has the lock and has not written who it is yet."""
    role: Role = "daemon"
    guard: int | None = None
    """The process of its guard, if it has one."""

    @property
    def told(self) -> int | None:
        """The process to tell that it is to stop. It is the same before and after a restart."""
        return self.pid if self.guard is None else self.guard


@attrs.frozen
class StateDir:
    """Paths within the state directory, and the lock that makes one daemon its owner."""

    root: Path

    @property
    def profile(self) -> Path:
        """The browser profile of the session ``main``."""
        return self.root / "profile"

    @property
    def sessions(self) -> Path:
        """The files of the named sessions."""
        return self.root / "sessions"

    @property
    def artifacts(self) -> Path:
        """What runs that did not end well left: a folder each."""
        return self.root / "artifacts"

    @property
    def logs(self) -> Path:
        """The log in files."""
        return self.root / "logs"

    @property
    def socket(self) -> Path:
        """The control socket of a running daemon."""
        return self.root / "control.sock"

    @property
    def lock_file(self) -> Path:
        """Held by the running muxd; pid, role and guard are in it. Gone when none runs."""
        return self.root / "muxd.lock"

    def prepare(self) -> None:
        """Make the directory, mode 0700.

        Raises:
          ConfigError: it can't be made, written to, or belongs to somebody else.
        """
        self.check()
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = self.root.stat()
            if found.st_uid != os.geteuid():
                raise PermissionError(1, f"it belongs to the user with id {found.st_uid}")
            if stat.S_IMODE(found.st_mode) & 0o077:
                self.root.chmod(0o700)
            if not os.access(self.root, os.W_OK | os.X_OK):
                raise PermissionError(13, "it can't be written to")
        except OSError as error:
            raise self._impossible(error.strerror) from None

    def check(self) -> None:
        """Raises `ConfigError` if something else is there. For commands that only look."""
        if self.root.exists() and not self.root.is_dir():
            raise self._impossible("it is not a directory")

    def _impossible(self, reason: str | None) -> ConfigError:
        return ConfigError(
            ConfigProblem(
                str(self.root),
                "",
                f"can't be the state directory: {reason}; "
                "choose another by --state-dir or MUXD_STATE_DIR",
            )
        )

    @contextlib.contextmanager
    def hold(
        self, role: Role = "daemon", *, guard: int | None = None, lock: int | None = None
    ) -> Iterator[int]:
        """Own the directory while inside. Gives the descriptor of the file that has the lock.

        The lock is the system's (`flock`): it ends with its process, however that ends, and what a
        body has forked does not keep it. The file is removed on leaving, unless a guard does that:
        it has the lock as well, for the next daemon. A restore that was cut off is finished first.

        Args:
          role: what this process is.
          guard: the process of the daemon's guard.
          lock: the descriptor of an open file that the guard holds the directory by; it is closed
            on leaving.

        Raises:
          AlreadyRunning: another process holds it; its pid is named.
          OSError: what a restore has left to be done can't be.
        """
        # What only looks who is there is quick, and needs none of these.
        from muxd.backup.swap import finish
        from muxd.forks import kept_from_forks
        from muxd.guard.place import sign

        self.prepare()
        fd = self._lock(lock)
        try:
            with kept_from_forks(fd):
                sign(fd, os.getpid(), role, guard)
                finish(self.root)
                yield fd
        finally:
            # If it isn't ours, somebody has removed the directory, and made it anew.
            if guard is None and self._is_ours(fd):
                self.lock_file.unlink(missing_ok=True)
            os.close(fd)

    def owner(self) -> Owner | None:
        """Who holds the directory; None if nobody does."""
        try:
            fd = os.open(self.lock_file, os.O_RDWR)
        except OSError:
            return None
        try:
            # Shared: any number may look at a time. Only an owner is in the way.
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return _owner_in(fd)
        else:
            return None
        finally:
            os.close(fd)

    def _lock(self, lock: int | None) -> int:
        """The lock file, locked and still in its place; what is given, if it is that."""
        if lock is not None:
            if self._is_ours(lock):
                return lock
            os.close(lock)
        end = time.monotonic() + PATIENCE
        while True:
            fd = os.open(self.lock_file, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(fd)
                owner = self.owner()
                if owner is None and time.monotonic() < end:
                    # Somebody only looked whether there is an owner, and is gone in a moment.
                    time.sleep(0.001)
                    continue
                owner = owner or Owner(None)
                raise AlreadyRunning(str(self.root), owner.pid, role=owner.role) from None
            if self._is_ours(fd):
                return fd
            os.close(fd)  # its last owner removed it between our open and our lock

    def _is_ours(self, fd: int) -> bool:
        try:
            return os.path.samestat(os.fstat(fd), self.lock_file.stat())
        except FileNotFoundError:
            return False


def _owner_in(fd: int) -> Owner:
    # The first line counts: of a longer one there may still be the end.
    text = os.pread(fd, 60, 0).decode(errors="replace").partition("\n")[0]
    pid, role, guard, *_ = [*text.split(" "), "", ""]
    return Owner(
        int(pid) if pid.isdigit() else None,
        role if role in get_args(Role) else "daemon",  # type: ignore[arg-type]
        int(guard) if guard.isdigit() else None,
    )
