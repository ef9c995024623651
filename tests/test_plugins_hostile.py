"""Whatever a plugin does, it alone is left out, within a bound, and nothing of it stays behind."""

from __future__ import annotations

import builtins
import gc
import locale
import logging
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
import tomllib
import warnings
from pathlib import Path

import pytest
import structlog

from muxd.config import Config, DaemonConfig, PluginsConfig
from muxd.patience import OutOfPatience, patiently
from muxd.plugins import load_plugins

HOSTILE = tomllib.loads((Path(__file__).parent / "hostile_plugins.toml").read_text("utf-8"))
HONEST = "import muxd\n\n@muxd.job(interval='1h')\nasync def honest(run): ...\n"
PATIENCE = 0.3
EARLY = {name: it for name, it in HOSTILE.items() if it.get("command", "jobs") == "jobs"}


def source_of(name):
    """The text of a jobs file; one that stays active has a job of its name."""
    fields = HOSTILE[name]
    source = fields["source"].lstrip("\n")
    if "hook" not in fields:
        source += f"\nimport muxd\n\n@muxd.job(interval='1h')\nasync def {name}(run): ...\n"
    return source


@pytest.fixture
def config(tmp_path):
    """Write jobs files; a configuration that has them, and little patience."""
    directory = tmp_path / "jobs"
    directory.mkdir()

    def write(patience=PATIENCE, **sources):
        for name, source in sources.items():
            (directory / f"{name}.py").write_text(textwrap.dedent(source), "utf-8")
        return Config(
            plugins=PluginsConfig(jobs_dirs=(directory,), patience=patience),
            daemon=DaemonConfig(state_dir=tmp_path / "state"),
        )

    return write


def load(config):
    return load_plugins(config, entry_points=(), builtins=())


def shared():
    """What all code of a process shares, as far as it is put back."""
    watched = {s: signal.getsignal(s) for s in signal.Signals if s is not signal.SIGALRM}
    umask = os.umask(0)
    os.umask(umask)
    return {
        "directory": os.getcwd(),
        "umask": umask,
        "signals": watched,
        "alarm": signal.getsignal(signal.SIGALRM),
        "blocked": signal.pthread_sigmask(signal.SIG_BLOCK, ()),
        "locale": locale.setlocale(locale.LC_ALL),
        "path": sys.path[:],
        "filters": warnings.filters[:],
        "builtins": dict(vars(builtins)),
        "hooks": (sys.excepthook, sys.displayhook, sys.unraisablehook, threading.excepthook),
        "streams": (sys.stdin, sys.stdout, sys.stderr),
        "recursion": sys.getrecursionlimit(),
        "trace": sys.gettrace(),
        "gc": gc.isenabled(),
        "handlers": logging.getLogger().handlers[:],
        "level": logging.getLogger().level,
        "off": logging.getLogger().manager.disable,
        "logs": structlog.get_config(),
        "threads": threading.enumerate(),
    }


@pytest.mark.parametrize("name", EARLY)
def test_a_hostile_plugin_is_left_out_alone(config, name):
    """The honest one is there, the reason is one line with the remedy, all is as it was before."""
    found = config(**{name: source_of(name)}, honest=HONEST)
    structlog.configure()
    try:
        before, started = shared(), time.monotonic()
        plugins = load(found)
        took, after = time.monotonic() - started, shared()
    finally:
        structlog.reset_defaults()
        sys.path[:] = before["path"]
    after["path"] = [entry for entry in after["path"] if entry != "/nowhere"]
    # One of an earlier test may have ended meanwhile.
    assert set(after.pop("threads")) <= set(before.pop("threads"))
    assert after == before
    assert took < 3 * PATIENCE + 5
    assert "honest" in {job.name for job in plugins.jobs}
    fields = HOSTILE[name]
    if "hook" not in fields:
        assert plugins.problems == ()
        assert name in {job.name for job in plugins.jobs}
        return
    (problem,) = plugins.problems
    assert (problem.plugin, problem.hook) == (name, fields["hook"])
    assert fields["reason"] in problem.reason
    assert "\n" not in str(problem)
    assert str(problem).endswith(f"; mend it, or `muxd plugins disable {name}`")
    assert len(str(problem)) < 3000


@pytest.mark.parametrize(
    "name", [name for name, it in HOSTILE.items() if it.get("command") in ("history", "plan")]
)
def test_hooks_of_stores_and_slotters_are_bounded_too(config, name, tmp_path):
    """A store or slotter that never comes leaves out its plugin; the next one is asked."""
    # muxd's own: imported once, they are within any patience
    load_plugins(Config(), entry_points=())
    plugins = load_plugins(config(**{name: source_of(name)}), entry_points=())
    asked = {
        "muxd_store": lambda: [plugins.store(tmp_path)],
        "muxd_slotter": plugins.slotters,
    }[HOSTILE[name]["hook"]]
    assert len(asked()) == 1
    (problem,) = plugins.problems
    assert (problem.plugin, problem.hook) == (name, HOSTILE[name]["hook"])
    assert HOSTILE[name]["reason"] in problem.reason


@pytest.mark.parametrize("name", ["sinks_hang", "services_exit"])
async def test_hooks_within_trio_are_bounded_too(config, name):
    """Sinks and services are asked for in the daemon's loop, which goes on afterwards."""
    import trio

    plugins = load(config(**{name: source_of(name)}))
    with trio.fail_after(10):
        assert plugins.sinks() == plugins.services() == []
        await trio.lowlevel.checkpoint()
    (problem,) = plugins.problems
    assert problem.hook == HOSTILE[name]["hook"]


def test_what_is_new_on_the_search_path_stays_behind_all_else(config):
    """A plugin may import from a directory of its own later, and hides no module with it."""
    before = sys.path[:]
    try:
        load(config(moves=source_of("moves")))
        assert sys.path == [*before, "/nowhere"]
    finally:
        sys.path[:] = before


def test_many_jobs_take_no_long(config):
    """Thousands of jobs are taken in a time that grows with their number alone."""
    source = """
        import muxd
        @muxd.hookimpl
        def muxd_jobs():
            async def body(run): ...
            return [muxd.Job(f"job{n}", body, interval="1d") for n in range(9_999)]
    """
    plugins = load(config(patience=30, many=source))
    assert len(plugins.jobs) == 9_999
    assert plugins.problems == ()


def test_patience_keeps_to_a_timer_that_was_there_before():
    """An alarm that somebody had set rings after the call, with what is left of its time."""
    rung = []
    handler = signal.signal(signal.SIGALRM, lambda *_: rung.append(time.monotonic()))
    before = signal.setitimer(signal.ITIMER_REAL, 0.4)
    started = time.monotonic()
    try:
        with pytest.raises(OutOfPatience):
            patiently(0.2, "bad", "import", lambda: time.sleep(60))
        while not rung:
            assert time.monotonic() < started + 10
            time.sleep(0.05)
        assert len(rung) == 1
        assert rung[0] >= started + 0.35
    finally:
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, *before)


def test_an_alarm_that_meets_a_finaliser_comes_again_in_silence():
    """The interpreter can't raise there: it reports errors, those of others still."""
    reports = []

    class Slow:
        def __del__(self):
            time.sleep(1.0)

    class Bad:
        def __del__(self):
            raise LookupError("of the plugin")

    def call():
        Bad()
        Slow()
        time.sleep(60)

    before, sys.unraisablehook = sys.unraisablehook, reports.append
    try:
        with pytest.raises(OutOfPatience):
            patiently(0.5, "bad", "import", call)
        assert sys.unraisablehook == reports.append
    finally:
        sys.unraisablehook = before
    assert [report.exc_type for report in reports] == [LookupError]


def test_patience_does_not_wait_where_there_is_no_need():
    """What is quick is as quick as without; results and errors go through."""
    assert patiently(60, "good", "import", lambda: 7) == 7
    with pytest.raises(KeyError):
        patiently(60, "good", "import", lambda: {}["x"])
    assert not [t for t in threading.enumerate() if t.name == "muxd patience"]


UNSTOPPABLE = {
    # Each holds out against the alarm: the first has it taken away, the second lets no Python run.
    "disarms": (
        """
        import signal, time
        signal.setitimer(signal.ITIMER_REAL, 0)
        time.sleep(3600)
        """,
        "muxd: plugin 'disarms' hangs in import and can't be interrupted: "
        "leave it out with `muxd plugins disable disarms`\n",
    ),
    "keeps_the_lock": (
        """
        import ctypes, signal
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
        ctypes.PyDLL(None).sleep(60)
        """,
        "keeps_the_lock.py",
    ),
}


@pytest.mark.parametrize("name", UNSTOPPABLE)
def test_what_cannot_be_interrupted_ends_the_command(tmp_path, name):
    """After three times the patience the process ends; the message, or the stack, says by whom."""
    jobs = tmp_path / "jobs"
    jobs.mkdir()
    source, message = UNSTOPPABLE[name]
    (jobs / f"{name}.py").write_text(textwrap.dedent(source))
    (tmp_path / "muxd.toml").write_text("[plugins]\npatience = '0.3s'\njobs_dirs = ['jobs']\n")
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "muxd", "jobs", "--state-dir", "state"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )
    assert time.monotonic() - started < 20
    assert (done.returncode, done.stdout) == (1, "")
    assert message in done.stderr
