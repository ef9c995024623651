"""What Playwright's recorder has written, as the body of a job."""

from __future__ import annotations

import ast
import json
from typing import TYPE_CHECKING

import attrs

from muxd.errors import UserError
from muxd.secrets import is_for_secrets

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["RecordedBody", "body_of"]

RENAMED = {"page": "run.page", "context": "run.context", "expect": "muxd.expect"}
"""What is called otherwise in a body; further pages keep their names."""
MADE = ("browser", "context", "page")
"""What the script makes for itself, and a body is given."""


@attrs.frozen
class RecordedBody:
    """The statements of a job's body."""

    url: str
    """The page that was opened first; the statements know it as ``URL``."""
    lines: tuple[str, ...]
    """Indented by four."""
    uses_re: bool
    """Whether they need ``import re``."""
    secrets: Mapping[str, str]
    """What was typed into fields for passwords, by the names under which the body asks for it."""


def body_of(script: str, prefix: str) -> RecordedBody:
    """The body that does what a script of the recorder's does (``--target python-async``).

    Kept is what was done to the pages; what starts and ends the browser is left out. A password
    becomes something that the body asks for.

    Args:
      script: the text.
      prefix: with what the names of secrets begin.

    Raises:
      UserError: there is nothing in it, or it is no such script.
    """
    function = _run_of(script)
    text = _Text(script)
    urls: list[str] = []
    secrets: dict[str, str] = {}
    kept = [statement for statement in function.body if not _is_scaffolding(statement)]
    for statement in kept:
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and node.id in RENAMED:
                text.replace(node, RENAMED[node.id])
            elif isinstance(node, ast.Call) and (opened := _opened(node)) is not None:
                urls.append(str(opened.value))
                if opened.value == urls[0]:
                    text.replace(opened, "URL")
            elif isinstance(node, ast.Call) and (typed := _typed_secret(node)) is not None:
                name = _name_for(str(typed.value), prefix, secrets)
                text.replace(typed, f"run.secret({json.dumps(name)})")
    if not urls:
        raise UserError("nothing was recorded: no page was opened")
    lines = tuple(line for statement in kept for line in text.lines_of(statement))
    body = ast.Module(body=kept, type_ignores=[])
    uses_re = any(isinstance(n, ast.Name) and n.id == "re" for n in ast.walk(body))
    return RecordedBody(urls[0], lines, uses_re, secrets)


def _run_of(script: str) -> ast.AsyncFunctionDef:
    try:
        tree = ast.parse(script)
    except SyntaxError as error:
        raise UserError(f"what the recorder has written can't be read: {error}") from error
    for node in tree.body:
        if isinstance(node, ast.AsyncFunctionDef) and node.name == "run":
            return node
    raise UserError("what the recorder has written is no script of its own: there is no run()")


def _is_scaffolding(statement: ast.stmt) -> bool:
    """Whether it starts or ends the browser, the context or the first page."""
    value = statement.value if isinstance(statement, (ast.Assign, ast.Expr)) else None
    call = value.value if isinstance(value, ast.Await) else value
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
        return False
    if isinstance(statement, ast.Assign):
        (target, *_) = statement.targets
        return isinstance(target, ast.Name) and target.id in MADE
    of = call.func.value
    if not isinstance(of, ast.Name):
        return False
    ends = ("close", "storage_state", "route_from_har") if of.id == "context" else ("close",)
    return of.id in MADE and call.func.attr in ends


def _opened(call: ast.Call) -> ast.Constant | None:
    """The address in ``page.goto("...")``."""
    if isinstance(call.func, ast.Attribute) and call.func.attr == "goto" and call.args:
        (first, *_) = call.args
        return first if isinstance(first, ast.Constant) and isinstance(first.value, str) else None
    return None


def _typed_secret(call: ast.Call) -> ast.Constant | None:
    """What ``locator.fill("...")`` types, if that is into a field for a password."""
    if not isinstance(call.func, ast.Attribute) or call.func.attr != "fill" or len(call.args) != 1:
        return None
    (typed,) = call.args
    named = (
        node.value
        for node in ast.walk(call.func.value)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )
    if not isinstance(typed, ast.Constant) or not isinstance(typed.value, str) or not typed.value:
        return None
    return typed if any(map(is_for_secrets, named)) else None


def _name_for(value: str, prefix: str, secrets: dict[str, str]) -> str:
    """The name of a secret: the same for the same."""
    for name, known in secrets.items():
        if known == value:
            return name
    name = f"{prefix}_PASSWORD{len(secrets) + 1 if secrets else ''}"
    secrets[name] = value
    return name


class _Text:
    """A script, of which parts are replaced where the syntax tree says that they are."""

    def __init__(self, script: str) -> None:
        # The tree counts bytes, and no other ends of lines: a text on the page may have some.
        self._lines = [line.encode() for line in script.split("\n")]
        self._changes: dict[int, dict[tuple[int, int], bytes]] = {}
        # {line: {from and to: what is to be there}}

    def replace(self, node: ast.expr, text: str) -> None:
        """Have this instead of the node, which is all on one line."""
        assert node.end_col_offset is not None
        place = (node.col_offset, node.end_col_offset)
        self._changes.setdefault(node.lineno, {})[place] = text.encode()

    def lines_of(self, statement: ast.stmt) -> Iterator[str]:
        """Its lines, changed."""
        for number in range(statement.lineno, (statement.end_lineno or statement.lineno) + 1):
            line = self._lines[number - 1]
            for (begin, end), new in sorted(self._changes.get(number, {}).items(), reverse=True):
                line = line[:begin] + new + line[end:]
            yield line.decode()
