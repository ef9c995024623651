"""Each hook is documented as it is, has a test, and is used by a plugin that ships."""

from __future__ import annotations

import ast
import inspect
import re
from importlib import import_module
from pathlib import Path

import pytest

from muxd import hookspecs
from muxd.discovery import BUILTINS

ROOT = Path(__file__).parent.parent
HOOKS = sorted(name for name in vars(hookspecs) if name.startswith("muxd_"))
PAGE = (ROOT / "docs" / "hooks.md").read_text("utf-8")
SECTIONS = dict(re.findall(r"^## (muxd_\w+)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))


def implementations(folder):
    """Map each hook to the files in which a function or method of its name stands."""
    found = {}
    for path in sorted(folder.rglob("*.py")):
        if "__pycache__" in path.parts:
            continue
        text = path.read_text("utf-8")
        for name in HOOKS:
            if f"def {name}(" in text:
                found.setdefault(name, set()).add(path)
    return found


def test_the_page_has_each_hook_and_no_other():
    """A hook that comes or goes is on the page and in its table."""
    assert sorted(SECTIONS) == HOOKS
    assert re.findall(r"^\| \[`(muxd_\w+)`\]\(#\1\)", PAGE, re.MULTILINE) == list(
        dict.fromkeys(re.findall(r"^\| \[`(muxd_\w+)`\]", PAGE, re.MULTILINE))
    )
    assert sorted(re.findall(r"^\| \[`(muxd_\w+)`\]", PAGE, re.MULTILINE)) == HOOKS


@pytest.mark.parametrize("name", HOOKS)
def test_each_hook_is_documented_exactly(name):
    """Its signature as it is; when it is called, each argument, what it returns, an example, and a plugin."""
    section, hook = SECTIONS[name], getattr(hookspecs, name)
    signature = str(inspect.signature(hook)).replace("'", "")
    assert f"```python\ndef {name}{signature}: ...\n```" in section
    for word in ("Called", "Arguments", "Returns", "Used by"):
        assert re.search(rf"^\*\*{word}\*\* ", section, re.MULTILINE), word
    arguments = section.partition("**Arguments**")[2].partition("**Returns**")[0]
    for parameter in inspect.signature(hook).parameters:
        assert f"`{parameter}`:" in arguments
    (example,) = re.findall(r"(?<!-->\n)```python\n(.*?)```", section, re.DOTALL)
    assert f"@muxd.hookimpl\ndef {name}(" in example
    assert hook.__doc__


@pytest.mark.parametrize("name", HOOKS)
def test_each_hook_has_a_shipped_plugin(name):
    """What nobody uses is not known to be of use; whom the page names does use it."""
    ours = {module for module in BUILTINS if hasattr(import_module(module), name)}
    theirs = {
        path.relative_to(ROOT / "plugins").parts[0]
        for path in implementations(ROOT / "plugins").get(name, ())
        if "tests" not in path.parts
    }
    used = SECTIONS[name].partition("**Used by**")[2].partition("##")[0]
    named = {*re.findall(r"`(muxd-\w+)`", used), *re.findall(r"`(muxd\.builtin\.\w+)`", used)}
    assert named or "`muxd.builtin`" in used
    assert named <= ours | theirs


@pytest.mark.parametrize("name", HOOKS)
def test_each_hook_has_a_test(name):
    """A test file has an implementation of it, or of a shipped plugin calls one."""
    files = {*implementations(ROOT / "tests").get(name, ())}
    files |= {
        path
        for path in (ROOT / "plugins").glob("*/tests/test_*.py")
        if f".{name}(" in path.read_text("utf-8")
    }
    assert any(path.name.startswith("test_") for path in files)
    for path in files:
        ast.parse(path.read_text("utf-8"))
