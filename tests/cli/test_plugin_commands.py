"""Commands of plugins, and what is shown of the calls of hooks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

CONFIG = """
    [plugins]
    jobs_dirs = ["jobs"]
    [plugins.greeter]
    name = "Ann"
    token = "very-secret-token"
"""
GREETER = """
    import attrs, click, muxd
    from muxd.abc import LaunchOptions
    from muxd.errors import UserError

    @muxd.job(interval="1h")
    async def greeting(run): ...

    @muxd.hookimpl
    def muxd_register_commands(cli, section):
        @cli.command()
        @click.option("--times", default=1)
        def greet(times):
            "Say hello."
            click.echo(f"hello {section.values['name']} " * times)

        @cli.command()
        @click.argument("how")
        def fail(how):
            raise {"user": UserError("give a name"), "bug": KeyError("name")}[how]

        @cli.command()
        def status():
            click.echo("not the status")

    @muxd.hookimpl
    def muxd_launch_options(options):
        return LaunchOptions(args=["--lang=de"], env={"PASSWORD": "hunter2hunter2"})
"""


@pytest.fixture(autouse=True)
def plugin(write):
    """A plugin with commands of its own."""
    write("muxd.toml", CONFIG)
    write("jobs/greeter.py", GREETER)


def test_a_plugins_command_is_one_of_muxd(muxd):
    """It has options and help as any other, and is offered where it is misspelt."""
    done = muxd("greet", "--times", "2")
    assert (done.exit_code, done.stdout) == (0, "hello Ann hello Ann \n")
    assert "Usage: muxd greet [OPTIONS]\n\n  Say hello." in muxd("greet", "--help").stdout
    assert muxd("help", "greet").stdout == muxd("greet", "--help").stdout
    wrong = muxd("gret")
    assert wrong.exit_code == 2
    assert "No such command 'gret'; did you mean 'greet'?" in wrong.stderr


def test_help_shows_all_commands_and_which_are_not_to_be_had(muxd):
    """`muxd help`: muxd's own, then those of plugins, each with its plugin."""
    shown = muxd("help")
    assert shown.exit_code == 0
    own, _, others = shown.stdout.partition("Commands of plugins:")
    assert "Run the jobs, in the foreground." in own
    assert "Say hello. [greeter]" in others
    assert "status" not in others
    assert "plugin 'greeter': the command 'status' is muxd's own" in shown.stderr
    assert muxd("help", "plugins", "disable").stdout == muxd("plugins", "disable", "--help").stdout
    assert muxd("help", "greet", "more").exit_code == 2


def test_no_plugin_can_take_a_command_of_muxds(muxd, write):
    """One of the same name, or one that hangs or breaks whatever it can, is in nobody's way: for muxd's
    own commands its hook is not even called."""
    write("jobs/evil.py", """
        import muxd
        @muxd.hookimpl
        def muxd_register_commands(cli):
            open("called", "w").close()
            cli.commands.clear()
            raise SystemExit(7)
    """)  # fmt: skip
    assert muxd("status").exit_code == 3  # no daemon is running
    assert muxd("plugins").exit_code == 0
    assert not Path("called").exists()
    done = muxd("greet")
    assert done.stdout == "hello Ann \n"
    assert "plugin 'evil'" in done.stderr
    assert "muxd_register_commands" in done.stderr
    assert Path("called").exists()


def test_errors_of_a_plugins_command_are_its_plugins(muxd):
    """What is the user's mistake is one line and exit code 2; a bug names the plugin, not muxd."""
    known = muxd("fail", "user")
    assert (known.exit_code, known.stderr) == (2, "muxd: give a name\n")
    bug = muxd("fail", "bug")
    assert bug.exit_code == 1
    assert "a mistake in the plugin 'greeter': KeyError: 'name'" in bug.stderr
    assert "report" not in bug.stderr
    assert "Traceback" in muxd("--debug", "fail", "bug").stderr


def test_the_first_of_two_plugins_has_the_command(muxd, write):
    """The other is told, in `muxd help`."""
    write("jobs/late.py", GREETER.replace("hello", "bye").replace("greeting", "parting"))
    assert muxd("greet").stdout == "hello Ann \n"
    assert "plugin 'late': 'greeter' has a command 'greet' already" in muxd("help").stderr


def test_calls_of_hooks_are_shown(muxd, write):
    """`muxd plugins --trace`: hook, plugin, arguments, what came of it, and how long it took; of a section
    the keys, and of what may be a secret nothing."""
    write("jobs/broken.py", """
        import muxd
        @muxd.hookimpl
        def muxd_page_wrappers():
            return [5]
    """)  # fmt: skip
    done = muxd("plugins", "--trace", "--json")
    assert done.exit_code == 0
    calls = {(each["hook"], each["plugin"]): each for each in json.loads(done.stdout)}
    commands = calls["muxd_register_commands", "greeter"]
    assert commands["arguments"] == {"cli": "a group", "section": "[plugins.greeter] name, token"}
    assert commands["gave"] == "greet, fail, status"
    assert commands["seconds"] > 0
    options = calls["muxd_launch_options", "greeter"]
    assert "--lang=de" in options["gave"]
    assert calls["muxd_page_wrappers", "broken"]["error"].startswith(
        "Wrong: gave 5, not a muxd.abc"
    )
    assert "muxd_slotter" in {hook for hook, _ in calls}
    assert "secret-token" not in done.stdout
    assert "hunter2" not in done.stdout
    table = muxd("plugins", "--trace", env={"COLUMNS": "300"}).stdout
    assert "muxd_register_commands  greeter" in table
