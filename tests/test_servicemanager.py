"""The service manager hears what sd_notify(3) says, and nothing else is told of it."""

from __future__ import annotations

import contextlib
import math
import socket

import pytest

from muxd.servicemanager import ServiceManager


@contextlib.contextmanager
def listening(address):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.settimeout(5)
        sock.bind(address)
        yield sock


@pytest.mark.parametrize("abstract", [False, True])
def test_a_line_each(tmp_path, abstract):
    """Assignments in one datagram, to a path or an abstract name."""
    name = str(tmp_path / "notify")
    with listening("\0" + name if abstract else name) as sock:
        ServiceManager("@" + name if abstract else name).tell("READY=1", "STATUS=all is well")
        assert sock.recv(1000) == b"READY=1\nSTATUS=all is well"


@pytest.mark.parametrize(
    ("variables", "watchdog"),
    [
        ({}, math.inf),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "9"}, math.inf),
        ({"WATCHDOG_USEC": "0"}, math.inf),
        ({"WATCHDOG_USEC": "soon"}, math.inf),
    ],
)
def test_what_it_wants_is_in_the_environment(variables, watchdog):
    """And is there no more once it has been found: neither the browser nor a body is to see it."""
    environ = {"NOTIFY_SOCKET": "/run/notify", "HOME": "/root"} | variables
    found = ServiceManager.found(environ, {7, 8})
    assert found is not None
    assert found.watchdog == watchdog
    assert environ == {"HOME": "/root"}


@pytest.mark.parametrize("address", ["", "relative", "vsock:2:1234"])
def test_nobody_wants_to_know(address):
    """No address, or one that can't be used: then there is none."""
    assert ServiceManager.found({"NOTIFY_SOCKET": address}, {7}) is None


def test_one_that_is_gone_costs_nothing(tmp_path, caplog):
    """What can't be told is dropped, and that is said once."""
    manager = ServiceManager(str(tmp_path / "gone"))
    for _ in range(3):
        manager.tell("WATCHDOG=1")


def test_one_that_does_not_read_is_not_waited_for(tmp_path):
    """Its buffer full, the rest is dropped."""
    name = str(tmp_path / "notify")
    with listening(name) as sock:
        manager = ServiceManager(name)
        for _ in range(2000):
            manager.tell("WATCHDOG=1")
        assert sock.recv(1000) == b"WATCHDOG=1"
