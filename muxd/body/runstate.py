"""The state of a job as one of its runs has it: `muxd.Run.state`."""

from __future__ import annotations

import json
from collections.abc import Iterator, MutableMapping
from typing import Any, TypeVar, final

from muxd.errors import StateError
from muxd.hints import shown

__all__ = ["LARGEST", "RunState"]

T = TypeVar("T")

LARGEST = 64_000
"""Bytes of a job's state as JSON at most."""
_MISSING: Any = object()


@final
class RunState(MutableMapping[str, Any]):
    """Small JSON that a job keeps from run to run; what a run changes counts if it ends well.

    What is read from it may be changed in place. It is looked at when the body ends: later changes are
    lost.
    """

    def __init__(self, job: str, text: str | None) -> None:
        """As it was before the run.

        Args:
          job: whose it is, for messages.
          text: JSON of an object; None: there is none yet.
        """
        self._job, self._text = job, text
        self._values: dict[str, Any] | None = None  # made when it is first looked at
        self._is_over = False

    def read(self, cls: type[T], *, default: T = _MISSING) -> T:
        """All of it as an object of a class: one of attrs, a dataclass or a TypedDict.

        Args:
          cls: which.
          default: what is given where there is no state yet. Without it, `cls` must have a default for
            each of its fields then.

        Raises:
          StateError: the state does not fit the class; it names the key.
        """
        from muxd.body.typedstate import read

        if not self._known and default is not _MISSING:
            return default
        return read(self._job, self._known, cls)

    def write(self, state: object) -> None:
        """Replace all of it by the fields of an object, such as `read` gives.

        Raises:
          StateError: something in it is no JSON.
        """
        from muxd.body.typedstate import written

        values = written(self._job, state)
        for key, value in values.items():
            self._check(key, value)
        self._known.clear()
        self._known.update(values)

    def __getitem__(self, key: str) -> Any:
        return self._known[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self._check(key, value)
        self._known[key] = value

    def __delitem__(self, key: str) -> None:
        del self._known[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)

    def __repr__(self) -> str:
        return f"<state of job {self._job}: {self._known!r:.500}>"

    @property
    def _known(self) -> dict[str, Any]:
        if self._values is None:
            self._values = {} if self._text is None else json.loads(self._text)
        return self._values

    def _check(self, key: object, value: object) -> None:
        if not isinstance(key, str):
            raise StateError(
                f"the state of job {self._job!r} has the key {shown(key, at_most=60)}: give a str"
            )
        if self._is_over:
            raise StateError(
                f"the run of job {self._job!r} is over: its state can't be changed now"
            )
        self._dumped(key, value)

    def _dumped(self, key: str | None, value: object) -> str:
        where = f"the state of job {self._job!r}" + ("" if key is None else f", key {key!r:.80}")
        try:
            text = json.dumps(value, allow_nan=False)
            if json.loads(text) != value:  # keys that are no str, tuples: other things come back
                raise TypeError(
                    "it would not come back as it is (keys must be str, sequences lists)"
                )
        except Exception as error:  # whatever a class of somebody's raises when it is looked at
            raise StateError(
                f"{where}: {shown(value, at_most=80)} is not JSON: {error}; give None, bool, int, float, str, lists "
                "and dicts of them"
            ) from None
        if len(text) > LARGEST:
            raise StateError(
                f"{where}: {len(text)} bytes of JSON are too many, at most {LARGEST} can be: a state is "
                "what the next run has to know; rows belong into `run.save`"
            )
        return text

    def close(self) -> str | None:
        """What it comes to, as JSON; None if nothing was changed. It can't be changed any more.

        Raises:
          StateError: it is no JSON, or too large.
        """
        self._is_over = True
        if self._values is None:
            return None
        if self._text is not None and self._values == json.loads(self._text):
            return None
        if self._text is None and not self._values:
            return None
        return self._dumped(None, self._values)
