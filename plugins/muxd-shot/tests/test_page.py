"""The contact sheet on the dashboard, and the pictures behind it. No browser."""

from __future__ import annotations

import httpx
import pytest
from muxd_shot.album import Album, small_of, write_whole
from muxd_shot.service import ContactSheet
from starlette.applications import Starlette

from muxd import Section
from muxd.abc import Controlled, PageLink

EVIL = '"><script>alert(1)</script>'


class Daemon:
    """As much of one as the service asks."""

    layout = None
    page = Controlled.page

    def __init__(self, section):
        self.section = {"shot": section}.__getitem__


@pytest.fixture
async def web(tmp_path):
    """Asks the service, which has two albums: one with a picture and a PDF, one empty."""
    album = Album(tmp_path / "home")
    for label, suffix in (("light", "png"), ("paper", "pdf")):
        path = album.path(1_800_000_000, label, suffix)
        write_whole(path, b"whole")
        write_whole(small_of(path), b"small")
    write_whole(tmp_path / "home" / "secret.txt", b"mine")
    pages = [{"name": name, "url": "https://shop.example/"} for name in ("home", "new")]
    service = ContactSheet(Daemon(Section("shot", {"folder": str(tmp_path), "page": pages})))
    assert service.pages == [PageLink("Shots", "/shot")]
    transport = httpx.ASGITransport(Starlette(routes=service.routes))
    async with httpx.AsyncClient(transport=transport, base_url="http://muxd") as client:
        yield client


async def test_the_sheet_shows_the_newest(web):
    """Each job has its pictures, small ones that lead to the whole ones; no script, no style."""
    page = (await web.get("/shot")).text
    assert 'src="/shot/home/small/2027-01-15T080000Z_light.png"' in page
    assert 'href="/shot/home/2027-01-15T080000Z_paper.pdf"' in page
    assert "2027-01-15 08:00 UTC" in page
    assert "No pictures yet" in page
    assert "style=" not in page
    assert ".shots" in (await web.get("/shot/style.css")).text
    assert "2 pictures" in (await web.get("/shot/home")).text


async def test_pictures_and_nothing_else_are_served(web):
    """A picture comes as what it is, a PDF to be saved; no other file of the folder, or outside it."""
    picture = await web.get("/shot/home/2027-01-15T080000Z_light.png")
    assert (picture.content, picture.headers["content-type"]) == (b"whole", "image/png")
    assert "sandbox" in picture.headers["content-security-policy"]
    small = await web.get("/shot/home/small/2027-01-15T080000Z_paper.pdf")
    assert (small.content, small.headers["content-type"]) == (b"small", "image/jpeg")
    paper = await web.get("/shot/home/2027-01-15T080000Z_paper.pdf")
    assert paper.headers["content-disposition"].startswith("attachment")
    for path in (
        "/shot/home/secret.txt",
        "/shot/home/..%2Fhome%2Fsecret.txt",
        "/shot/nobody/2027-01-15T080000Z_light.png",
        "/shot/home/2027-01-16T080000Z_light.png",
    ):
        assert (await web.get(path)).status_code == 404, path


async def test_what_others_name_is_text(web):
    """A job that isn't there is told as what was asked for, and not as HTML."""
    answer = await web.get(f"/shot/{EVIL.replace('/', '%2F')}")
    assert answer.status_code == 404
    assert "<script>" not in answer.text
