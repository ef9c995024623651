"""What may stand in ``[plugins.check]``, and what is said where it is wrong. No browser."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from muxd_check.errors import first_line
from muxd_check.judge import over_budget, shown
from muxd_check.plugin import CheckPlugin
from muxd_check.steps import Step, matcher
from muxd_check.vitals import Vitals
from muxd_check.witness import Witness

import muxd

FILE = Path("/etc/muxd/muxd.toml")
ONE = '[[flow]]\nname = "shop"\nsteps = [{ goto = "https://shop.example/" }]\n'


def jobs(text):
    return list(CheckPlugin().muxd_jobs(muxd.Section("check", tomllib.loads(text), FILE)))


def test_a_flow_is_a_job():
    """An address is enough; and what any job can have may stand in the table as well."""
    [job] = jobs(ONE)
    assert (job.name, job.interval, job.session, job.idempotent) == ("shop", 300, "fresh", True)
    assert job.description == "a check of https://shop.example/"
    [job] = jobs(
        ONE + 'interval = "1m"\nsession = "shop"\nretries = 1\npriority = "high"\n'
        'needs_login = "/login*"\ntitle = "The shop"\n[flow.budget]\nlcp = "2.5s"\ntransfer = "2 MB"'
    )
    assert (job.interval, job.session, job.retries, job.priority) == (60, "shop", 1, 75)
    assert (job.needs_login, job.description) == ("/login*", "The shop")
    assert (job.config.budget.lcp, job.config.budget.transfer) == (2.5, 2_000_000)


STEP = '[[flow]]\nname = "b"\nsteps = [{ goto = "https://b.example" }, { %s }]\n'
WRONG = {
    'intervall = "1m"': ("flow[shop].intervall", "did you mean 'interval'?"),
    'interval = "soon"': ("flow[shop].interval", "a duration such as"),
    'within = "0s"': ("flow[shop].within", "from 50ms to 10m"),
    "tls_days = -1": ("flow[shop].tls_days", "from 0 to"),
    'viewport = "big"': ("flow[shop].viewport", '"1280x720"'),
    'duration = "2h"': ("flow[shop].duration", "at most the interval"),
    '[flow.budget]\nlcp = "fast"': ("flow[shop].budget.lcp", "a duration such as"),
    "[flow.budget]\nlpc = 1": ("flow[shop].budget.lpc", "did you mean 'lcp'?"),
    "[flow.budget]\ncls = -1": ("flow[shop].budget.cls", "from 0 to"),
    '[[flow]]\nname = "shop"\nsteps = [{ goto = "https://b.example" }]': (
        "flow[shop].name",
        "there twice",
    ),
    '[[flow]]\nname = "b"\nsteps = []': ("flow[b]", "one or more"),
    '[[flow]]\nname = "b"\nsteps = [{ click = "a" }]': ("flow[b]", "has to be a goto"),
    STEP % "": ("flow[b].steps[1]", "exactly one of goto, click"),
    STEP % 'click = "a", goto = "https://a.example"': ("flow[b].steps[1]", "goto and click"),
    STEP % 'clik = "a"': ("flow[b].steps[1].clik", "did you mean 'click'?"),
    STEP % 'goto = "shop.example"': ("flow[b].steps[1].goto", "https://example.org/"),
    STEP % 'fill = "#a"': ("flow[b].steps[1]", "the name of a secret"),
    STEP % 'fill = "#a", value = "x", secret = "Y"': ("flow[b].steps[1]", "the name of a secret"),
    STEP % 'click = "#a", value = "x"': ("flow[b].steps[1]", "value goes with fill, select"),
    STEP % 'expect_text = "/(/"': ("flow[b].steps[1].expect_text", "a regular expression"),
    STEP % "expect_status = 20": ("flow[b].steps[1].expect_status", "a status of HTTP"),
    STEP % 'wait = "1h"': ("flow[b].steps[1].wait", "from 0s to 10m"),
}


@pytest.mark.parametrize("more", WRONG)
def test_what_is_wrong_is_named(more):
    """Each mistake is told with the file, the key, and what would be right."""
    key, remedy = WRONG[more]
    with pytest.raises(muxd.ConfigError) as told:
        jobs(ONE + more)
    assert f"{FILE}: plugins.check.{key}:" in str(told.value)
    assert remedy in str(told.value)


def test_a_step_says_what_it_does_and_never_a_secret():
    """As messages have it."""
    assert str(Step(fill="#pw", secret="SHOP")) == 'fill "#pw"'
    assert str(Step(fill="#pw", value="hunter2")) == 'fill "#pw"'
    assert str(Step(press="Enter", at="#q")) == 'press "Enter" at "#q"'
    assert str(Step(wait="1m")) == "wait 60s"
    assert str(Step(name="log in", click="#a")) == "log in"


def test_what_is_expected_is_meant_as_it_stands():
    """Signs of regular expressions are none, unless between slashes; of addresses, ``*`` is any part."""
    assert matcher("1.50 $ (net)*").search("now 1.50 $ (net)* only")
    assert not matcher("1.50").search("1x50")
    assert matcher("/[0-9]+ items/").search("12 items")
    assert matcher("https://*/account?a=1", glob=True).search("https://a.example/x/account?a=1")
    assert not matcher("https://*/account", glob=True).search("https://a.example/account/x")


def test_certificates_have_to_last_as_long_as_is_said():
    """No longer; and with 0 days it is no matter, not even if they have expired."""
    good, gone = (
        "the certificate of h is good for 5.5 more days",
        "the certificate of h has expired",
    )
    for days, left, told in (
        (5, 5.5, []),
        (0, 5.5, []),
        (6, 5.5, [good]),
        (1, -3.0, [gone]),
        (0, -3.0, []),
    ):
        flow = jobs(ONE + f"tls_days = {days}")[0].config
        found = over_budget(flow, {}, Witness(flow), Vitals(), {"h": left})
        assert [each.partition(",")[0] for each in found] == told


def test_figures_are_for_people():
    """Each in its unit."""
    assert [shown("lcp", 2.345), shown("inp", 0.18), shown("cls", 0.1), shown("transfer", 2e6)] == [
        "2.35 s",
        "180 ms",
        "0.1",
        "2 MB",
    ]


def test_of_an_error_the_part_that_counts():
    """Of an expectation what was there instead, of anything else the first line."""
    told = "Page title expected to be 'a'\nActual value: b\n\n c\nCall log:\n  - x"
    assert first_line(AssertionError(told)) == "there is 'b c'"
    assert first_line(AssertionError("a\nActual value: \nCall log:\n  - x")) == "there is nothing"
    gone = "a\nActual value: None\nError: element(s) not found\nCall log:\n  - x"
    assert first_line(AssertionError(gone)) == "it is not there"
    assert first_line(ValueError("Timeout 10ms exceeded.\nCall log: x")) == "Timeout 10ms exceeded."
    assert first_line(AssertionError()) == "AssertionError"


def test_what_the_readme_shows_is_right():
    """Each example can be copied."""
    readme = (Path(__file__).parent.parent / "README.md").read_text()
    examples = re.findall(r"^```toml\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    assert examples
    for example in examples:
        section = tomllib.loads(example)["plugins"]["check"]
        made = list(CheckPlugin().muxd_jobs(muxd.Section("check", section, FILE)))
        assert len(made) == example.count("[[")
