"""Which plugins ``muxd plugins disable`` has switched off: a file in the state directory."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

import attrs

from muxd.errors import ConfigError, ConfigProblem
from muxd.state import StateDir

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["DisabledPlugins"]


@attrs.frozen
class DisabledPlugins:
    """The names in ``disabled-plugins``, one a line. What starts with # is a comment."""

    state_dir: Path

    @property
    def file(self) -> Path:
        """Where they are kept; there is none as long as none was disabled."""
        return self.state_dir / "disabled-plugins"

    def read(self) -> tuple[str, ...]:
        """The names, in the order in which they were disabled.

        Raises:
          ConfigError: the file is there and can't be read.
        """
        try:
            text = self.file.read_text("utf-8")
        except (FileNotFoundError, NotADirectoryError):
            return ()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise self._problem(f"it can't be read: {reason}; mend or remove it") from None
        lines = (line.strip() for line in text.split("\n"))
        return tuple(dict.fromkeys(line for line in lines if line and line[0] != "#"))

    def add(self, names: Iterable[str]) -> tuple[str, ...]:
        """Disable these too; gives those that were not before.

        Raises:
          ConfigError: the file can't be read or written, or a name is none.
        """
        before = self.read()
        new = tuple(dict.fromkeys(name for name in names if name not in before))
        for name in new:
            if not name.strip() or name != name.strip() or name[0] == "#" or "\n" in name:
                raise ConfigError(ConfigProblem("NAME", "", f"{name!r} is no name of a plugin"))
        if new:
            self._write((*before, *new))
        return new

    def remove(self, names: Iterable[str]) -> tuple[str, ...]:
        """Disable these no longer; gives those that were disabled.

        Raises:
          ConfigError: the file can't be read or written.
        """
        before, names = self.read(), tuple(names)
        gone = tuple(name for name in before if name in names)
        if gone:
            self._write(tuple(name for name in before if name not in names))
        return gone

    def _write(self, names: tuple[str, ...]) -> None:
        """As a whole or not at all, whatever dies meanwhile."""
        StateDir(self.state_dir).prepare()
        new = self.file.with_name(f".{self.file.name}.{os.getpid()}")
        try:
            try:
                with new.open("w", encoding="utf-8") as file:
                    file.writelines(f"{name}\n" for name in names)
                    file.flush()
                    os.fsync(file.fileno())
                new.replace(self.file)
            finally:
                with contextlib.suppress(OSError):
                    new.unlink()
        except OSError as error:
            raise self._problem(f"it can't be written: {error.strerror or error}") from None

    def _problem(self, message: str) -> ConfigError:
        return ConfigError(ConfigProblem(str(self.file), "", message))
