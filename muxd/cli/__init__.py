"""The command line: a table of commands, each imported when it is used.

``muxd --help`` reads the table alone, so it costs no browser, no trio and no plugin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from muxd import __version__
from muxd.cli.group import Entry, LazyGroup

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["COMMANDS", "main"]

COMMANDS: Mapping[str, Entry] = {
    "start": Entry("muxd.cli.start:start", "Run the jobs, in the foreground."),
    "stop": Entry("muxd.cli.stop:stop", "Stop the daemon; the run in progress may finish."),
    "status": Entry("muxd.cli.status:status", "What the daemon is doing."),
    "dashboard": Entry("muxd.cli.dashboard:dashboard", "The link that opens the dashboard."),
    "top": Entry("muxd.cli.top:top", "The same, live."),
    "run": Entry("muxd.cli.run:run", "Run one job now."),
    "cancel": Entry("muxd.cli.cancel:cancel", "End a run that waits or is in progress."),
    "skip": Entry("muxd.cli.skip:skip", "Pass over the next release of a job, once."),
    "pause": Entry("muxd.cli.pause:pause", "Pass over the slots of a job, or of all."),
    "resume": Entry("muxd.cli.pause:resume", "Use the slots of a paused job again."),
    "reload": Entry("muxd.cli.reload:reload", "Take over what was edited or installed."),
    "drain": Entry("muxd.cli.drain:drain", "Let nothing become a run any more."),
    "restart": Entry("muxd.cli.restart:restart", "Start the daemon anew, in a gap."),
    "audit": Entry("muxd.cli.audit:audit", "Who wanted what of the daemon."),
    "login": Entry("muxd.cli.login:login", "Log in to a session by hand, once."),
    "history": Entry("muxd.cli.history:history", "The runs of the past."),
    "data": Entry("muxd.cli.data:data", "What jobs have saved."),
    "logs": Entry("muxd.cli.logs:logs", "What was logged, and is."),
    "plan": Entry("muxd.cli.plan:plan", "The timetable, and what is proved about it."),
    "simulate": Entry("muxd.cli.simulate:simulate", "Play the jobs through, and break things."),
    "jobs": Entry("muxd.cli.jobs:jobs", "The jobs of all plugins."),
    "new": Entry("muxd.cli.new:new", "Write a new plugin, with a test of it."),
    "dev": Entry("muxd.cli.dev:dev", "Try jobs while they are written, on every save."),
    "import": Entry("muxd.cli.importing.command:import_", "Take over the jobs of another program."),
    "install": Entry("muxd.cli.install:install", "Install plugins, and slot their jobs in."),
    "uninstall": Entry("muxd.cli.install:uninstall", "Remove plugins, and their jobs."),
    "plugins": Entry("muxd.cli.plugins:plugins", "The plugins, why any is left out; disable one."),
    "config": Entry("muxd.cli.config:config", "The configuration in force, and its origins."),
    "browser": Entry("muxd.cli.browser:browser", "Find or install the browser."),
    "service": Entry("muxd.cli.service:service", "Have systemd keep muxd running."),
    "notify": Entry("muxd.cli.notify:notify", "Try how you are told when something is wrong."),
    "backup": Entry("muxd.cli.backup:backup", "All that muxd knows, in one file."),
    "restore": Entry("muxd.cli.restore:restore", "Put a backup back."),
    "completion": Entry(
        "muxd.cli.completion:completion", "Have a shell complete commands, jobs and runs."
    ),
    "doctor": Entry("muxd.cli.doctor.command:doctor", "What is wrong here, if anything is."),
    "help": Entry("muxd.cli.help:help_", "All commands, those of plugins too."),
}
"""Command to where it is and its help in one line, in the order of ``muxd --help``."""


@click.group(
    cls=LazyGroup,
    table=COMMANDS,
    further="muxd.cli.plugincommands:plugin_commands",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="""
\b
Examples:
  muxd browser install        once: make sure of a browser
  muxd start                  run the jobs
  muxd status                 see what it does, from another terminal
  muxd help                   all commands, those of plugins too

\b
Exit codes: 0 done, 1 failed, 2 your mistake (the message says what to do),
3 no daemon is running.
""",
)
@click.version_option(__version__, prog_name="muxd")
@click.option(
    "--debug",
    is_flag=True,
    envvar="MUXD_DEBUG",
    help="Show tracebacks of errors, and logs in detail.",
)
def main(debug: bool) -> None:
    """Cron for one browser: periodic Playwright jobs that never collide."""
    # `debug` is read by the group when a command ends with an error, and where logs are set up.
