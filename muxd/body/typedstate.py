"""States as objects of classes. Apart, since cattrs takes its time to be imported."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from cattrs import BaseValidationError, transform_error
from cattrs.preconf.json import make_converter

from muxd.errors import StateError
from muxd.hints import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["read", "written"]

T = TypeVar("T")


def _converter() -> Any:
    converter = make_converter()
    for kind in (bool, int, float, str):
        converter.register_structure_hook(kind, _exactly)
    converter.register_structure_hook(datetime, lambda text, _: datetime.fromisoformat(text))
    converter.register_structure_hook(date, lambda text, _: date.fromisoformat(text))
    return converter


def _exactly(value: Any, kind: type[Any]) -> Any:
    """Not converted: a state that has become another one is to be told, not taken for what it isn't."""
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise ValueError(f"{value!r:.80} is not {kind.__name__}")
    return value


def read(job: str, values: Mapping[str, Any], cls: type[T]) -> T:
    """See `RunState.read`."""
    try:
        found: T = _converter().structure(dict(values), cls)
    except BaseValidationError as error:
        said = "; ".join(part.replace(" @ $", " at ") for part in transform_error(error, path="$"))
        raise StateError(_unfit(job, cls, said)) from error
    except Exception as error:
        raise StateError(_unfit(job, cls, repr(error))) from error
    return found


def _unfit(job: str, cls: type[Any], said: str) -> str:
    return (
        f"the state of job {job!r} does not fit {cls.__name__}: {said}; give its fields defaults and "
        f"types that do, or begin anew: `muxd data {job} --forget-state`"
    )


def written(job: str, state: object) -> dict[str, Any]:
    """See `RunState.write`."""
    try:
        values = _converter().unstructure(state)
    except Exception as error:
        raise StateError(f"the state of job {job!r} can't be written: {error!r}") from error
    if not isinstance(values, dict) or isinstance(state, type):
        raise StateError(
            f"the state of job {job!r} can't be {type(state).__name__} {shown(state, at_most=60)}: give "
            "an object of an attrs class or dataclass, or a mapping"
        )
    return values
