"""A short name for what a line of a crontab runs, taken from its command."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Container

__all__ = ["name_of", "unique"]

# What stands before the program, or beside it, and says nothing about it.
_PREPARING = frozenset((
    ".", ":", "[", "[[", "cd", "command", "exec", "export", "if", "set", "sleep", "source", "test",
    "true", "umask",
))  # fmt: skip
_WRAPPERS = frozenset((
    "chronic", "chrt", "env", "flock", "ionice", "nice", "nohup", "runuser", "setsid", "sudo", "time",
    "timeout",
))  # fmt: skip
_INTERPRETERS = re.compile(
    r"(?:ba|da|k|z)?sh|(?:python|perl|php|ruby|node|pypy)[\d.]*|npx|npm|run-parts|uv|poetry|deno|bun"
)
_ENDINGS = re.compile(r"\.(?:sh|bash|py|pl|php|rb|js|mjs|ts)$")
_SUBCOMMANDS = frozenset(("run", "exec"))


def name_of(command: str) -> str:
    """The program that a command runs: of a script its own name, not its interpreter's.

    Empty if nothing in it looks like one.
    """
    for part in re.split(r"&&|\|\||[;|\n]", command):
        words = re.findall(r"""(?:"[^"]*"|'[^']*'|[^\s"'])+""", part)
        found = _program(words)
        if found:
            return found
    return ""


def unique(name: str, taken: Container[str]) -> str:
    """The name, or with a number behind it if it is taken."""
    chosen, number = name, 1
    while chosen in taken:
        number += 1
        chosen = f"{name}-{number}"
    return chosen


def _program(words: list[str]) -> str:
    wrapped = False
    for number, word in enumerate(words):
        plain = word.strip("\"'(){}").rpartition("/")[2]
        if not wrapped and (plain in _PREPARING or not plain):
            return ""
        if re.match(r"\w+=", word) or word[0] in "-<>&" or word[0].isdigit():
            continue  # an assignment, an option, its number, a redirection
        if plain in _WRAPPERS:
            wrapped = True
            # The first word behind `flock` is the lock.
            if plain == "flock":
                rest = [w for w in words[number + 1 :] if not w.startswith("-") and not w.isdigit()]
                return _program(rest[1:]) or plain
            continue
        if _INTERPRETERS.fullmatch(plain):
            return _script(words[number + 1 :]) or plain
        return _clean(plain)
    return ""


def _script(words: list[str]) -> str:
    """What an interpreter with these arguments runs."""
    for number, word in enumerate(words):
        if word == "-c" or word[0] in "<>&":
            return ""
        if word == "-m":
            return _clean(words[number + 1]) if number + 1 < len(words) else ""
        if word[0] != "-" and word not in _SUBCOMMANDS:
            return _clean(word.strip("\"'").rstrip("/").rpartition("/")[2])
    return ""


def _clean(word: str) -> str:
    return re.sub(r"[^\w.-]+", "-", _ENDINGS.sub("", word)).strip("-.")
