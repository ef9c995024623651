"""Drop-down lists of a page that is seen from afar: their lists are windows that no picture shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

import attrs

if TYPE_CHECKING:
    from playwright.async_api import ElementHandle, Page

__all__ = ["Choice", "choice_at"]

DEPTH = 10
"""How deep frames may be in frames."""
_AT = """([x, y]) => {
  let found = document.elementFromPoint(x, y);
  while (found && found.shadowRoot) {
    const inner = found.shadowRoot.elementFromPoint(x, y);
    if (!inner || inner === found) break;
    found = inner;
  }
  if (!found) return null;
  const list = found.localName === "select" && !found.disabled && !found.multiple && found.size < 2;
  return list || ["iframe", "frame"].includes(found.localName) ? found : null;
}"""
"""The list, or the frame, at this place; null: it is something else."""
_INSIDE = """frame => {
  const box = frame.getBoundingClientRect();
  return [box.left + frame.clientLeft, box.top + frame.clientTop];
}"""
_TOLD = """select => ({
  selected: select.selectedIndex,
  options: [...select.options].slice(0, 1000).map(option => ({
    text: (option.label || option.text).trim().slice(0, 200),
    off: option.disabled || Boolean(option.parentElement.disabled),
  })),
})"""


@final
@attrs.frozen(eq=False)
class Choice:
    """A list that a person wants to choose from."""

    element: ElementHandle
    told: dict[str, Any]
    """Its ``options``, each with its ``text`` and whether it is ``off``, and which is ``selected``."""

    async def take(self, number: int) -> None:
        """Choose this one, as a person would: the page is told."""
        await self.element.select_option(index=number, timeout=1000)


async def choice_at(page: Page, x: float, y: float) -> Choice | None:
    """The list at this place of a page, which has the focus then; None: there is something else.

    In frames and shadow trees too. Raises Playwright's errors, when the page goes elsewhere.
    """
    frame = page.main_frame
    for _ in range(DEPTH):
        found = (await frame.evaluate_handle(_AT, [x, y])).as_element()
        if found is None:
            return None
        inner = await found.content_frame()
        if inner is None:
            await found.focus()
            return Choice(found, await found.evaluate(_TOLD))
        left, top = await found.evaluate(_INSIDE)
        frame, x, y = inner, x - left, y - top
    return None
