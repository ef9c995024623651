"""The command line as a whole: help, errors and exit codes."""

from __future__ import annotations

import asyncio
import errno
import signal
import subprocess
import sys

import click
import pytest
import trio

from muxd.cli import COMMANDS, main
from muxd.cli.group import Entry, LazyGroup
from muxd.control.server import serve_control
from muxd.errors import (
    ConfigError,
    ConfigProblem,
    DaemonNotRunning,
    LedgerError,
    UnknownJob,
)
from muxd.state import StateDir


def start(*args: str, **kwargs) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "muxd", *args]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, **kwargs)


@pytest.fixture
def failing(monkeypatch):
    """Make ``muxd fail`` end with what it is given."""

    def prepare(action) -> None:
        module = type(sys)("failing_command")
        module.fail = click.Command("fail", callback=action)
        monkeypatch.setitem(sys.modules, "failing_command", module)
        monkeypatch.setitem(main.table, "fail", Entry("failing_command:fail", "Fail."))

    return prepare


def raising(error: BaseException):
    def action() -> None:
        raise error

    return action


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_there_and_helps(muxd, name):
    """Each command has help with an example and the exit codes, and the table's line is true."""
    result = muxd(name, "--help")
    assert result.exit_code == 0, result.output
    assert "Example" in result.stdout
    assert f"muxd {name}" in result.stdout.partition("Example")[2]
    assert "Exit codes: 0 done, 1 failed, 2 your mistake" in result.stdout
    command = main.get_command(click.Context(main), name)
    assert command is not None
    assert command.name == name


IMPORTED = """
import sys
before = set(sys.modules)
from muxd.cli import main
try:
    main(sys.argv[1:], prog_name="muxd")
except SystemExit as end:
    assert not end.code
new = {name for name in sys.modules.keys() - before if not name.startswith("_")}
packages = {name.partition(".")[0] for name in new} - sys.stdlib_module_names
print(*sorted(packages - {"muxd"}))
print(*sorted(name for name in new if name.startswith("muxd.")))
"""


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_names_every_command_and_imports_none(option):
    """``muxd --help`` is quick: it imports click, the table of commands, and nothing else."""
    command = [sys.executable, "-c", IMPORTED, option]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines()[-2:] == ["click", "muxd.cli muxd.cli.group"], done.stderr
    for name, entry in COMMANDS.items() if option == "--help" else ():
        assert f"  {name} " in done.stdout
        assert entry.help in done.stdout


async def test_status_imports_what_it_needs(tmp_path):
    """``muxd status`` is quick: no trio, no browser library, no rich, no plugin and no solver.

    A module more is a decision, made here too.
    """

    class Daemon:
        def status(self, *, upcoming):
            return {"state": "running"}

    state = StateDir(tmp_path / "state")
    state.prepare()
    command = [sys.executable, "-c", IMPORTED, "status", "--json", "--state-dir", str(state.root)]
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            await nursery.start(serve_control, Daemon(), state.socket)
            done = await trio.run_process(command, capture_stdout=True)
            nursery.cancel_scope.cancel()
    packages, modules = done.stdout.decode().splitlines()[-2:]
    assert set(packages.split()) - {"typing_extensions"} == {
        "attr", "attrs", "cattrs", "click", "platformdirs"
    }  # fmt: skip
    assert modules.removeprefix("muxd.").split(" muxd.") == [
        "blocklist", "cli", "cli.group", "cli.options", "cli.output", "cli.status", "config",
        "configfile", "configvalues", "control", "control.client", "control.path", "engine", "errors", "hints",
        "job", "jobcheck", "jobpolicies", "jobslips", "jobvalues", "keys", "overrides", "readers", "secrets",
        "sizes", "state", "units", "zone",
    ]  # fmt: skip


def test_version(muxd):
    """``muxd --version`` says which."""
    from muxd import __version__

    assert muxd("--version").stdout == f"muxd, version {__version__}\n"


def test_an_unknown_command_is_the_users_mistake(muxd):
    """Exit code 2, and the likeliest command, or all of them."""
    result = muxd("plna")
    assert result.exit_code == 2
    assert "No such command 'plna'; did you mean 'plan'?" in result.stderr
    assert "audit, backup, browser, cancel" in muxd("xyzzy").stderr.partition("there are:")[2]


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (UnknownJob("hedlines", ("headlines",)), 2, "did you mean 'headlines'?"),
        (ConfigError(ConfigProblem("muxd.toml", "a.b", "no")), 2, "muxd: muxd.toml: a.b: no\n"),
        (DaemonNotRunning("state"), 3, "start one with `muxd start`"),
        (LedgerError("disk full"), 1, "muxd: disk full\n"),
        (ExceptionGroup("", [ExceptionGroup("", [UnknownJob("x")])]), 2, "no job 'x'"),
        (ExceptionGroup("", [LedgerError("a"), UnknownJob("x")]), 2, "muxd: a\nmuxd: there"),
    ],
)
def test_an_error_is_one_clear_message(muxd, failing, error, code, text):
    """muxd's own errors are told without a traceback and end with their exit code."""
    failing(raising(error))
    result = muxd("fail")
    assert result.exit_code == code
    assert text in result.stderr
    assert "Traceback" not in result.output
    assert "report" not in result.output


@pytest.mark.parametrize(
    "error",
    [
        TypeError("oops"),
        OSError("oops"),
        ExceptionGroup("", [KeyError("oops")]),
        asyncio.CancelledError("oops"),
        BaseExceptionGroup("", [asyncio.CancelledError("oops")]),
        BaseExceptionGroup("", [SystemExit("oops")]),
    ],
)
def test_an_error_that_nobody_foresaw_asks_to_be_reported(muxd, failing, error):
    """It is called a mistake in muxd, exit code 1, and says how to get the traceback."""
    failing(raising(error))
    result = muxd("fail")
    assert result.exit_code == 1
    assert "muxd: internal error: " in result.stderr
    assert "oops" in result.stderr
    assert "please report it" in result.stderr
    assert "--debug" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("args", "env"), [(["--debug", "fail"], {}), (["fail"], {"MUXD_DEBUG": "1"})]
)
def test_debug_shows_tracebacks(muxd, failing, args, env):
    """``--debug`` and MUXD_DEBUG add the traceback to the message."""
    failing(raising(TypeError("oops")))
    result = muxd(*args, env=env)
    assert result.exit_code == 1
    assert "Traceback (most recent call last)" in result.stderr
    assert "please report it" in result.stderr


@pytest.mark.parametrize(
    "error",
    [KeyboardInterrupt(), click.Abort(), BaseExceptionGroup("", [KeyboardInterrupt()])],
)
def test_ctrl_c_ends_quietly(muxd, failing, error):
    """Exit code 130, as a shell expects, and not a word."""
    failing(raising(error))
    result = muxd("fail")
    assert result.exit_code == 130
    assert result.output.strip() == ""


def test_a_broken_pipe_within_a_nursery_is_one(muxd, failing):
    """Whoever reads what a run prints may have seen enough: that is no mistake of muxd's."""
    failing(raising(ExceptionGroup("", [BrokenPipeError(errno.EPIPE, "Broken pipe")])))
    result = muxd("fail")
    assert result.exit_code == 1
    assert result.output.strip() == ""


def test_a_command_may_return_its_exit_code(muxd, failing):
    """An integer from a command is its exit code."""
    failing(lambda: 1)
    assert muxd("fail").exit_code == 1


def test_a_command_may_exit_by_its_context(muxd, failing):
    """``ctx.exit(n)`` and click's own usage errors keep their codes."""
    failing(lambda: click.get_current_context().exit(3))
    assert muxd("fail").exit_code == 3
    failing(raising(click.UsageError("not so")))
    assert muxd("fail").exit_code == 2


def test_exit_codes_of_a_real_process(tmp_path):
    """``python -m muxd`` exits 0, 2 and says why on stderr, nothing on stdout."""
    assert start("config", "--state-dir", str(tmp_path), cwd=tmp_path).returncode == 0
    (tmp_path / "muxd.toml").write_text("[daemon]\nspeed = 0\n")
    done = start("config", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"muxd: {tmp_path}/muxd.toml: daemon.speed: 0 is not possible: "
        "give a number above 0 up to 3600\n"
    )
    assert start("nope").returncode == 2


def test_a_reader_that_has_seen_enough_is_no_error(tmp_path):
    """``muxd jobs | head -1`` says nothing of a broken pipe."""
    (tmp_path / "many.py").write_text(
        "import muxd\nasync def body(run): ...\n@muxd.hookimpl\ndef muxd_jobs():\n"
        "    for n in range(3000):\n"
        "        yield muxd.Job(f'job{n:04}', body, interval='1h', description='x' * 60)\n"
    )
    command = f"{sys.executable} -m muxd jobs --jobs-dir {tmp_path} --json | head -n 1"
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, timeout=60, cwd=tmp_path
    )
    assert done.stdout == "[\n"
    assert done.stderr == ""


def test_ctrl_c_in_a_real_process(tmp_path):
    """SIGINT ends even the import of a plugin, with 130 and no traceback."""
    (tmp_path / "slow.py").write_text("import time\nprint('in', flush=True)\ntime.sleep(50)\n")
    command = [sys.executable, "-m", "muxd", "jobs", "--jobs-dir", str(tmp_path)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "in\n"
        process.send_signal(signal.SIGINT)
        _, rest = process.communicate(timeout=20)
    assert process.returncode == 130
    assert rest.strip() == ""


def test_a_group_without_a_table_is_empty():
    """A lazy group shows and finds nothing that its table doesn't have."""
    group = LazyGroup("x")
    assert group.list_commands(click.Context(group)) == []
    assert group.get_command(click.Context(group), "y") is None
