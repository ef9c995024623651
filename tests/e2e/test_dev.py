"""``muxd dev``: jobs run when they are saved, in a browser that stays, beside a daemon."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from muxd.state import StateDir

from .conftest import PATIENT_EYE

TEA = (
    PATIENT_EYE
    + """
import muxd


@muxd.job(interval="1h", duration="20s")
async def tea(run):
    run.log.info("the kettle is on", cups={cups})
    run.progress(1, 4, "pouring")
    run.tell("tea is ready", "green", url="https://tea.example/")
    await run.page.set_content("<h1>tea</h1><script>console.warn('hot'); notThere()</script>")
    {last}
"""
)
GOOD = "return [await run.page.inner_text('h1')] * {cups}"
WAITS = "waits for the next save"


@pytest.fixture
def dev(muxd_home):
    """Start it, on what was written before; gives a way to wait for what it says."""
    output = muxd_home.output
    processes = []

    def start(*args):
        with output.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-u", "-m", "muxd", "dev", *args],
                env=muxd_home.environ,
                cwd=muxd_home.folder,
                stdout=file,
                stderr=file,
            )
        processes.append(process)
        return process

    yield start
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.wait()


def test_a_file_is_tried_whenever_it_is_saved(muxd_home, dev):
    """Everything that is known of a run is shown, also of a file that can't be imported; a save ends
    the run in progress; the browser is the same for all; Ctrl-C ends it. All of that while somebody
    else has the state directory.
    """

    def write(text):
        """Whole at once: a file that is seen half written is tried, too."""
        beside = muxd_home.folder / "tea.new"
        beside.write_text(text)
        beside.replace(muxd_home.jobs / "tea.py")

    def save(last, cups=2):
        write(TEA.format(cups=cups, last=last.format(cups=cups)))

    def says(*texts, times):
        """What was said since the last time, once all of it is there."""
        whole = muxd_home.output.read_text
        muxd_home.wait(lambda: whole().count(WAITS) >= times, 60, f"{texts}")
        said = whole().split(WAITS)[times - 1]
        for text in texts:
            assert text in said, said
        return said

    save(GOOD)
    with StateDir(muxd_home.state).hold():  # as a daemon does
        process = dev("jobs/tea.py")
        said = says("tea  ok", "the kettle is on", "['tea', 'tea']", "warning: hot", times=1)
        assert "1 of 4 (25 %), pouring" in said
        assert "tells:\n    tea is ready\n    green\n    https://tea.example/\n" in said
        assert "page errors:\n    ReferenceError: notThere is not defined" in said
        shot = said.partition("screenshot: ")[2].partition("\n")[0]
        assert shot.startswith(f"{muxd_home.state}/dev/artifacts/")
        with open(shot, "rb") as file:
            assert file.read(4) == b"\x89PNG"
        write("import nothing_there\n")
        said = says("nothing was run", "ModuleNotFoundError: No module named", times=2)
        assert '/tea.py", line 1, in <module>\n' in said
        save("import trio; await trio.sleep(55)", cups=5)
        muxd_home.wait(lambda: "cups=5" in muxd_home.output.read_text(), 60, "the run to begin")
        save("return run.page.no_such_thing", cups=1)
        said = says("tea  cancelled", "something was saved meanwhile", "tea  failed", times=3)
        assert 'tea.py", line 15, in tea\n' in said
        assert "AttributeError: 'Page' object has no attribute 'no_such_thing'" in said
        assert "muxd/runner.py" not in said
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    runs = muxd_home.json("history", "--state-dir", str(muxd_home.state / "dev"))
    assert [run["outcome"] for run in runs] == ["failed", "cancelled", "ok"]
    assert {run["browser_generation"] for run in runs} == {1}
    assert not muxd_home.processes()
