"""What the documentation shows works: every block of code is run, loaded or parsed.

All fenced blocks of README.md, docs/ and the plugins' READMEs are taken by their language:

- ``python``: executed as a module; if it declares jobs or hooks it is loaded as a plugin. What bodies
  of jobs do is done in ``tests/test_docs_bodies.py``.
  With ``<!-- fragment -->`` on the line before, it is only compiled (``await`` is allowed).
  With ``<!-- file: NAME -->`` it is one of the tutorial's files; a test among these is only compiled,
  and all of them are at work in ``tests/test_tutorial.py``.
- ``toml``: loaded as a configuration, or, with ``[project]``, checked as a plugin's pyproject.
- ``console``, ``sh``, ``bash``: each ``muxd ...`` command line must name commands and options
  that exist.
- ``json``: parsed.

A block with ``<!-- not run: reason -->`` on the line before is passed over.
"""

from __future__ import annotations

import ast
import functools
import json
import re
import runpy
import shlex
import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import attrs
import click
import pytest

from muxd.cli import main
from muxd.config import SECTIONS, Config, PluginsConfig
from muxd.configfile import JOB_KEYS, load_config
from muxd.job import Job
from muxd.plugins import load_plugins
from muxd.running import Run

ROOT = Path(__file__).parent.parent
PAGES = [
    ROOT / "README.md",
    *sorted(
        page
        for page in (ROOT / "docs").rglob("*.md")
        # The site has the plugins' READMEs as pages by links.
        if "changelog" not in page.parts and not page.is_symlink()
    ),
    *sorted((ROOT / "plugins").glob("*/README.md")),
]
FENCE = re.compile(
    r"(?:^<!-- (?P<mark>[^\n]*?) -->\n)?^```(?P<language>\w*)[^\n]*\n(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
LINK = re.compile(r"(?<!!)\[[^\]\n]*\]\((?P<target>[^)\s]+)\)")


@attrs.frozen
class Block:
    """A fenced block: its language, its code, and where it stands."""

    where: str
    language: str
    mark: str
    code: str


def blocks_of(page: Path) -> list[Block]:
    text = page.read_text("utf-8")
    found = []
    for match in FENCE.finditer(text):
        line = text[: match.start("code")].count("\n") + 1
        where = f"{page.relative_to(ROOT)}:{line}"
        found.append(Block(where, match["language"], match["mark"] or "", match["code"]))
    return found


BLOCKS = [block for page in PAGES for block in blocks_of(page)]


def of(*languages: str) -> pytest.MarkDecorator:
    found = [b for b in BLOCKS if b.language in languages and not b.mark.startswith("not run")]
    return pytest.mark.parametrize("block", found, ids=lambda block: block.where)


def test_a_block_that_is_not_run_says_why():
    """Passing over a block takes a reason, and the only marks are those that are understood."""
    for block in BLOCKS:
        known = block.mark in ("", "fragment") or re.match(r"(not run|file): \w+", block.mark)
        assert known, block.where


def declares(code: str) -> bool:
    """Whether it is a plugin: it has jobs, or hooks."""
    return any(sign in code for sign in ("hookimpl", "muxd.job", "Job("))


@of("python")
def test_python_in_the_docs_runs(block, tmp_path):
    """Every Python block is a module that runs, and its jobs and hooks load without a problem."""
    if block.mark == "fragment" or re.match(r"file: (\S+/)?test_", block.mark):
        compile(block.code, block.where, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        return
    file = tmp_path / "snippet.py"
    file.write_text(block.code, "utf-8")
    if declares(block.code):
        config = Config(plugins=PluginsConfig(jobs_dirs=(tmp_path,), strict=True))
        plugins = load_plugins(config, entry_points=(), builtins=())
        assert plugins.found[0].state == "active"
    else:
        runpy.run_path(str(file))


@of("toml")
def test_toml_in_the_docs_is_right(block, tmp_path):
    """Every TOML block is a configuration without a mistake, or a plugin's pyproject."""
    document = tomllib.loads(block.code)
    if "project" in document:
        points = document["project"]["entry-points"]["muxd"]
        for name, value in points.items():
            assert EntryPoint(name, value, "muxd").module
        return
    for directory in document.get("plugins", {}).get("jobs_dirs", ()):
        (tmp_path / directory).mkdir(parents=True)
    (tmp_path / "muxd.toml").write_text(block.code, "utf-8")
    load_config(environ={}, cwd=tmp_path)


def command_lines(block: Block) -> list[list[str]]:
    """The arguments of each ``muxd`` command line in the block."""
    found = []
    for line in block.code.replace("\\\n", " ").splitlines():
        if block.language == "console":
            if not line.startswith(("$ ", "# ")):
                continue
            line = line[2:]
        words = words_of(line)
        if words and words[0] in ("muxd", ".venv/bin/muxd"):
            found.append(words[1:])
    return found


def words_of(line: str) -> list[str]:
    """The words of the first command of a line, without variables set for it."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>")
    lexer.whitespace_split = True
    words: list[str] = []
    for word in lexer:
        if set(word) <= set("|&;<>"):
            break
        if words or not re.fullmatch(r"[A-Z_]+=.*", word):
            words.append(word)
    return words


@functools.cache
def commands_of_plugins() -> dict[str, click.Command]:
    """The commands of the plugins that come with muxd."""
    groups = [group for _plugin, group in load_plugins(Config()).commands(click.Group)]
    return {name: command for group in groups for name, command in group.commands.items()}


def parse(command: click.Command, args: list[str], parent: click.Context | None = None) -> None:
    """Fail where the command line has a command, an option or a value that can't be."""
    if isinstance(command, click.Group):
        context = click.Context(command, parent=parent, info_name=command.name)
        _, rest, _ = command.make_parser(context).parse_args(list(args))
        if rest:
            inner = command.get_command(context, rest[0])
            if inner is None and command is main:
                inner = commands_of_plugins().get(rest[0])
            assert inner is not None, f"there is no command {rest[0]!r}"
            parse(inner, rest[1:], context)
    elif "--help" not in args:
        command.make_context(command.name, list(args), parent=parent)


@of("console", "sh", "bash")
def test_command_lines_in_the_docs_are_right(block):
    """Every ``muxd`` command line names a command and options that exist, with possible values."""
    for args in command_lines(block):
        try:
            parse(main, args)
        except click.UsageError as error:
            pytest.fail(f"muxd {shlex.join(args)}: {error.format_message()}")


@of("json")
def test_json_in_the_docs_is_json(block):
    """Every JSON block can be read."""
    json.loads(block.code)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    """Every relative link leads to a file, and its fragment to a heading."""
    for match in LINK.finditer(FENCE.sub("", page.read_text("utf-8"))):
        target, _, fragment = match["target"].partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        file = (page.parent / target) if target else page
        assert file.exists(), f"{page.name}: {match[0]}"
        if fragment and file.suffix == ".md":
            headings = re.findall(r"^#+ (.+)$", file.read_text("utf-8"), re.MULTILINE)
            assert fragment in map(anchor, headings), f"{page.name}: {match[0]}"


def anchor(heading: str) -> str:
    """The fragment of a heading, as renderers make it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_the_reference_of_the_command_line_is_up_to_date():
    """docs/cli.md says what the commands say of themselves."""
    made = runpy.run_path(str(ROOT / "contrib" / "gen_cli_docs.py"))["reference"]()
    assert (ROOT / "docs" / "cli.md").read_text("utf-8") == made, (
        "run `python contrib/gen_cli_docs.py`"
    )


def rows_of(page: str) -> dict[str, list[str]]:
    """The rows of all tables of a page, by their first cell without backquotes."""
    text = (ROOT / "docs" / page).read_text("utf-8")
    rows = (line.strip("|").split("|") for line in text.splitlines() if line.startswith("| "))
    return {cells[0].strip(" `"): [cell.strip() for cell in cells[1:]] for cells in rows}


SETTINGS = [
    (f"{section}.{field.name}", field)
    for section, kind in SECTIONS.items()
    for field in attrs.fields(kind)
]


@pytest.mark.parametrize(("key", "field"), SETTINGS, ids=[key for key, _ in SETTINGS])
def test_the_reference_has_every_setting(key, field):
    """Each setting has a row with its default, its variable and its option, and a paragraph."""
    _, default, variable, option = rows_of("configuration.md")[key]
    options = [
        param.opts[0]
        for name in ("start", "jobs")
        for param in main.get_command(click.Context(main), name).params
        if param.name == key.partition(".")[2]
    ]
    assert variable.strip("`") == (field.metadata["env"] or "")
    assert option.strip("`") == (options[0] if options else "")
    plain = {None: ("none", "the system's"), False: ("`false`",), (): ("`[]`",)}
    if field.default is True:
        assert default == "`true`"
    elif isinstance(field.default, attrs.Factory):
        assert default.startswith("`~/.local/state/muxd`")
    elif (field.default in plain and field.default != 0) or field.default is False:
        assert default in plain[field.default]
    else:
        shown, read = default.strip("`"), field.converter
        assert read(shown if shown[-1:].isalpha() else ast.literal_eval(shown)) == field.default
    assert f"- **`{key}`**: " in (ROOT / "docs/configuration.md").read_text("utf-8")


def test_the_reference_has_every_key_of_a_job():
    """Each field of a job is in the reference and in the guide, and no others are."""
    assert set(JOB_KEYS) <= set(rows_of("configuration.md"))
    fields = {field.name for field in attrs.fields(Job)} - {"plugin"}
    guide = rows_of("writing-a-job.md")
    assert fields == {name for name in guide if name in fields | {"plugin"}}


def test_the_guide_has_all_that_a_run_has():
    """Each attribute and each method of `run` is in the guide."""
    found = {name for row in rows_of("bodies.md") for name in re.findall(r"\brun\.(\w+)", row)}
    assert {name for name in dir(Run) if not name.startswith("_")} <= found
