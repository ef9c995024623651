"""What Playwright's recorder has written becomes a job; what a person typed as a password does not."""

from __future__ import annotations

import ast
import json
import sys
import textwrap

import pytest

from muxd.cli import recorder
from muxd.cli.recorded import body_of
from muxd.config import Config, PluginsConfig
from muxd.errors import UserError
from muxd.plugins import load_plugins
from muxd.state import StateDir

SCRIPT = """\
import asyncio
import re
from playwright.async_api import Playwright, async_playwright, expect


async def run(playwright: Playwright) -> None:
    browser = await playwright.{launched}
    context = await browser.new_context({options})
    await context.route_from_har("/tmp/network.har")
    page = await context.new_page()
{body}
    await page.close()

    # ---------------------
    await context.storage_state(path="auth.json")
    await context.close()
    await browser.close()


async def main() -> None:
    async with async_playwright() as playwright:
        await run(playwright)


asyncio.run(main())
"""
OPENED = 'await page.goto("https://shop.example/")'


def script(*lines, launched="chromium.launch(headless=False)", options=""):
    body = textwrap.indent("\n".join((OPENED, *lines)), "    ")
    return SCRIPT.format(body=body, launched=launched, options=options)


def lines(*told, **further):
    found = body_of(script(*told, **further), "TEA")
    assert found.url == "https://shop.example/"
    ast.parse("async def body(run):\n" + "\n".join(found.lines))
    return [line.removeprefix("    ") for line in found.lines]


def test_nothing_but_what_was_done():
    """Browser, context, first page and HAR are muxd's; the page is the run's, the address a constant."""
    assert lines('await page.get_by_role("link", name="Tea").click()') == [
        "await run.page.goto(URL)",
        'await run.page.get_by_role("link", name="Tea").click()',
    ]
    assert lines(
        launched="firefox.launch(headless=False)",
        options='**playwright.devices["iPhone 11"], storage_state="auth.json"',
    ) == ["await run.page.goto(URL)"]


def test_a_text_may_have_an_end_of_a_line_that_is_none_of_python_s():
    """What is changed in the lines after it is in its right place."""
    told = lines(
        'await page.get_by_text("a\u2028b").click()', 'await page.get_by_text("c").click()'
    )
    assert told[-1] == 'await run.page.get_by_text("c").click()'
    assert len(told) == 3


def test_popups_downloads_and_dialogs():
    """Blocks keep their shape, further pages their names; what is text in the script stays as it is."""
    assert lines(
        'page.once("dialog", lambda dialog: dialog.dismiss())',
        "async with page.expect_popup() as page1_info:",
        '    await page.get_by_text("page, context: ü \\"expect\\"").click()',
        "page1 = await page1_info.value",
        "async with page1.expect_download() as download_info:",
        '    await page1.get_by_role("button").click(button="right")',
        "download = await download_info.value",
        "page2 = await context.new_page()",
        'await page2.goto("https://shop.example/")',
        'await page2.goto("https://other.example/")',
        "await page2.close()",
    ) == [
        "await run.page.goto(URL)",
        'run.page.once("dialog", lambda dialog: dialog.dismiss())',
        "async with run.page.expect_popup() as page1_info:",
        '    await run.page.get_by_text("page, context: ü \\"expect\\"").click()',
        "page1 = await page1_info.value",
        "async with page1.expect_download() as download_info:",
        '    await page1.get_by_role("button").click(button="right")',
        "download = await download_info.value",
        "page2 = await run.context.new_page()",
        "await page2.goto(URL)",
        'await page2.goto("https://other.example/")',
        "await page2.close()",
    ]


def test_assertions():
    """They are `muxd.expect`'s; ``re`` is imported if they need it."""
    told = (
        'await expect(page.locator("h1")).to_contain_text("Tea")',
        'await expect(page.get_by_text(re.compile(r"\\d+"))).to_be_visible()',
    )
    assert lines(*told)[1:] == [
        'await muxd.expect(run.page.locator("h1")).to_contain_text("Tea")',
        'await muxd.expect(run.page.get_by_text(re.compile(r"\\d+"))).to_be_visible()',
    ]
    assert body_of(script(*told), "TEA").uses_re
    assert not body_of(script(told[0]), "TEA").uses_re


def test_passwords_are_asked_for():
    """What is typed into a field for one is not in the job, and has one name however often."""
    found = body_of(
        script(
            'await page.get_by_label("Name").fill("ann")',
            'await page.get_by_label("Password", exact=True).fill("h0rse \\"ü\\"")',
            'await page.locator("#pwd2").fill("h0rse \\"ü\\"")',
            'await page.get_by_placeholder("Mot de passe").fill("other")',
            'await page.get_by_label("Password").fill("")',
        ),
        "TEA",
    )
    assert [line.strip() for line in found.lines[1:]] == [
        'await run.page.get_by_label("Name").fill("ann")',
        'await run.page.get_by_label("Password", exact=True).fill(run.secret("TEA_PASSWORD"))',
        'await run.page.locator("#pwd2").fill(run.secret("TEA_PASSWORD"))',
        'await run.page.get_by_placeholder("Mot de passe").fill(run.secret("TEA_PASSWORD2"))',
        'await run.page.get_by_label("Password").fill("")',
    ]
    assert found.secrets == {"TEA_PASSWORD": 'h0rse "ü"', "TEA_PASSWORD2": "other"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"there is no run\(\)"),
        ("async def run(", "can't be read"),
        (SCRIPT.format(body="", launched="chromium.launch()", options=""), "no page was opened"),
    ],
)
def test_what_is_no_recording(text, message):
    """Each is told from the others."""
    with pytest.raises(UserError, match=message):
        body_of(text, "TEA")


# The command, with a recorder that is none: it writes what a person's would


@pytest.fixture
def person(monkeypatch, tmp_path):
    """Has the recorder write this, and this traffic; gives the commands that it was started with."""
    monkeypatch.setenv("DISPLAY", ":99")
    monkeypatch.setattr(recorder, "_browser", lambda config: _Found())
    stand_in, asked = tmp_path / "playwright.py", tmp_path / "asked.json"

    def does(text, har=None):
        stand_in.write_text(
            "import json, pathlib, sys\n"
            f"pathlib.Path({str(asked)!r}).write_text(json.dumps(sys.argv[1:]))\n"
            "at = lambda option: pathlib.Path(sys.argv[sys.argv.index(option) + 1])\n"
            f"at('--output').write_text({text!r})\n"
            f"at('--save-har').write_text({json.dumps(har)!r})\n"
            "if '--load-storage' in sys.argv: print(at('--load-storage').read_text())\n"
        )
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))  # before the real one
        return lambda: json.loads(asked.read_text())

    return does


class _Found:
    path = None

    class engine:
        playwrights = "chromium"


HAR = {
    "log": {
        "entries": [
            {
                "request": {
                    "method": "POST",
                    "url": "https://shop.example/",
                    "headers": [{"name": "Cookie", "value": "sid=s3cr3t-of-ann"}],
                    "postData": {"text": "x=h0rse+battery"},
                },
                "response": {"status": 200, "headers": [], "content": {"text": "s3cr3t-of-ann"}},
            }
        ]
    }
}


def test_a_plugin_that_was_recorded(muxd, place, person):
    """The body is what was done, the test replays what was answered; of the secrets nothing is written."""
    asked = person(
        script(
            'await page.get_by_label("Password").fill("h0rse battery")',
            'await expect(page.get_by_text(re.compile("Tea"))).to_be_visible()',
        ),
        HAR,
    )
    done = muxd("new", "muxd-tea", "--record", "shop.example")
    assert done.exit_code == 0, done.output
    assert asked()[:3] == ["codegen", "--target", "python-async"]
    assert asked()[-1] == "https://shop.example"
    assert "what you typed as a password is not written: set TEA_PASSWORD" in done.stderr
    folder = place / "muxd-tea"
    job = (folder / "src/muxd_tea/jobs.py").read_text()
    assert 'import re\n\nimport muxd\n\nURL = "https://shop.example/"\n' in job
    assert '.fill(run.secret("TEA_PASSWORD"))\n' in job
    assert "    return run.page.url" in job
    test = (folder / "tests/test_muxd_tea.py").read_text()
    compile(test, "test", "exec")
    assert 'monkeypatch.setenv("TEA_PASSWORD", ' in test
    assert 'HAR = Path(__file__).parent / "har" / "tea.har"' in test
    har = json.loads((folder / "tests/har/tea.har").read_text())
    assert len(har["log"]["entries"]) == 1
    for file in folder.rglob("*"):
        if file.is_file():
            text = file.read_text()
            assert "h0rse" not in text, file
            assert "s3cr3t" not in text, file
            assert not [mark for mark in ("@JOB@", "@BODY@", "@TEST", "@README") if mark in text]


def test_a_file_that_was_recorded(muxd, place, person):
    """With --single it is a job of a jobs directory, and there is no test."""
    person(script('await page.get_by_role("link", name="Tea").click()'))
    done = muxd("new", "tea", "--single", "--record", "https://shop.example/")
    assert done.exit_code == 0, done.output
    assert [path.name for path in (place / "jobs").iterdir()] == ["tea.py"]
    config = Config(plugins=PluginsConfig(jobs_dirs=(place / "jobs",), strict=True))
    (job,) = load_plugins(config, entry_points=(), builtins=()).jobs
    assert (job.name, job.session, job.description) == ("tea", "main", "Do what was recorded.")


def test_a_session_that_was_saved(muxd, place, person, monkeypatch):
    """The window is logged in to it, and so is the job; main's profile is one browser's at a time."""
    state = StateDir(place / "state")
    state.sessions.mkdir(parents=True)
    (state.sessions / "shop.json").write_text('{"cookies": ["c"]}')
    asked = person(script(), HAR)
    args = ("new", "tea", "--record", "https://shop.example/", "--state-dir", "state")
    assert "no session 'other' yet: `muxd login other" in muxd(*args, "--session", "other").stderr
    assert "no name of a session" in muxd(*args, "--session", "../x").stderr
    done = muxd(*args, "--session", "shop")
    assert done.exit_code == 0, done.output
    assert "--load-storage" in asked()
    assert 'session="shop", ' in (place / "tea/src/tea/jobs.py").read_text()
    with state.hold():
        done = muxd(*args, "--session", "main", "--dir", "it")
        assert done.exit_code == 2
        assert str(state.root) in done.stderr
    assert muxd(*args, "--session", "main", "--dir", "it").exit_code == 0
    at = asked().index("--user-data-dir")
    assert asked()[at + 1] == str(state.profile)


def test_what_stands_in_the_way(muxd, place, person, monkeypatch):
    """Told before a person does it all for nothing: a place that is taken, no screen; and after, that
    nothing came of it.
    """
    person("")
    (place / "taken").mkdir()
    done = muxd("new", "tea", "--record", "https://a.example", "--dir", "taken")
    assert (done.exit_code, done.stderr) == (
        2,
        "muxd: taken is there already: choose another name, or remove it\n",
    )
    done = muxd("new", "tea", "--record", "https://a.example")
    assert "there is no run()" in done.stderr
    for args in (["--url", "a.example"], ["--session", "shop"]):
        further = ["--record", "https://a.example"] if "--url" in args else []
        assert muxd("new", "tea", *further, *args).exit_code == 2
    if sys.platform == "linux":
        monkeypatch.delenv("DISPLAY")
        monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
        done = muxd("new", "tea", "--record", "https://a.example")
        assert done.exit_code == 1
        assert "recording needs a screen and there is none" in done.stderr
    assert [path.name for path in place.iterdir()] == ["taken"]
