"""A real daemon, and what its jobs and plugins are configured by: sections, configurations, secrets."""

from __future__ import annotations

import zipfile

from muxd.control.client import ControlClient
from muxd.state import StateDir

from .conftest import PATIENT_EYE

SITES = """
import attrs
import muxd


@attrs.frozen(kw_only=True)
class Site(muxd.JobKeys):
    name: str
    text: str


@attrs.frozen
class Sites:
    site: list[Site] = attrs.field(factory=list)


async def look(run):
    key = run.secret("shop-key")
    run.log.info("signed in", key=key)
    await run.page.set_content(f"<h1>{run.config.text}</h1><p>{key}</p>")
    if run.config.text == "bad":
        raise LookupError(f"{key} is wrong")
    return [await run.page.inner_text("h1"), await run.page.inner_text("p")]


@muxd.hookimpl
def muxd_jobs(section):
    for at, site in enumerate(section.structure(Sites).site):
        yield site.as_job(
            site.name, look, section=section, at=f"site[{at}]", interval="60d", duration="5s", config=site
        )
"""
SECRET = "kl8-Zr.52-quark"


def test_tables_are_jobs_and_a_mistake_changes_nothing(muxd_home):
    """Each table is a job; a reload takes over what changed and refuses what is wrong, and says why.

    A secret of systemd's is in no record, no evidence and no log. A restart is refused, too; what only
    looks works all the same.
    """
    home = muxd_home
    credentials = home.folder / "credentials"
    credentials.mkdir()
    (credentials / "shop-key").write_text(SECRET + "\n")
    home.environ["CREDENTIALS_DIRECTORY"] = str(credentials)
    home.write("sites", PATIENT_EYE + SITES)
    plain = home.config.read_text()

    def configure(**texts):
        tables = (f'[[plugins.sites.site]]\nname = "{n}"\ntext = {t!r}\n' for n, t in texts.items())
        home.config.write_text(plain + "".join(tables))

    configure(one="good", two="bad")
    home.start()
    told = home.json("run", "one")
    assert (told["outcome"], told["result"]) == ("ok", "2 items: ['good', '***']")
    places = phases(home)
    failed = home.json("run", "two", code=1)
    assert (failed["outcome"], failed["error"]) == ("failed", "*** is wrong")

    configure(one="better", two="bad", three="new")
    told = home.json("reload")
    assert [row["job"] for row in told["added"]] == ["three"]
    assert [(row["job"], row["what"]) for row in told["changed"]] == [("one", ["config"])]
    assert (told["moved"], told["removed"]) == ([], [])
    assert home.json("run", "one")["result"] == "2 items: ['better', '***']"

    configure(one="better", two=3)
    for command in (["reload"], ["restart", "--now"]):
        home.call(*command, code=2)
        wrong = "plugins.sites.site[two].text: 3 is not possible: give a text"
        assert wrong in home.errors, command
    assert len(home.json("history")) == 3
    assert places.items() <= phases(home).items()

    files = [
        path for path in home.state.rglob("*") if path.is_file() and "profile" not in path.parts
    ]
    contents = {path.name: path.read_bytes() for path in [*files, home.output]}
    with zipfile.ZipFile(next(path for path in files if path.name == "trace.zip")) as trace:
        contents |= {f"trace {name}": trace.read(name) for name in trace.namelist()}
    assert b"signed in" in contents["muxd.log"]
    assert [name for name, content in contents.items() if SECRET.encode() in content] == []


def phases(home):
    """Where each job is on the timetable."""
    jobs = ControlClient(StateDir(home.state)).jobs()["jobs"]
    return {job["name"]: job["phase"] for job in jobs}
