"""Why a check fails."""

from __future__ import annotations

import re

__all__ = ["BudgetExceeded", "CheckFailed", "StepFailed", "first_line"]


class CheckFailed(Exception):
    """A check has found something wrong."""


class StepFailed(CheckFailed):
    """A step could not be done, or what it expects is not so. It says which."""


class BudgetExceeded(CheckFailed):
    """All steps went well, but the flow cost more than it may. It says what."""


def first_line(error: Exception) -> str:
    """What Playwright says, without its log; of an expectation, what was there instead."""
    text = str(error).strip()
    if found := re.search(r"^Actual value:(.*?)(?:^Call log:|\Z)", text, re.M | re.S):
        if "element(s) not found" in found[1]:
            return "it is not there"
        actual = " ".join(found[1].split())
        return f"there is {actual!r}"[:500] if actual else "there is nothing"
    return (text.partition("\n")[0].strip() or type(error).__name__)[:500]
