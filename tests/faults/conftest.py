"""What the fault matrix shares: the hostile site, and a house that meets one fault after another."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import hangups, muxd_home  # noqa: F401 - fixtures

from .house import open_house
from .site import open_site


def pytest_collection_modifyitems(items):
    for item in items:
        if "tests/faults/" in item.nodeid and "test_table" not in item.nodeid:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def site():
    """The address of the hostile site."""
    with open_site() as url:
        yield url


@pytest.fixture(scope="module")
def house(tmp_path_factory, site):
    """One for all tests of a module: what one fault leaves would be seen by the next."""
    # A renderer may take so much memory that the test of one that is out of it is quick.
    args = ["--js-flags=--max-old-space-size=256"]
    with open_house(tmp_path_factory.mktemp("house"), site, args=args) as opened:
        yield opened
