"""Secrets that bodies ask for: `Run.secret`. In the environment, from systemd, or in the keyring."""

from __future__ import annotations

import difflib
import os
import re
import threading
import time
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, final

from muxd.errors import SecretMissing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["KEYRING", "Keyring", "find_secret"]

KEYRING = "muxd"
"""The service under which the keyring has muxd's secrets."""
BOUND = 3.0
"""How long the keyring may take, seconds: a body that asks it holds up all of muxd."""
REST = 60.0
"""How long a keyring that did not answer in time is left alone, seconds."""
LARGEST = 1_000_000
"""Bytes of the largest credential."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


def find_secret(name: str, keyring: Keyring, environ: Mapping[str, str] | None = None) -> str:
    """The secret of this name. An empty one counts as none.

    Args:
      name: letters, digits, ``_ . -``.
      keyring: is asked last.
      environ: instead of that of the process.

    Raises:
      SecretMissing: it is nowhere.
      ValueError: there can be no secret of this name.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(
            f"run.secret({name!r}): give 1 to 100 letters, digits, '_', '.' or '-', the first a "
            "letter or a digit"
        )
    environ = os.environ if environ is None else environ
    variables = list(dict.fromkeys((name, re.sub(r"[.-]", "_", name).upper())))
    for variable in variables:
        if value := environ.get(variable):
            return value
    missing = [f"the environment has no {' or '.join(variables)}"]
    folder = environ.get("CREDENTIALS_DIRECTORY")
    value, why = _credential(name, folder)
    if value:
        return value
    missing.append(why)
    value, why = keyring.find(name)
    if value:
        return value
    missing.append(why)
    near = difflib.get_close_matches(name, list(_known(environ, folder)), n=1, cutoff=0.8)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    raise SecretMissing(f"there is no secret {name!r}{hint}: {'; '.join(missing)}")


def _credential(name: str, folder: str | None) -> tuple[str | None, str]:
    """What systemd has given muxd under this name; else why there is nothing."""
    if not folder:
        return None, f"systemd gives muxd no credentials (LoadCredential={name}:FILE in its unit)"
    try:
        with (Path(folder) / name).open("rb") as file:
            text = file.read(LARGEST + 1)
        if len(text) > LARGEST:
            return None, f"systemd's credential {name} is larger than {LARGEST} bytes"
        # One end of line is the editor's; what else is white may be part of it.
        value = text.decode("utf-8").removesuffix("\n").removesuffix("\r")
    except FileNotFoundError:
        return None, f"it is none of systemd's credentials (LoadCredential={name}:FILE in the unit)"
    except UnicodeDecodeError:
        return None, f"systemd's credential {name} is no text"
    except OSError as error:
        return None, f"systemd's credential {name} can't be read: {error.strerror or error}"
    return value, f"systemd's credential {name} is empty"


def _known(environ: Mapping[str, str], folder: str | None) -> Iterator[str]:
    """Names that may have been meant."""
    yield from environ
    try:
        yield from os.listdir(folder) if folder else ()
    except OSError:
        return


@final
class Keyring:
    """The desktop's, or whatever the library ``keyring`` finds. It may hang: each look has its bound."""

    def __init__(
        self, get: Callable[[str, str], str | None] | None = None, *, bound: float = BOUND
    ) -> None:
        """Nothing is asked yet.

        Args:
          get: as ``keyring.get_password``, which is the default.
          bound: how long a look may take, seconds.
        """
        self._get, self._bound = get if get is not None else _get, bound
        self._rests_until = 0.0

    def find(self, name: str) -> tuple[str | None, str]:
        """What it has under this name; else why there is nothing."""
        if time.monotonic() < self._rests_until:
            return None, f"the keyring has not answered within {self._bound:g} s a moment ago"
        found: list[str | None] = []
        failed: list[BaseException] = []
        answered = threading.Event()

        def ask() -> None:
            try:
                found.append(self._get(KEYRING, name))
            except BaseException as error:
                failed.append(error)
            answered.set()
            self._rests_until = 0.0  # however late it was

        # Not one of a pool: it may never end.
        threading.Thread(target=ask, name="muxd keyring", daemon=True).start()
        if not answered.wait(self._bound):
            self._rests_until = time.monotonic() + REST
            if not answered.is_set():
                return None, f"the keyring has not answered within {self._bound:g} s"
            self._rests_until = 0.0
        if found and found[0]:
            return found[0], ""
        if found:
            return None, f"the keyring has none (keyring set {KEYRING} {name})"
        if isinstance(failed[0], ModuleNotFoundError):
            return None, (
                "there is no keyring (pip install 'muxd[keyring]', then "
                f"keyring set {KEYRING} {name})"
            )
        return None, f"the keyring can't be used: {' '.join(str(failed[0]).split())}"


def _get(service: str, name: str) -> str | None:
    # An extra of muxd's: it need not be there.
    found: str | None = import_module("keyring").get_password(service, name)
    return found
