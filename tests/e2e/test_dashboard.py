"""The dashboard as a new user meets it: the printed link, a real browser, a real daemon."""

from __future__ import annotations

import os
import re
import signal
import socket

import psutil
import pytest
from playwright.sync_api import expect, sync_playwright

from muxd.browser.find import find_browser

from .conftest import PATIENT_EYE

JOBS = """
import trio
import muxd


@muxd.job(interval="60d", duration="5s", timeout="5m")
async def patient(run):
    await run.page.set_content("<body bgcolor=teal><h1>patient</h1>")
    for number in range(500):
        run.log.info("waiting", what=f"<b>{number}</b>")
        await trio.sleep(0.2)


@muxd.job(interval="60d", duration="5s")
async def quick(run):
    run.log.info("been here")
    return "as quick as that"


@muxd.job(interval="60d", duration="5s")
async def broken(run):
    await run.page.set_content("<title>Shop</title><h1>sold out</h1>")
    raise LookupError("<b>no price</b>")
"""
PATIENCE = 30_000
"""How long anything may take to be on the page, milliseconds."""


@pytest.fixture
def visitor(muxd_home):
    """A page in a browser that is not muxd's."""
    muxd_home.write("jobs", PATIENT_EYE + JOBS)
    with socket.create_server(("127.0.0.1", 0)) as free:  # the same after a restart
        muxd_home.environ["MUXD_WEB_PORT"] = str(free.getsockname()[1])
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find_browser().path, args=["--no-sandbox"]
        )
        page = browser.new_page()
        page.set_default_timeout(PATIENCE)
        page.complaints = []
        page.on("console", lambda m: m.type == "error" and page.complaints.append(m.text))
        page.on("response", lambda r: r.status >= 400 and page.complaints.append(r.url))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        yield page
        browser.close()


def test_seen_and_steered_from_a_browser(muxd_home, visitor):
    """Run and pause by a click, see it at once; a look at the page; a dead browser, a dead muxd.

    Nobody reloads the page: muxd tells it what has happened.
    """
    home, page = muxd_home, visitor
    expect.set_options(timeout=PATIENCE)
    home.start()
    link = home.call("dashboard").strip()
    page.goto(link)
    page.wait_for_url(lambda url: "token" not in url)
    expect(page.locator("h1")).to_have_text("All is well")
    url = page.url

    # A run that is asked for by a click, is there without a reload, and can be looked into.
    page.goto(f"{url}jobs")
    page.get_by_label("Run quick now").click()
    row = page.locator("tr", has_text="quick")
    expect(row.locator(".badge")).to_contain_text("ok")
    row.locator(".badge").click()
    expect(page.locator("main")).to_contain_text("as quick as that")
    expect(page.locator("main")).to_contain_text("been here")

    # Paused and resumed, with a word.
    page.goto(f"{url}jobs/quick")
    page.locator("summary").click()
    page.get_by_label("Why").fill("a <i>test</i>")
    page.get_by_role("button", name="Pause quick").click()
    expect(page.locator("main")).to_contain_text("paused: a <i>test</i>")
    assert home.json("status")["paused"][0]["note"] == "a <i>test</i>"
    page.get_by_role("button", name="Resume quick").click()
    expect(page.locator("main")).not_to_contain_text("paused: a")

    # What went wrong, with what its page showed.
    page.goto(f"{url}jobs/broken")
    page.get_by_role("button", name="Run broken now").click()
    page.locator("table .badge").first.click()
    expect(page.locator("h1")).to_contain_text("failed")
    expect(page.locator("pre").first).to_contain_text("LookupError: <b>no price</b>")
    picture = page.get_by_alt_text("What the page showed")
    assert picture.evaluate("async image => (await image.decode(), image.naturalWidth)") > 100

    # What runs, with its page; and the browser under it is killed.
    page.goto(url)
    home.request("patient")
    expect(page.locator(".what")).to_contain_text("patient")
    image = page.locator(".look img")
    expect(image).to_have_attribute("src", re.compile("^blob:"))
    # Another picture comes each second, and the first may be of the page before it was filled.
    page.wait_for_function("""() => {
        const canvas = document.createElement("canvas"), image = document.querySelector(".look img");
        if (!image?.complete || !image.naturalWidth) return false;
        canvas.getContext("2d").drawImage(image, 0, 0);
        const at = canvas.getContext("2d").getImageData(100, 120, 1, 1).data;
        return Math.abs(at[1] - 128) < 12 && Math.abs(at[2] - 128) < 12 && at[0] < 20;
    }""")
    page.locator(".what a").click()
    expect(page.locator("#log")).to_contain_text("what=<b>")
    page.locator("#log").scroll_into_view_if_needed()
    last = page.locator("#log p").last
    expect(last).not_to_have_text(last.inner_text())  # it goes on, and its end is in sight
    expect(last).to_be_in_viewport()
    page.go_back()
    expect(page.locator(".what")).to_contain_text("patient")
    psutil.Process(home.told()["browser"]["pid"]).send_signal(signal.SIGKILL)
    expect(page.locator(".failures")).to_contain_text("patient")
    expect(page.locator(".failures .badge").first).to_contain_text("crashed")
    expect(page.locator(".facts", has_text="generation")).to_contain_text(re.compile(r"up for"))
    expect(page.locator(".facts", has_text="generation")).to_contain_text("2")
    page.goto(f"{url}browser")
    expect(page.locator("tbody tr")).to_have_count(2)
    expect(page.locator("tbody")).to_contain_text("died")

    # muxd itself is killed, and started again by its guard: the page says both.
    page.evaluate("""() => {
        const line = document.querySelector("#link");
        window.said = [];  // nobody need look just when it is said
        new MutationObserver(() => said.push(line.textContent)).observe(line, {childList: true});
    }""")
    os.kill(home.pid, signal.SIGKILL)
    page.wait_for_function("() => said.some(text => text.includes('muxd is back'))")
    assert "can't be reached" in page.evaluate("said[0]")
    expect(page.locator("tbody tr")).to_have_count(1)
    assert [text for text in page.complaints if "ERR_" not in text] == []
