"""Calls the hooks of plugins, each implementation alone: who breaks is left out, the others are called."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeVar, final

import attrs

from muxd.blame import blaming, problem_of
from muxd.errors import ConfigError, PluginError
from muxd.loading import all_items, offer_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from muxd.loading import HookImpl, Member

__all__ = ["Asking"]

_T = TypeVar("_T")


@final
@attrs.frozen
class Asking:
    """Asks these plugins, in their order."""

    _members: list[Member]
    _patience: float
    """How long a call may take, seconds."""
    _leave_out: Callable[[Member, PluginError], object]
    """Is told of who breaks; may raise."""
    _is_lenient: bool = attrs.field(default=False, kw_only=True)
    """What the configuration says wrongly of a plugin leaves that out, and is no reason to stop."""

    def _blaming(self, member: Member, hook: str, call: Callable[[], _T]) -> _T:
        """What a hook gives. Raises `PluginError`; `ConfigError`, if its section is wrong and matters."""
        try:
            return blaming(member.name, hook, self._patience, call)
        except ConfigError as error:
            if self._is_lenient:
                raise problem_of(member.name, hook, error) from error
            raise

    def offers(
        self, hook: str, kind: type[_T], name: str, **arguments: object
    ) -> Iterator[tuple[str, _T]]:
        """What the implementations of a first-result hook give, one after another as asked for."""
        found = [(m, impl) for m in self._members for impl in m.hooks.get(hook, ())]
        found.sort(key=lambda p: (p[1].trylast - p[1].tryfirst, p[0].source.builtin))
        for member, impl in found:
            if not member.active:
                continue
            call = partial(offer_of, impl, arguments | {"section": member.section}, kind, name)
            try:
                offer = self._blaming(member, hook, call)
            except PluginError as problem:
                self._leave_out(member, problem)
            else:
                if offer is not None:
                    yield member.name, offer

    def each(self, hook: str, ask: Callable[[Member, HookImpl], None]) -> None:
        """Ask each implementation of a hook; who breaks in it is left out."""
        for member in self._members:
            for impl in member.hooks.get(hook, ()):
                if member.active:
                    try:
                        self._blaming(member, hook, partial(ask, member, impl))
                    except PluginError as problem:
                        self._leave_out(member, problem)

    def collect(
        self,
        hook: str,
        kind: type[_T],
        name: str,
        only: Collection[str] | None,
        **arguments: object,
    ) -> list[tuple[str, _T]]:
        """What all implementations of a hook give, or those of these plugins only."""
        found: list[tuple[str, _T]] = []
        for member in self._members:
            if not member.active or hook not in member.hooks:
                continue
            if only is not None and member.name not in only:
                continue
            given = arguments | {"section": member.section}
            call = partial(all_items, member.hooks[hook], given, kind, name)
            try:
                items = self._blaming(member, hook, call)
            except PluginError as problem:
                self._leave_out(member, problem)
            else:
                found += ((member.name, item) for item in items)
        return found
