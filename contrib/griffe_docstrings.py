"""Reads muxd's docstrings for the site: two habits of theirs are not Markdown's."""

from __future__ import annotations

import re
from typing import Any

import griffe


class Docstrings(griffe.Extension):
    """``text::`` before an indented block ends with one colon, and of `~muxd.abc.Store` the last part is shown."""

    def on_instance(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Called for each module, class, function and attribute that was read."""
        if obj.docstring is not None:
            text = re.sub(r"^\s*::\n|(?<=:):$", "", obj.docstring.value, flags=re.MULTILINE)
            obj.docstring.value = re.sub(r"`~[\w.]*\.(\w+)`", r"`\1`", text)
