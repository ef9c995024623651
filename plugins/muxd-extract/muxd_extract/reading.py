"""What the fields of all rows of a page show, read in one go."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from playwright.async_api import Error

if TYPE_CHECKING:
    from collections.abc import Mapping

    from playwright.async_api import Locator

    from muxd_extract.options import Field

__all__ = ["read_rows"]

READ = """
(rows, fields) => {
  const OWN = {A: "href", AREA: "href", LINK: "href", IMG: "src", SOURCE: "src", IFRAME: "src",
               VIDEO: "src", AUDIO: "src", SCRIPT: "src"};
  const find = (root, select) => {
    if (!select) return [root];
    if (/^(xpath=|\\.?\\/\\/|\\.\\/|\\.\\.)/.test(select)) {
      const path = select.replace(/^xpath=/, "").replace(/^\\/\\//, ".//");
      const found = document.evaluate(path, root, null, 5, null), all = [];
      for (let one; (one = found.iterateNext()); ) all.push(one);
      return all;
    }
    return [...root.querySelectorAll(select)];
  };
  const attribute = (element, field) => {
    if (field.attribute) return field.attribute;
    if (field.type === "url") return OWN[element.tagName];
    if (field.type === "date" && element.hasAttribute?.("datetime")) return "datetime";
    return element.tagName === "META" ? "content" : undefined;
  };
  const value = (element, field) => {
    const name = attribute(element, field);
    let text = name !== undefined ? element.getAttribute(name)
      : field.type === "html" ? element.innerHTML
      : /^(INPUT|TEXTAREA|SELECT)$/.test(element.tagName) ? element.value
      : element.innerText ?? element.textContent ?? element.value;
    if (text !== null && field.type === "url") {
      try { text = new URL(text.trim(), document.baseURI).href; } catch { text = null; }
    }
    return text;
  };
  const read = (root, fields, place) => Object.fromEntries(Object.entries(fields).map(([name, field]) => {
    const inner = Object.keys(field.fields).length > 0;
    const one = (element) =>
      inner ? read(element, field.fields, `${place}${name}.fields.`) : value(element, field);
    let found;
    try { found = find(root, field.select); } catch {
      throw new Error(`${place}${name}: ${JSON.stringify(field.select)} is neither CSS nor XPath`);
    }
    return [name, field.list ? found.map(one) : found.length ? one(found[0]) : null];
  }));
  return rows.map((row) => read(row, fields, "fields."));
}
"""
"""Runs in the page; reads and changes nothing."""


async def read_rows(rows: Locator, fields: Mapping[str, Field]) -> list[dict[str, Any]]:
    """All rows as they are now: field names to texts, None for what is not there.

    One call, however many rows: a page with a thousand of them takes no longer than one with ten.

    Raises:
      ValueError: a field's selector is none; it says which.
    """
    try:
        found: list[dict[str, Any]] = await rows.evaluate_all(READ, _wanted(fields))
    except Error as error:
        wrong = re.search(r"fields\.[^\n]* is neither CSS nor XPath", error.message)
        if wrong is None:
            raise
        raise ValueError(wrong[0]) from None
    return found


def _wanted(fields: Mapping[str, Field]) -> dict[str, Any]:
    return {
        name: {
            "select": field.select,
            "attribute": field.attribute,
            "type": field.type,
            "list": field.list,
            "fields": _wanted(field.inner),
        }
        for name, field in fields.items()
    }
