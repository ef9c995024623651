"""What a job is logged in with survives: saved while the browser is up, restored on an empty machine."""

from __future__ import annotations

import json
import shutil

import pytest

JOBS = """
import muxd

PAGE = "https://shop.example/"


async def at_the_shop(run):
    async def answer(route):
        await route.fulfill(body="<h1>shop</h1>", content_type="text/html")

    await run.page.route("**/*", answer)
    await run.page.goto(PAGE)


@muxd.job(interval="10h", duration="5s")
async def login(run):
    await at_the_shop(run)
    cookie = {"name": "who", "value": "ann", "url": PAGE, "expires": 4_000_000_000}
    await run.page.context.add_cookies([cookie])
    await run.page.evaluate("localStorage.setItem('who', 'ann')")


@muxd.job(interval="10h", duration="5s")
async def look(run):
    await at_the_shop(run)
    cookies = await run.page.context.cookies(PAGE)
    kept = await run.page.evaluate("localStorage.getItem('who')")
    return f"{[cookie['value'] for cookie in cookies]} {kept}"
"""


@pytest.mark.nightly
@pytest.mark.chromium  # whose profile it is
def test_logins_of_the_browsers_profile_survive(muxd_home):
    """Cookies and local storage of the session `main`, copied while the daemon's browser has them."""
    home = muxd_home
    home.write("jobs", JOBS)
    home.call("run", "login")  # its browser ends in order, and has written all of it
    home.start()
    file = home.folder / "b.tar.gz"
    told = home.json("backup", str(file))
    assert {"ledger", "sessions", "profile"} <= set(told["kinds"])
    assert home.json("status")["state"] == "running"
    home.call("restore", str(file), code=2)
    home.end()
    shutil.rmtree(home.state)
    home.call("restore", str(file))
    assert (home.state / "profile" / "Default").is_dir()
    seen = json.loads(home.call("run", "look", "--json"))
    assert seen["result"] == "['ann'] ann"
    assert [record["job"] for record in home.history()] == ["look", "login"]
