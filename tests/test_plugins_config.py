"""What the configuration says to plugins and jobs reaches them, and what is wrong is the user's mistake."""

from __future__ import annotations

import contextlib
from textwrap import dedent

import attrs
import pytest

from muxd.configfile import load_config
from muxd.errors import ConfigError, LedgerError
from muxd.plugins import load_plugins

SHOP = """
import attrs, muxd

@attrs.frozen(kw_only=True)
class ShopConfig:
    url: str
    pages: int = 3

@muxd.job(interval="30m", config=ShopConfig)
async def shop(run):
    return run.config

@muxd.job(interval="30m", config=ShopConfig(url="https://b.example"))
async def other(run): ...

@muxd.job(interval="30m")
async def plain(run): ...
"""

WATCH = """
import attrs, muxd

@attrs.frozen(kw_only=True)
class Page(muxd.JobKeys):
    name: str
    url: str

@attrs.frozen
class Watch:
    page: list[Page] = attrs.field(factory=list)

async def look(run): ...

@muxd.hookimpl
def muxd_jobs(section):
    for at, page in enumerate(section.structure(Watch).page):
        yield page.as_job(
            "watch." + page.name, look, section=section, at=f"page[{at}]", interval="1h", config=page
        )
"""


@pytest.fixture
def configured(tmp_path):
    """Write jobs files and a configuration that has them; what is read of it."""

    def write(text="", **sources):
        directory = tmp_path / "jobs"
        directory.mkdir(exist_ok=True)
        for name, source in sources.items():
            (directory / f"{name}.py").write_text(dedent(source), "utf-8")
        file = tmp_path / "muxd.toml"
        file.write_text('plugins.jobs_dirs = ["jobs"]\n' + dedent(text), "utf-8")
        return load_config(file, {"daemon.state_dir": (tmp_path / "state", "--state-dir")})

    return write


def load(config, **options):
    return load_plugins(config, entry_points=(), builtins=(), **options)


def jobs_of(plugins):
    return {job.name: job for job in plugins.jobs}


def problems_of(config):
    with pytest.raises(ConfigError) as caught:
        load(config)
    return {problem.key: problem.message for problem in caught.value.problems}


def test_a_job_gets_its_configuration(configured):
    """``[jobs.NAME.config]`` becomes an instance of the class that the job names."""
    text = '[jobs.shop.config]\nurl = "https://a.example"\n[jobs.other.config]\npages = 7\n'
    jobs = jobs_of(load(configured(text, shop=SHOP)))
    assert attrs.asdict(jobs["shop"].config) == {"url": "https://a.example", "pages": 3}
    assert attrs.asdict(jobs["other"].config) == {"url": "https://b.example", "pages": 7}
    assert jobs["plain"].config is None


def test_what_is_wrong_with_it_is_told_with_its_key(configured):
    """Missing and unknown keys, and a table for a job that takes none."""
    text = "[jobs.other.config]\npages = 'x'\nulr = 1\n[jobs.plain.config]\na = 1\n"
    assert problems_of(configured(text, shop=SHOP)) == {
        "jobs.shop.config.url": "it is missing: give a text",
        "jobs.other.config.pages": "'x' is not possible: give a whole number",
        "jobs.other.config.ulr": "no such key; did you mean 'url'?",
        "jobs.plain.config": "the job has no configuration: its plugin names no class for it",
    }


def test_a_job_that_is_switched_off_may_lack_it(configured):
    """Who doesn't want the job need not configure it."""
    plugins = load(configured("[jobs.shop]\nenabled = false\n", shop=SHOP))
    assert "shop" not in jobs_of(plugins)


def test_it_must_be_a_table(configured):
    """Anything else is found before any plugin is loaded."""
    with pytest.raises(ConfigError, match=r"jobs\.shop\.config: 3 is not possible: give a table"):
        configured("[jobs.shop]\nconfig = 3\n", shop=SHOP)


def test_a_class_that_raises_is_its_plugins_problem(configured):
    """Code of a plugin that breaks while it is configured leaves out that plugin alone."""
    odd = """
        import attrs, muxd

        @attrs.frozen
        class Odd:
            def __attrs_post_init__(self): 1 / 0

        @muxd.job(interval="1h", config=Odd)
        async def odd(run): ...
    """
    plugins = load(configured("", odd=odd, ok=WATCH))
    (problem,) = plugins.problems
    assert (problem.plugin, problem.hook) == ("odd", "config")
    assert "ZeroDivisionError: division by zero (odd.py:" in problem.reason


def test_twenty_tables_are_twenty_jobs(configured):
    """A plugin that takes its section makes jobs of it, with keys of jobs in each table."""
    text = "".join(
        f'[[plugins.watch.page]]\nname = "p{n}"\nurl = "u"\ninterval = "{n + 10}m"\n'
        for n in range(20)
    )
    jobs = load(configured(text, watch=WATCH)).jobs
    assert [job.interval for job in jobs if job.name == "watch.p7"] == [17 * 60]
    assert len(jobs) == 20


def test_a_mistake_in_a_section_is_the_users(configured):
    """All of them are named at once, of sections and of jobs alike; no plugin is left out for it."""
    config = configured('[[plugins.watch.page]]\nname = "news"\nulr = 3\n', watch=WATCH, shop=SHOP)
    assert problems_of(config) == {
        "plugins.watch.page[news].ulr": "no such key; did you mean 'url'?",
        "plugins.watch.page[news].url": "it is missing: give a text",
        "jobs.shop.config.url": "it is missing: give a text",
    }


PLAIN = 'import muxd\n@muxd.job(interval="1h")\nasync def shop(run): ...\n'
ITEMS = """
import muxd
async def look(run): ...
@muxd.hookimpl
def muxd_jobs(section):
    return [muxd.Job(item["name"], look, interval="1h") for item in section.values.get("item", ())]
"""


@pytest.mark.parametrize(
    ("text", "key", "why"),
    [
        (
            '[[plugins.b.item]]\nname = "x"\n[[plugins.a.item]]\nname = "x"\n',
            "plugins.b.item[x].name",
            "plugin 'a' has a job of this name",
        ),
        (
            '[[plugins.a.item]]\nname = "shop"\n',
            "plugins.a.item[shop].name",
            "plugin 'shop' has a job of this name",
        ),
        ('[[plugins.a.item]]\nname = "x"\n' * 2, "plugins.a.item[x].name", "it is there twice"),
    ],
)
def test_a_name_in_a_section_that_is_taken_is_the_users_mistake(configured, text, key, why):
    """It is told where it stands, and costs none of the other jobs: neither plugin is left out for it."""
    told = problems_of(configured(text, a=ITEMS, b=ITEMS, shop=PLAIN))
    [found] = told
    assert told[found].endswith(f"is not possible: {why}; give another")
    assert found == key


def test_to_who_only_looks_it_is_a_warning(configured):
    """`muxd plugins` and `muxd history` work all the same, and name what is wrong."""
    config = configured('[[plugins.watch.page]]\nname = "news"\nurl = 3\n', watch=WATCH, shop=SHOP)
    plugins = load(config, lenient=True)
    (problem,) = plugins.problems
    assert (problem.plugin, problem.hook) == ("watch", "section")
    assert "plugins.watch.page[news].url: 3 is not possible: give a text" in problem.reason
    assert {"other", "plain", "shop"} == set(jobs_of(plugins))
    assert any("jobs.shop.config.url: it is missing" in each for each in plugins.warnings)


LATE = """
import muxd

@muxd.job(interval="1h")
async def late(run): ...

@muxd.hookimpl
def muxd_{hook}({arguments}):
    raise section.wrong("a.b", "no")
"""


@pytest.mark.parametrize(
    ("hook", "arguments", "ask"),
    [
        ("store", "state_dir, section", lambda plugins, path: plugins.store(path)),
        ("slotter", "section", lambda plugins, path: plugins.slotters()),
        ("sinks", "section", lambda plugins, path: plugins.sinks()),
        ("services", "section, daemon", lambda plugins, path: plugins.services()),
    ],
)
def test_every_hook_may_say_that_its_section_is_wrong(configured, tmp_path, hook, arguments, ask):
    """Each is given its section if it takes one, and may refuse it."""
    config = configured("", late=LATE.format(hook=hook, arguments=arguments))
    with pytest.raises(ConfigError, match=r"muxd\.toml: plugins\.late\.a\.b: no$"):
        ask(load(config), tmp_path)
    plugins = load(config, lenient=True)
    with contextlib.suppress(LedgerError):  # there is no other store
        ask(plugins, tmp_path)
    assert [problem.plugin for problem in plugins.problems] == ["late"]


def test_a_section_for_nobody_is_a_warning(configured):
    """A plugin may be uninstalled for a while; a slip is told with a guess."""
    text = "[plugins.wacth]\na = 1\n[plugins.shop]\nb = 1\n[jobs.shop]\nenabled = false\n"
    one, two = load(configured(text, watch=WATCH, shop=SHOP)).warnings
    assert "plugins.wacth: there is no plugin 'wacth'; did you mean 'watch'?" in one
    assert "plugins.shop: plugin 'shop' reads no section: it has no effect" in two
    assert (
        load(configured("plugins.disable = ['watch', 'shop']\n[plugins.watch]\na = 1\n")).warnings
        == ()
    )


def test_a_key_that_is_no_section_is_a_mistake(configured):
    """`[plugins]` has its own keys; a plugin's section is one table."""
    with pytest.raises(ConfigError, match=r"plugins\.stricct: no such key; did you mean 'strict'"):
        configured("plugins.stricct = true\n")
    with pytest.raises(ConfigError, match=r"plugins\.watch: it is given several times: it is one"):
        configured("[[plugins.watch]]\na = 1\n")
    with pytest.raises(ConfigError, match=r"plugins\.watch: .*; a plugin has a table, \[plugins\."):
        configured("plugins.watch = 5\n")


def test_all_values_are_shown_but_secrets(configured):
    """`muxd config` has every value by its key, and where it is from."""
    text = """
        [plugins.watch]
        api_token = "abc"
        [[plugins.watch.page]]
        name = "news"
        url = "https://ann:geheim@news.example"
        [[plugins.watch.page]]
        tags = ["a"]
        [jobs.shop.config]
        url = "x"
    """
    config = configured(text)
    values = config.values()
    shown = {key: values[key] for key in values if key.startswith(("plugins.watch", "jobs."))}
    assert shown == {
        "plugins.watch.api_token": "***",
        "plugins.watch.page[news].name": "news",
        "plugins.watch.page[news].url": "https://***@news.example",
        "plugins.watch.page[1].tags": ["a"],
        "jobs.shop.config.url": "x",
    }
    assert {config.origin(key) for key in shown} == {str(config.file)}


def test_a_reload_makes_only_what_was_told_otherwise_anew(configured):
    """A section that changed makes its plugin's jobs anew, without another import; the rest stays."""
    watch = "from __future__ import annotations\n" + WATCH
    none = load(configured("[jobs.shop]\nenabled = false\n", watch=watch, shop=SHOP))
    none.watch()
    text = '[[plugins.watch.page]]\nname = "{}"\nurl = "u"\n[jobs.shop.config]\nurl = "{}"\n'
    before = load(configured(text.format("a", "u")), before=none)
    after = load(configured(text.format("b", "v")), before=before)
    assert set(jobs_of(after)) == {"watch.b", "shop", "other", "plain"}
    assert jobs_of(after)["shop"].config.url == "v"
    assert jobs_of(after)["shop"].body is jobs_of(before)["shop"].body
    assert jobs_of(after)["watch.b"].body is jobs_of(before)["watch.a"].body
    assert jobs_of(after)["plain"] == jobs_of(before)["plain"]
    assert after.is_as_before("watch", before, ["muxd_sinks"])
    assert not after.is_as_before("watch", before, ["muxd_jobs"])
    with pytest.raises(ConfigError, match=r"page\[b\]\.url"):
        load(configured(text.format("b", "v").replace('"u"', "3", 1)), before=after)
