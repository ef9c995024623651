"""The options of ``muxd plan`` that draw the timetable into files."""

from __future__ import annotations

from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import click

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from muxd.config import Config
    from muxd.slotting import Demand, Timetable
    from muxd.slotting.account import Account

__all__ = ["Drawings", "drawing_options"]


@attrs.frozen(kw_only=True)
class Drawings:
    """Which files are wanted, and how much of the timetable they show."""

    svg: Path | None
    html: Path | None
    png: Path | None
    hours: float

    def write(
        self,
        config: Config,
        table: Timetable,
        demands: Sequence[Demand],
        told: Sequence[Account],
    ) -> None:
        """Write what is wanted.

        Raises:
          UserError: a file can't be written.
          BrowserNotFound: a PNG is wanted and there is no browser to render it.
          BrowserLost: the browser failed to.
        """
        from muxd.slotting.page import page
        from muxd.slotting.svg import draw

        if self.svg is not None:
            _write(self.svg, draw(table, demands, start=0, hours=self.hours).encode())
        if self.html is not None:
            document = page(table, demands, told, start=0, hours=self.hours)
            _write(self.html, document.encode())
        if self.png is not None:
            _write(self.png, _rendered(config, draw(table, demands, start=0, hours=self.hours)))


def _rendered(config: Config, svg: str) -> bytes:
    from muxd import run
    from muxd.browser.shot import shoot
    from muxd.cli.browser import found_browser

    return run(shoot, svg, found_browser(config))


def _write(path: Path, content: bytes) -> None:
    from muxd.errors import UserError

    try:
        path.write_bytes(content)
    except OSError as error:
        raise UserError(f"{path}: can't be written: {error.strerror}") from None


def drawing_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--svg --html --png --hours``; the command gets them as one argument, ``drawings``."""

    @wraps(command)
    def with_drawings(
        *args: Any,
        svg: Path | None,
        html: Path | None,
        png: Path | None,
        hours: float,
        **kwargs: Any,
    ) -> Any:
        drawings = Drawings(svg=svg, html=html, png=png, hours=hours)
        return command(*args, drawings=drawings, **kwargs)

    file = click.Path(path_type=Path, dir_okay=False)
    for option in reversed(
        (
            click.option(
                "--svg",
                type=file,
                metavar="FILE",
                help="Draw the timetable into a picture, beside the same jobs unslotted.",
            ),
            click.option(
                "--html",
                type=file,
                metavar="FILE",
                help="Write one page with the picture, the jobs, the proof and a comparison.",
            ),
            click.option(
                "--png",
                type=file,
                metavar="FILE",
                help="The picture in pixels, rendered by the browser that muxd uses.",
            ),
            click.option(
                "--hours",
                type=click.FloatRange(min=0.1, max=168),
                default=24,
                show_default=True,
                help="How much of the timetable the pictures show.",
            ),
        )
    ):
        with_drawings = option(with_drawings)
    return with_drawings
