"""The configured engine, and what is blocked, reach the runs."""

from __future__ import annotations

JOBS = """
import muxd


async def width(run):
    await run.page.goto({page!r})
    return str(await run.page.locator("img").evaluate("img => img.naturalWidth"))


@muxd.hookimpl
def muxd_jobs():
    for name in ("usual", "seeing"):
        yield muxd.Job(name, width, interval="1h", duration="1s")
"""


def test_jobs_block_what_they_say_or_the_configuration_says(muxd_home):
    """With the headless shell: all jobs block what is configured, but for one with a list of its own."""
    home = muxd_home
    page = home.folder / "page.html"
    page.write_text("<img src=seven.svg>")
    drawing = "<svg xmlns='http://www.w3.org/2000/svg' width='7' height='7'/>"
    (home.folder / "seven.svg").write_text(drawing)
    home.write("jobs", JOBS.format(page=page.as_uri()))
    with home.config.open("a") as config:
        config.write('[browser]\nengine = "headless-shell"\nblock = ["image"]\n')
        config.write("[jobs.seeing]\nblock = []\n")
    for job, told in {"usual": "0", "seeing": "7"}.items():
        record = home.json("run", job)
        assert (record["outcome"], record["result"], record["left"]) == ("ok", told, None), job
