"""What may stand in ``[plugins.shot]``, and what is said where it is wrong. No browser."""

from __future__ import annotations

import re
import tomllib
from functools import partial
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from muxd_shot.camera import _name_with_run
from muxd_shot.jobs import albums_of, jobs_of
from muxd_shot.plugin import ShotPlugin
from muxd_shot.variants import Viewport, variants

import muxd

FILE = Path("/etc/muxd/muxd.toml")
ONE = '[[page]]\nname = "home"\nurl = "https://www.example.org/"\n'


def jobs(text):
    return list(jobs_of(section_of(text)))


def section_of(text):
    return muxd.Section("shot", tomllib.loads(text), FILE)


def test_a_table_is_a_job():
    """An address is enough; and what any job can have may stand in the table as well."""
    [job] = jobs(ONE)
    assert (job.name, job.interval, job.idempotent) == ("home", 86_400, True)
    assert job.description == "pictures of https://www.example.org/"
    [job] = jobs(
        ONE
        + """
        interval = "2h"
        preferred_phase = "15m"
        duration = "20s"
        timeout = "3m"
        session = "shop"
        priority = "low"
        retries = 2
        needs_login = "/login*"
        block = ["media"]
        """
    )
    assert (job.interval, job.preferred_phase, job.duration) == (7200, 900, 20)
    assert (job.timeout, job.session, job.priority, job.retries) == (180, "shop", 25, 2)
    assert (job.needs_login, job.block) == ("/login*", ("media",))


def test_a_job_with_many_pictures_expects_to_take_longer():
    """The slot is as long as the pictures are likely to take, if nobody says how long."""
    few, many = jobs(
        ONE
        + '[[page]]\nname = "all"\nurl = "https://b.example"\nviewports = ["800x600", "400x600"]\n'
        'devices = ["iPhone 15"]\ncolor_schemes = ["light", "dark"]'
    )
    assert 5 < few.duration < many.duration < 60


def test_the_section_says_what_pages_dont():
    """Retention is each page's own, else the section's; the folder is relative to the file."""
    text = 'folder = "pictures"\nkeep = 5\nkeep_for = "7d"\n' + ONE
    [made] = jobs(text)
    assert (made.config.keep, made.config.keep_for) == (5, 7 * 86_400)
    assert albums_of(section_of(text))["home"].folder == FILE.parent / "pictures" / "home"
    [made] = jobs(ONE + "keep = 0")
    assert (made.config.keep, made.config.keep_for) == (0, 0)
    assert albums_of(section_of(ONE))["home"].folder == FILE.parent / "shots" / "home"


WRONG = {
    'naem = "x"': ("page[home].naem", "did you mean 'name'?"),
    'interval = "soon"': ("page[home].interval", "a duration such as"),
    'viewports = ["big"]': ("page[home].viewports", '"1280x720"'),
    'viewports = ["90000x90000"]': ("page[home].viewports", "100 million pixels"),
    'devices = ["iphone 15"]': ("page[home].devices", "did you mean 'iPhone 15'?"),
    'color_schemes = ["sepia"]': ("page[home].color_schemes[0]", "one of light, dark"),
    'urls = ["example.org"]': ("page[home].urls", "https://example.org/"),
    'format = "gif"': ("page[home].format", "one of png, jpeg, pdf"),
    "quality = 50": ("page[home]", "quality is of a jpeg"),
    'format = "jpeg"\nquality = 500': ("page[home].quality", "from 1 to 100"),
    'format = "pdf"\nmask = [".ad"]': ("page[home]", "mask is of pictures"),
    'selector = "p"\nfull_page = true': ("page[home]", "give one"),
    'delay = "1h"': ("page[home].delay", "from 0s to 5m"),
    "full_page = 1": ("page[home].full_page", "true or false"),
    'session = "a b"': ("page[home].session", "a name of your own"),
    '[[page]]\nname = "b"': ("page[b]", "there is no address"),
    '[[page]]\nurl = "https://b.example"': ("page[1].name", "it is missing"),
    '[[page]]\nname = "Index.html"\nurl = "https://b.example"': (
        "page[Index.html].name",
        "called so: give another",
    ),
    '[[page]]\nname = "home"\nurl = "https://b.example"': ("page[home].name", "there twice"),
}


@pytest.mark.parametrize("more", WRONG)
def test_what_is_wrong_is_named(more):
    """Each mistake is told with the file, the key, and what would be right."""
    key, remedy = WRONG[more]
    with pytest.raises(muxd.ConfigError) as told:
        jobs(ONE + more)
    assert f"{FILE}: plugins.shot.{key}:" in str(told.value)
    assert remedy in str(told.value)


def test_devices_are_listed():
    """``muxd devices`` has the names that may stand there, all or those with a word in them."""
    cli = click.Group()
    ShotPlugin().muxd_register_commands(cli)
    run = partial(CliRunner().invoke, cli)
    assert len(run(["devices"]).output.splitlines()) > 100
    assert run(["devices", "iphone se"]).output.split()[:3] == ["iPhone", "SE", "320x568@2"]
    none = run(["devices", "toaster"])
    assert (none.exit_code, none.output) == (1, "Error: no device has 'toaster' in its name\n")


def test_labels_are_unique_and_plain():
    """Every picture of a run has a file name of its own, whatever the addresses are."""
    urls = ["https://www.a.example/x?y=1", "https://a.example/x/y%2F1", "https://a.example/../é/"]
    found = variants(urls, [Viewport(1280, 720), "iPhone 15"], ["light", "dark"])
    labels = [each.label for each in found]
    assert len(set(labels)) == 12
    assert labels[0] == "a.example_x-y-1_1280x720_light"
    assert all(set(label) <= set("abcdefghijklmnopqrstuvwxyz0123456789@._-") for label in labels)


def test_every_picture_can_be_among_the_files_of_its_run():
    """However long its address and the name of its device are: each has another name that can be one."""
    url = f"https://a.example/{'x' * 200}"
    found = variants([url], ["Blackberry PlayBook landscape", "iPhone 15"], ["light", "dark"])
    names = [_name_with_run(variant.label, number) for number, variant in enumerate(found)]
    assert len({*names}) == len(found)
    assert all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", name) for name in names)
    assert _name_with_run("a.example_390x844@3", 7) == "a.example_390x844-3.jpg"


def test_what_the_readme_shows_is_right():
    """Each example can be copied."""
    readme = (Path(__file__).parent.parent / "README.md").read_text()
    examples = re.findall(r"^```toml\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    assert examples
    for example in examples:
        section = tomllib.loads(example)["plugins"]["shot"]
        made = list(jobs_of(muxd.Section("shot", section, FILE)))
        assert len(made) == example.count("[[")
