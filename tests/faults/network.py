"""Bodies that meet servers that misbehave: each takes the run and the site's address."""

from __future__ import annotations


async def never(run, url):
    await run.page.goto(url + "/never", timeout=0)


async def never_for_a_frame(run, url):
    await run.page.set_content(f"<iframe src={url}/never></iframe>", timeout=0)


async def drip(run, url):
    await run.page.goto(url + "/drip", timeout=0)


async def reset(run, url):
    await run.page.goto(url + "/reset")


async def cut(run, url):
    await run.page.goto(url + "/cut")


async def flood(run, url):
    await run.page.goto(url + "/flood", timeout=0)


async def flood_by_fetch(run, url):
    await run.page.goto(url)
    await run.page.evaluate("fetch('/flood').then(r => r.text())")


async def flood_by_request(run, url):
    """Not by the page but by Playwright's own client, whose answer comes to Python whole."""
    await (await run.context.request.get(url + "/flood", timeout=0)).body()


async def bomb(run, url):
    await run.page.goto(url + "/bomb", timeout=0)


async def redirects(run, url):
    await run.page.goto(url + "/redirect")


async def refreshes(run, url):
    await run.page.goto(url + "/refresh")
    await run.page.wait_for_selector("nothing")


async def relocates(run, url):
    await run.page.goto(url + "/relocate")
    await run.page.wait_for_selector("nothing")


async def no_tls(run, url):
    await run.page.goto(url.replace("http", "https"))


async def no_such_host(run, url):
    await run.page.goto("http://nobody.invalid/")


async def nobody_listens(run, url):
    await run.page.goto(url.replace("127.0.0.1", "127.0.0.2"))


async def password(run, url):
    answer = await run.page.goto(url + "/auth")
    assert answer.ok, answer.status
