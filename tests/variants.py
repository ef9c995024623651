"""What a test is asked for once more at night."""

from __future__ import annotations

import pytest

__all__ = ["nightly"]


def nightly(*values):
    """A set of parameters whose like is tested by others of the same test: for `make nightly`."""
    return pytest.param(*values, marks=pytest.mark.nightly)
