"""The state directory: where a daemon keeps everything, and whose it is."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from typing import TYPE_CHECKING

import attrs

from muxd.errors import AlreadyRunning, ConfigError, ConfigProblem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["StateDir"]


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
    def socket(self) -> Path:
        """The control socket of a running daemon."""
        return self.root / "control.sock"

    @property
    def lock_file(self) -> Path:
        """Held by the running daemon, whose pid it has in it; gone when none runs."""
        return self.root / "muxd.lock"

    def prepare(self) -> None:
        """Make the directory, mode 0700.

        Raises:
          ConfigError: it can't be made, written to, or belongs to somebody else.
        """
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = self.root.stat()
            if not stat.S_ISDIR(found.st_mode):
                raise NotADirectoryError(20, "it is not a directory")
            if found.st_uid != os.geteuid():
                raise PermissionError(1, f"it belongs to the user with id {found.st_uid}")
            if stat.S_IMODE(found.st_mode) & 0o077:
                self.root.chmod(0o700)
            if not os.access(self.root, os.W_OK | os.X_OK):
                raise PermissionError(13, "it can't be written to")
        except OSError as error:
            raise ConfigError(
                ConfigProblem(
                    str(self.root),
                    "",
                    f"can't be the state directory: {error.strerror}; "
                    "choose another by --state-dir or MUXD_STATE_DIR",
                )
            ) from None

    @contextlib.contextmanager
    def hold(self) -> Iterator[None]:
        """Own the directory while inside.

        The lock is the system's (`flock`): it ends with its process, however that ends. The file
        is removed on leaving.

        Raises:
          AlreadyRunning: another process holds it; its pid is named.
        """
        self.prepare()
        while True:
            fd = os.open(self.lock_file, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                pid = _pid_in(fd)
                os.close(fd)
                raise AlreadyRunning(str(self.root), pid) from None
            if self._is_ours(fd):
                break
            os.close(fd)  # its last owner removed it between our open and our lock
        try:
            os.ftruncate(fd, 0)
            os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
            yield
        finally:
            self.lock_file.unlink(missing_ok=True)
            os.close(fd)

    def owner(self) -> int | None:
        """The pid of the process that holds the directory; None if none does."""
        try:
            fd = os.open(self.lock_file, os.O_RDWR)
        except OSError:
            return None
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return _pid_in(fd)
        else:
            return None
        finally:
            os.close(fd)

    def _is_ours(self, fd: int) -> bool:
        try:
            return os.path.samestat(os.fstat(fd), self.lock_file.stat())
        except FileNotFoundError:
            return False


def _pid_in(fd: int) -> int | None:
    text = os.pread(fd, 20, 0).decode(errors="replace").strip()
    return int(text) if text.isdigit() else None
