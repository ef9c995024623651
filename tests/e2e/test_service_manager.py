"""Whoever starts muxd as a service is told how it is."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time

import psutil
import pytest

from .conftest import JOBS


@pytest.fixture
def told(muxd_home):
    """What a service manager that wants a sign of life every two seconds has been told."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        address = str(muxd_home.folder / "notify")
        sock.bind(address)
        sock.setblocking(False)
        muxd_home.environ |= {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "2000000"}
        lines = []

        def read():
            with contextlib.suppress(BlockingIOError):
                while True:
                    lines.extend(sock.recv(10_000).decode().splitlines())
            return lines

        yield read


def test_a_service_manager_is_told_how_muxd_is(muxd_home, told):
    """Ready, signs of life, a line of status, anew after a kill -9, and that it stops."""
    home = muxd_home
    home.write("jobs", JOBS)
    home.start(until="")
    home.wait(lambda: "READY=1" in told(), 60, "READY=1")  # read all the while: ten lines have room
    assert "STATUS=2 jobs, browser 1 is up" in told()
    home.wait(lambda: told().count("WATCHDOG=1") >= 4, 10, "signs of life")
    for process in (home.browser(), home.driver()):
        assert not {"NOTIFY_SOCKET", "WATCHDOG_USEC"} & set(process.environ())
    told().clear()
    os.kill(home.pid, signal.SIGKILL)
    home.wait(lambda: "READY=1" in told(), 30, "the next daemon's READY=1")
    assert "STOPPING=1" not in told()
    home.call("stop")
    home.wait(lambda: "STOPPING=1" in told(), 10, "STOPPING=1")
    assert home.daemon.wait(20) == 0


def test_a_daemon_that_is_blocked_gives_no_sign_of_life(muxd_home, told):
    """Stopped from outside, so that not even the guard may act: the service manager will."""
    home = muxd_home
    home.write("jobs", JOBS)
    home.start()
    home.wait(lambda: "WATCHDOG=1" in told(), 10, "a sign of life")
    stopped = psutil.Process(home.pid)
    stopped.suspend()
    try:
        told().clear()
        time.sleep(3)  # in which three would have come
        assert told() == []
    finally:
        stopped.resume()
    home.wait(lambda: "WATCHDOG=1" in told(), 10, "a sign of life")
