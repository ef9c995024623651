"""Worker: the browser's own protocol over a WebSocket, and nothing between. The limit.

A page for each job. The flags are those of Playwright that matter here, and the hidden WebUI pages
of each window are off, as in muxd.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import sys
import tempfile
import time
from typing import Any

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

FLAGS = (
    "--headless",
    "--remote-debugging-port=0",
    "--no-first-run",
    "--no-default-browser-check",
    "--no-service-autorun",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-sync",
    "--hide-scrollbars",
    "--mute-audio",
    "--password-store=basic",
    "--use-mock-keychain",
    "--disable-features=WebUIOmniboxPopup,WebUIOmniboxAimPopup,WebUIOmniboxFullPopup,"
    "Translate,MediaRouter,OptimizationHints,DialMediaRouteProvider,PaintHolding",
)
READ = """new Promise(resolve => {
    const read = () => {
        const found = Array.from(document.querySelectorAll("li"), item => item.innerText);
        if (found.length) { watcher.disconnect(); resolve(found); }
    };
    const watcher = new MutationObserver(read);
    watcher.observe(document, {childList: true, subtree: true});
    read();
})"""


class Wire:
    """The connection to the browser: calls and their answers, events and who waits for them."""

    def __init__(self, socket: Any) -> None:
        self._socket = socket
        self._numbers = itertools.count()
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._events: dict[tuple[str, str], asyncio.Future[None]] = {}

    async def listen(self) -> None:
        """Hand out what comes in, until the connection ends."""
        with contextlib.suppress(ConnectionClosed):  # the browser ends without a word
            while True:
                self._take(json.loads(await self._socket.recv()))

    def _take(self, told: dict[str, Any]) -> None:
        if "id" in told:
            self._answers.pop(told["id"]).set_result(told)
            return
        whose = told.get("sessionId") or told["params"].get("sessionId", "")
        waiting = self._events.pop((told["method"], whose), None)
        if waiting is not None:
            waiting.set_result(None)

    async def call(self, method: str, session: str = "", **params: Any) -> dict[str, Any]:
        """One call; its result."""
        number = next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        message = {"id": number, "method": method, "params": params}
        await self._socket.send(json.dumps(message | ({"sessionId": session} if session else {})))
        told = await answer
        if "error" in told:
            raise RuntimeError(f"{method}: {told['error']}")
        result: dict[str, Any] = told["result"]
        return result

    def event(self, method: str, session: str) -> asyncio.Future[None]:
        """The next one of these."""
        found = self._events[method, session] = asyncio.get_running_loop().create_future()
        return found


async def job(wire: Wire, url: str) -> None:
    """The job."""
    target = (await wire.call("Target.createTarget", url="about:blank"))["targetId"]
    attached = await wire.call("Target.attachToTarget", targetId=target, flatten=True)
    session = attached["sessionId"]
    await wire.call("Page.enable", session)
    loaded = wire.event("Page.loadEventFired", session)
    await wire.call("Page.navigate", session, url=url)
    await loaded
    found = await wire.call(
        "Runtime.evaluate", session, expression=READ, awaitPromise=True, returnByValue=True
    )
    assert len(found["result"]["value"]) == 50, found
    closed = wire.event("Target.detachedFromTarget", session)
    await wire.call("Target.closeTarget", targetId=target)
    await closed


async def main(url: str, browser_path: str) -> None:
    """Do the job for each line on stdin, and print how long it took."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = await asyncio.create_subprocess_exec(
            browser_path,
            *FLAGS,
            f"--user-data-dir={profile}",
            *(["--no-sandbox"] if os.geteuid() == 0 else []),
            "about:blank",
            stderr=asyncio.subprocess.PIPE,
        )
        assert browser.stderr is not None
        async for line in browser.stderr:
            if line.startswith(b"DevTools listening on "):
                break
        address = line.split()[-1].decode()
        async with connect(address, max_size=None, compression=None, proxy=None) as socket:
            wire = Wire(socket)
            listening = asyncio.create_task(wire.listen())
            swallowing = asyncio.create_task(browser.stderr.read())
            while await asyncio.to_thread(sys.stdin.readline):
                begun = time.perf_counter()
                await job(wire, url)
                print(time.perf_counter() - begun, flush=True)
            await wire.call("Browser.close")
            await browser.wait()
            await asyncio.gather(listening, swallowing)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
