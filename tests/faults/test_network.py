"""Servers that misbehave: each costs its own run at most, and the browser is free in time."""

from __future__ import annotations

import pytest

from muxd.record import Outcome
from tests.variants import nightly

from . import network

TIMED_OUT = Outcome.timed_out


@pytest.mark.parametrize(
    ("body", "session"),
    [
        (network.never, "main"),
        (network.never_for_a_frame, "fresh"),
        nightly(network.never, "fresh"),
        nightly(network.never_for_a_frame, "main"),
    ],
)
def test_server_never_answers(house, body, session):
    """A server that never answers costs the run's own time only."""
    house.survives(body, TIMED_OUT, session=session)


def test_server_drips(house):
    """An answer of a byte a second, without end, is given up at the deadline."""
    house.survives(network.drip, TIMED_OUT)


def test_server_resets(house):
    """A connection that is reset fails the call; the error says so."""
    record = house.survives(network.reset, Outcome.failed, timeout=15.0)
    assert "ERR_CONNECTION_RESET" in record.error


def test_server_closes_in_the_middle(house):
    """An answer that breaks off is an error, or a page that is never loaded."""
    house.survives(network.cut, Outcome.failed, TIMED_OUT)


@pytest.mark.parametrize("body", [network.flood, nightly(network.flood_by_fetch), network.bomb])
def test_server_floods(house, body):
    """500 MB, or half a megabyte that becomes 500, are not read to the end."""
    house.survives(body, TIMED_OUT, Outcome.crashed, kept=None)


def test_server_floods_playwright(house):
    """500 MB through Playwright's own client fill up neither the driver nor muxd."""
    house.survives(network.flood_by_request, TIMED_OUT, Outcome.failed, kept=None)


def test_redirects_without_end(house):
    """The browser gives up on a server that sends it round in circles."""
    record = house.survives(network.redirects, Outcome.failed, timeout=15.0)
    assert "ERR_TOO_MANY_REDIRECTS" in record.error


@pytest.mark.parametrize("body", [nightly(network.refreshes), network.relocates])
def test_pages_that_reload_without_end(house, body):
    """A page that loads itself again and again is closed, though a close may meet a navigation."""
    house.survives(body, TIMED_OUT)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (network.no_tls, "ERR_SSL_PROTOCOL_ERROR"),
        (network.no_such_host, "ERR_NAME_NOT_RESOLVED"),
        (network.nobody_listens, "ERR_CONNECTION_REFUSED"),
        (network.password, "ERR_INVALID_AUTH_CREDENTIALS"),
    ],
)
def test_no_way_to_the_page(house, body, error):
    """No valid TLS, no such host, nobody there, a password wanted: the run fails and says which."""
    record = house.survives(body, Outcome.failed, timeout=15.0)
    assert error in record.error
