"""`muxd config schema`: an editor that goes by it accepts what muxd accepts, and marks the usual slips."""

from __future__ import annotations

import ast
import json
import re
import tomllib
from datetime import date, datetime, time
from functools import cache
from pathlib import Path

import attrs
import jsonschema_rs
import pytest

from muxd.configfile import JOB_KEYS, load_config
from muxd.errors import ConfigError
from muxd.plugins import load_plugins
from muxd.tomlschema import toml_schema

ROOT = Path(__file__).parent.parent
PLUGIN = '''
import enum, re
from pathlib import Path
from typing import Literal
import attrs, muxd

class Colour(enum.Enum):
    red = "red"
    green = "green"

@attrs.frozen
class Step:
    click: str
    then: "list[Step]" = attrs.field(factory=list)

@attrs.frozen(kw_only=True)
class Page(muxd.JobKeys):
    """A page."""

    name: str
    """What it is called."""
    every: float = muxd.duration_field("1h")
    largest: int = muxd.size_field("1 MB")
    colour: Colour = Colour.red
    kind: Literal["a", 2] = "a"
    out: Path | None = None
    tries: int = attrs.field(default=1, validator=[attrs.validators.ge(1), attrs.validators.le(9)])
    odd: list[str] = attrs.field(factory=list, converter=lambda text: text.split())
    pair: tuple[int, str] = (1, "a")
    steps: list[Step] = attrs.field(factory=list)
    headers: dict[str, str] = attrs.field(factory=dict)
    token: str = attrs.field(default="hidden", repr=False)

@attrs.frozen
class Settings:
    needed: str
    page: list[Page] = attrs.field(factory=list)

@attrs.frozen
class ShopConfig:
    limit: int = 3

async def look(run): ...

@muxd.job(interval="1h", config=ShopConfig)
async def shop(run):
    "Look at the shop."

@muxd.job(interval="1h")
async def plain(run): ...

@muxd.hookimpl
def muxd_jobs(section):
    section.structure(Settings)
    return []
'''


@cache
def bare():
    return jsonschema_rs.validator_for(toml_schema())


def as_json(value):
    """What an editor sees of TOML."""
    if isinstance(value, dict):
        return {key: as_json(each) for key, each in value.items()}
    if isinstance(value, list):
        return [as_json(each) for each in value]
    return value.isoformat() if isinstance(value, datetime | date | time) else value


def told(validator, text):
    """What is wrong, each with its key."""
    return {
        ".".join(map(str, error.instance_path)) or error.message
        for error in validator.iter_errors(as_json(tomllib.loads(text)))
    }


def documents():
    """Every text in the tests of configurations, and every block in the docs, that may be TOML."""
    for file in (*(ROOT / "tests").glob("*config*.py"), *(ROOT / "tests" / "cli").glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and "=" in node.value:
                yield node.value
    for page in sorted((ROOT / "docs").rglob("*.md")):
        yield from re.findall(r"^```toml\n(.*?)^```$", page.read_text("utf-8"), re.M | re.S)


def test_it_is_a_schema_of_the_draft_that_it_names():
    """Draft 2020-12; and it says something of every key that there is."""
    schema = toml_schema()
    jsonschema_rs.meta.validate(schema)
    assert schema["$schema"].endswith("/draft/2020-12/schema")
    jobs = schema["properties"]["jobs"]["additionalProperties"]["properties"]
    assert set(jobs) == set(JOB_KEYS)
    for name, section in schema["properties"].items():
        for key, one in section.get("properties", {}).items():
            assert one.get("description"), f"{name}.{key}"
            assert {"type", "anyOf", "enum"} & set(one), f"{name}.{key}"
            if "default" in one:
                jsonschema_rs.validate(one, one["default"])


def test_what_muxd_accepts_it_accepts(tmp_path):
    """Each configuration in the tests and the docs that muxd reads is right by the schema, too."""
    accepted, sections = 0, set()
    for text in {*documents()}:
        try:
            document = tomllib.loads(text)
        except ValueError:
            continue
        directories = document.get("plugins", {})
        for directory in directories.get("jobs_dirs", ()) if isinstance(directories, dict) else ():
            if isinstance(directory, str) and not Path(directory).is_absolute():
                (tmp_path / directory).mkdir(parents=True, exist_ok=True)
        (tmp_path / "muxd.toml").write_text(text, "utf-8")
        try:
            load_config(environ={}, cwd=tmp_path)
        except ConfigError:
            continue
        assert told(bare(), text) == set(), text
        accepted += bool(document)
        sections |= set(document)
    assert accepted > 50
    assert sections >= {"browser", "plugins", "daemon", "evidence", "web", "notify", "jobs"}


BAD = {
    "[browsr]\nheaded = true": "Additional properties",
    "browser = 3": "browser",
    "[browser]\nheadd = true": "browser",
    "[browser]\nheaded = 'yes'": "browser.headed",
    "[browser]\nengine = 'netscape'": "browser.engine",
    "[browser]\nlaunch_timeout = 0.5": "browser.launch_timeout",
    "[browser]\nlaunch_timeout = '5 parsecs'": "browser.launch_timeout",
    "[browser]\nrecycle_memory = '1 XB'": "browser.recycle_memory",
    "[plugins]\nstricct = true": "plugins.stricct",
    "[daemon]\nspeed = 0": "daemon.speed",
    "[daemon]\nlog_files = 1.5": "daemon.log_files",
    "[evidence]\nmax_size = 7": "evidence.max_size",
    "[evidence]\nmax_runs = 0": "evidence.max_runs",
    "[slotting]\nheadroom = 2": "slotting.headroom",
    "[web]\nport = 70000": "web.port",
    "[web]\nhosts = ['a:80']": "web.hosts.0",
    "[notify]\non = ['everything']": "notify.on.0",
    "[notify]\nwebhook = 'ftp://x'": "notify.webhook",
    "[jobs.a]\nintervall = '1h'": "jobs.a",
    "[jobs.a]\ninterval = 'often'": "jobs.a.interval",
    "[jobs.a]\nretries = 21": "jobs.a.retries",
    "[jobs.a]\npriority = 'urgent'": "jobs.a.priority",
    "[jobs.a]\nsession = 'a b'": "jobs.a.session",
    "[jobs.a]\nmisfire = 'run'": "jobs.a.misfire",
    "[jobs.a]\nconfig = 3": "jobs.a.config",
    "[jobs]\na = 3": "jobs.a",
}


@pytest.mark.parametrize("text", BAD)
def test_the_usual_slips_are_marked(text, tmp_path):
    """Unknown keys, values of another type and out of range: where muxd would refuse them, too."""
    assert any(each.startswith(BAD[text]) for each in told(bare(), text))
    (tmp_path / "muxd.toml").write_text(text, "utf-8")
    with pytest.raises(ConfigError):
        load_config(environ={}, cwd=tmp_path)


@pytest.fixture
def plugins(tmp_path):
    directory = tmp_path / "jobs"
    directory.mkdir()
    (directory / "watch.py").write_text(PLUGIN, "utf-8")
    config = load_config(
        None, {"plugins.jobs_dirs": ([directory], "--jobs-dir")}, environ={}, cwd=tmp_path
    )
    return load_plugins(config, entry_points=(), builtins=(), lenient=True)


RIGHT_OF_PLUGIN = """
[plugins.watch]
needed = "x"
[[plugins.watch.page]]
name = "a"
every = "15m"
largest = "2 MiB"
colour = "green"
kind = 2
tries = 9
odd = "a b"
pair = [1, "x"]
interval = "30m"
retries = 2
headers = { Accept = "x" }
steps = [{ click = "a", then = [{ click = "b" }] }]
[plugins.other]
anything = 1
"""
BAD_OF_PLUGIN = {
    "needd = 1": "plugins.watch",
    "page = 3": "plugins.watch.page",
    "page = [{}]": "plugins.watch.page.0",
    "page = [{ name = 'a', every = 'x' }]": "plugins.watch.page.0.every",
    "page = [{ name = 'a', colour = 'blue' }]": "plugins.watch.page.0.colour",
    "page = [{ name = 'a', kind = '2' }]": "plugins.watch.page.0.kind",
    "page = [{ name = 'a', tries = 10 }]": "plugins.watch.page.0.tries",
    "page = [{ name = 'a', pair = [1] }]": "plugins.watch.page.0.pair",
    "page = [{ name = 'a', retries = -1 }]": "plugins.watch.page.0.retries",
    "page = [{ name = 'a', steps = [{ then = [{ clck = 'a' }] }] }]": "plugins.watch.page.0.steps.0",
}


def test_sections_of_plugins_are_in_it_without_their_doing(plugins):
    """What a plugin has made its section into is known, also if what it needs is not there yet."""
    schema = toml_schema(plugins)
    jsonschema_rs.meta.validate(schema)
    validator = jsonschema_rs.validator_for(schema)
    assert told(validator, RIGHT_OF_PLUGIN) == set()
    page = schema["$defs"]["Page"]
    assert page["properties"]["name"]["description"] == "What it is called."
    assert page["properties"]["colour"]["default"] == "red"
    assert page["required"] == ["name"]
    assert "default" not in page["properties"]["name"]
    assert "hidden" not in json.dumps(schema)
    for text, key in BAD_OF_PLUGIN.items():
        assert any(each == key for each in told(validator, f"[plugins.watch]\n{text}")), text


def test_configurations_of_jobs_are_in_it(tmp_path):
    """Each job by its name, with its description and what its class has."""
    directory = tmp_path / "jobs"
    directory.mkdir()
    source = PLUGIN.partition("@muxd.hookimpl")[0]
    (directory / "shop.py").write_text(source, "utf-8")
    config = load_config(
        None, {"plugins.jobs_dirs": ([directory], "--jobs-dir")}, environ={}, cwd=tmp_path
    )
    schema = toml_schema(load_plugins(config, entry_points=(), builtins=()))
    validator = jsonschema_rs.validator_for(schema)
    assert schema["properties"]["jobs"]["properties"]["shop"]["description"] == "Look at the shop."
    assert told(validator, "[jobs.shop.config]\nlimit = 4\n[jobs.nobody.config]\na = 1") == set()
    assert told(validator, "[jobs.shop.config]\nlimit = 'x'") == {"jobs.shop.config.limit"}
    assert told(validator, "[jobs.plain.config]\na = 1") == {"jobs.plain.config"}


def test_a_class_that_can_not_be_read_is_anything(plugins):
    """The schema of the others is no worse for it."""
    odd = attrs.make_class("Odd", {"a": attrs.field(type="Nowhere")})
    plugins.sections()["watch"].reads.append(odd)
    own = toml_schema(plugins)["properties"]["plugins"]["properties"]["watch"]
    assert own["type"] == "object"
    assert "properties" not in own


def test_the_examples_of_our_plugins_are_right_by_it(tmp_path):
    """What their READMEs and the docs have of their sections, as far as they are installed here."""
    plugins = load_plugins(load_config(environ={}, cwd=tmp_path), lenient=True)
    validator = jsonschema_rs.validator_for(toml_schema(plugins))
    for page in (*ROOT.glob("plugins/*/README.md"), *ROOT.glob("docs/**/*.md")):
        for text in re.findall(r"^```toml\n(.*?)^```$", page.read_text("utf-8"), re.M | re.S):
            if "project" not in tomllib.loads(text):
                assert told(validator, text) == set(), f"{page.name}: {text}"
