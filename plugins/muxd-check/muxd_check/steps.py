"""A step of a flow, as its table has it: one thing to do, or one to expect."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import attrs

from muxd import duration_field, url_field

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Step", "matcher"]

# What each does, and what else may stand beside it.
_ACTIONS: Mapping[str, tuple[str, ...]] = {
    "goto": ("status",),
    "click": (),
    "fill": ("value", "secret"),
    "press": ("at",),
    "select": ("value",),
    "check": (),
    "wait": (),
    "expect_text": ("at",),
    "expect_visible": (),
    "expect_hidden": (),
    "expect_url": (),
    "expect_title": (),
    "expect_status": (),
}
_BESIDE = ("status", "value", "secret", "at")


def _status(instance: object, attribute: object, value: int | None) -> None:
    if value is not None and not 100 <= value <= 599:
        raise ValueError("give a status of HTTP, such as 200")


def _expression(instance: object, attribute: object, value: str | None) -> None:
    if value is not None:
        matcher(value)


def _secret(instance: object, attribute: object, value: str | None) -> None:
    if value is not None and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}", value):
        raise ValueError("give the name of a secret: letters, digits, '_', '.' or '-'")


@attrs.frozen(kw_only=True)
class Step:
    """One step. Exactly one of what it does is given."""

    name: str | None = None
    """What people call it, in messages."""
    goto: str | None = url_field(None)
    """Open this address; fails if it answers an error."""
    click: str | None = None
    """Click what this selector finds."""
    fill: str | None = None
    """Put `value`, or the secret of this name, into what the selector finds."""
    press: str | None = None
    """Press a key, such as ``Enter`` or ``Control+A``, `at` an element or where the focus is."""
    select: str | None = None
    """Choose the option with this `value` or label."""
    check: str | None = None
    """Tick a box, or choose a radio button."""
    wait: float | None = duration_field(None, at_most="10m")
    """Do nothing for so long."""
    expect_text: str | None = attrs.field(default=None, validator=_expression)
    """A text that has to be on the page, or `at` an element; ``/.../`` is a regular expression."""
    expect_visible: str | None = None
    expect_hidden: str | None = None
    expect_url: str | None = attrs.field(default=None, validator=_expression)
    """Where the page has to be: an address with ``*`` for anything, or ``/.../``."""
    expect_title: str | None = attrs.field(default=None, validator=_expression)
    """What the title has to contain, or ``/.../``."""
    expect_status: int | None = attrs.field(default=None, validator=_status)
    """How the page's document, the last one, has to have been answered."""

    status: int | None = attrs.field(default=None, validator=_status)
    """Of `goto`: this answer is the right one."""
    value: str | None = None
    secret: str | None = attrs.field(default=None, validator=_secret)
    """Of `fill`: the name of a secret; see ``run.secret``. Its value is never told."""
    at: str | None = None
    within: float | None = duration_field(None, at_least="50ms", at_most="10m")
    """How long it may take. Default: the flow's."""

    def __attrs_post_init__(self) -> None:
        given = [name for name in _ACTIONS if getattr(self, name) is not None]
        if len(given) != 1:
            what = " and ".join(given) if given else "nothing"
            raise ValueError(f"there is {what} to do: give exactly one of {', '.join(_ACTIONS)}")
        for name in _BESIDE:
            if getattr(self, name) is not None and name not in _ACTIONS[self.action]:
                whose = ", ".join(each for each, more in _ACTIONS.items() if name in more)
                raise ValueError(f"{name} goes with {whose}, not with {self.action}")
        if self.action == "fill" and (self.value is None) is (self.secret is None):
            raise ValueError("fill needs either a value or the name of a secret")
        if self.action == "select" and self.value is None:
            raise ValueError("select needs a value")

    @property
    def action(self) -> str:
        """Which it is."""
        return next(name for name in _ACTIONS if getattr(self, name) is not None)

    @property
    def target(self) -> Any:
        """What it is done to, or what is expected."""
        return getattr(self, self.action)

    def __str__(self) -> str:
        """For messages: ``click "#buy"``. Of a secret only the name."""
        if self.name is not None:
            return self.name
        target = f"{self.target:g}s" if self.action == "wait" else f'"{self.target}"'
        text = f"{self.action.replace('_', ' ')} {target}"
        return text if self.at is None else f'{text} at "{self.at}"'


def matcher(text: str, *, glob: bool = False) -> re.Pattern[str]:
    """What finds a text that is expected; in words that the browser's regular expressions have, too.

    Args:
      text: ``/.../`` is a regular expression, anything else is meant as it stands.
      glob: ``*`` is for anything, and it has to be all of what is looked at.

    Raises:
      ValueError: it is no regular expression.
    """
    if len(text) > 2 and text.startswith("/") and text.endswith("/"):
        try:
            return re.compile(text[1:-1])
        except re.error as error:
            raise ValueError(f"give a regular expression: {error}") from None
    plain = re.sub(r"([.+?^${}()|\[\]\\/])", r"\\\1", text)
    return re.compile(f"^{plain.replace('*', '.*')}$" if glob else plain.replace("*", r"\*"))
