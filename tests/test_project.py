"""What is at a path that somebody works on, and how it is loaded again and again."""

from __future__ import annotations

import sys
from pathlib import Path
from textwrap import dedent

import pytest

from muxd.config import Config
from muxd.errors import UserError
from muxd.plugins import load_plugins
from muxd.project import project_at

JOB = """
import muxd
{more}
@muxd.job(interval="1h")
async def {name}(run): ...
"""
METADATA = """
[project]
name = "tea-shop"
[project.entry-points.muxd]
tea = "{module}"
"""


@pytest.fixture(autouse=True)
def modules(monkeypatch):
    """What is imported here stays here."""
    monkeypatch.setattr(sys, "path", sys.path[:])
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.fixture
def write(tmp_path):
    def write(name, text=""):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text))
        return path

    return write


def job(name, more=""):
    return JOB.format(name=name, more=more)


def loaded(project):
    plugins = load_plugins(Config(), sources=project.sources())
    assert plugins.problems == ()
    return {job.name: job.plugin for job in plugins.jobs}


def test_a_file_is_itself_alone(tmp_path, write):
    """Its neighbours are not loaded, and saving one is nothing to it; what it imports is."""
    file = write("tea.py", job("tea", "from ._shop import name\nfrom .kit import tools"))
    write("_shop.py", "name = 1")
    write("kit/__init__.py")
    tools = write("kit/tools.py")
    write("coffee.py", "raise OSError")
    project = project_at(file)
    assert loaded(project) == {"tea": "tea"}
    assert project.is_its(file)
    assert project.is_its(tmp_path / "_shop.py")
    assert project.is_its(tools)
    assert not project.is_its(tmp_path / "coffee.py")
    assert not project.is_its(tmp_path / "muxd.toml")


def test_a_file_is_as_it_is_now(monkeypatch, write):
    """Saved within the same second, and with the same size: it is read again, helpers too."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # as the command does
    file = write("tea.py", job("tea", "from ._shop import A"))
    write("_shop.py", "A = 1")
    project = project_at(file)
    assert loaded(project) == {"tea": "tea"}
    write("tea.py", job("ice", "from ._shop import B"))
    write("_shop.py", "B = 1")
    assert loaded(project) == {"ice": "tea"}
    file.unlink()
    with pytest.raises(UserError, match=r"neither a pyproject\.toml nor a jobs file"):
        project.sources()


def test_a_directory_of_files(tmp_path, write):
    """A file that is saved is tried alone; what all may import concerns all."""
    tea, coffee = write("tea.py", job("tea")), write("coffee.py", job("coffee"))
    shop = write("_shop.py")
    project = project_at(tmp_path)
    assert loaded(project) == {"tea": "tea", "coffee": "coffee"}
    sources = project.sources()
    assert project.concerned((), sources) == {"tea", "coffee"}
    assert project.concerned([tea], sources) == {"tea"}
    assert project.concerned([tea, coffee], sources) == {"tea", "coffee"}
    assert project.concerned([tea, shop], sources) == {"tea", "coffee"}


@pytest.mark.parametrize("src", ["src/", ""])
def test_a_project(monkeypatch, tmp_path, write, src):
    """It need not be installed; all of its package is read again, and nobody else's module is."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    write("pyproject.toml", METADATA.format(module="tea_shop.jobs"))
    package = write(f"{src}tea_shop/__init__.py").parent
    file = write(f"{src}tea_shop/jobs.py", job("tea", "from tea_shop.kit import A"))
    write(f"{src}tea_shop/kit.py", "A = 1")
    project = project_at(tmp_path)
    assert loaded(project) == {"tea": "tea"}
    assert project.is_its(tmp_path / "pyproject.toml")
    assert project.is_its(file)
    assert not project.is_its(tmp_path / "tests" / "test_tea.py")
    monkeypatch.setitem(sys.modules, "tea_shop_of_others", sys)
    write(f"{src}tea_shop/jobs.py", job("ice", "from tea_shop.kit import B"))
    write(f"{src}tea_shop/kit.py", "B = 1")
    assert loaded(project) == {"ice": "tea"}
    assert "tea_shop_of_others" in sys.modules
    assert project_at(file) == project, "a file of the package is the project's"
    assert package in project.watched


@pytest.mark.parametrize(
    ("files", "path", "message"),
    [
        ({}, "tea.py", "there is no .*tea.py: give a jobs file"),
        ({"tea.txt": ""}, "tea.txt", "its name must end with .py"),
        ({"_tea.py": ""}, ".", "neither a pyproject.toml nor a jobs file"),
        ({"pyproject.toml": "[project"}, ".", "pyproject.toml can't be read"),
        ({"pyproject.toml": "project = 3"}, ".", "names no plugin: add"),
        ({"pyproject.toml": METADATA.format(module="tae.jobs")}, ".", "'tae' is neither in .*src"),
    ],
)
def test_what_is_nothing_to_work_on(monkeypatch, tmp_path, write, files, path, message):
    """The message says what is missing, and where."""
    monkeypatch.chdir(tmp_path)
    for name, text in files.items():
        write(name, text)
    with pytest.raises(UserError, match=message):
        project_at(Path(path))
