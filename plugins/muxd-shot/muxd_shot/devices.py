"""The devices that pictures can be taken as: those of Playwright's registry.

Playwright tells them by a driver that runs only; so that a misspelt name is found without one, they
are here as a file. A test compares it with Playwright's.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

__all__ = ["device", "device_names"]


@cache
def _registry() -> dict[str, dict[str, Any]]:
    text = files(__package__).joinpath("devices.json").read_text("utf-8")
    found: dict[str, dict[str, Any]] = json.loads(text)
    return found


def device_names() -> list[str]:
    """Their names: ``iPhone 15``, ``Pixel 7 landscape``, ``Desktop Edge`` ..."""
    return list(_registry())


def device(name: str, version: str) -> dict[str, Any]:
    """What makes a context be like this device: arguments of ``browser.new_context``.

    Args:
      name: one of `device_names`.
      version: that of the browser: the device's browser gives itself out for one of today.

    Raises:
      KeyError: there is no such device.
    """
    found = dict(_registry()[name])
    major = version.partition(".")[0]
    found["user_agent"] = found["user_agent"].replace("{version}", f"{major}.0.0.0")
    return found
