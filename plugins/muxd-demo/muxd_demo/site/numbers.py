"""Numbers that change as one looks: pure functions of a post and of time."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from muxd_demo.site.items import Post

__all__ = ["RANGES", "SOURCES", "breakdown", "daily", "measure", "totals"]

RANGES = {"7d": 7, "28d": 28, "90d": 90}
"""Name of a range -> its days."""
SOURCES = ("Timeline", "Search", "Profile", "Shares")
_SHARES = (0.52, 0.21, 0.17, 0.10)


def measure(post: Post, now: float) -> dict[str, int]:
    """The post's counters at `now`, the site's time in seconds: none ever falls.

    A burst in the first minutes, then a steady trickle of at least 12 impressions a second, so
    that two looks a second apart differ.
    """
    age = max(0.0, now - post.created_at)
    burst = 900 * post.appeal * (1 - math.exp(-age / 120))
    impressions = int(burst + 24 * post.appeal * age)
    return {
        "impressions": impressions,
        "likes": int(impressions * 0.031 * post.appeal),
        "shares": int(impressions * 0.006 * post.appeal),
        "clicks": int(impressions * 0.012),
    }


def breakdown(post: Post, now: float) -> dict[str, int]:
    """Where the impressions came from, source -> count; the counts add up to the whole."""
    whole = measure(post, now)["impressions"]
    parts = [int(whole * share) for share in _SHARES]
    parts[0] += whole - sum(parts)
    return dict(zip(SOURCES, parts, strict=True))


def totals(posts: Iterable[Post], now: float) -> dict[str, int]:
    """The counters of all posts together."""
    sums = {"impressions": 0, "likes": 0, "shares": 0, "clicks": 0}
    for post in posts:
        for name, value in measure(post, now).items():
            sums[name] += value
    return sums


def daily(days: int, now: float) -> list[int]:
    """Impressions for each of the last `days` days: a curve with weekends in it that drifts."""
    drift = now / 40
    return [
        int(
            4200
            + 900 * math.sin((day + drift) / 3.1)
            + 700 * math.sin(day / 1.113)
            + 26 * day * 28 / days
        )
        for day in range(days)
    ]
