"""What a page shows while it runs: small pictures for who looks on, at no cost for the run."""

from __future__ import annotations

import trio

from muxd.bridge import bridged

ENGINE = "headless-shell"

JPEG = b"\xff\xd8\xff"


async def picture(life, lease):
    """The next that can be had: on a busy machine a look may be too late."""
    with trio.fail_after(30):
        while (seen := await life.look(lease)) is None:  # noqa: ASYNC110 - the page's
            await trio.sleep(0.2)
    return seen


def test_looking_on_costs_a_run_nothing(lent):
    """A picture of the page as it is; of one that hangs none, within a second, and none soon after.

    A listener's error that the look got is the run's. The page notices nothing, and nothing is left.
    """

    async def test(life, site):
        def fail(_message):
            raise LookupError("a listener's")

        async with life.lease("main") as lease:
            page = lease.page
            await bridged(page.goto)(f"{site.url}/")
            await bridged(page.evaluate)(
                "window.told = []; for (const e of ['resize', 'blur', 'focus', 'visibilitychange', "
                "'scroll']) addEventListener(e, () => told.push(e), true)"
            )
            assert (await picture(life, lease)).startswith(JPEG)
            before = await picture(life, lease)
            await bridged(page.evaluate)("document.body.style.background = 'red'")
            assert await picture(life, lease) != before
            assert await bridged(page.evaluate)("told") == []
            page.on("console", fail)
            await bridged(page.evaluate)("setTimeout(() => console.log('now'), 20) && 0")
            with trio.move_on_after(10):
                while not lease.errors:
                    await life.look(lease)
                    await trio.sleep(0.05)
            page.remove_listener("console", fail)
            async with trio.open_nursery() as nursery:
                hangs = trio.Event()
                page.on("console", lambda _: hangs.set())
                nursery.start_soon(bridged(page.evaluate), "console.log('now'); while (true) {}")
                await hangs.wait()
                begun = trio.current_time()
                assert await life.look(lease) is None
                took = trio.current_time() - begun
                begun = trio.current_time()
                assert await life.look(lease) is None
                assert trio.current_time() - begun < 0.5
                nursery.cancel_scope.cancel()
            assert took < 5
        assert [type(error) for error in lease.errors] == [LookupError]
        assert not any(lease.left.values())
        assert not lease.harms
        assert await life.look(lease) is None
        async with life.lease("fresh") as lease:
            assert (await picture(life, lease)).startswith(JPEG)

    lent(test)
