"""What stands in ``[plugins.check]``: for each ``[[plugins.check.flow]]`` its steps and its budget."""

from __future__ import annotations

import re
from pathlib import Path  # noqa: TC003 - read when the section is

import attrs

from muxd import JobKeys, duration_field, number_field, size_field, whole_field
from muxd_check.steps import Step  # noqa: TC001 - as Path

__all__ = ["Budget", "Flow", "Settings"]


def _size(instance: object, attribute: object, value: str | None) -> None:
    if value is not None and not re.fullmatch(r"\d{2,4}x\d{2,4}", value):
        raise ValueError('give a size such as "1280x720"')


@attrs.frozen(kw_only=True)
class Budget:
    """What a flow may cost. What is not given is not judged; it is measured all the same."""

    lcp: float | None = duration_field(None, at_most="10m")
    """Largest Contentful Paint, of the slowest page; and so on."""
    cls: float | None = number_field(None)
    """Cumulative Layout Shift."""
    inp: float | None = duration_field(None, at_most="10m")
    """Interaction to Next Paint: how long the page took to show what came of a click or a key."""
    fcp: float | None = duration_field(None, at_most="10m")
    """First Contentful Paint."""
    ttfb: float | None = duration_field(None, at_most="10m")
    """Time to First Byte."""
    load: float | None = duration_field(None, at_most="10m")
    """Until the page and all that it needs was loaded."""
    took: float | None = duration_field(None, at_most="1d")
    """All steps together."""
    console_errors: int | None = whole_field(None)
    """Errors in the console, and of scripts that nobody caught."""
    failed_requests: int | None = whole_field(None)
    """Requests without an answer, or with an error."""
    requests: int | None = whole_field(None)
    transfer: int | None = size_field(None)
    """Bytes that came over the network; measured only if it is judged, and by Chromium only."""


@attrs.frozen(kw_only=True)
class Flow(JobKeys):
    """What a visitor does, and what has to come of it: one job, with the keys of one."""

    name: str
    """The job's name."""
    title: str | None = None
    """What the status page calls it."""
    steps: tuple[Step, ...]
    within: float = duration_field("10s", at_least="50ms", at_most="10m")
    """How long a step may take, where it says nothing else."""
    budget: Budget = Budget()
    ignore: tuple[str, ...] = ()
    """Console errors and failed requests that have one of these texts in them don't count."""
    tls_days: int = whole_field(14)
    """How many days the certificate of each visited host has to be good for; 0: that is not judged."""
    any_certificate: bool = False
    """Go on where the browser would not trust a certificate."""
    viewport: str | None = attrs.field(default=None, validator=_size)
    """The size of the window, such as ``1280x720``."""

    def __attrs_post_init__(self) -> None:
        if not self.steps:
            raise ValueError("there are no steps: give one or more")
        if self.steps[0].action != "goto":
            raise ValueError("the first step has to be a goto: the page is empty before")

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height of the window; None: as it is."""
        if self.viewport is None:
            return None
        width, _, height = self.viewport.partition("x")
        return int(width), int(height)

    @property
    def shown(self) -> str:
        """What people call it."""
        return self.title if self.title is not None else self.name


@attrs.frozen(kw_only=True)
class Settings:
    """The section."""

    flow: tuple[Flow, ...] = ()
    status_page: Path | None = None
    """A file of HTML for everybody, kept up to date: names, up or down, uptime; no addresses, no
    messages. Relative to the file of the configuration."""
    status_title: str = "Status"
    """Its title."""
