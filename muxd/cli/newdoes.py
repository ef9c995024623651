"""What the job of a new plugin does, as the parts of its files that differ."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from muxd.cli.recorded import RecordedBody

__all__ = ["Does", "headings", "what_was_recorded"]


@attrs.frozen(kw_only=True)
class Does:
    """One job."""

    url: str
    words: str
    """What it does, as a sentence without its end."""
    body: tuple[str, ...]
    """The lines of its body, indented by four."""
    returns: str
    uses_re: bool = False
    session: str | None = None
    secrets: tuple[str, ...] = ()
    """The names of those that it asks for."""
    test: str = "test_jobs.py"
    """The template of its test."""
    har: str = ""
    """What answers in its test."""

    def marks(self) -> Mapping[str, str]:
        """What stands for what in the templates."""
        recorded = bool(self.har)
        names = ", ".join(f"`{name}`" for name in self.secrets)
        more = (
            f"\nIt asks for {names}: give them in the environment of muxd, as credentials of\n"
            "its unit, or in a keyring (`muxd[keyring]`).\n"
        )
        return {
            "@IMPORTS@": "import re\n\n" if self.uses_re else "",
            "@SESSION@": f"session={json.dumps(self.session)}, " if self.session else "",
            "@RETURNS@": self.returns,
            "@DOES@": self.words,
            "@BODY@": "\n".join(self.body),
            "@README_DOES@": "does what was recorded on" if recorded else "reads the headings of",
            "@README_TEST@": "against what its site answered then"
            if recorded
            else "against a site of its own",
            "@README_MORE@": more if self.secrets else "",
            "@TEST_IMPORTS@": "    import pytest\n" if self.secrets else "",
            "@TEST_FIXTURES@": ", monkeypatch: pytest.MonkeyPatch" if self.secrets else "",
            "@TEST_BODY@": "".join(
                f'    monkeypatch.setenv("{name}", "of no account here")\n' for name in self.secrets
            ),
        }


def headings(url: str) -> Does:
    """It reads the headings of a page."""
    return Does(
        url=url,
        words="Read the headings of a page",
        body=(
            "    await run.page.goto(URL)",
            '    return await run.page.locator("h1, h2").all_inner_texts()',
        ),
        returns="list[str]",
    )


def what_was_recorded(body: RecordedBody, har: str, session: str | None) -> Does:
    """It does what a person has done."""
    return Does(
        url=body.url,
        words="Do what was recorded",
        body=(*body.lines, "    return run.page.url  # or whatever it is to give"),
        returns="str",
        uses_re=body.uses_re,
        session=session,
        secrets=tuple(body.secrets),
        test="test_recorded.py",
        har=har,
    )
