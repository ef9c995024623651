"""``muxd config check`` and ``schema``; and what a mistake in a plugin's section does to each command."""

from __future__ import annotations

import json

import jsonschema_rs
import pytest

WATCH = """
import attrs, muxd

@attrs.frozen(kw_only=True)
class Page(muxd.JobKeys):
    name: str
    url: str

@attrs.frozen
class Settings:
    page: list[Page] = attrs.field(factory=list)

async def look(run): ...

@muxd.hookimpl
def muxd_jobs(section):
    for at, page in enumerate(section.structure(Settings).page):
        yield page.as_job(page.name, look, section=section, at=f"page[{at}]", interval="1h", config=page)
"""
LATE = """
import muxd

@muxd.job(interval="1h")
async def late(run): ...

@muxd.hookimpl
def muxd_sinks(section):
    raise section.wrong("to", "nobody")
"""
GOOD = 'plugins.jobs_dirs = ["jobs"]\n[[plugins.pages.page]]\nname = "news"\nurl = "u"\n'
BAD = GOOD.replace('"u"', "3") + "[jobs.x]\nretries = 99\n[plugins.late]\nto = 1\n"


@pytest.fixture
def written(write):
    write("jobs/pages.py", WATCH)
    return lambda text: write("muxd.toml", text)


def test_check_finds_nothing(muxd, written, place):
    """It says which file it has looked at."""
    written(GOOD)
    result = muxd("config", "check")
    assert (result.exit_code, result.stdout) == (0, f"{place / 'muxd.toml'}: no mistakes\n")
    document = json.loads(muxd("config", "check", "--json").stdout)
    assert document == {"file": str(place / "muxd.toml"), "problems": []}


def test_check_names_all_that_is_wrong_in_all_places(muxd, written, write, place):
    """The file's own keys, a plugin's section, a hook that is called later, a job's field: at once."""
    write("jobs/late.py", LATE)
    written(BAD)
    result = muxd("config", "check", env={"MUXD_TIMEZONE": "Mars/Olympus"})
    assert (result.exit_code, result.stdout) == (2, "")
    file = place / "muxd.toml"
    for told in (
        "MUXD_TIMEZONE: daemon.timezone: 'Mars/Olympus' is not possible",
        f"{file}: jobs.x.retries: 99 is not possible",
        f"{file}: plugins.pages.page[news].url: 3 is not possible: give a text",
    ):
        assert told in result.stderr
    written(GOOD + "[plugins.late]\nto = 1\n")
    document = json.loads(muxd("config", "check", "--json").stdout)
    assert document["problems"] == [
        {"source": str(file), "key": "plugins.late.to", "message": "nobody"}
    ]


def test_commands_that_need_the_jobs_end_with_the_mistake(muxd, written):
    """Exit code 2, file, key and remedy; nothing is left out silently."""
    written(GOOD.replace('"u"', "3") + "[daemon]\nrestart = false\n")  # no guard in this process
    for args in (["jobs"], ["run", "news"], ["start"]):
        result = muxd(*args)
        assert result.exit_code == 2, args
        assert "plugins.pages.page[news].url: 3 is not possible: give a text" in result.stderr


def test_the_others_work_all_the_same(muxd, written):
    """`muxd plugins` shows it; history, logs and status do what they do."""
    written(GOOD.replace('"u"', "3"))
    shown = json.loads(muxd("plugins", "--json").stdout)
    (problem,) = [each["problem"] for each in shown if each["name"] == "pages"]
    assert "plugins.pages.page[news].url: 3 is not possible" in problem["reason"]
    assert muxd("history").exit_code == 0
    assert muxd("history", "show", "last").exit_code == 2  # there is none
    assert muxd("status").exit_code == 3
    assert muxd("stop").exit_code == 3
    assert muxd("config").exit_code == 0


def test_schema_is_printed_also_of_a_file_that_is_wrong(muxd, written):
    """It has what is installed; an editor can help to mend the file with it."""
    written(BAD)
    schema = json.loads(muxd("config", "schema").stdout)
    jsonschema_rs.meta.validate(schema)
    page = schema["properties"]["plugins"]["properties"]["pages"]["properties"]["page"]
    assert page["items"] == {"$ref": "#/$defs/Page"}
    assert "muxd.ledger" not in schema["properties"]["plugins"]["properties"]


def test_show_is_the_same_as_config(muxd, written):
    """Secrets by their names are not shown; every other value is, with its key."""
    written(GOOD + '[plugins.x]\napi_key = "abc-def"\n')
    assert muxd("config", "show").stdout == muxd("config").stdout
    values = json.loads(muxd("config", "show", "--json").stdout)["values"]
    assert values["plugins.pages.page[news].url"]["value"] == "u"
    assert values["plugins.x.api_key"]["value"] == "***"
    result = muxd("config", "--json", "check")
    assert (result.exit_code, "give --json behind 'check'" in result.stderr) == (2, True)
