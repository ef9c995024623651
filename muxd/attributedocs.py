"""The texts that stand below the fields of a class, as its source has them."""

from __future__ import annotations

import ast
import functools
import inspect
import itertools
import textwrap

__all__ = ["attribute_docs"]


@functools.lru_cache(maxsize=256)
def attribute_docs(kind: type) -> dict[str, str]:
    """Field to text, those that are inherited too; what has no source has none."""
    found: dict[str, str] = {}
    for each in reversed(kind.__mro__):
        if each is not object:
            found |= _own(each)
    return found


def _own(kind: type) -> dict[str, str]:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(kind)))
    except (OSError, TypeError, SyntaxError):
        return {}
    body = tree.body[0].body if tree.body and isinstance(tree.body[0], ast.ClassDef) else []
    found = {}
    for field, text in itertools.pairwise(body):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(text, ast.Expr)
            and isinstance(text.value, ast.Constant)
            and isinstance(text.value.value, str)
        ):
            found[field.target.id] = " ".join(inspect.cleandoc(text.value.value).split())
    return found
