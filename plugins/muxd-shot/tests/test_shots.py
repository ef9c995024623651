"""Jobs of `muxd-shot` for real, on a Chromium, against a local site."""

from __future__ import annotations

import re
import tomllib

import pytest
from muxd_shot.camera import ShotError
from muxd_shot.devices import device, device_names
from muxd_shot.jobs import jobs_of
from PIL import Image
from playwright.async_api import async_playwright

import muxd
from muxd import Outcome
from muxd.testing import Answer

PAGE = """<!doctype html><meta name="viewport" content="width=device-width"><style>
body { margin: 0; background: white; } @media (prefers-color-scheme: dark) { body { background: black; } }
div { width: 100px; height: 100px; position: absolute; left: 0; }
#red { top: 0; background: red; } #blue { top: 100px; background: blue; } #far { top: 2900px; background: lime; }
</style><title>Home</title><div id=red></div><div id=blue></div><div id=far></div>
<script>document.cookie = "seen=yes"</script>
"""


@pytest.fixture
def shots(muxd_run, tmp_path):
    """Takes the pictures of a table: its record, the pictures by label, and the album."""

    def take(text):
        section = muxd.Section("shot", tomllib.loads(text), tmp_path / "muxd.toml")
        [job], albums = jobs_of(section)
        record = muxd_run(job)
        album = albums[job.name]
        return record, {shot.label: shot.path for shot in album.latest()}, album

    return take


def size(path):
    with Image.open(path) as image:
        return image.size


def colour(path, x, y):
    with Image.open(path) as image:
        return image.convert("RGB").getpixel((x, y))


@pytest.mark.browser
def test_pictures_in_many_shapes(shots, muxd_site, tmp_path):
    """Sizes, scales, devices and colour schemes each give a picture that is just so; what is hidden is
    not on it, what is masked is covered; a device has the cookies of the session; and the old go."""
    site = muxd_site({"/": PAGE})
    table = f"""
        keep = 1
        [[page]]
        name = "home"
        url = "{site.url}/"
        viewports = ["640x480"]
        devices = ["iPhone SE"]
        color_schemes = ["light", "dark"]
        hide = ["#red"]
        mask = ["#blue"]
    """
    record, found, album = shots(table)
    assert (record.outcome, record.error) == (Outcome.ok, None)
    place = "127.0.0.1"
    assert sorted(found) == sorted(
        f"{place}_{screen}_{scheme}"
        for screen in ("640x480", "iphone-se")
        for scheme in ("light", "dark")
    )
    sizes = {label: size(path) for label, path in found.items()}
    assert sizes[f"{place}_640x480_dark"] == (640, 480)
    assert sizes[f"{place}_iphone-se_light"] == (320 * 2, 568 * 2)
    dark, light = found[f"{place}_640x480_dark"], found[f"{place}_640x480_light"]
    assert [colour(dark, *at) for at in ((400, 300), (50, 50), (50, 150))] == [
        (0, 0, 0),
        (0, 0, 0),
        (255, 0, 255),
    ]
    assert colour(found[f"{place}_iphone-se_light"], 500, 500) == (255, 255, 255)
    phone = [each for each in site.requests if "iPhone" in each.headers["user-agent"]]
    assert phone
    assert all("seen=yes" in each.cookies for each in phone)
    assert record.left is None

    one = re.sub('devices.*|"dark"', "", table)
    again, found, album = shots(one)
    assert (again.outcome, len(album.shots())) == (Outcome.ok, 4), "the new one is instead of one"
    assert found[f"{place}_640x480_light"] != light
    assert (tmp_path / "shots" / "contact-sheet.jpg").exists()
    assert (tmp_path / "shots" / "index.html").read_text().count('class="card"') == 4
    assert all(shot.small.exists() for shot in album.shots())


@pytest.mark.browser
def test_parts_wholes_and_documents(shots, muxd_site):
    """A whole page, one element of it, a JPEG and a PDF are what they are called; lazy pictures load
    where the page is scrolled through."""
    lazy = (
        '<img src="/lazy.png" loading="lazy" style="position: absolute; top: 2990px" height="10">'
    )
    site = muxd_site({"/": PAGE + lazy, "/lazy.png": Answer("", 404)})
    url = f'[[page]]\nname = "home"\nurl = "{site.url}/"\n'
    _, found, _ = shots(url + 'full_page = true\nformat = "jpeg"\nscroll = true\nwait_for = "#red"')
    [path] = found.values()
    with Image.open(path) as image:
        assert (image.format, image.size) == ("JPEG", (1280, 3000))
    assert site.seen["/lazy.png"] == 1
    _, found, _ = shots(
        url.replace("home", "part") + 'selector = "#blue"\nviewports = ["640x480", "300x200@2"]'
    )
    assert sorted(map(size, found.values())) == [(100, 100), (200, 200)]
    record, _, album = shots(url.replace("home", "paper") + 'format = "pdf"\nlandscape = true')
    [document] = album.shots()
    assert (record.outcome, document.path.read_bytes()[:5]) == (Outcome.ok, b"%PDF-")
    assert size(document.small)[0] == 480


@pytest.mark.browser
def test_one_that_fails_costs_no_other(shots, muxd_site, muxd_run):
    """The run fails and says which pictures, and why; the others are taken; the old ones stay."""
    site = muxd_site({"/": PAGE, "/gone": Answer("<h1>not here</h1>", 404)})
    site.hang("/slow")
    record, found, _ = shots(
        f"""
        keep = 1
        [[page]]
        name = "all"
        urls = ["{site.url}/slow", "{site.url}/gone", "{site.url}/"]
        within = "500ms"
        """
    )
    assert record.outcome is Outcome.failed
    assert isinstance(muxd_run.raised, ShotError)
    assert record.error.startswith("2 of 3 failed: 127.0.0.1_slow_1280x720: ")
    assert "Timeout 500ms exceeded" in record.error
    assert f"{site.url}/gone answered 404" in record.error
    assert len(found) == 2, "of the page that says 404 there is a picture too"


@pytest.mark.browser
@pytest.mark.trio(run=muxd.run)
async def test_the_devices_are_playwrights():
    """Each device that may be named is one of Playwright's, and of the same measures."""

    async def look():
        async with async_playwright() as playwright:
            return dict(playwright.devices)

    theirs = await muxd.bridged(look)()
    for name in device_names():
        mine = device(name, "150.0.1")
        known = theirs[name]
        for key in ("viewport", "device_scale_factor", "is_mobile", "has_touch"):
            assert mine[key] == known[key], name
    assert "Chrome/150.0.0.0" in device("Pixel 7", "150.0.1")["user_agent"]
