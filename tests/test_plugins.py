"""Plugins: each is loaded on its own, and a broken one costs only its own jobs."""

from __future__ import annotations

import importlib
import sys
from importlib.metadata import EntryPoint
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from muxd.abc import Service, Sink
from muxd.config import Config, PluginsConfig
from muxd.discovery import BUILTINS
from muxd.errors import ConfigError, JobError, LedgerError, PluginError
from muxd.plugins import BrokenPlugins, Plugins, load_plugins

if TYPE_CHECKING:
    from pathlib import Path

GOOD = """
import muxd

@muxd.job(interval="30m")
async def {name}(run):
    "Do it."
"""


@pytest.fixture
def modules(tmp_path, monkeypatch):
    """Write modules that entry points can name; gone after the test."""
    root = tmp_path / "site"
    root.mkdir()
    monkeypatch.syspath_prepend(str(root))
    before = set(sys.modules)

    def write(**sources: str) -> list[EntryPoint]:
        for name, source in sources.items():
            (root / f"{name}.py").write_text(dedent(source), "utf-8")
        importlib.invalidate_caches()
        return [EntryPoint(name, name, "muxd") for name in sources]

    yield write
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.fixture
def jobs_dir(tmp_path):
    """A jobs directory, and a function that writes files into it."""
    directory = tmp_path / "jobs"
    directory.mkdir()

    def write(**sources: str) -> Path:
        for name, source in sources.items():
            (directory / f"{name}.py").write_text(dedent(source), "utf-8")
        return directory

    return write


def load(*points: EntryPoint, config: Config | None = None, builtins=()) -> Plugins:
    return load_plugins(config or Config(), entry_points=points, builtins=builtins)


def load_dir(directory: Path, **fields) -> Plugins:
    config = Config(plugins=PluginsConfig(jobs_dirs=(directory,)), **fields)
    return load(config=config)


def names(plugins: Plugins) -> list[str]:
    return [job.name for job in plugins.jobs]


def only_problem(plugins: Plugins) -> PluginError:
    (problem,) = plugins.problems
    return problem


def test_jobs_of_a_module_need_no_hook(modules):
    """What ``@muxd.job`` makes at the top level of a plugin's module is registered."""
    plugins = load(*modules(simple=GOOD.format(name="headlines")))
    (job,) = plugins.jobs
    assert (job.name, job.plugin, job.description) == ("headlines", "simple", "Do it.")
    (plugin,) = plugins.found
    assert (plugin.state, plugin.jobs, plugin.hooks, plugin.problem) == (
        "active",
        ("headlines",),
        (),
        None,
    )


def test_a_job_that_is_also_yielded_is_registered_once(modules):
    """A hook that yields the module's own jobs doesn't double them, nor does a second name."""
    source = GOOD.format(name="one") + "\nalias = one\n"
    source += "@muxd.hookimpl\ndef muxd_jobs():\n    yield one\n    yield one.replace(name='two')\n"
    assert names(load(*modules(twice=source))) == ["one", "two"]


@pytest.mark.parametrize("target", ["plugin", "headlines"])
def test_an_entry_point_may_name_an_object(modules, target):
    """An instance with hooks is a plugin, and so is a job."""
    modules(
        objects="""
        import muxd

        @muxd.job(interval="1h")
        async def headlines(run): ...

        class Plugin:
            @muxd.hookimpl
            def muxd_jobs(self):
                return [headlines]

        plugin = Plugin()
        """
    )
    assert names(load(EntryPoint("objects", f"objects:{target}", "muxd"))) == ["headlines"]


def test_jobs_are_sorted_and_know_their_plugin(modules):
    """The order of jobs depends on their names alone."""
    points = modules(b=GOOD.format(name="one"), a=GOOD.format(name="two"))
    plugins = load(*points)
    assert [(job.name, job.plugin) for job in plugins.jobs] == [("one", "b"), ("two", "a")]
    assert [plugin.name for plugin in plugins.found] == ["a", "b"]


def hook(body: str) -> str:
    return f"import muxd\n\n@muxd.hookimpl\ndef muxd_jobs():\n    {body}\n"


BROKEN = {
    "missing module": ("import no_such_module", "import", "No module named 'no_such_module'"),
    "syntax": ("def x(:", "import", "SyntaxError"),
    "exit": ("import sys\nsys.exit(3)", "import", "SystemExit: 3 (broken.py:2)"),
    "odd exception": (
        "class Stop(BaseException): ...\nraise Stop('now')",
        "import",
        "Stop: now (broken.py:2)",
    ),
    "wrong job at import": (
        GOOD.format(name="x").replace("30m", "5 parsecs"),
        "import",
        "job 'x': interval='5 parsecs' is not possible: give a duration",
    ),
    "wrong field": (
        GOOD.format(name="x").replace("interval=", "every="),
        "import",
        "(broken.py:4)",
    ),
    "nothing in it": ("x = 1", "hooks", "there is neither a job nor a hook in it"),
    "misspelt hook": (
        "import muxd\n@muxd.hookimpl\ndef muxd_jbos(): ...",
        "hooks",
        "there is no hook 'muxd_jbos'; did you mean 'muxd_jobs'? (broken.py:2)",
    ),
    "hook of another name": (
        "import muxd\n@muxd.hookimpl\ndef jobs(): ...",
        "hooks",
        "there is no hook 'jobs'",
    ),
    "not marked": ("def muxd_jobs(): ...", "hooks", "muxd_jobs is not marked with @muxd.hookimpl"),
    "unknown argument": (
        "import muxd\n@muxd.hookimpl\ndef muxd_store(state_dri): ...",
        "hooks",
        "muxd_store has no argument 'state_dri'; did you mean 'state_dir'? (broken.py:2)",
    ),
    "async hook": (
        "import muxd\n@muxd.hookimpl\nasync def muxd_jobs(): ...",
        "hooks",
        "muxd_jobs is `async def`, but hooks are plain `def` (broken.py:2)",
    ),
    "async generator": (
        "import muxd\n@muxd.hookimpl\nasync def muxd_jobs():\n    yield 1",
        "hooks",
        "muxd_jobs is `async def`",
    ),
    "wrapper": (
        "import muxd\n@muxd.hookimpl(wrapper=True)\ndef muxd_jobs():\n    return (yield)",
        "hooks",
        "muxd_jobs can't be wrapped",
    ),
    "raising hook": (hook("1 / 0"), "muxd_jobs", "ZeroDivisionError: division by zero (broken"),
    "raising generator": (
        GOOD.format(name="x") + "\n@muxd.hookimpl\ndef muxd_jobs():\n    yield x\n    1 / 0",
        "muxd_jobs",
        "ZeroDivisionError: division by zero (broken.py:11)",
    ),
    "exiting hook": (hook("raise SystemExit"), "muxd_jobs", "SystemExit (broken.py:5)"),
    "None": (hook("pass"), "muxd_jobs", "returned None: return or yield muxd.Job (broken.py:3)"),
    "a number": (hook("return 3"), "muxd_jobs", "returned 3: return or yield muxd.Job"),
    "a text": (hook("return 'ab'"), "muxd_jobs", "gave 'a', not a muxd.Job"),
    "one job": (
        hook("return muxd.job(interval=60, name='x')(f)") + "async def f(run): ...",
        "muxd_jobs",
        "returned one muxd.Job, not several: yield it",
    ),
    "wrong job": (
        hook("yield muxd.Job('x', print, interval=60)"),
        "muxd_jobs",
        "job 'x': body=print is not possible: give an `async def`",
    ),
    "two of one name": (
        GOOD.format(name="x")
        + "\n@muxd.hookimpl\ndef muxd_jobs():\n    yield x.replace(interval=60)",
        "muxd_jobs",
        "two jobs are named 'x'",
    ),
    "name of another plugin's job": (
        GOOD.format(name="good_job"),
        "muxd_jobs",
        "the job name 'good_job' is already taken by plugin 'agood' from agood",
    ),
    "no end": (
        "import itertools, muxd\nasync def f(run): ...\n@muxd.hookimpl\ndef muxd_jobs():\n"
        "    return itertools.repeat(muxd.Job('j', f, interval=60))",
        "muxd_jobs",
        "gives more than 100000: it has no end?",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_plugin_is_left_out_alone(modules, case):
    """Whatever a plugin does wrong, it alone is left out, and hook and reason are named."""
    source, where, reason = BROKEN[case]
    points = modules(
        agood=GOOD.format(name="good_job"), broken=source, other=GOOD.format(name="other_job")
    )
    plugins = load(*points)
    assert names(plugins) == ["good_job", "other_job"]
    problem = only_problem(plugins)
    assert (problem.plugin, problem.hook) == ("broken", where)
    assert reason in problem.reason
    assert "\n" not in str(problem)
    states = {plugin.name: plugin.state for plugin in plugins.found}
    assert states == {"agood": "active", "broken": "left out", "other": "active"}


def test_the_cause_is_kept(modules):
    """The plugin's own exception is the cause of the problem, with its traceback."""
    problem = only_problem(load(*modules(broken=hook("1 / 0"))))
    assert isinstance(problem.__cause__, ZeroDivisionError)
    assert problem.__cause__.__traceback__ is not None


def test_a_wrong_job_names_its_plugin(modules):
    """The cause of a wrong job is a JobError that knows plugin, job, field and value."""
    source = GOOD.format(name="x").replace("30m", "0s")
    cause = only_problem(load(*modules(broken=source))).__cause__
    assert isinstance(cause, JobError)
    assert (cause.plugin, cause.job, cause.field, cause.value) == ("broken", "x", "interval", "0s")


def test_ctrl_c_while_a_plugin_is_imported_is_not_its_fault(modules):
    """A real KeyboardInterrupt goes through, also where the plugin swallows it."""
    swallows = """
        import os, signal
        try:
            os.kill(os.getpid(), signal.SIGINT)
        except BaseException:
            pass
    """
    points = modules(slow=swallows)
    with pytest.raises(KeyboardInterrupt):
        load(*points)


def test_an_entry_point_that_names_a_class_is_told_to_name_an_instance(modules):
    """Hooks of a class could not be called: the message says what to do."""
    modules(classy="import muxd\nclass P:\n    @muxd.hookimpl\n    def muxd_jobs(self): ...")
    problem = only_problem(load(EntryPoint("classy", "classy:P", "muxd")))
    assert problem.reason == "P is a class: name an instance of it"


def test_a_name_belongs_to_the_first_plugin_that_has_it(modules, jobs_dir):
    """A file named like an installed plugin is left out, and the message says who was first."""
    points = modules(same=GOOD.format(name="one"))
    directory = jobs_dir(same=GOOD.format(name="two"))
    config = Config(plugins=PluginsConfig(jobs_dirs=(directory,)))
    plugins = load(*points, config=config)
    assert names(plugins) == ["one"]
    assert only_problem(plugins).reason == "the name is already taken by the plugin from same"


def test_strict_makes_all_problems_fatal(modules):
    """With ``plugins.strict`` every broken plugin is named in one error."""
    points = modules(one="1 / 0", two="x = 1", three=GOOD.format(name="ok"))
    with pytest.raises(BrokenPlugins) as caught:
        load(*points, config=Config(plugins=PluginsConfig(strict=True)))
    assert [problem.plugin for problem in caught.value.problems] == ["one", "two"]
    assert caught.value.exit_code == 1


def test_a_disabled_plugin_is_not_even_imported(modules):
    """``plugins.disable`` keeps a plugin's code from running, and it is shown as disabled."""
    points = modules(one="1 / 0", two=GOOD.format(name="ok"))
    plugins = load(*points, config=Config(plugins=PluginsConfig(disable=("one",))))
    assert plugins.problems == ()
    assert "one" not in sys.modules
    assert [(p.name, p.state) for p in plugins.found] == [("one", "disabled"), ("two", "active")]


def test_a_disabled_job_is_kept_apart(modules):
    """``[jobs.x] enabled = false`` takes a job off the timetable; it is still known."""
    points = modules(two=GOOD.format(name="a") + GOOD.format(name="b"))
    plugins = load(*points, config=Config(jobs={"a": {"enabled": False}}))
    assert names(plugins) == ["b"]
    assert [job.name for job in plugins.disabled_jobs] == ["a"]
    assert plugins.found[0].jobs == ("a", "b")


def test_overrides_reach_the_jobs(modules):
    """The configuration's fields take the place of the plugin's."""
    config = Config(jobs={"a": {"interval": "2h", "session": "fresh"}})
    (job,) = load(*modules(one=GOOD.format(name="a")), config=config).jobs
    assert (job.interval, job.session, job.plugin) == (7200, "fresh", "one")


def test_wrong_overrides_of_all_jobs_are_named_at_once(modules):
    """Mistakes in several ``[jobs.NAME]`` tables come in one ConfigError."""
    points = modules(one=GOOD.format(name="a"), two=GOOD.format(name="b"))
    with pytest.raises(ConfigError) as caught:
        load(*points, config=Config(jobs={"a": {"retries": -1}, "b": {"interval": "x"}}))
    keys = [problem.key for problem in caught.value.problems]
    assert keys == ["jobs.a.retries", "jobs.b.interval"]


def test_a_name_that_nothing_has_is_a_warning(modules):
    """A job or plugin that isn't there may be uninstalled: no mistake, but said, with a guess."""
    config = Config(
        jobs={"headlnes": {"interval": "1h"}}, plugins=PluginsConfig(disable=("simpel",))
    )
    plugins = load(*modules(simple=GOOD.format(name="headlines")), config=config)
    assert names(plugins) == ["headlines"]
    disable, override = plugins.warnings
    assert "there is no plugin 'simpel'; did you mean 'simple'?" in disable
    assert "has a job 'headlnes'; did you mean 'headlines'?" in override


def test_files_of_a_jobs_directory_are_plugins(jobs_dir):
    """Each ``*.py`` is a plugin named after its file; ``_`` and ``.`` files are not."""
    directory = jobs_dir(
        headlines=GOOD.format(name="a"),
        _shared="1 / 0",
        broken="1 / 0",
        **{".hidden": "1 / 0", "with-dash": GOOD.format(name="b"), "v1.2": GOOD.format(name="c")},
    )
    (directory / "notes.txt").write_text("no plugin")
    (directory / "package.py").mkdir()
    plugins = load_dir(directory)
    assert [(job.name, job.plugin) for job in plugins.jobs] == [
        ("a", "headlines"),
        ("b", "with-dash"),
        ("c", "v1.2"),
    ]
    assert only_problem(plugins).reason == "ZeroDivisionError: division by zero (broken.py:1)"
    found = {plugin.name: plugin for plugin in plugins.found}
    assert found["headlines"].location == str(directory / "headlines.py")
    assert found["headlines"].distribution is None
    assert not (directory / "__pycache__").exists()


def test_two_files_of_one_name_are_two_modules(tmp_path, jobs_dir):
    """Directories don't get into each other's way, even with files of the same name."""
    one = jobs_dir(tasks=GOOD.format(name="a"))
    two = tmp_path / "more"
    two.mkdir()
    (two / "tasks.py").write_text(GOOD.format(name="b"))
    config = Config(plugins=PluginsConfig(jobs_dirs=(one, two)))
    plugins = load(config=config)
    assert names(plugins) == ["a"]  # the plugin's name is taken, and the message says by whom
    assert str(one / "tasks.py") in only_problem(plugins).reason
    config = Config(plugins=PluginsConfig(jobs_dirs=(two, two)))
    assert names(load(config=config)) == ["b"]


def test_files_of_a_jobs_directory_share_helpers(jobs_dir):
    """``from ._helpers import x`` works in a jobs directory."""
    directory = jobs_dir(
        _helpers="EVERY = '15m'",
        a=GOOD.format(name="a")
        .replace('"30m"', "EVERY")
        .replace("import muxd", "import muxd\nfrom ._helpers import EVERY"),
    )
    (job,) = load_dir(directory).jobs
    assert job.interval == 900


def test_loading_again_sees_what_changed(jobs_dir):
    """A reload runs the file as it is now, although size and second are the same."""
    directory = jobs_dir(a=GOOD.format(name="a"))
    assert load_dir(directory).jobs[0].interval == 1800
    jobs_dir(a=GOOD.format(name="a").replace("30m", "40m"), b=GOOD.format(name="b"))
    assert [job.interval for job in load_dir(directory).jobs] == [2400, 1800]
    (directory / "a.py").unlink()
    assert names(load_dir(directory)) == ["b"]


def test_a_broken_file_leaves_nothing_behind(jobs_dir):
    """A module that failed to load is not found half-made by a later import."""
    before = set(sys.modules)
    load_dir(jobs_dir(broken="x = 1\n1 / 0"))
    assert not [name for name in set(sys.modules) - before if name.endswith(".broken")]


PARTS = """
import muxd
from muxd.abc import Service, Sink

class Both(Sink, Service):
    name = "both"
    async def handle(self, event): ...
    async def run(self, *, task_status): ...

@muxd.hookimpl
def muxd_sinks():
    yield Both()

@muxd.hookimpl
def muxd_services():
    return [Both(), Both()]
"""


def test_sinks_and_services_know_their_plugin(modules):
    """Each is given with the name of the plugin that declared it."""
    plugins = load(*modules(parts=PARTS, other=GOOD.format(name="x")))
    ((sink_of, sink),) = plugins.sinks()
    assert sink_of == "parts"
    assert isinstance(sink, Sink)
    services = plugins.services()
    assert [name for name, _ in services] == ["parts", "parts"]
    assert all(isinstance(service, Service) for _, service in services)


@pytest.mark.parametrize(("ask", "hook"), [("sinks", "muxd_sinks"), ("services", "muxd_services")])
@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero (broken.py:"),
        ("yield 3", "gave 3, not a muxd.abc.S"),
        ("return None", "returned None: return or yield muxd.abc.S"),
    ],
)
def test_a_plugin_that_breaks_later_goes_with_its_jobs(modules, ask, hook, body, reason):
    """A raising or wrong sink or service hook leaves out that plugin and its jobs, no other."""
    source = GOOD.format(name="x") + f"\n@muxd.hookimpl\ndef {hook}():\n    {body}\n"
    plugins = load(*modules(broken=source, parts=PARTS, other=GOOD.format(name="y")))
    assert names(plugins) == ["x", "y"]
    assert {name for name, _ in getattr(plugins, ask)()} == {"parts"}
    assert names(plugins) == ["y"]
    problem = only_problem(plugins)
    assert problem.hook == hook
    assert reason in problem.reason


def test_strict_makes_a_late_problem_fatal_too(modules):
    """A plugin that breaks in a later hook ends muxd under ``plugins.strict``."""
    source = GOOD.format(name="x") + "\n@muxd.hookimpl\ndef muxd_sinks():\n    1 / 0\n"
    plugins = load(*modules(broken=source), config=Config(plugins=PluginsConfig(strict=True)))
    with pytest.raises(BrokenPlugins, match="muxd_sinks: ZeroDivisionError"):
        plugins.sinks()


def test_a_plugin_can_be_left_out_for_what_its_objects_did(modules):
    """`leave_out` is for a service that fails to start: the plugin's jobs go."""
    plugins = load(*modules(parts=PARTS + GOOD.format(name="x"), other=GOOD.format(name="y")))
    problem = plugins.leave_out("parts", "muxd_services", OSError("the port is taken"))
    assert problem.reason == "OSError: the port is taken"
    assert names(plugins) == ["y"]
    assert only_problem(plugins) is problem
    assert plugins.leave_out("parts", "muxd_services", OSError("again")) is problem
    with pytest.raises(KeyError):
        plugins.leave_out("nobody", "muxd_services", OSError())


def fake_store(tag: str) -> str:
    return f"""
import muxd
from muxd.abc import Store

class Kept(Store):
    tag = {tag!r}
    def open(self, *, readonly=False): ...
    async def write(self, *records): ...
    async def unfinished(self): ...
    async def history(self, **query): ...
    async def get(self, run_id): ...
    async def last_releases(self): ...
    async def learned(self): ...
    async def phases(self): ...
    async def set_phases(self, phases, *, at=None): ...
    async def pauses(self): ...
    async def set_pauses(self, pauses): ...
    async def prune(self, *, older_than, keep): ...

@muxd.hookimpl
def muxd_store(state_dir):
    return Kept()
"""


def test_muxds_own_ledger_keeps_records_unless_a_plugin_does(modules, tmp_path):
    """The built-in ledger is asked last; any plugin's store goes before it."""
    plugins = load_plugins(Config(), entry_points=())
    assert [plugin.location for plugin in plugins.found] == list(BUILTINS)
    assert type(plugins.store(tmp_path)).__module__ == "muxd.builtin.ledger"
    plugins = load_plugins(Config(), entry_points=modules(zoo=fake_store("zoo")))
    assert plugins.store(tmp_path).tag == "zoo"


def test_the_first_store_wins(modules, tmp_path):
    """Plugins are asked by name; ``tryfirst`` and ``trylast`` change the order; None passes on."""
    none = fake_store("none").replace("return Kept()", "return None")
    points = modules(a=none, b=fake_store("b"), c=fake_store("c"))
    assert load(*points).store(tmp_path).tag == "b"
    first = fake_store("z").replace("@muxd.hookimpl", "@muxd.hookimpl(tryfirst=True)")
    last = fake_store("d").replace("@muxd.hookimpl", "@muxd.hookimpl(trylast=True)")
    assert load(*points, *modules(z=first)).store(tmp_path).tag == "z"
    assert load(*modules(d=last, e=fake_store("e"))).store(tmp_path).tag == "e"


@pytest.mark.parametrize(
    ("body", "reason"),
    [("1 / 0", "ZeroDivisionError"), ("return 3", "returned 3, not a muxd.abc.Store")],
)
def test_a_broken_store_passes_on_to_the_next(modules, tmp_path, body, reason):
    """A plugin whose store hook breaks is left out; records are kept by the next."""
    broken = fake_store("x").replace("return Kept()", body) + GOOD.format(name="x")
    plugins = load(*modules(a=broken, b=fake_store("b")))
    assert plugins.store(tmp_path).tag == "b"
    assert names(plugins) == []
    assert reason in only_problem(plugins).reason


def test_without_any_store_there_is_a_clear_error(tmp_path):
    """muxd never runs without keeping records."""
    with pytest.raises(LedgerError, match="no plugin keeps records"):
        load().store(tmp_path)


def test_an_installed_plugin_shows_its_distribution():
    """Name and version of the distribution come from its metadata."""
    found = {plugin.name: plugin for plugin in load_plugins(Config()).found}
    own = found["muxd.ledger"]
    assert (own.distribution, own.location) == ("muxd", "muxd.builtin.ledger")
    assert own.version
    assert own.hooks == ("muxd_store",)
    for plugin in found.values():
        assert plugin.distribution
        assert plugin.version
