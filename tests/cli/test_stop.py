"""``muxd stop``, where it tells by a signal. With a daemon: tests/e2e."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from muxd.cli import stop
from muxd.state import Owner, StateDir

BUSY = """
import os, signal, sys
calls = 0
def count(*_):
    global calls
    calls += 1
    if calls == 2:
        print("twice", flush=True)
        os._exit(0)
signal.signal(signal.SIGTERM, count)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
print("busy", flush=True)
sys.stdin.readline()
signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
while True:
    signal.pause()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it can't be seen what is pending")
def test_the_second_signal_waits_until_the_first_is_heard(tmp_path, monkeypatch):
    """Two that a busy process has not heard yet would be one to it: then nothing is cut short."""
    with subprocess.Popen(
        [sys.executable, "-c", BUSY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout.readline() == "busy\n"
            owner = Owner(process.pid, "daemon", process.pid)
            asked = 0

            def is_pending(who, number):
                nonlocal asked
                pending = real(who, number)
                asked += pending
                if asked == 3:
                    print(file=process.stdin, flush=True)
                return pending

            real = stop._is_pending
            monkeypatch.setattr(stop, "_is_pending", is_pending)
            monkeypatch.setattr(stop, "_is_there", lambda state, who: process.poll() is None)
            monkeypatch.setattr(stop, "HEARD", 60.0)
            assert not real(owner, signal.SIGTERM)
            stop._signal(StateDir(tmp_path), owner, at_once=True)
            assert process.stdout.readline() == "twice\n"
            assert process.wait(60) == 0
            assert asked >= 3
        finally:
            process.kill()
