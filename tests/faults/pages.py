"""Bodies that meet, or make, pages that misbehave: each takes the run and the site's address."""

from __future__ import annotations

import asyncio

import trio

from .house import is_downloading

POPUPS = 200


async def loop(run, url):
    await run.page.evaluate("while (true) {}")


async def loop_in_the_page(run, url):
    await run.page.goto(url + "/loop")
    await run.page.wait_for_selector("nothing")


async def loop_in_a_popup(run, url):
    await run.page.goto(url)
    async with run.page.expect_popup() as popup:
        await run.page.evaluate("window.open('/loop')")
    await (await popup.value).wait_for_selector("nothing")


async def loop_in_beforeunload(run, url):
    await run.page.goto(url + "/unload-loop")
    await run.page.fill("input", "touched")
    await run.page.close(run_before_unload=True)
    await trio.sleep_forever()


async def loop_on_leaving(run, url):
    await run.page.goto(url + "/unload-loop")
    await run.page.fill("input", "touched")
    await run.page.goto(url, timeout=0)


async def beforeunload_dialog(run, url):
    run.page.on("dialog", lambda dialog: None)
    await run.page.goto(url + "/unload")
    await run.page.fill("input", "touched")
    await run.page.close(run_before_unload=True)
    await trio.sleep_forever()


async def alerts(run, url):
    await run.page.evaluate("while (true) alert('stay')")


async def confirms(run, url):
    await run.page.evaluate("while (true) confirm('stay?')")


async def prompts(run, url):
    await run.page.evaluate("while (true) prompt('stay?')")


async def dialog_left_open(run, url):
    run.page.on("dialog", lambda dialog: None)
    await run.page.evaluate("alert('stay')")


async def print_dialog(run, url):
    await run.page.goto(url)
    await run.page.evaluate("window.print()")


async def popup_storm(run, url):
    await run.page.goto(url)
    await run.page.evaluate(f"for (let i = 0; i < {POPUPS}; i++) window.open('/second')")
    await trio.sleep_forever()


async def popups_for_ever(run, url):
    await run.page.goto(url)
    await run.page.evaluate("setInterval(() => window.open('/second'), 20)")


async def service_worker(run, url):
    await run.page.goto(url.replace("127.0.0.1", "localhost") + "/worker")
    await run.page.wait_for_function("document.title == 'ready'")
    await run.page.evaluate("fetch('/for-ever')")


async def websocket_left_open(run, url):
    await run.page.goto(url)
    address = url.replace("http", "ws") + "/socket"
    await run.page.evaluate(
        "url => new Promise(ok => {window.s = new WebSocket(url); s.onmessage = ok})", address
    )


async def download_left_running(run, url):
    await run.page.goto(url)
    async with run.page.expect_download():
        await run.page.evaluate("location.href = '/download'")
    while not is_downloading():  # noqa: ASYNC110 - another process's file
        await trio.sleep(0.02)


async def download_awaited(run, url):
    await run.page.goto(url)
    async with run.page.expect_download() as download:
        await run.page.evaluate("location.href = '/download'")
    await (await download.value).path()


async def memory(run, url):
    """Until the renderer is out of memory: how much it may have is told to the browser."""
    await run.page.evaluate(
        "() => {window.kept = []; while (true) kept.push(new Array(1e6).fill(1.5))}"
    )


async def million_nodes(run, url):
    await run.page.evaluate(
        "() => {const f = document.createDocumentFragment(); for (let i = 0; i < 1e6; i++)"
        " f.append(document.createElement('p')); document.body.append(f)}"
    )
    await run.page.content()


async def console_flood(run, url):
    seen = []
    run.page.on("console", lambda message: seen.append(message.text))
    await run.page.evaluate("for (let i = 0; i < 10000; i++) console.log('line ' + i)")


async def navigates_during_evaluate(run, url):
    await run.page.goto(url)
    await run.page.evaluate("() => {location.href = '/second'; return new Promise(() => {})}")


async def frame_bomb(run, url):
    await run.page.goto(url + "/frames", timeout=0)


async def timers_left(run, url):
    await run.page.goto(url)
    await run.page.evaluate(
        "for (let i = 0; i < 1000; i++) setInterval(() => {document.body.append(i)}, 1)"
    )


async def closes_itself(run, url):
    await run.page.evaluate("window.close()")
    await run.page.wait_for_selector("nothing")


async def asks_permissions(run, url):
    await run.page.goto(url)
    await run.page.evaluate(
        "() => {navigator.clipboard.readText(); Notification.requestPermission();"
        " navigator.mediaDevices.getUserMedia({video: true, audio: true});"
        " return new Promise((a, b) => navigator.geolocation.getCurrentPosition(a, b))}"
    )


async def file_chooser(run, url):
    await run.page.goto(url + "/choose")
    await run.page.click("input")
    await trio.sleep_forever()


async def pdf_viewer(run, url):
    await run.page.goto(url + "/pdf")
    await run.page.wait_for_selector("nothing")


async def full_screen(run, url):
    await run.page.goto(url)
    await run.page.evaluate(
        "addEventListener('click', () => {document.body.requestFullscreen();"
        " document.body.requestPointerLock(); navigator.keyboard?.lock()})"
    )
    await run.page.click("h1")
    await trio.sleep_forever()


async def listener_raises(run, url):
    def bang(*_):
        raise ZeroDivisionError("bang")

    run.page.on("response", bang)
    run.context.on("page", bang)
    await run.page.goto(url)


async def route_raises(run, url):
    async def handler(route):
        raise ZeroDivisionError("bang")

    await run.page.route("**/*", handler)
    await run.page.goto(url)


async def route_never_fulfils(run, url):
    await run.context.route("**/*", lambda route: asyncio.sleep(1000))
    await run.page.goto(url, timeout=0)


async def binding_never_returns(run, url):
    await run.context.expose_function("hang", lambda: asyncio.sleep(1000))
    await run.page.goto(url)
    await run.page.evaluate("hang()")


async def console_without_end(run, url):
    await run.page.evaluate("while (true) console.log('line')")


async def requests_without_end(run, url):
    await run.page.goto(url)
    await run.page.evaluate("() => {while (true) fetch('/second?' + Math.random())}")
