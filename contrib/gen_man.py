"""Writes contrib/man/muxd.1, the manual page, from the commands themselves.

``python contrib/gen_man.py`` writes it, and so does contrib/gen_cli_docs.py; with ``--check`` it exits
with 1 if it is out of date.
"""

from __future__ import annotations

import argparse
import inspect
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import click

from muxd.cli import COMMANDS, main
from muxd.config import SECTIONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

FILE = Path(__file__).parent / "man" / "muxd.1"
SHARED = ("config_file", "state_dir", "jobs_dirs", "strict")
HEAD = """\
.\\" Made by contrib/gen_man.py from the commands themselves: change those, and run it.
.TH MUXD 1 "" "" "muxd manual"
.SH NAME
muxd \\- cron for one browser: periodic Playwright jobs that never collide
.SH SYNOPSIS
.B muxd
.RI [ options ]
.I command
.RI [ arguments ]
.SH DESCRIPTION
"""
ABOUT = """\
muxd runs periodic jobs on one browser. Each job has its place on a timetable that is solved, so that
no two collide where that can be avoided; each run has a deadline that really frees the browser; and
every release ends as exactly one record, whatever dies.

A job is an async function of a plugin, or of a file in a directory of job files. `muxd start` runs
them, `muxd status` says what is going on, and `muxd plan` shows the timetable.

Results are printed on standard output, everything else on standard error. With `--json` standard
output is one JSON document whose keys are stable.
"""
CODES = {
    "0": "Done.",
    "1": "Failed: something outside of muxd, a run, or muxd itself; the message says what.",
    "2": "Your mistake: an option, the configuration, a name; the message says what to do.",
    "3": "The command needs a running daemon, and none is running.",
    "130": "Ended by Ctrl-C.",
    "129, 143": "A `muxd run` on its own that was ended by SIGHUP or SIGTERM.",
}
VARIABLES = {
    "MUXD_CONFIG": "The configuration file.",
    "MUXD_DEBUG": "Set to 1: as `--debug`.",
    "NO_COLOR": "Set to anything: no colours.",
}
FILES = {
    "./muxd.toml": "The configuration, if it is not named otherwise.",
    "~/.config/muxd/muxd.toml": "The configuration, if there is none in the working directory.",
    "~/.local/state/muxd/": "The state, where `--state-dir` does not say otherwise: ledger, sessions, "
    "browser profile, evidence, logs.",
    "/var/lib/muxd/": "The state of the machine's service.",
}


def page() -> str:
    """The page, as it should be."""
    context = click.Context(main, info_name="muxd")
    commands = {name: main.get_command(context, name) for name in COMMANDS}
    shared = [p for p in (commands["jobs"] or main).params if p.name in SHARED]
    parts = [HEAD, *paragraphs(ABOUT), ".SH OPTIONS\n", *options(main.get_params(context), context)]
    parts += ["Commands that have to do with plugins or the daemon also take these:\n"]
    parts += [*options(shared, context), ".SH COMMANDS\n"]
    for command in commands.values():
        assert command is not None
        parts += section(command, context)
    parts += [".SH EXIT STATUS\n", *items(CODES)]
    variables = VARIABLES | {
        field.metadata["env"]: f"As [{section}] {field.name} in the configuration."
        for section, kind in SECTIONS.items()
        for field in attrs.fields(kind)
        if field.metadata["env"]
    }
    parts += [".SH ENVIRONMENT\n", *items(dict(sorted(variables.items())))]
    parts += [".SH FILES\n", *items(FILES)]
    parts += [".SH SEE ALSO\n", *paragraphs("systemd(1), crontab(5)")]
    return "".join(parts)


def section(command: click.Command, parent: click.Context) -> Iterator[str]:
    """A command, then its subcommands."""
    context = click.Context(command, info_name=command.name, parent=parent)
    usage = " ".join(command.collect_usage_pieces(context))
    yield f".SS {roff(f'{context.command_path} {usage}')}\n"
    yield from paragraphs(inspect.cleandoc(command.help or ""))
    yield from options((p for p in command.get_params(context) if p.name not in SHARED), context)
    yield from examples(command.epilog)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from section(inner, context)


def options(params: Iterable[click.Parameter], context: click.Context) -> Iterator[str]:
    """The options, but for ``--help``, which all have."""
    found = {}
    for param in params:
        record = param.get_help_record(context) if isinstance(param, click.Option) else None
        if record is not None and "--help" not in param.opts:
            found[record[0]] = record[1]
    yield from items(found)
    if found:
        yield ".PP\n"


def items(found: dict[str, str]) -> Iterator[str]:
    """A list of words, each with what it means."""
    for name, what in found.items():
        yield f".TP\n{bold(name)}\n{words(re.sub(' +', ' ', what))}\n"


def examples(epilog: str | None) -> Iterator[str]:
    """The examples of an epilog: what, and the line to type."""
    found = re.search(r"Examples?:\n(.*?)\n\n", (epilog or "").replace("\b", ""), re.DOTALL)
    if found:
        yield ".PP\nExamples:\n.PP\n.EX\n"
        yield "".join(f"{roff(line)}\n" for line in found[1].splitlines())
        yield ".EE\n"


def paragraphs(text: str) -> Iterator[str]:
    """Paragraphs; those that click is not to fill are not filled here either."""
    for paragraph in text.strip().split("\n\n"):
        if paragraph.startswith("\b\n"):
            yield f".PP\n.EX\n{roff(paragraph.removeprefix(chr(8)).strip(chr(10)))}\n.EE\n"
        else:
            yield f".PP\n{words(' '.join(paragraph.split()))}\n"


def bold(text: str) -> str:
    """A line in bold."""
    return f"\\fB{roff(text)}\\fR"


def words(text: str) -> str:
    """A line in which what stands in backquotes is bold."""
    return "".join(
        bold(part) if number % 2 else roff(part) for number, part in enumerate(text.split("`"))
    )


def roff(text: str) -> str:
    """Text as roff has it: nothing in it is a request, and hyphens can be copied."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("…", "...")
    escaped = escaped.replace("'", "\\(aq").replace("~", "\\(ti").replace("^", "\\(ha")
    return re.sub(r"^\.", "\\\\&.", escaped, flags=re.MULTILINE)


def main_program() -> None:
    """Write the page, or check it."""
    parser = argparse.ArgumentParser(description="Write contrib/man/muxd.1 from the commands.")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit with 1 if it is out of date"
    )
    check, made = parser.parse_args().check, page()
    if not check:
        FILE.parent.mkdir(exist_ok=True)
        FILE.write_text(made, "utf-8")
    elif not FILE.exists() or FILE.read_text("utf-8") != made:
        sys.exit(f"{FILE.name} is out of date: run `python contrib/gen_man.py`")


if __name__ == "__main__":
    main_program()
