"""Jobs of `muxd-shot` for real, on a Chromium, against a local site."""

from __future__ import annotations

import tomllib

import attrs
import pytest
from muxd_shot.album import write_whole
from muxd_shot.camera import ShotError
from muxd_shot.devices import device, device_names
from muxd_shot.jobs import albums_of, jobs_of
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


LAZY = '<img src="/lazy.png" loading="lazy" style="position: absolute; top: 2990px" height="10">'


@pytest.fixture
def shots(muxd_run, tmp_path):
    """Takes the pictures of all tables in one run, which is quicker: its record, and the albums by job."""

    def take(text):
        section = muxd.Section("shot", tomllib.loads(text), tmp_path / "muxd.toml")
        jobs = list(jobs_of(section))

        async def all_of_them(run):
            for job in jobs:
                await job.body(attrs.evolve(run, job=job))

        return muxd_run(all_of_them), albums_of(section)

    return take


def newest(album):
    return {shot.label.removeprefix("127.0.0.1_"): shot.path for shot in album.latest()}


def size(path):
    with Image.open(path) as image:
        return image.size


def colour(path, x, y):
    with Image.open(path) as image:
        return image.convert("RGB").getpixel((x, y))


@pytest.mark.browser
def test_pictures_in_many_shapes(shots, muxd_site, muxd_run, tmp_path):
    """Sizes, scales, devices and colour schemes each give a picture that is just so; what is hidden is not
    on it, what is masked is covered; a device has the cookies of the session. A whole page, one element of
    it, a JPEG and a PDF are what they are called; lazy pictures load where the page is scrolled through.
    The old ones go, and the sheets have what there is. A run with one that fails says which, and why; the
    others are taken, and the old ones stay."""
    site = muxd_site(
        {"/": PAGE, "/long": PAGE + LAZY, "/lazy.png": Answer("", 404), "/gone": Answer("no", 404)}
    )
    site.hang("/slow")
    old = tmp_path / "shots" / "home" / "2020-01-01T000000Z_127.0.0.1_320x240_dark.png"
    stays = tmp_path / "shots" / "all" / "2020-01-01T000000Z_127.0.0.1_320x240.png"
    for path in (old, stays):
        write_whole(path, b"an old one")
    record, albums = shots(
        f"""
        keep = 1
        [[page]]
        name = "home"
        url = "{site.url}/"
        viewports = ["320x240"]
        color_schemes = ["light", "dark"]
        hide = ["#red"]
        mask = ["#blue"]
        [[page]]
        name = "phone"
        url = "{site.url}/"
        devices = ["iPhone SE"]
        color_schemes = ["light"]
        [[page]]
        name = "whole"
        url = "{site.url}/long"
        viewports = ["320x1000"]
        full_page = true
        format = "jpeg"
        scroll = true
        wait_for = "#red"
        [[page]]
        name = "part"
        url = "{site.url}/"
        selector = "#blue"
        viewports = ["300x200@2"]
        [[page]]
        name = "paper"
        url = "{site.url}/"
        viewports = ["320x240"]
        format = "pdf"
        landscape = true
        [[page]]
        name = "all"
        urls = ["{site.url}/slow", "{site.url}/gone", "{site.url}/"]
        viewports = ["320x240"]
        within = "3s"
        """
    )
    assert record.outcome is Outcome.failed
    assert isinstance(muxd_run.raised, ShotError), record
    assert record.error.startswith("2 of 3 failed: 127.0.0.1_slow_320x240: ")
    assert "Timeout 3000ms exceeded" in record.error
    assert f"{site.url}/gone answered 404" in record.error
    both = {"gone_320x240", "320x240"}
    assert set(newest(albums["all"])) == both, "of the page that says 404 there is a picture too"
    assert stays.exists()
    assert record.left is None

    home = newest(albums["home"])
    assert {label: size(path) for label, path in home.items()} == {
        "320x240_light": (320, 240),
        "320x240_dark": (320, 240),
    }
    black, pink = (0, 0, 0), (255, 0, 255)
    points = [colour(home["320x240_dark"], *at) for at in ((300, 200), (50, 50), (50, 150))]
    assert points == [black, black, pink]
    assert colour(home["320x240_light"], 300, 200) == (255, 255, 255)
    assert not old.exists(), "the new one is instead of it"

    phone = newest(albums["phone"])
    assert size(phone["iphone-se_light"]) == (320 * 2, 568 * 2)
    asked = [each for each in site.requests if "iPhone" in each.headers["user-agent"]]
    assert asked
    assert all("seen=yes" in each.cookies for each in asked)

    [whole] = newest(albums["whole"]).values()
    with Image.open(whole) as image:
        assert (image.format, image.size) == ("JPEG", (320, 3000))
    assert site.seen["/lazy.png"] == 1
    [part] = newest(albums["part"]).values()
    assert size(part) == (200, 200)
    [document] = albums["paper"].shots()
    assert document.path.read_bytes()[:5] == b"%PDF-"
    assert size(document.small)[0] == 320

    assert (tmp_path / "shots" / "contact-sheet.jpg").exists()
    assert (tmp_path / "shots" / "index.html").read_text().count('class="card"') == 8
    taken = [shot for album in albums.values() for shot in album.shots() if shot.path != stays]
    assert all(shot.small.exists() for shot in taken)


@pytest.mark.browser
@pytest.mark.nightly
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
