"""The laws of `muxd.abc.PageSource`, for the real browser and for the fake."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio

from muxd.errors import BrowserLost

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from muxd.abc import Lease, PageSource
    from muxd.observation import Observation

__all__ = ["PageSourceContract"]


def _giving(folder: Path) -> Callable[[], Awaitable[Path]]:
    """What `PageSource.observe` asks for a folder."""

    async def give() -> Path:
        await trio.lowlevel.checkpoint()
        return folder

    return give


class PageSourceContract:
    """Subclass it and override `with_pages`.

    ::

        class TestMine(PageSourceContract):
            def with_pages(self, tmp_path, test):
                async def main():
                    async with open_mine() as pages:
                        await test(pages)

                trio.run(main)
    """

    bound = 30.0
    """How long each test may take, seconds."""
    observe_bound = 4.0
    """How long looking at pages may take, seconds: its 2.5 and what a busy machine adds."""

    def with_pages(self, tmp_path: Any, test: Callable[[PageSource], Awaitable[None]]) -> None:
        """Run `test` with a page source that is up."""
        raise NotImplementedError

    @pytest.fixture
    def run(self, tmp_path: Any) -> Callable[[Callable[[PageSource], Awaitable[None]]], None]:
        """Run an async test with a page source, bounded."""

        def run(test: Callable[[PageSource], Awaitable[None]]) -> None:
            async def bounded(pages: PageSource) -> None:
                with trio.fail_after(self.bound):
                    await test(pages)

            self.with_pages(tmp_path, bounded)

        return run

    @pytest.mark.parametrize("session", ["main", "named", "fresh"])
    def test_a_lease_belongs_to_its_generation(self, run: Any, session: str) -> None:
        """Every kind of session gives a page of this browser, one after another."""

        async def test(pages: PageSource) -> None:
            for _ in range(2):
                async with pages.lease(session) as lease:
                    assert lease.generation == pages.generation
                    assert lease.page is not None
                assert lease.errors == []

        run(test)

    def test_leaving_is_possible_however_it_is_left(self, run: Any) -> None:
        """An exception and a cancellation pass through, and the next lease works."""

        async def test(pages: PageSource) -> None:
            with pytest.raises(ZeroDivisionError):
                async with pages.lease("main"):
                    raise ZeroDivisionError
            with trio.CancelScope() as scope:
                async with pages.lease("main"):
                    scope.cancel()
                    await trio.sleep_forever()
            assert scope.cancelled_caught
            async with pages.lease("main"):
                pass

        run(test)

    def test_revoking_is_repeatable_and_never_raises(self, run: Any) -> None:
        """A revoked lease can be revoked again, and left."""

        async def test(pages: PageSource) -> None:
            async with pages.lease("main") as lease:
                await pages.revoke(lease)
                await pages.revoke(lease)
            async with pages.lease("main"):
                pass

        run(test)

    def test_killing_ends_it_for_good(self, run: Any) -> None:
        """kill: who waits is told why, at once; no page is given after that."""

        async def test(pages: PageSource) -> None:
            async with pages.lease("main") as lease:
                pages.kill("the test wants it so")
                with trio.fail_after(2):
                    loss = await pages.wait_lost(lease)
                assert isinstance(loss, BrowserLost)
                assert "the test wants it so" in str(loss)
                pages.kill("again")
                await pages.revoke(lease)
            with pytest.raises(BrowserLost):
                async with pages.lease("main"):
                    pytest.fail("a page of a dead browser")

        run(test)

    def test_waiting_for_a_loss_can_be_cancelled(self, run: Any) -> None:
        """Nothing is lost by it: the lease goes on."""

        async def test(pages: PageSource) -> None:
            async with pages.lease("main") as lease:
                with trio.move_on_after(0.05) as scope:
                    await pages.wait_lost(lease)
                assert scope.cancelled_caught
            async with pages.lease("main"):
                pass

        run(test)

    @pytest.mark.parametrize("session", ["main", "named", "fresh"])
    def test_what_pages_show_can_be_seen_at_any_time(
        self, run: Any, session: str, tmp_path: Path
    ) -> None:
        """observe: bounded, and never raises: of a page, one that is closed, a dead browser."""

        async def look(pages: PageSource, lease: Lease) -> Observation:
            with trio.fail_after(self.observe_bound):
                return await pages.observe(lease, _giving(tmp_path))

        async def test(pages: PageSource) -> None:
            async with pages.lease(session) as lease:
                await pages.trace(lease)
                seen = await look(pages, lease)
                assert seen.secrets is not None
                for part in ("url", "screenshot", "html", "console", "network", "trace"):
                    assert (getattr(seen, part) is None) == (part in seen.missing), part
                await pages.revoke(lease)
                assert (await look(pages, lease)).missing
            async with pages.lease(session) as lease:
                pages.kill("the test wants it so")
                await pages.trace(lease)
                assert (await look(pages, lease)).missing

        run(test)

    @pytest.mark.parametrize("disk", ["full", "hung"])
    def test_without_a_place_for_files_all_else_is_seen(self, run: Any, disk: str) -> None:
        """observe: a folder that can't be had, or not in time, costs what was to be in it."""

        async def folder() -> Path:
            if disk == "hung":
                await trio.sleep_forever()
            raise OSError(28, "No space left on device")

        async def test(pages: PageSource) -> None:
            async with pages.lease("main") as lease:
                await pages.trace(lease)
                with trio.fail_after(self.observe_bound):
                    seen = await pages.observe(lease, folder)
                assert seen.trace is None
                assert seen.missing["trace"]
                for part in ("url", "screenshot", "html", "console", "network"):
                    assert (getattr(seen, part) is None) == (part in seen.missing), part

        run(test)

    def test_a_trace_that_is_not_seen_is_gone(self, run: Any, tmp_path: Path) -> None:
        """trace: each lease may have one, whether or not the one before was looked at."""

        async def test(pages: PageSource) -> None:
            for _ in range(2):
                async with pages.lease("main") as lease:
                    await pages.trace(lease)
            async with pages.lease("main") as lease:
                assert (await pages.observe(lease, _giving(tmp_path))).trace is None

        run(test)

    def test_what_is_ready_is_used_once(self, run: Any) -> None:
        """prepare: the next lease of the session has it, the one after that a new page."""

        async def test(pages: PageSource) -> None:
            for session in ("main", "named", "fresh", "main"):
                await pages.prepare(session, trace=True)
                await pages.prepare(session, trace=True)
                used = []
                for _ in range(2):
                    async with pages.lease(session) as lease:
                        await pages.trace(lease, pictures=False)
                        used.append(lease.page)
                    assert not any(lease.left.values())
                    assert not lease.errors
                    assert not lease.harms
                assert used[0] is not used[1]

        run(test)

    def test_preparing_can_be_cancelled(self, run: Any) -> None:
        """At any moment: the next lease works, and nothing is charged to it."""

        async def test(pages: PageSource) -> None:
            for session in ("main", "fresh"):
                for seconds in (0, 0.01, 0.05, 0.1):
                    with trio.move_on_after(seconds):
                        await pages.prepare(session, trace=True)
                    async with pages.lease(session) as lease:
                        await pages.trace(lease, pictures=False)
                    assert not any(lease.left.values())
                    assert not lease.errors
                    assert not lease.harms

        run(test)

    def test_a_dead_browser_makes_nothing_ready(self, run: Any) -> None:
        """prepare says no, and what was ready is no page of a dead browser."""

        async def test(pages: PageSource) -> None:
            await pages.prepare("main")
            pages.kill("the test wants it so")
            assert not await pages.prepare("main")
            assert not await pages.prepare("fresh")
            with pytest.raises(BrowserLost):
                async with pages.lease("main"):
                    pytest.fail("a page of a dead browser")

        run(test)

    def test_sessions_can_be_kept(self, run: Any) -> None:
        """keep_session takes every kind of session."""

        async def test(pages: PageSource) -> None:
            for session in ("main", "named", "fresh"):
                async with pages.lease(session) as lease:
                    await pages.keep_session(lease, session)

        run(test)
