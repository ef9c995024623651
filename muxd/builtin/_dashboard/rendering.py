"""Templates into pages."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import trio
from starlette.responses import HTMLResponse

from muxd.builtin._dashboard import words
from muxd.login import is_login, login_session
from muxd.pageparts import MARKS, badge

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jinja2 import Environment
    from markupsafe import Markup

__all__ = ["Renderer"]


@final
class Renderer:
    """Jinja2, imported when the first page is asked for. All that it is given is escaped."""

    @cached_property
    def _templates(self) -> Environment:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined

        made = Environment(
            loader=FileSystemLoader(Path(__file__).parent / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        made.filters |= {
            "duration": words.duration,
            "every": words.every,
            "size": words.size,
            "share": words.share,
            "part": words.link,
            "unix": words.unix,
            "outcome": lambda name: name.replace("_", " "),
            "login_session": login_session,
        }
        made.tests["login"] = is_login
        made.globals |= {"marks": MARKS, "badge_of": lambda outcome: self.html(badge(outcome))}
        return made

    async def render(
        self, template: str, values: Mapping[str, Any], *, status: int = 200
    ) -> HTMLResponse:
        """A page."""
        found = await trio.to_thread.run_sync(self._load, template)
        text = found.render(values)
        # half a surrogate pair, of a page's text, is no UTF-8
        return HTMLResponse(text.encode("utf-8", "backslashreplace"), status_code=status)

    def html(self, text: str) -> Markup:
        """What is not escaped: who made it has done so."""
        from markupsafe import Markup

        return Markup(text)

    def _load(self, template: str) -> Any:
        return self._templates.get_template(template)
