"""A page that stays open after its run."""

from __future__ import annotations

from contextlib import suppress

import pytest
import trio

from muxd.errors import BrowserLost
from muxd.keptpages import PageKeeper
from muxd.testing import FakePages


async def test_the_last_page_stays_open(autojump_clock):
    """Until the next lease, which is never out beside it, or until it is let go; an error on the way
    in is who's that asked.
    """
    source, keeper = FakePages(), PageKeeper()
    pages = keeper.keeping(source)
    assert pages.generation == source.generation
    async with trio.open_nursery() as nursery:
        nursery.start_soon(keeper.run)
        await keeper.let_go()  # there is none
        async with pages.lease("main") as first:
            assert not first.page.closed.is_set()
        assert not first.page.closed.is_set()
        with suppress(ValueError):
            async with pages.lease("shop", block=["image"]) as second:
                assert first.page.closed.is_set()
                raise ValueError("the body's")
        assert not second.page.closed.is_set()
        assert (source.sessions, source.blocked) == (["main", "shop"], [None, ("image",)])
        await keeper.let_go()
        assert second.page.closed.is_set()
        source.kill("gone")
        with pytest.raises(BrowserLost):
            async with pages.lease("main"):
                pass
        await keeper.let_go()
        nursery.cancel_scope.cancel()
    assert source.most_leased == 1
    assert source.leased == 0
