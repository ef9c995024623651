"""``muxd new``: what it writes, what it refuses, and what it says to type next."""

from __future__ import annotations

import os
import shlex
import stat
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest

from muxd.cli import main, newfiles
from muxd.cli.newnames import Names, check_free, checked_url, names_of
from muxd.config import Config, PluginsConfig
from muxd.errors import UserError
from muxd.plugins import load_plugins
from muxd.state import StateDir

NAMES = {
    "prices": Names("prices", "prices", "prices", "prices"),
    "muxd-prices": Names("muxd-prices", "muxd_prices", "prices", "prices"),
    "My_Shop.Prices": Names("my-shop-prices", "my_shop_prices", "my-shop-prices", "my_shop_prices"),
    "x": Names("x", "x", "x", "x"),
    "a" * 40: Names("a" * 40, "a" * 40, "a" * 40, "a" * 40),
}
FILES = {
    "pyproject.toml",
    "README.md",
    ".gitignore",
    ".github/workflows/test.yml",
    "src/{package}/__init__.py",
    "src/{package}/jobs.py",
    "src/{package}/py.typed",
    "tests/test_{package}.py",
}


def files_in(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", NAMES)
def test_names(name):
    """One name gives all of them, as PEP 503 and Python want them."""
    assert names_of(name) == NAMES[name]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "give letters, digits"),
        ("a b", "give letters, digits"),
        ("../a", "give letters, digits"),
        ("prices-", "the last of them a letter"),
        ("preise-für-tee", "give letters, digits"),
        ("1a", "let it begin with a letter"),
        ("muxd-1a", "let it begin with a letter"),
        ("class", "word of Python's own"),
        ("muxd-match", "word of Python's own"),
        ("list", "means something else already"),
        ("tests", "means something else already"),
        ("muxd", "means something else already"),
        ("a" * 41, "at most 40 characters"),
    ],
)
def test_names_that_can_not_be(name, message):
    """A name that no distribution, package or function can have is refused with the reason."""
    with pytest.raises(UserError, match=message):
        names_of(name)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("json", "'json' is a module of Python's own: choose another name, such as muxd-json"),
        ("pytest", "a distribution 'pytest' is installed here already"),
        ("attr", "there is a module 'attr' in this environment already"),
        ("demo", "there is a plugin 'demo' already"),
    ],
)
def test_names_that_others_have(name, message):
    """What would hide a module, replace a distribution or be left out as a plugin is refused."""
    with pytest.raises(UserError, match=message):
        check_free(names_of(name))


def test_urls():
    """An address may come without ``https://``; what no browser opens is refused."""
    assert checked_url("shop.example/a?b=1") == "https://shop.example/a?b=1"
    assert checked_url("http://127.0.0.1:8000") == "http://127.0.0.1:8000"
    for url in (
        "",
        "ftp://a.example",
        "https://",
        "https://a:b",
        'https://a/"',
        "https://a/\n",
        "a b",
    ):
        with pytest.raises(UserError, match="is no address of a page"):
            checked_url(url)


@pytest.mark.parametrize("name", NAMES)
def test_a_project(muxd, place, name):
    """All files are there, with the usual rights; its names are those of the metadata."""
    names = NAMES[name]
    done = muxd("new", name, "--url", "shop.example/tea")
    assert done.exit_code == 0, done.output
    folder = place / names.distribution
    assert files_in(folder) == {file.format(package=names.package) for file in FILES}
    assert [path.name for path in place.iterdir()] == [names.distribution]
    mask = os.umask(0o077)
    os.umask(mask)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o777 & ~mask
    told = tomllib.loads((folder / "pyproject.toml").read_text())
    assert told["project"]["name"] == names.distribution
    assert told["project"]["entry-points"]["muxd"] == {names.plugin: f"{names.package}.jobs"}
    job = (folder / "src" / names.package / "jobs.py").read_text()
    assert 'URL = "https://shop.example/tea"\n' in job
    assert not [path for path in folder.rglob("*") if path.is_file() and "@" in path.read_text().replace("actions/", "").replace("@v", "").replace("@muxd.job", "")]  # fmt: skip


@pytest.mark.nightly
@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", ["prices", "My_Shop.Prices", "a" * 40])
def test_its_files_are_clean(muxd, place, name):
    """ruff has nothing to say, nor to format; mypy is content, as strict as it can be."""
    muxd("new", name, "--dir", "it", "--url", "https://shop.example/" + "long/" * 30)
    commands = [["ruff", "check"], ["ruff", "format", "--check"]]
    if name == "My_Shop.Prices":  # it takes its time, and sees the same of every name
        commands.append(["mypy", f"--cache-dir={os.devnull}"])
    for program, *args in commands:
        done = subprocess.run(
            [Path(sysconfig.get_path("scripts")) / program, *args],
            cwd=place / "it",
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_single_file(muxd, place):
    """One file, which is a plugin of a jobs directory; the directory is made if it isn't there."""
    done = muxd("new", "muxd-tea-prices", "--single", "--url", "https://shop.example")
    assert done.exit_code == 0, done.output
    assert files_in(place) == {"jobs/tea_prices.py"}
    config = Config(plugins=PluginsConfig(jobs_dirs=(place / "jobs",), strict=True))
    plugins = load_plugins(config, entry_points=(), builtins=())
    assert [job.name for job in plugins.jobs] == ["tea_prices"]
    assert muxd("new", "coffee", "--single", "--dir", "other").exit_code == 0
    assert files_in(place) == {"jobs/tea_prices.py", "other/coffee.py"}


def test_a_single_file_goes_where_files_are_looked_for(muxd, place, write):
    """The configuration's jobs directory is the place, if it names one."""
    write("muxd.toml", '[plugins]\njobs_dirs = ["here"]\n')
    (place / "here").mkdir()
    done = muxd("new", "tea", "--single")
    assert done.exit_code == 0, done.output
    assert files_in(place) == {"muxd.toml", "here/tea.py"}
    assert "--jobs-dir" not in done.stdout


def test_what_is_there_is_left_alone(muxd, place, write):
    """A directory, a file or a dead link of that name is refused, and nothing is written."""
    write("prices/mine.txt", "mine")
    (place / "empty").mkdir()
    (place / "link").symlink_to("nowhere")
    write("jobs/prices.py", "mine")
    before = files_in(place)
    for args in (
        ["prices"],
        ["tea", "--dir", "prices"],
        ["empty"],
        ["link"],
        ["prices", "--single"],
        ["tea", "--dir", "jobs/prices.py/tea"],
    ):
        done = muxd("new", *args)
        assert done.exit_code in (1, 2), args
        assert "is there already" in done.stderr or "is in the way" in done.stderr
    assert files_in(place) == before
    assert sorted(path.name for path in place.iterdir()) == ["empty", "jobs", "link", "prices"]


def test_nothing_is_half_written(muxd, place, monkeypatch):
    """A disk that fails in the middle leaves nothing behind."""
    whole = Path.write_text

    def full(path, *args, **kwargs):
        if path.name == "jobs.py":
            raise OSError(28, "No space left on device")
        return whole(path, *args, **kwargs)

    monkeypatch.setattr(Path, "write_text", full)
    done = muxd("new", "prices")
    assert done.exit_code == 1
    assert done.stderr == "muxd: prices can't be written: No space left on device\n"
    assert list(place.iterdir()) == []
    monkeypatch.setattr(newfiles.os, "link", lambda *_: full(Path("jobs.py")))
    assert muxd("new", "prices", "--single").exit_code == 1
    assert files_in(place) == set()


def told_next(done):
    assert done.exit_code == 0, done.output
    first, *lines = done.stdout.splitlines()
    assert first.endswith("Next:")
    assert len(lines) <= 3
    return [shlex.split(line) for line in lines]


def test_what_comes_next_can_be_typed(muxd, place, monkeypatch):
    """At most three commands, each with the programs of this environment and right as it stands."""
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    install, test, dev = told_next(muxd("new", "prices"))
    assert install == [sys.executable, "-m", "muxd", "install", "--editable", "./prices[test]"]
    assert test == [sys.executable, "-m", "pytest", "prices"]
    assert dev == [sys.executable, "-m", "muxd", "dev", "./prices"]
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:/usr/bin:/bin")
    install, test, dev = told_next(muxd("new", "tea", "--dir", "my tea", "--state-dir", "s"))
    same = ["--state-dir", str(place / "s")]
    assert install == ["muxd", "install", "--editable", "./my tea[test]", *same]
    assert test[-3:] == ["-m", "pytest", "my tea"]
    assert dev == ["muxd", "dev", "./my tea", *same]
    for command in (install, test, dev):
        program = Path(command[0])
        assert program.is_absolute() or (Path(sys.executable).parent / program).exists()
    dev, run, start = told_next(muxd("new", "tea", "--single"))
    assert dev == ["muxd", "dev", "jobs/tea.py"]
    assert run == ["muxd", "run", "tea", "--jobs-dir", "jobs"]
    assert start == ["muxd", "start", "--jobs-dir", "jobs"]
    for words in (install, dev, run, start):
        command = main.get_command(None, words[1])
        with command.make_context(words[1], words[2:], resilient_parsing=False):
            pass


def test_a_daemon_that_runs_takes_it_over(muxd, place, write):
    """With a daemon nothing is restarted: it is reloaded, by `muxd install` or by `muxd reload`."""
    state = StateDir(place / "state")
    with state.hold():
        install, *_ = told_next(muxd("new", "prices", "--state-dir", "state"))
        assert "install" in install
        assert install[-2:] == ["--state-dir", str(place / "state")]
        (place / "jobs").mkdir()
        write("muxd.toml", '[plugins]\njobs_dirs = ["jobs"]\n')
        _, run, reload = told_next(muxd("new", "tea", "--single", "--state-dir", "state"))
        assert "--jobs-dir" not in run
        assert reload[-3:] == ["reload", "--state-dir", str(place / "state")]
