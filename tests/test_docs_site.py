"""The documentation as a web site: it builds without a warning, is whole, and asks nobody for anything."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import pytest

import muxd
import muxd.abc
import muxd.testing

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
CONFIG = tomllib.loads((ROOT / "zensical.toml").read_text("utf-8"))["project"]
REFERENCE = re.compile(r'<(\w+)[^>]*?\s(?:src|href|srcset)="([^"]*)"')


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site, built from a copy: nothing is written beside the sources."""
    pytest.importorskip("zensical", reason="the group `docs` is installed for one Python only")
    work = tmp_path_factory.mktemp("docs")
    shutil.copy(ROOT / "zensical.toml", work)
    shutil.copytree(DOCS, work / "docs")
    for name in ("contrib", "muxd"):
        (work / name).symlink_to(ROOT / name)
    done = subprocess.run(
        [sys.executable, "-m", "zensical", "build", "--strict"],
        cwd=work,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=250,
        check=False,
    )
    told = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout)
    assert done.returncode == 0, told
    # What reads the docstrings tells of what it can't read, and no more comes of that.
    assert "griffe" not in told, told
    return work / "site"


def pages(nav):
    """The pages that a part of the navigation has."""
    for entry in nav:
        values = entry.values() if isinstance(entry, dict) else [entry]
        for value in values:
            yield from pages(value) if isinstance(value, list) else [value]


def test_every_page_is_in_the_navigation():
    """No page of docs/ can be reached by the search alone, and none is named twice."""
    found = [page for page in DOCS.rglob("*.md") if "changelog" not in page.parts]
    assert sorted(pages(CONFIG["nav"])) == sorted(str(page.relative_to(DOCS)) for page in found)


@pytest.mark.parametrize("module", [muxd, muxd.abc, muxd.testing], ids=lambda m: m.__name__)
def test_every_public_name_is_in_the_reference(module):
    """The page of the API has all that may be imported, and nothing else."""
    text = (DOCS / "api.md").read_text("utf-8").replace("muxd.job.job", "muxd.job")
    told = re.findall(rf"^::: {module.__name__}\.(\w+)$", text, re.MULTILINE)
    # Modules, on lines of their own.
    parts = {"abc", "errors", "events", "pageparts", "section", "testing"}
    others = {"__version__", "expect"}  # a text, and Playwright's own
    assert sorted(set(told) - parts) == sorted(set(module.__all__) - others)
    assert len(told) == len(set(told))


@pytest.mark.long
@pytest.mark.timeout(300)
def test_the_site_builds_without_a_warning(site):
    """Every link and anchor leads somewhere, every docstring can be read, every page is there."""
    for page in pages(CONFIG["nav"]):
        name = page.removesuffix(".md").removesuffix("index")
        assert (site / name / "index.html").is_file()
    assert not (site / "changelog").exists()


@pytest.mark.long
@pytest.mark.timeout(300)
def test_what_the_pages_are_made_of_is_there(site):
    """Pictures, styles and scripts are files of the site; other hosts are only linked to."""
    for page in site.rglob("*.html"):
        here = f"http://site/{page.relative_to(site)}"
        for tag, target in REFERENCE.findall(page.read_text("utf-8")):
            parts = urlsplit(urljoin(here, target))
            if parts.netloc != "site":
                assert tag == "a", (page, target)
                continue
            file = site / unquote(parts.path).lstrip("/")
            assert file.is_file() or (file / "index.html").is_file(), (page, target)


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.browser
def test_a_reader_finds_something_and_asks_nobody_else(site, muxd_run, muxd_site):
    """The search finds a page, in a real browser, and no other host is asked for anything."""
    local = muxd_site(site)
    asked = []

    async def search(run):
        run.page.on("request", lambda request: asked.append(request.url))
        await run.page.goto(local.url + "/index.html")
        await run.page.get_by_role("button", name="Search").click()
        await run.page.get_by_role("combobox", name="Search").fill("recycle_memory")
        await run.page.get_by_role("option", name="Recycling", exact=True).click()
        await run.page.wait_for_url("**/reliability/**")
        return await run.page.get_by_role("heading", name="Recycling").is_visible()

    record = muxd_run(search, timeout="60s")
    assert record.outcome == "ok", record.error
    assert muxd_run.returned is True
    assert f"{local.url}/search.json" in asked
    assert {url for url in asked if not url.startswith((local.url, "data:", "blob:"))} == set()
