"""Jobs from a JSON file, for planning without any plugin.

::

    {"jobs": [{"name": "feed", "interval": 600, "duration": 20, "priority": 2,
               "preferred_phase": 180, "pinned": false}]}

``interval`` (seconds, 1 to 366 days) and ``duration`` (seconds, rounded up) are needed, and a
``name`` of its own for each; the rest may be left out. The list may also stand alone, so that what
``muxd jobs --json`` prints can be planned: the keys of a job that don't concern its place in time
are passed over.
"""

from __future__ import annotations

import json
from math import ceil, isfinite
from typing import TYPE_CHECKING, TypeGuard

from muxd.errors import ConfigError, ConfigProblem

from .demand import DEFAULT_SPREAD, Demand

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["demands_from", "read_jobs_file"]

_LONGEST = 366 * 86_400
_KEYS = ("name", "interval", "duration", "priority", "preferred_phase", "pinned", "spread")
_PASSED_OVER = frozenset(
    [
        "block",
        "description",
        "enabled",
        "expects_result",
        "idempotent",
        "misfire",
        "needs_login",
        "overlap",
        "plugin",
        "retries",
        "session",
        "timeout",
    ]
)  # what else `muxd jobs --json` tells of a job


def read_jobs_file(path: Path) -> list[Demand]:
    """The demands in a file.

    Raises:
        ConfigError: it can't be read or says something impossible: all problems, each with the
            file, the job and the key.
    """
    try:
        document = json.loads(path.read_bytes())
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConfigError(ConfigProblem(str(path), "", f"can't be read: {reason}")) from None
    except UnicodeDecodeError:
        raise ConfigError(ConfigProblem(str(path), "", "is not a text file in UTF-8")) from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        message = f"is not JSON: {error.msg} ({where})"
        raise ConfigError(ConfigProblem(str(path), "", message)) from None
    except RecursionError:
        raise ConfigError(ConfigProblem(str(path), "", "is nested too deeply")) from None
    return demands_from(document, str(path))


def demands_from(document: object, source: str) -> list[Demand]:
    """The demands in a parsed document; ``source`` names it in messages.

    Raises:
        ConfigError: all problems at once.
    """
    jobs = document.get("jobs") if isinstance(document, dict) else document
    if not isinstance(jobs, list):
        raise ConfigError(
            ConfigProblem(source, "jobs", 'give a list of jobs: {"jobs": [{"name": ...}, ...]}')
        )
    reader = _Reader(source)
    demands = [reader.demand(number, entry) for number, entry in enumerate(jobs)]
    if reader.problems:
        raise ConfigError(*reader.problems)
    return [demand for demand in demands if demand is not None]


class _Reader:
    """Reads one job after another and collects what is wrong."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.problems: list[ConfigProblem] = []
        self._names: dict[str, int] = {}  # {name: number of the job that has it}
        self._job = ""

    def _wrong(self, key: str, message: str) -> None:
        where = f"{self._job}.{key}" if key else self._job
        self.problems.append(ConfigProblem(self.source, where, message))

    def demand(self, number: int, entry: object) -> Demand | None:
        """One job; None if anything is wrong with it."""
        self._job = f"jobs[{number}]"
        before = len(self.problems)
        if not isinstance(entry, dict):
            self._wrong("", f"give an object with name, interval and duration, not {_shown(entry)}")
            return None
        name = entry.get("name")
        if not isinstance(name, str) or not name:
            self._wrong("name", f"give a name: some text, not {_shown(name)}")
            name = ""
        else:
            self._job += f" ({name})"
            first = self._names.setdefault(name, number)
            if first != number:
                self._wrong("name", f"jobs[{first}] has this name already: give each its own")
        for key in entry:
            if key not in _KEYS and key not in _PASSED_OVER:
                self._wrong(str(key), f"is not known; known are {', '.join(_KEYS)}")
        interval = self._whole(entry, "interval", 1, _LONGEST, "seconds, 1 to 31622400 (366 days)")
        duration = self._duration(entry)
        priority = self._whole(entry, "priority", -1000, 1000, "from -1000 to 1000", default=1)
        phase = self._phase(entry, interval)
        pinned = entry.get("pinned", False)
        if not isinstance(pinned, bool):
            self._wrong("pinned", f"give true or false, not {_shown(pinned)}")
        elif pinned and entry.get("preferred_phase") is None:
            self._wrong(
                "pinned", "a pinned job needs a preferred_phase: that is where it is pinned"
            )
        spread = entry.get("spread", DEFAULT_SPREAD)
        if not _is_number(spread) or not 0 <= spread <= 10:
            self._wrong("spread", f"give a number from 0 to 10, not {_shown(spread)}")
        if len(self.problems) > before or interval is None or duration is None:
            return None
        return Demand(
            name=name,
            interval=interval,
            duration=duration,
            priority=1 if priority is None else priority,
            preferred_phase=phase,
            pinned=pinned,
            spread=float(spread),
        )

    def _whole(
        self,
        entry: dict[str, object],
        key: str,
        least: int,
        most: int,
        allowed: str,
        default: int | None = None,
    ) -> int | None:
        value = entry.get(key, default)
        if value is None and key not in entry:
            self._wrong(key, f"is missing: give whole {allowed}")
            return None
        number = _as_whole(value)
        if number is None or not least <= number <= most:
            self._wrong(key, f"give a whole number of {allowed}, not {_shown(value)}")
            return None
        return number

    def _duration(self, entry: dict[str, object]) -> int | None:
        value = entry.get("duration")
        if value is None and "duration" not in entry:
            self._wrong("duration", "is missing: give the seconds that a run takes")
            return None
        if not _is_number(value) or not 0 < value <= _LONGEST:
            self._wrong(
                "duration", f"give the seconds that a run takes, above 0, not {_shown(value)}"
            )
            return None
        return ceil(value)

    def _phase(self, entry: dict[str, object], interval: int | None) -> int | None:
        value = entry.get("preferred_phase")
        if value is None:
            return None
        phase = _as_whole(value)
        if phase is None or phase < 0:
            self._wrong(
                "preferred_phase", f"give whole seconds from 0, or null, not {_shown(value)}"
            )
            return None
        return phase if interval is None else phase % interval


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value)


def _as_whole(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) else None


def _shown(value: object) -> str:
    text = json.dumps(value, default=repr, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."
