"""The tutorial works as it is written: its files are made, its commands run, on a real browser."""

from __future__ import annotations

import contextlib
import os
import random
import re
import shlex
import socket
import subprocess
import sys
import time
import urllib.request
from importlib.metadata import entry_points
from pathlib import Path

import pytest

TUTORIAL = Path(__file__).parent.parent / "docs" / "tutorial"
PAGES = {
    "index": {},
    "first-job": {"muxd run prices": "Assam", "muxd data prices": "Darjeeling"},
    "timetable": {
        "muxd plan": "no collision, ever",
        "muxd run front_page": "ok",
        "muxd history": "front_page",
    },
    "login": {"muxd run orders": "['Assam', 'Sencha']"},
    "test": {"python -m pytest -q": "4 passed"},
    "publish": {"python -m pytest -q muxd-tea-prices": "1 passed"},
}
"""The pages in their order, and what some of their commands say."""
FENCE = re.compile(
    r"(?:^<!-- (?P<mark>[^\n]*?) -->\n)?^```(?P<language>\w*)\n(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
PROGRAMS = {"muxd": [sys.executable, "-m", "muxd"], "python": [sys.executable]}
BOUND = 100
"""Seconds that a command may take on a machine that is busy."""

pytestmark = [pytest.mark.browser, pytest.mark.long]


def free_port():
    """One that the system gives to nobody by itself."""
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", random.SystemRandom().randrange(10_000, first)))
            return probe.getsockname()[1]


class Reader:
    """Does what the tutorial says, in a directory of its own."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.port = free_port()
        mine = {key for key in os.environ if key.startswith("MUXD_")} - {"MUXD_BROWSER"}
        self.environment = {key: os.environ[key] for key in os.environ if key not in mine} | {
            "HOME": str(place),
            "MUXD_STATE_DIR": str(place / "state"),
            "MUXD_WEB_PORT": "0",
        }
        # What this environment has installed beside muxd is not there in a new one.
        (place / "state").mkdir(mode=0o700)
        installed = sorted(point.name for point in entry_points(group="muxd"))
        (place / "state" / "disabled-plugins").write_text("\n".join(installed), "utf-8")
        self.beside: list[subprocess.Popen[bytes]] = []
        self.told: dict[str, str] = {}

    def read(self, page: Path) -> None:
        """All blocks of a page, in their order."""
        for block in FENCE.finditer(page.read_text("utf-8")):
            mark, code = block["mark"] or "", block["code"].replace("8000", str(self.port))
            if mark.startswith("file: "):
                file = self.place / mark.removeprefix("file: ")
                file.parent.mkdir(exist_ok=True)
                file.write_text(code, "utf-8")
            elif block["language"] == "console" and not mark:
                for line in code.splitlines():
                    if line.startswith("$ "):
                        self.type(line.removeprefix("$ "))

    def type(self, line: str) -> None:
        """A command: it ends well, or goes on beside the others."""
        words = shlex.split(line)
        environment = dict(self.environment)
        while re.fullmatch(r"[A-Z_]+=.*", words[0]):
            name, _, value = words.pop(0).partition("=")
            environment[name] = value
        command = [*PROGRAMS[words[0]], *words[1:]]
        if line in ("python shop.py", "muxd start"):
            log = (self.place / "beside.log").open("ab")
            started = subprocess.Popen(
                command, cwd=self.place, env=environment, stdout=log, stderr=log
            )
            log.close()
            self.beside.append(started)
            self.wait(started, self.shop_answers if "shop" in line else self.daemon_answers)
            return
        done = subprocess.run(
            command,
            cwd=self.place,
            env=environment,
            capture_output=True,
            text=True,
            timeout=BOUND,
            check=False,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
        self.told[line] = done.stdout

    def shop_answers(self) -> bool:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=10).close()
        except OSError:
            return False
        return True

    def daemon_answers(self) -> bool:
        return '"started", "jobs": 3' in (self.place / "beside.log").read_text("utf-8")

    def wait(self, started: subprocess.Popen[bytes], answers) -> None:
        end = time.monotonic() + BOUND
        while not answers():
            assert started.poll() is None, (self.place / "beside.log").read_text("utf-8")
            assert time.monotonic() < end
            time.sleep(0.1)

    def close(self) -> None:
        for started in self.beside:
            started.terminate()
        for started in self.beside:
            started.wait(BOUND)


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    made = Reader(tmp_path_factory.mktemp("tutorial"))
    yield made
    made.close()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("page", PAGES)
def test_who_does_what_the_tutorial_says_gets_what_it_promises(reader, page):
    """Every file is written and every command run: they end well, and say what they should.

    Each page begins where the one before it has ended.
    """
    reader.read(TUTORIAL / f"{page}.md")
    for line, words in PAGES[page].items():
        assert words in reader.told[line]


def test_every_page_of_the_tutorial_is_read():
    """No page is left out of this test."""
    assert sorted(PAGES) == sorted(page.stem for page in TUTORIAL.glob("*.md"))
