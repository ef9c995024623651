"""From ``muxd new`` to a slot: what it writes works as it is."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from muxd.cli.newdoes import what_was_recorded
from muxd.cli.newfiles import project, write_project
from muxd.cli.newnames import names_of
from muxd.cli.recorded import body_of


def run_its_tests(home, folder):
    """The tests of the new plugin, in a process of their own; all of pytest's plugins are there."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-W", "error", folder],
        cwd=home.folder,
        env=home.environ,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


BUILDER = """
import pathlib, tomllib, zipfile


def build_editable(folder, config_settings=None, metadata_directory=None):
    told = tomllib.loads(pathlib.Path("pyproject.toml").read_text())["project"]
    name, version = told["name"].replace("-", "_"), told["version"]
    points = told["entry-points"]["muxd"].items()
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.pth": str(pathlib.Path("src").resolve()),
        f"{info}/METADATA": f"Metadata-Version: 2.1\\nName: {told['name']}\\nVersion: {version}\\n"
        + "Provides-Extra: test\\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
        f"{info}/entry_points.txt": "[muxd]\\n" + "".join(f"{k} = {v}\\n" for k, v in points),
    }
    path = f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(pathlib.Path(folder, path), "w") as file:
        for inside, text in files.items():
            file.writestr(inside, text)
        file.writestr(f"{info}/RECORD", "".join(f"{each},,\\n" for each in (*files, f"{info}/RECORD")))
    return path
"""
"""Does what hatchling does of an editable installation, without a network to get it from."""


SCRIPT = """
async def run(playwright):
    page = await context.new_page()
    await page.goto("https://tea.example/")
    await page.get_by_label("Password").fill("of mine")
    await page.get_by_role("button").click()
    await expect(page.get_by_text(re.compile("Tea"))).to_be_visible()
"""
FORM = "<form method=post action=/><label>Password <input name=password></label><button>in</button>"


@pytest.mark.nightly
def test_the_test_of_a_recorded_job_passes_at_once(muxd_home):
    """With what the site has answered then, and no secret; and the files are clean."""
    entries = [
        {
            "request": {"method": method, "url": "https://tea.example/", "headers": []},
            "response": {
                "status": 200,
                "headers": [{"name": "Content-Type", "value": "text/html"}],
                "content": {"text": text},
            },
        }
        for method, text in (("GET", FORM), ("POST", "<h1>Green Tea</h1>"))
    ]
    har = json.dumps({"log": {"entries": entries}})
    does = what_was_recorded(body_of(SCRIPT, "TEA"), har, "shop")
    write_project(muxd_home.folder / "it", project(names_of("tea"), does))
    run_its_tests(muxd_home, "it")
    scripts = Path(sysconfig.get_path("scripts"))
    for command in (["ruff", "check"], ["ruff", "format", "--check"], ["mypy"]):
        done = subprocess.run(
            [scripts / command[0], *command[1:]],
            cwd=muxd_home.folder / "it",
            capture_output=True,
            text=True,
            timeout=110,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def environment(muxd_home, tmp_path_factory, monkeypatch):
    """An environment of its own, which has all that this one has; muxd is of it."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False, symlinks=True)
    (site,) = folder.glob("lib/python*/site-packages")
    here = sysconfig.get_path("purelib")
    (site / "all.pth").write_text(f"import site; site.addsitedir({here!r})\n")
    (site / "hatchling").mkdir()
    (site / "hatchling" / "__init__.py").write_text("")
    (site / "hatchling" / "build.py").write_text(BUILDER)
    python = str(folder / "bin" / "python")
    command = [python, "-m", "muxd"]
    monkeypatch.setattr(sys.modules[type(muxd_home).__module__], "COMMAND", command)
    muxd_home.environ |= {"PATH": f"{folder / 'bin'}:/usr/bin:/bin", "VIRTUAL_ENV": str(folder)}
    return command


@pytest.mark.parametrize(
    "name", ["prices", pytest.param("My_Shop.Prices", marks=pytest.mark.nightly)]
)
def test_its_test_passes_at_once(muxd_home, name):
    """Not installed yet, unchanged, without a network: the new plugin's own test passes."""
    muxd_home.call("new", name, "--dir", "it")
    run_its_tests(muxd_home, "it")


def test_from_new_to_a_slot_in_a_running_daemon(muxd_home, environment):
    """`muxd new`, what it says to type, and the job has its slot and runs; what is changed later is
    taken over by `muxd reload`. The browser is the same from beginning to end.
    """
    home = muxd_home
    home.write("other", "import muxd\n\n\n@muxd.job(interval='1h')\nasync def other(run): ...\n")
    home.start()
    before = home.told()["browser"]
    told = home.call("new", "muxd-tea-prices", "--url", "https://tea.example")
    install, test, dev = map(shlex.split, told.splitlines()[1:])
    assert install[:3] == environment
    assert install[3:] == ["install", "--editable", "./muxd-tea-prices[test]"]
    assert test[1:] == ["-m", "pytest", "muxd-tea-prices"]
    assert dev == [*environment, "dev", "./muxd-tea-prices"]
    jobs = home.folder / "muxd-tea-prices" / "src" / "muxd_tea_prices" / "jobs.py"
    jobs.write_text(jobs.read_text().replace('"https://tea.example"', '"data:text/html,<h1>tea"'))
    home.environ["COLUMNS"] = "200"  # a narrow table breaks its lines
    # What stands behind -- spares the network.
    told = home.call(*install[3:], "--", "--no-build-isolation", "--no-index", timeout=120)
    assert "+ tea_prices  every 1h" in told, told + home.errors
    assert shlex.split(told.splitlines()[-1])[3:] == [*environment, "run", "tea_prices"]
    (entry,) = home.json("audit")
    assert entry["result"].startswith("installed ./muxd-tea-prices[test]: 1 added")
    assert home.json("run", "tea_prices")["result"] == "1 items: ['tea']"
    jobs.write_text(jobs.read_text().replace("<h1>tea", "<h1>green tea</h1><h2>black tea"))
    assert "tea_prices" in home.call("reload")
    assert home.json("run", "tea_prices")["result"] == "2 items: ['green tea', 'black tea']"
    after = home.told()["browser"]
    assert (after["pid"], after["generation"]) == (before["pid"], before["generation"])
