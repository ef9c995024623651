"""A person logs in, through the dashboard of a real daemon, with a browser of their own."""

from __future__ import annotations

import re
import subprocess

import pytest
from playwright.sync_api import expect, sync_playwright

from muxd.browser.find import find_browser
from muxd.control.client import ControlClient
from muxd.state import StateDir
from tests.e2e.conftest import COMMAND, Muxd
from tests.e2e.shop import PASSWORD, USER, open_shop

pytestmark = pytest.mark.timeout(300)  # two browsers, side by side

JOBS = """
import muxd

SHOP = {shop!r}


@muxd.job(interval="60d", session="shop", needs_login="/login*", timeout="20s")
async def orders(run):
    await run.page.goto(SHOP)
    patience = 100 if "/login" in run.page.url else 15_000
    return await run.page.locator("#hello").inner_text(timeout=patience)


@muxd.job(interval="60d", session="shop", timeout="20s",
          needs_login=muxd.LoggedIn(SHOP, shows="#hello", within="6s"))
async def prices(run):
    return await run.page.locator("#hello").inner_text()


@muxd.job(interval="60d", session="fresh")
async def other(run):
    return "other"
"""
PATIENCE = 60_000
"""How long the person waits for what they expect to see, milliseconds: the machine may be slow."""


@pytest.fixture(scope="module")
def shop():
    with open_shop() as shop:
        yield shop


@pytest.fixture(scope="module")
def home(tmp_path_factory, shop):
    """A daemon with its dashboard, for the whole module."""
    home = Muxd(tmp_path_factory.mktemp("muxd"))
    home.write("jobs", JOBS.format(shop=shop.url))
    try:
        home.start()
        yield home
    finally:
        home.end()


@pytest.fixture(scope="module")
def person():
    """The person's own browser."""
    expect.set_options(timeout=PATIENCE)
    found = find_browser()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=found.path, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield browser
        browser.close()


@pytest.fixture
def begin(home):
    """Begin a login; it is gone after the test."""
    begun = []

    def begin(*args):
        begun.append(Login(home, *args))
        return begun[-1]

    yield begin
    for login in begun:
        login.process.kill()
        login.process.communicate()


@pytest.fixture
def view(person):
    """A tab of it, in which nothing may be refused or go wrong."""
    context = person.new_context(viewport={"width": 1400, "height": 1000})
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    wrong = []
    page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    yield page
    context.close()
    assert [each for each in wrong if "ERR_CONNECTION" not in each] == []


class Login:
    """`muxd login` in a terminal, and its page."""

    def __init__(self, home, *args):
        self.process = subprocess.Popen(
            [*COMMAND, "login", *args],
            env=home.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.said = ""
        while "token=" not in self.said:
            line = self.process.stdout.readline()
            assert line, self.said
            self.said += line
        self.link = re.search(r"http://\S+", self.said)[0]
        self.id = re.search(r"/login/([^?]+)", self.link)[1]

    def end(self):
        """The exit code, and all that was said."""
        rest, _ = self.process.communicate(timeout=60)
        return self.process.returncode, self.said + rest


def click(view, x, y):
    """Click at a place of the page that is shown, which is 1280 pixels wide."""
    box = view.locator("#picture").bounding_box()
    scale = box["width"] / 1280
    view.mouse.click(box["x"] + x * scale, box["y"] + y * scale)


def is_seen(view):
    """Wait for a picture of the page."""
    expect(view.locator("#screen")).to_have_attribute("data-width", "1280")


def test_a_person_logs_in_and_jobs_find_it(home, shop, begin, view):
    """Two jobs of a session that is logged out are paused together, with what to do. A person comes to the
    page of the login from the dashboard: types, pastes, clicks in a canvas, chooses from a list, answers
    in a popup, says done. Both jobs
    are resumed and find themselves logged in; what was typed is nowhere in the state directory."""
    client = ControlClient(StateDir(home.state))
    failed = client.run("orders", wait=True)
    assert (failed["outcome"], failed["error_type"]) == ("failed", "muxd.errors.LoggedOut")
    assert {(each["job"], each["note"]) for each in client.status()["paused"]} == {
        (job, "logged out: log in again with `muxd login shop`") for job in ("orders", "prices")
    }
    assert client.run("prices", wait=True)["error_type"] == "muxd.errors.LoggedOut"

    login = begin("shop")
    view.goto(login.link.replace(login.id, "").replace("/login/", "/"))
    expect(view.get_by_role("link", name="Open the login")).to_have_count(1)
    view.get_by_role(
        "button", name="Log in to the session shop"
    ).first.click()  # it begins where `prices` looks
    expect(view.locator("#url")).to_have_value(re.compile(r"/login\?next=/#ready$"))
    assert "token" not in view.url
    is_seen(view)
    asked = home.request("other")  # waits until the person has finished
    click(view, 100, 40)
    view.keyboard.type(USER + "x")
    view.keyboard.press("Backspace")
    view.keyboard.press("Tab")
    view.evaluate(
        """text => {
            const data = new DataTransfer();
            data.setData("text/plain", text);
            const paste = new ClipboardEvent("paste", {clipboardData: data, bubbles: true, cancelable: true});
            document.querySelector("#screen").dispatchEvent(paste);
        }""",
        PASSWORD,
    )
    click(view, 40 + 220, 140 + 150)  # the captcha
    expect(view.locator("#url")).to_have_value(re.compile("#human$"))
    click(view, 100, 440)
    expect(view.locator("#options option")).to_have_text(["north", "south"])
    view.locator("#options").select_option("south")
    view.get_by_role("button", name="Choose").click()
    expect(view.locator("#url")).to_have_value(re.compile("#south$"))
    expect(view.locator("#choice")).to_be_hidden()
    click(view, 100, 380)
    expect(view.locator("#url")).to_have_value(f"{shop.url}/code#ready")
    click(view, 100, 70)
    expect(view.locator("#tabs [aria-current=true]")).to_have_text("Was it you?")
    click_in_popup(view)
    expect(view.locator("#tabs")).to_be_hidden()
    expect(view.locator("#url")).to_have_value(f"{shop.url}/")
    assert asked.poll() is None
    view.get_by_role("button", name="Done").click()
    expect(view.locator("#notice")).to_contain_text("Jobs that go on: orders, prices.")
    code, said = login.end()
    assert code == 0
    assert said.endswith("The session 'shop' is saved.\nResumed: orders, prices\n")
    assert asked.wait(60) == 0
    assert client.status()["paused"] == []
    assert client.run("orders", wait=True)["result"] == "Hello ann"
    assert client.run("prices", wait=True)["result"] == "Hello ann"
    [record] = home.history("--job", "login:shop")
    assert (record["outcome"], record["session"]) == ("ok", "shop")
    for path in home.state.rglob("*"):
        if path.is_file() and "profile" not in path.parts:
            assert PASSWORD.encode() not in path.read_bytes(), path
    assert PASSWORD not in home.output.read_text()


def click_in_popup(view):
    """Its picture is as wide as the popup."""
    expect(view.locator("#screen")).to_have_attribute("data-width", re.compile(r"^[45]\d\d$"))
    width = int(view.locator("#screen").get_attribute("data-width"))
    box = view.locator("#picture").bounding_box()
    scale = box["width"] / width
    view.mouse.click(box["x"] + 100 * scale, box["y"] + 50 * scale)


def test_what_ends_a_login(home, shop, begin, view):
    """A page that hangs costs the person a word, and nobody the queue; Cancel, Ctrl-C and the browser's
    death each end a login with a clear word, the session stays as it was, and jobs go on."""
    saved = home.state / "sessions" / "shop.json"
    before = saved.read_bytes() if saved.exists() else None

    login = begin("shop", f"{shop.url}/hang")
    view.goto(login.link)
    expect(view.locator("#url")).to_have_value(f"{shop.url}/hang#ready")
    is_seen(view)
    click(view, 100, 40)
    view.keyboard.type("a")
    expect(view.locator("#trouble")).to_contain_text("the page does not answer")
    view.get_by_role("button", name="Cancel").click()
    expect(view.locator("#notice")).to_contain_text("It was cancelled. The session is as it was.")
    assert login.end()[0] == 1

    login = begin("shop", shop.url)
    view.goto(login.link)
    is_seen(view)
    home.browser().kill()
    expect(view.locator("#notice")).to_contain_text("The browser was lost")
    code, said = login.end()
    assert (code, "Log in again." in said) == (1, True)
    client = ControlClient(StateDir(home.state))
    assert client.run("other", wait=True)["outcome"] == "ok"

    login = begin("shop", shop.url)
    login.process.send_signal(2)
    assert login.end()[0] == 1
    assert (saved.read_bytes() if saved.exists() else None) == before
    assert client.status()["paused"] == []
