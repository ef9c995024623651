"""Writes docs/cli.md, the reference of the command line, from the commands themselves.

``python contrib/gen_cli_docs.py`` writes it, and the manual page too; with ``--check`` it exits with 1
if it is out of date.
"""

from __future__ import annotations

import argparse
import inspect
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from muxd.cli import COMMANDS, main

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

FILE = Path(__file__).parent.parent / "docs" / "cli.md"
SHARED = ("config_file", "state_dir", "jobs_dirs", "strict")
COMMON = "Common options"
HEAD = """\
# Command line

<!-- Made by contrib/gen_cli_docs.py from the commands themselves: change those, and run it. -->

| command | what it does |
| --- | --- |
"""
CODES = """
## Exit codes

| code | meaning |
| --- | --- |
| 0 | done |
| 1 | failed: something outside of muxd, a run, or muxd itself; the message says what |
| 2 | your mistake: an option, the configuration, a name; the message says what to do |
| 3 | the command needs a running daemon, and none is running |
| 130 | ended by Ctrl-C |
| 129, 143 | a `muxd run` on its own that was ended by SIGHUP or SIGTERM |

Results are printed on stdout, everything else on stderr. With `--json` stdout is one JSON document
whose keys are stable; instants are UTC in ISO 8601 with microseconds, durations are seconds.
"""


def reference() -> str:
    """The page, as it should be."""
    rows = "".join(f"| [`muxd {n}`](#muxd-{n}) | {e.help} |\n" for n, e in COMMANDS.items())
    context = click.Context(main, info_name="muxd")
    commands = {}
    for name in COMMANDS:
        command = main.get_command(context, name)
        assert command is not None
        commands[name] = command
    shared = [p for p in commands["jobs"].params if p.name in SHARED]
    parts = [
        HEAD + rows,
        CODES,
        "\n## Before the command\n\n" + table(main.get_params(context), context),
        f"\n## {COMMON}\n\nEvery command that has to do with plugins or the daemon takes these; "
        "[Configuration](configuration.md) says more.\n\n" + table(shared, context),
    ]
    for command in commands.values():
        parts += pages(command, context)
    return "".join(parts)


def pages(command: click.Command, parent: click.Context) -> Iterator[str]:
    """The section of a command, then those of its subcommands."""
    context = click.Context(command, info_name=command.name, parent=parent)
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    yield f"\n## {context.command_path}\n\n{text(command.help)}\n\n```text\n{usage}\n```\n"
    own = [param for param in command.get_params(context) if param.name not in SHARED]
    if rows := table(own, context):
        yield f"\n{rows}"
    if len(own) < len(command.get_params(context)):
        yield f"\nAnd the [{COMMON.lower()}](#{COMMON.lower().replace(' ', '-')}).\n"
    yield examples(command.epilog)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from pages(inner, context)


def table(params: Iterable[click.Parameter], context: click.Context) -> str:
    """The options, but for ``--help``, which all have."""
    rows = []
    for param in params:
        record = param.get_help_record(context) if isinstance(param, click.Option) else None
        if record is not None and "--help" not in param.opts:
            names, what = record
            # Two pairs of brackets one after the other would be a link to Markdown.
            escaped = re.sub(" +", " ", what).replace("|", "\\|").replace("] [", "; ")
            rows.append(f"| `{names}` | {escaped} |\n")
    return "| option | what it does |\n| --- | --- |\n" + "".join(rows) if rows else ""


def text(help_text: str | None) -> str:
    """The help in paragraphs."""
    return inspect.cleandoc(help_text or "").replace("\b\n", "")


def examples(epilog: str | None) -> str:
    """The examples of the epilog, as a block with comments."""
    found = re.search(r"Examples?:\n(.*?)\n\n", (epilog or "").replace("\b", ""), re.DOTALL)
    if not found:
        return ""
    pairs = [re.split(r" {2,}", line.strip(), maxsplit=1) for line in found[1].splitlines()]
    width = max(len(line) for line, *_ in pairs)
    lines = (f"{line:<{width}}  # {what}" for line, what in pairs)
    return "\n```sh\n" + "\n".join(lines) + "\n```\n"


def main_program() -> None:
    """Write the page, or check it."""
    parser = argparse.ArgumentParser(description="Write docs/cli.md from the commands themselves.")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit with 1 if it is out of date"
    )
    check = parser.parse_args().check
    page = reference()
    if not check:
        FILE.write_text(page, "utf-8")
        import gen_man  # the manual page has the same source, and is out of date with it

        gen_man.FILE.write_text(gen_man.page(), "utf-8")
    elif not FILE.exists() or FILE.read_text("utf-8") != page:
        sys.exit(f"{FILE.name} is out of date: run `python contrib/gen_cli_docs.py`")


if __name__ == "__main__":
    main_program()
