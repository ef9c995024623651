"""The page of the run that comes next is ready when it comes."""

from __future__ import annotations

from town import Town, a_job


async def test_the_page_of_the_next_release_is_ready(autojump_clock):
    """After each run that of the next release's session, and always one of main."""
    town = Town(
        a_job("first", "1h", "1m", duration="10s", session="fresh"),
        a_job("second", "1h", "2m", duration="10s"),
        a_job("third", "1h", "3m", duration="10s", session="shop"),
    )
    await town.live(3600)
    (pages,) = town.browsers
    assert pages.sessions == ["fresh", "main", "shop"]
    assert pages.prepared == [
        "main",  # the browser is up; nobody knows yet what comes
        # after `first`: that of `second` is there
        "shop",  # after `second`
        "main",
        "fresh",  # after `third`
    ]
