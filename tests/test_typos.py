"""A typo in every place that one can be in: a message with file and line, or key, and a remedy."""

from __future__ import annotations

import importlib
import re
import sys
from importlib.metadata import EntryPoint
from textwrap import dedent

import attrs
import pytest
import trio
from click.testing import CliRunner

from muxd.body.mistakes import mistake_in
from muxd.body.secret import Keyring, find_secret
from muxd.book import RunBook
from muxd.bus import Bus
from muxd.cli import main
from muxd.configfile import load_config
from muxd.errors import ConfigError, SecretMissing
from muxd.job import Job
from muxd.oddjobs import odd_in
from muxd.plugins import load_plugins
from muxd.runner import Runner
from muxd.running import Run
from muxd.testing import FakePages, MemoryStore

GOOD = '''\
import muxd

@muxd.job(interval="30m")
async def prices(run):
    """Read the prices."""
'''


def good(old, new):
    """The good file with one slip."""
    assert GOOD.count(old) == 1
    return GOOD.replace(old, new)


def hook(signature, body="return []", mark="@muxd.hookimpl"):
    return f"import muxd\n\n{mark}\ndef {signature}:\n    {body}\n"


CONFIG = """\
import attrs, muxd

@attrs.frozen
class Shop:
    url: str = ""
    pages: int = 3
    sorts: list = []

@muxd.job(interval="30m", config=Shop)
async def prices(run): ...
"""

CODE = {
    # what is misspelt: the file, the line it is told with, and a part of the remedy
    "syntax": ("async def prices(run):", "async def prices(run)", 4, "expected ':'"),
    "import": ("import muxd", "import muxd\nimport jsno", 2, "did you mean 'json'?"),
    "import of ours": ("import muxd", "import mudx", 1, "did you mean 'muxd'?"),
    "submodule": ("import muxd", "import muxd.tesing", 1, "did you mean 'muxd.testing'?"),
    "unknown import": (
        "import muxd",
        "import muxd\nimport qwertzuiop",
        2,
        "correct the name, or ins",
    ),
    "imported name": ("import muxd", "import muxd\nfrom muxd import Jbo", 2, "did you mean 'Job'?"),
    "our attribute": ("muxd.job", "muxd.jbo", 3, "did you mean 'job'?"),
    "name": ('interval="30m"', "interval=EVRY", 3, "NameError: name 'EVRY' is not defined"),
    "near name": ("import muxd", "import muxd\nEVERY = '1h'\nEVRY", 3, "did you mean 'EVERY'?"),
    "interval": ("interval=", "intervall=", 3, "did you mean 'interval'?"),
    "no interval": ('interval="30m"', "", 3, "as in @muxd.job(interval='1h')"),
    "no call": ('(interval="30m")', "", 3, "as in @muxd.job(interval='1h')"),
    "field": ('"30m"', '"30m", prioritty="high"', 3, "did you mean 'priority'?"),
    "unit": ('"30m"', '"30min"', 3, "interval='30min' is not possible: give a duration such as"),
    "range": ('"30m"', '"3000d"', 3, "give 1s to 366d"),
    "word": ('"30m"', '"30m", priority="hgih"', 3, "give one of critical, high, normal"),
    "enumeration": (
        '"30m"',
        '"30m", overlap="qeue_one"',
        3,
        "give one of coalesce, skip, queue_one",
    ),
    "outcome": ('"30m"', '"30m", retry_on=["faield"]', 3, "did you mean 'failed'?"),
    "number": ('"30m"', '"30m", retries="3"', 3, "give an integer from 0 to 20"),
    "block": ('"30m"', '"30m", block=["imgae"]', 3, "did you mean 'image'?"),
    "session": (
        '"30m"',
        '"30m", session="my shop"',
        3,
        "give 'main', 'fresh' or a name of your own",
    ),
    "job name": ('"30m"', '"30m", name="my prices"', 3, "give 1 to 100 letters, digits"),
    "config class": ('"30m"', '"30m", config="Shop"', 3, "give a class made by `@attrs.frozen`"),
    "not async": ("async def", "def", 3, "give an `async def` function that takes the run"),
    "no run": ("prices(run)", "prices()", 3, "it must take exactly one argument, the run"),
    "two arguments": ("prices(run)", "prices(run, page)", 3, "exactly one argument, the run"),
}


@pytest.fixture
def load(tmp_path):
    """Load one file of a jobs directory, with a configuration."""

    def load(source, text="", **options):
        directory = tmp_path / "jobs"
        directory.mkdir(exist_ok=True)
        (directory / "shop.py").write_text(source, "utf-8")
        file = tmp_path / "muxd.toml"
        file.write_text('plugins.jobs_dirs = ["jobs"]\n' + dedent(text), "utf-8")
        config = load_config(file, {"daemon.state_dir": (tmp_path / "state", "")}, environ={})
        return load_plugins(config, entry_points=(), builtins=(), **options)

    return load


def check(told, place, remedy):
    """One line, that names the place and the remedy."""
    assert remedy in told.replace(". Did you mean", "; did you mean")  # Python 3.13 and later
    assert place in told
    assert "\n" not in told
    assert " at 0x" not in told


@pytest.mark.parametrize("case", CODE)
def test_a_slip_in_code_is_told_with_file_and_line(load, case):
    """In imports, names, fields, values and units, and in what a body takes."""
    old, new, line, remedy = CODE[case]
    (problem,) = load(good(old, new)).problems
    place = rf"\(shop\.py(:|, line ){line}\)"
    assert re.search(place, problem.reason), problem.reason
    check(str(problem), "shop", remedy)


HOOKS = {
    "name": (hook("muxd_jbos()"), 3, "did you mean 'muxd_jobs'?"),
    "argument": (hook("muxd_jobs(sectoin)"), 3, "did you mean 'section'?"),
    "other argument": (
        hook("muxd_store(state_dri)", "return None"),
        3,
        "did you mean 'state_dir'?",
    ),
    "no mark": (hook("muxd_jobs()", mark="# no mark"), 4, "not marked with @muxd.hookimpl"),
    "neither": (hook("muxd_jbos()", mark="# no mark"), 4, "did you mean 'muxd_jobs', marked with"),
    "mark": (hook("muxd_jobs()", mark="@muxd.hookimp"), 3, "did you mean 'hookimpl'?"),
    "async": (
        hook("muxd_jobs()").replace("def", "async def"),
        3,
        "muxd_jobs is `async def`, but hooks are plain `def`",
    ),
    "nothing returned": (hook("muxd_jobs()", "pass"), 3, "returned None: return or yield muxd.Job"),
    "one for many": (
        GOOD + hook("muxd_jobs()", "return prices"),
        8,
        "returned one muxd.Job, not several: yield it",
    ),
    "field of a job": (
        "import muxd\nasync def f(run): ...\n"
        + hook("muxd_jobs()", "yield muxd.Job('x', f, intervl='1h')"),
        7,
        "did you mean 'interval'?",
    ),
    "method of a sink": (
        "import muxd, muxd.abc\nclass Mine(muxd.abc.Sink):\n    name = 'mine'\n"
        "    async def handel(self, event): ...\nmine = Mine()\n",
        5,
        "handle",
    ),
}


@pytest.mark.parametrize("case", HOOKS)
def test_a_slip_in_a_hook_is_told_with_file_and_line(load, case):
    """In its name, its arguments, its mark, and in what it gives."""
    source, line, remedy = HOOKS[case]
    (problem,) = load(source).problems
    check(str(problem), f"(shop.py:{line})", remedy)


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A place for modules of installed plugins, gone after the test."""
    root = tmp_path / "site"
    root.mkdir()
    monkeypatch.syspath_prepend(str(root))
    before = set(sys.modules)
    (root / "shop_of_tests.py").write_text(GOOD, "utf-8")
    importlib.invalidate_caches()
    yield root
    for name in set(sys.modules) - before:
        if str(root) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


ENTRIES = {
    "module": (
        "shop_of_test",
        "names a module that is not there, 'shop_of_test'; did you mean 'shop_",
    ),
    "object": (
        "shop_of_tests:prcies",
        "names what is not in there, 'prcies'; did you mean 'prices'?",
    ),
    "no module": ("shop of tests", "is neither a module nor module:object"),
}


@pytest.mark.parametrize("case", ENTRIES)
def test_a_slip_in_an_entry_point_is_told_with_its_key(site, case):
    """Which entry point, in which table of which file; and what to do once it is mended."""
    value, remedy = ENTRIES[case]
    points = [EntryPoint("shop", value, "muxd")]
    (problem,) = load_plugins(
        load_config(environ={}, cwd=site), entry_points=points, builtins=()
    ).problems
    check(str(problem), "[project.entry-points.muxd] in the pyproject.toml", remedy)
    assert f"shop = {value!r}" in str(problem)
    assert "install it once more" in str(problem)


def test_a_slip_in_the_group_of_an_entry_point_is_a_warning(site, monkeypatch):
    """Nobody would load such a plugin, and nobody would know why."""
    for number, group in enumerate(("mudx", "muxd.plugins", "max")):
        info = site / f"shop{number}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: shop{number}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[{group}]\nshop = shop_of_tests\n")
    importlib.invalidate_caches()
    warnings = load_plugins(load_config(environ={}, cwd=site), builtins=()).warnings
    odd = [each for each in warnings if each.startswith("shop")]
    assert [each.partition("]")[0] for each in odd] == [
        "shop0: [project.entry-points.mudx",
        "shop1: [project.entry-points.muxd.plugins",
    ]
    for each in odd:
        check(each, "[project.entry-points.muxd] only", "mend its pyproject.toml")


SETTINGS = {
    "section": ("[daemn]\ngrace = '1m'", "daemn", "no such section; did you mean 'daemon'?"),
    "key": ("[daemon]\ngrcae = '1m'", "daemon.grcae", "no such key; did you mean 'grace'?"),
    "unit": ("[daemon]\ngrace = '1 minuet'", "daemon.grace", "give a duration such as"),
    "zone": (
        "[daemon]\ntimezone = 'Europe/Berlim'",
        "daemon.timezone",
        "did you mean 'Europe/Berlin'",
    ),
    "key of a job": (
        "[jobs.prices]\nintervl = '1h'",
        "jobs.prices.intervl",
        "did you mean 'interval'",
    ),
    "value of a job": (
        "[jobs.prices]\nmisfire = 'run'",
        "jobs.prices.misfire",
        "give one of run_once",
    ),
    "key of its configuration": (
        "[jobs.prices.config]\nulr = 'x'",
        "jobs.prices.config.ulr",
        "no such key; did you mean 'url'?",
    ),
    "value of its configuration": (
        "[jobs.prices.config]\npages = 'x'",
        "jobs.prices.config.pages",
        "give a whole number",
    ),
    "list of its configuration": (
        "[jobs.prices.config.sorts]\na = 1",
        "jobs.prices.config.sorts",
        "give a list, with [[...]] above it",
    ),
    "TOML": ("[daemon\ngrace = 1", ":2", "Expected ']'"),
}


@pytest.mark.parametrize("case", SETTINGS)
def test_a_slip_in_the_configuration_is_told_with_file_and_key(load, tmp_path, case):
    """In sections, keys, values and units, muxd's own and those of jobs."""
    text, key, remedy = SETTINGS[case]
    with pytest.raises(ConfigError) as caught:
        load(CONFIG, text)
    check(str(caught.value), f"{tmp_path / 'muxd.toml'}", remedy)
    assert key in str(caught.value)


NAMES = {
    "job": ("[jobs.prcies]\nretries = 1", "jobs.prcies: ", "did you mean 'prices'?"),
    "plugin": ("[plugins.shpo]\na = 1", "plugins.shpo: ", "did you mean 'shop'?"),
    "section": ("[plugins.shop]\na = 1", "plugins.shop: ", "reads no section: it has no effect"),
}


@pytest.mark.parametrize("case", NAMES)
def test_a_name_that_nothing_has_is_a_warning_with_its_key(load, tmp_path, case):
    """What is meant may be uninstalled for a while: muxd starts, and says so."""
    text, key, remedy = NAMES[case]
    (warning,) = load(GOOD, text).warnings
    check(warning, f"{tmp_path / 'muxd.toml'}: {key}", remedy)


def test_the_name_of_a_plugin_to_disable(load, tmp_path):
    """A warning with the key, and a guess: two letters exchanged are likelier than another one."""
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "shot.py").write_text(GOOD.replace("prices", "others"), "utf-8")
    (warning,) = load(GOOD, "plugins.disable = ['shpo']").warnings
    check(warning, f"{tmp_path / 'muxd.toml'}: plugins.disable: ", "did you mean 'shop'?")


def test_the_name_of_a_variable(tmp_path):
    """A warning with the one that was meant; variables of others are left alone."""
    environ = {"MUXD_TIMZONE": "UTC", "MUXD_DEMO_PORT": "0", "MUXD_DEBUG": "", "MUXER": "x"}
    config = load_config(environ=environ, cwd=tmp_path)
    (warning,) = load_plugins(config, entry_points=(), builtins=()).warnings
    check(warning, "MUXD_TIMZONE: ", "did you mean 'MUXD_TIMEZONE'?")


def test_a_section_of_a_plugin(load, tmp_path):
    """Its keys are as well looked after as muxd's own."""
    source = CONFIG.partition("@muxd.job")[0] + hook(
        "muxd_jobs(section)", "section.structure(Shop)"
    )
    with pytest.raises(ConfigError) as caught:
        load(source, "[plugins.shop]\nulr = 'x'")
    check(str(caught.value), f"{tmp_path / 'muxd.toml'}: plugins.shop.ulr: ", "did you mean 'url'?")


ODD = {
    "session": ('session="mian"', "session='mian'", "did you mean 'main'?"),
    "error": ('retry_on=["TimeoutEror"]', "retry_on: ", "did you mean 'TimeoutError'?"),
    "error of a module": ('retry_on=["trio.TooSlowEror"]', "retry_on: ", "'trio.TooSlowError'?"),
}


@pytest.mark.parametrize("case", ODD)
def test_what_was_hardly_meant_is_a_warning_with_job_and_field(load, case):
    """A session, or an error to retry on, may have any name: near ones are told."""
    given, field, remedy = ODD[case]
    (warning,) = load(good('"30m"', f'"30m", {given}')).warnings
    check(warning, f"plugin 'shop', job 'prices': {field}", remedy)
    others = 'session="main2x", retry_on=["MyError", "trio.Cancelled", "no_such.Error", "OSError"]'
    assert load(good('"30m"', f'"30m", {others}')).warnings == ()


def test_a_jobs_directory(tmp_path):
    """Its path is checked before anything is loaded."""
    with pytest.raises(ConfigError) as caught:
        load_config(None, {"plugins.jobs_dirs": ([tmp_path / "jbos"], "--jobs-dir")}, environ={})
    check(str(caught.value), "--jobs-dir: plugins.jobs_dirs: ", "create it, or correct the path")


def test_the_name_of_a_secret():
    """Where it was looked for, and the one that was meant."""
    with pytest.raises(SecretMissing) as caught:
        find_secret("SHOP_PASWORD", Keyring(lambda *_: None), {"SHOP_PASSWORD": "x"})
    check(str(caught.value), "'SHOP_PASWORD'", "did you mean 'SHOP_PASSWORD'?")


COMMANDS = {
    "command": (["plna"], "did you mean 'plan'?"),
    "option": (["plan", "--jbos-dir", "x"], "--jobs-dir"),
    "job": (["run", "prcies", "--jobs-dir", "jobs"], "did you mean 'prices'?"),
}


@pytest.mark.parametrize("case", COMMANDS)
def test_a_slip_on_the_command_line(tmp_path, monkeypatch, case):
    """Exit code 2, and what was meant."""
    args, remedy = COMMANDS[case]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MUXD_STATE_DIR", str(tmp_path / "state"))
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "shop.py").write_text(GOOD, "utf-8")
    result = CliRunner().invoke(main, args, prog_name="muxd")
    assert result.exit_code == 2
    assert remedy in result.stderr


def test_a_body_that_misspells_what_it_is_given():
    """An attribute of the run: the record says which was meant."""
    nothing = dict.fromkeys((f.alias for f in attrs.fields(Run)), None)
    with pytest.raises(AttributeError) as caught:
        _ = Run(**nothing).pgae
    told = str(mistake_in(caught.value, None))
    assert told.startswith("a run has no 'pgae'; did you mean 'page'? (test_typos.py:")


BODIES = {
    "name": ("return pgae(run)", "NameError", "name 'pgae' is not defined; did you mean 'page'?"),
    "global": ("return trio.slep(1)", "AttributeError", "did you mean 'sleep'?"),
    "import": ("from muxd import Jbo", "ImportError", "did you mean 'Job'?"),
    "configuration": ("return run.config.ulr", "AttributeError", "did you mean 'url'?"),
    "argument": ("return muxd.Job('x', f, intervl='1h')", "TypeError", "did you mean 'interval'?"),
    "method": ("await run.page.hnag()", "AttributeError", "did you mean 'hang'?"),
    "run": ("await run.sav([])", "muxd.errors.BodyMistake", "did you mean 'save'?"),
    "keyword of the run's": ("await run.save([], ky='a')", "TypeError", "did you mean 'key'?"),
    "nothing given": ("run.tell()", "TypeError", "missing 1 required positional argument: 'title'"),
    "log": ("run.log.inf('x')", "AttributeError", "did you mean 'info'?"),
    "nothing near": ("return qwertz", "NameError", "name 'qwertz' is not defined"),
}


@pytest.mark.parametrize("case", BODIES)
async def test_a_slip_in_a_body_is_in_its_record(autojump_clock, load, case):
    """With file and line, and with what was meant; an error that is none is left as it is."""
    line, kind, remedy = BODIES[case]
    source = f"import muxd, trio\nf = page = None\n{CONFIG}    {line}\n".replace(
        "(run): ...", "(run):"
    )
    (job,) = load(source).jobs
    async with trio.open_nursery() as nursery:
        store = MemoryStore()
        async with store.open():
            book = RunBook(store, Bus(), real_now=trio.current_time)
            runner = Runner(book, nursery, real_now=trio.current_time)
            release = await book.release(job, released_at=trio.current_time())
            record = await runner.run(release, FakePages())
        nursery.cancel_scope.cancel()
    assert record.error_type == kind
    check(record.error, "(shop.py:13)", remedy)


def test_all_of_it_is_right_without_a_slip(load):
    """The files that the slips are made in have no problem, and no warning."""
    for source, text in ((GOOD, ""), (CONFIG, "[jobs.prices.config]\nurl = 'x'\n")):
        plugins = load(source, text)
        assert (plugins.problems, plugins.warnings) == ((), ())
    assert isinstance(plugins.jobs[0], Job)


def test_many_jobs_are_looked_at_for_slips_as_quickly_as_one(monkeypatch):
    """What is compared with all errors there are is each name once, however many jobs have it."""

    async def body(run):
        pass

    def compared(count):
        calls = []
        monkeypatch.setattr("muxd.oddjobs.slip_of", lambda *args, **_: calls.append(args[0]))
        assert list(odd_in(Job(f"job{n}", body, interval=60) for n in range(count))) == []
        return calls

    assert compared(1000) == compared(1) != []
