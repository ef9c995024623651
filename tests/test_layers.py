"""Imports go one way, and each foreign thing has its place: the layers, as data, and what holds them.

To amend: put a new module into the lowest layer that has what it imports, and write it into the
table in docs/internals.md.
"""

from __future__ import annotations

import ast
import textwrap
from pathlib import Path

import attrs
import pytest

ROOT = Path(__file__).parent.parent

# A module imports only from its own layer and those above it in this list. A package is one entry,
# for itself and all that is in it.
LAYERS = {
    "words": """
        muxd.units muxd.amounts muxd.sizes muxd.errors muxd.secrets muxd.learned muxd.hints muxd.remedies muxd.blocklist muxd.links muxd.pageparts muxd.launchoptions muxd.engine muxd.ids muxd.running muxd.keys muxd.readers muxd.fields muxd.classfields muxd.structuring muxd.section muxd.jobfields muxd.jobslips muxd.jobpolicies muxd.jobcheck muxd.job muxd.jobvalues muxd.jobkeys muxd.release muxd.record muxd.last muxd.saved muxd.observation
        muxd.pause muxd.left muxd.statistics muxd.soak muxd.login muxd.logincheck muxd.logininput
        muxd.events
    """,
    "contracts": """
        muxd.store muxd.slotter muxd.sink muxd.service muxd.pagesource muxd.jobdata muxd.pagewrapper
        muxd.controlled muxd.abc muxd.hookspecs
    """,
    "mechanisms": """
        muxd.slotting muxd.civil muxd.course muxd.gaps muxd.agenda muxd.misfire muxd.retry
        muxd._timerfd muxd.clock muxd.ageing muxd._channel_state muxd.channel muxd.bus
        muxd.live muxd.writer muxd.overlap muxd.ended muxd.recovery muxd.whereabouts muxd.book muxd.pauses muxd.loginneeds muxd.arrears muxd.placing muxd.scheduler muxd.lulls muxd.retention muxd.looking
        muxd.resources
    """,
    "the border": """
        muxd.background muxd.stand_in muxd.forks muxd.unbridged muxd.coroutine_driver muxd.bridge muxd.crossing
    """,
    "a run": """
        muxd.floors muxd.holding muxd.recycling muxd.artifacts muxd.tracebacks muxd.tracefile
        muxd.origins muxd.children muxd.handles muxd.ambient muxd.tempfiles muxd.leaks muxd.evidence muxd.watch muxd.performance muxd.body muxd.lentpages muxd.keptpages muxd.workspace muxd.workplace muxd.wrapping muxd.verdict muxd.runner muxd.worker muxd.supervisor
    """,
    "the browser": "muxd.browser",
    "the public face": "muxd",
    # Below the face, like any plugin; the simulator uses them, and nobody else.
    "plugins inside": "muxd.builtin",
    "for plugin authors": "muxd.testing",
    "assembly": """
        muxd.zone muxd.jsontypes muxd.configvalues muxd.config muxd.configfile muxd.overrides muxd.patience muxd.shelter muxd.blame muxd.entrypoints muxd.hookslips muxd.oddjobs muxd.hooktrace muxd.asking muxd.disabled muxd.discovery muxd.freshness muxd.loading muxd.plugins muxd.attributedocs muxd.classschema muxd.tomlschema
        muxd.planning muxd.replan muxd.planner muxd.heap muxd.lastrung muxd.companions muxd.logfile muxd.journal muxd.logs muxd.logreading muxd.runlog muxd.signals muxd.backup muxd.state muxd.keeping muxd.orders muxd.core muxd.audit muxd.logins muxd.steering muxd.reload muxd.restarting muxd.helm muxd.installer muxd.health muxd.servicemanager muxd.guard muxd.pulse muxd.control muxd.status muxd.lookout muxd.alone muxd.logalone muxd.project muxd.saves muxd.develop muxd.samplepage
        muxd.daemon muxd.simulation
    """,
    # What runs all of it in tests, at the hand of plugin authors.
    "the test kit": "muxd.testing.schedule muxd.testing.daemons muxd.testing.plugin",
    "surface": "muxd.cli muxd.__main__",
}
LAYERS = {layer: tuple(modules.split()) for layer, modules in LAYERS.items()}

# What may be imported by whom alone. Imports for type checkers are exempt, here and above: nothing
# is imported by them when muxd runs.
RESERVED = {
    "asyncio": ("muxd.bridge", "muxd.crossing"),
    "playwright": ("muxd.browser",),
    "pluggy": ("muxd.hookspecs", "muxd.loading"),
    "sqlite3": ("muxd.builtin", "muxd.body"),
    "click": ("muxd.cli",),
    "rich": ("muxd.cli",),
    "textual": ("muxd.cli",),
    "cattrs": ("muxd.configfile", "muxd.structuring", "muxd.body"),
}

# Plain data and plain functions: no concurrency, and nothing of the world outside.
PURE = (*LAYERS["words"], "muxd.slotting", "muxd.civil", "muxd.ageing")
NOT_PURE = [
    "trio",
    "outcome",
    "structlog",
    "psutil",
    "os",
    "subprocess",
    "socket",
    "threading",
    "time",
    "sqlite3",
]

# All that plugins may import of muxd, ours and other people's alike, and in annotations too: the
# face, the contracts, the fakes, and the words that these speak in.
PUBLIC = ("muxd", "muxd.abc", "muxd.slotting", "muxd.testing", *LAYERS["words"])

# {(importer, imported): why a plugin of ours may for now}. One that is needed no more has to go.
EXEMPT: dict[tuple[str, str], str] = {}


@attrs.frozen
class Import:
    """One import as it stands in a file."""

    file: str
    importer: str
    imported: str
    """A module of muxd by its full name, anything else by its dotted name."""
    line: int
    only_types: bool

    def breaks(self, rule):
        return f"{self.file}:{self.line}: imports {self.imported}: {rule}"


class Imports(ast.NodeVisitor):
    """Collects the imports of one module, those inside functions too."""

    def __init__(self, module, path, known, root):
        self.module, self.known = module, known
        self.file = str(path.relative_to(root))
        self.package = module if path.name == "__init__.py" else module.rpartition(".")[0]
        self.only_types = False
        self.found = []

    def visit_If(self, node):
        if "TYPE_CHECKING" in (getattr(node.test, "id", ""), getattr(node.test, "attr", "")):
            before, self.only_types = self.only_types, True
            for child in node.body:
                self.visit(child)
            self.only_types = before
            for child in node.orelse:
                self.visit(child)
        else:
            self.generic_visit(node)

    def visit_Import(self, node):
        for alias in node.names:
            self.add(alias.name, node)

    def visit_ImportFrom(self, node):
        base = node.module or ""
        if node.level:
            parents = self.package.split(".")
            base = ".".join([*parents[: len(parents) + 1 - node.level], *filter(None, [base])])
        for alias in node.names:
            submodule = f"{base}.{alias.name}"
            self.add(submodule if submodule in self.known else base, node)

    def add(self, imported, node):
        self.found.append(Import(self.file, self.module, imported, node.lineno, self.only_types))


def modules_of(root, package="muxd"):
    """Map each module of a package below `root` to its file."""
    modules = {}
    for path in sorted((root / package).rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        modules[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return modules


def imports_of(modules, known=None, root=ROOT):
    """Find all imports in these modules; `known` are those that a name may mean."""
    found = []
    for module, path in modules.items():
        visitor = Imports(module, path, known or modules, root)
        visitor.visit(ast.parse(path.read_text(), str(path)))
        found += visitor.found
    return found


def within(module, places):
    """Whether a module is one of these places, or inside one; the face, `muxd`, is only itself."""
    return any(
        module == place or (place != "muxd" and module.startswith(place + ".")) for place in places
    )


def layer_of(module):
    """Give the index of a module's layer, the one that names it best; None if it has none."""
    found = [
        (len(place), index)
        for index, places in enumerate(LAYERS.values())
        for place in places
        if within(module, [place])
    ]
    return max(found)[1] if found else None


def check_one_way(imports):
    names = list(LAYERS)
    for one in imports:
        here, there = layer_of(one.importer), layer_of(one.imported)
        if here is not None and there is not None and there > here and not one.only_types:
            yield one.breaks(f"{names[here]} may not use {names[there]}, which is further down")


def check_reserved(imports):
    for one in imports:
        places = RESERVED.get(one.imported.partition(".")[0])
        if places and not one.only_types and not within(one.importer, places):
            yield one.breaks(f"only {' and '.join(places)} may")


def check_pure(imports):
    for one in imports:
        foreign = one.imported.partition(".")[0]
        if within(one.importer, PURE) and foreign in NOT_PURE and not one.only_types:
            yield one.breaks("its importer is to be pure")


def check_public(imports):
    for one in imports:
        ours = one.imported.partition(".")[0] == "muxd"
        if ours and not within(one.imported, (*PUBLIC, "muxd.builtin")):
            yield one.breaks(f"plugins may import of muxd only {', '.join(PUBLIC)}")


def check_acyclic(imports):
    """Report one line for each circle of modules that import each other."""
    uses = {}  # {module: {module that it imports: where}}
    for one in imports:
        if one.imported != one.importer and not one.only_types:
            uses.setdefault(one.importer, {}).setdefault(one.imported, one)
    done = set()

    def walk(module, path):
        if module in path:
            circle = [*path[path.index(module) :], module]
            yield uses[module][circle[1]].breaks(f"a circle: {' -> '.join(circle)}")
        elif module not in done:
            for used in uses.get(module, ()):
                yield from walk(used, [*path, module])
            done.add(module)

    for module in list(uses):
        yield from walk(module, [])


def report(problems):
    """Fail with all problems, one a line."""
    problems = list(problems)
    assert not problems, "\n" + "\n".join(problems)


@pytest.fixture(scope="module")
def modules():
    return modules_of(ROOT)


@pytest.fixture(scope="module")
def imports(modules):
    return imports_of(modules)


def test_every_module_has_a_layer(modules):
    """No module is outside the order, and no entry of the order is a leftover."""
    report(
        f"{path.relative_to(ROOT)}:1: {module} is in no layer: add it to the lowest of LAYERS in "
        f"tests/test_layers.py that has what it imports, and to the table in docs/internals.md"
        for module, path in modules.items()
        if layer_of(module) is None
    )
    listed = [place for places in LAYERS.values() for place in places]
    assert len(listed) == len(set(listed))
    assert [place for place in listed if place not in modules] == []


def test_imports_go_one_way(imports):
    """No layer uses one further down the list."""
    report(check_one_way(imports))


def test_no_import_circles(imports):
    """Within a layer, and within a package, no modules import each other in a circle."""
    report(check_acyclic(imports))


def test_each_foreign_thing_has_its_place(imports):
    """asyncio, Playwright, pluggy, SQLite and the rest are each imported where they belong."""
    report(check_reserved(imports))


def test_what_is_pure_stays_pure(imports):
    """The words and the mathematics import no concurrency and nothing that does I/O."""
    report(check_pure(imports))


def test_plugins_inside_use_what_plugins_outside_can(imports):
    """`muxd.builtin` imports of muxd only what is public."""
    inside = [one for one in imports if within(one.importer, ["muxd.builtin"])]
    assert inside
    report(check_public(inside))


def test_our_plugins_use_only_what_is_public(modules):
    """The distributions in plugins/ import of muxd only what is public."""
    found = []
    for project in sorted((ROOT / "plugins").glob("*/pyproject.toml")):
        for package in sorted(project.parent.glob("*/__init__.py")):
            own = modules_of(project.parent, package.parent.name)
            found += imports_of(own, known=own | modules)
    assert any(one.imported == "muxd" for one in found), "no plugin was found"
    exempt = [one for one in found if (one.importer, one.imported) in EXEMPT]
    assert {(one.importer, one.imported) for one in exempt} == set(EXEMPT)
    report(check_public([one for one in found if one not in exempt]))


# The checks themselves, on modules made up for the purpose: {module: source}


@pytest.fixture
def made_up(tmp_path):
    def make(**sources):
        for name, source in sources.items():
            path = tmp_path / "muxd" / (name.replace("__", "/", 1) + ".py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(source))
        modules = modules_of(tmp_path)
        return modules, imports_of(modules, root=tmp_path)

    return make


def test_the_checks_find_what_they_are_for(made_up):
    """Each kind of breach is found in each form of import, with its file, its line and its rule."""
    modules, imports = made_up(
        units="import trio",
        job="from muxd import daemon",
        clock="def f():\n    from .runner import Runner",
        daemon="import muxd.clock",
        runner="import playwright.async_api as p\nfrom pluggy import Hook\nimport muxd.worker",
        worker="import muxd.runner",
        builtin__ledger="import sqlite3\nfrom muxd.channel import open_priority_channel",
        channel="import asyncio",
        stray="",
    )
    assert [module for module in modules if layer_of(module) is None] == ["muxd.stray"]
    assert list(check_one_way(imports)) == [
        "muxd/clock.py:2: imports muxd.runner: mechanisms may not use a run, which is further down",
        "muxd/job.py:1: imports muxd.daemon: words may not use assembly, which is further down",
    ]
    assert list(check_reserved(imports)) == [
        "muxd/channel.py:1: imports asyncio: only muxd.bridge and muxd.crossing may",
        "muxd/runner.py:1: imports playwright.async_api: only muxd.browser may",
        "muxd/runner.py:2: imports pluggy: only muxd.hookspecs and muxd.loading may",
    ]
    assert list(check_pure(imports)) == [
        "muxd/units.py:1: imports trio: its importer is to be pure"
    ]
    [breach] = check_public([one for one in imports if one.importer == "muxd.builtin.ledger"])
    assert breach.startswith("muxd/builtin/ledger.py:2: imports muxd.channel: plugins may import")
    assert list(check_acyclic(imports)) == [
        "muxd/runner.py:3: imports muxd.worker: a circle: muxd.runner -> muxd.worker -> muxd.runner"
    ]


def test_the_checks_let_pass_what_is_right(made_up):
    """Imports upwards, within a layer and for types only are no breach."""
    _, imports = made_up(
        job="""
            import typing
            from typing import TYPE_CHECKING
            from muxd.units import parse
            if TYPE_CHECKING:
                import asyncio
                from muxd.daemon import Daemon
            if typing.TYPE_CHECKING:
                import trio
            else:
                import attrs
        """,
        units="",
        daemon="from muxd import Job\nimport trio\nimport muxd.job",
        browser__driver="import playwright",
        builtin__ledger="from muxd import hookimpl\nfrom . import rows\nimport muxd.abc",
        builtin__rows="from muxd.record import Record",
    )
    assert list(check_one_way(imports)) == []
    assert list(check_reserved(imports)) == []
    assert list(check_pure(imports)) == []
    inside = [one for one in imports if within(one.importer, ["muxd.builtin"])]
    assert "muxd.builtin.rows" in [one.imported for one in inside]
    assert list(check_public(inside)) == []
    assert list(check_acyclic(imports)) == []
