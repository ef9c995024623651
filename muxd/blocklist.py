"""What pages need not load: kinds of resources, and hosts."""

from __future__ import annotations

import re

from muxd.hints import did_you_mean

__all__ = ["BLOCK_HELP", "KINDS", "parse_blocklist"]

KINDS = ("image", "font", "media", "stylesheet")
"""The kinds of resources that a page can do without."""
BLOCK_HELP = (
    f"give a list of {', '.join(KINDS)}, and hosts such as 'ads.example.com' or '*.tracker.net' "
    "(all below it)"
)
_LABEL = r"(?!-)[a-z0-9_-]{1,63}(?<!-)"
_HOST = re.compile(rf"localhost|(\*\.)?({_LABEL}\.)+{_LABEL}|\*\.{_LABEL}")
_LONGEST = 1000


def parse_blocklist(value: object) -> tuple[str, ...]:
    """The kinds and hosts of a list, in lower case, each once, in their order.

    A host stands for itself, on every port; ``*.host`` for all that are below it, not itself.

    >>> parse_blocklist(["image", "Ads.Example.com", "*.tracker.net"])
    ('image', 'ads.example.com', '*.tracker.net')

    Raises:
      ValueError: it is no such list; the message says what is allowed.
    """
    if not isinstance(value, (list, tuple)) or len(value) > _LONGEST:
        raise ValueError(BLOCK_HELP)
    found = []
    for item in value:
        if not isinstance(item, str):
            raise ValueError(BLOCK_HELP)
        name = item.lower()
        if name not in KINDS and not _HOST.fullmatch(name):
            hint = did_you_mean(name, KINDS)
            guess = f"; {hint}" if hint.startswith("did") else ""
            raise ValueError(f"{BLOCK_HELP}; {item!r} is neither{guess}")
        found.append(name)
    return tuple(dict.fromkeys(found))
