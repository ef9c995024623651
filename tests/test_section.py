"""Configuration that plugins read: their sections, and the configuration of jobs."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import Enum, StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, NewType

import attrs
import pytest

import muxd
from muxd.errors import ConfigError
from muxd.section import Section, is_of_class

FILE = Path("/etc/muxd/muxd.toml")
Address = NewType("Address", str)


class Mode(StrEnum):
    text = "text"
    picture = "picture"


class Level(Enum):
    low = 1
    high = 2


@dataclass
class Login:
    user: str
    tries: int = 3


@attrs.frozen(kw_only=True)
class Page(muxd.JobKeys):
    name: str = ""
    url: Address
    selectors: str | list[str] = "body"
    every: float = muxd.duration_field("1h", at_least="1s", at_most="1d")
    largest: int | None = muxd.size_field(None)
    mode: Mode = Mode.text
    level: Level = Level.low
    kind: Literal["a", 2] = "a"
    out: Path | None = None
    wait: timedelta = timedelta(0)
    most: int = muxd.whole_field(1, at_least=1, at_most=9)
    share: float | None = muxd.number_field(None, at_most=1)
    link: str = muxd.url_field("https://a.example/")
    links: tuple[str, ...] = muxd.urls_field(())
    words: tuple[str, ...] = muxd.texts_field(())
    limit: int = attrs.field(default=1, validator=attrs.validators.ge(1))
    threshold: float | None = None
    whole: Annotated[bool, "for people"] = False
    ignore: tuple[re.Pattern[str], ...] = ()
    tags: frozenset[str] = attrs.field(default=frozenset(), converter=frozenset)
    host: str = attrs.field(default="", converter=lambda text: text.lower())
    size: tuple[int, int] = (0, 0)
    since: date | None = None
    login: Login | None = None
    pass_phrase: str = attrs.field(default="", repr=False)
    api_key: str = ""
    anything: Any = None


@attrs.frozen
class Site:
    page: list[Page] = attrs.field(factory=list)
    headers: dict[str, str] = attrs.field(factory=dict)


def section(values: dict, plugin: str = "watch") -> Section:
    return Section(plugin, values, FILE)


def page(**values) -> Page:
    return section({"page": [{"url": "u"} | values]}).structure(Site).page[0]


RIGHT = {
    "selectors": [("a", "a"), (["a", "b"], ["a", "b"])],
    "every": [("15m", 900.0), (5, 5.0)],
    "largest": [("2 MB", 2_000_000)],
    "most": [(9, 9)],
    "share": [(1, 1.0), (0.25, 0.25)],
    "link": [("http://b.example", "http://b.example"), ("file:///a", "file:///a")],
    "links": [
        ("http://b", ("http://b",)),
        (["http://b", "https://c/"], ("http://b", "https://c/")),
    ],
    "words": [("a", ("a",)), (["a", "b"], ("a", "b")), ([], ())],
    "mode": [("picture", Mode.picture)],
    "level": [(2, Level.high)],
    "kind": [(2, 2), ("a", "a")],
    "out": [("x/y", Path("/etc/muxd/x/y")), ("/x", Path("/x"))],
    "wait": [("3s", timedelta(seconds=3))],
    "limit": [(2, 2)],
    "threshold": [(3, 3.0), (0.5, 0.5)],
    "whole": [(True, True)],
    "ignore": [(["a+"], (re.compile("a+"),))],
    "tags": [(["x"], frozenset("x"))],
    "host": [("ABC", "abc")],
    "size": [([1, 2], (1, 2))],
    "since": [(date(2030, 1, 1), date(2030, 1, 1))],
    "login": [({"user": "ann"}, Login("ann"))],
    "anything": [({"a": [1]}, {"a": [1]})],
    "interval": [("15m", "15m")],
    "retries": [(3, 3)],
}


@pytest.mark.parametrize(
    ("name", "given", "made"), [(n, *c) for n, cs in RIGHT.items() for c in cs]
)
def test_a_value_becomes_what_its_field_says(name, given, made):
    """Texts, numbers, durations, sizes, words, paths, patterns, lists and tables: each as it is annotated."""
    assert getattr(page(**{name: given}), name) == made


WRONG = {
    "url": (3, "3 is not possible: give a text"),
    "selectors": ([1], "[0]: 1 is not possible: give a text"),
    "every": ("2d", "'2d' is not possible: give from 1s to 1d"),
    "largest": ("2 XB", "'2 XB' is not possible: give a size"),
    "most": (10, "10 is not possible: give a whole number from 1 to 9"),
    "share": (2, "2 is not possible: give a number from 0 to 1"),
    "link": ("b.example", "'b.example' is not possible: give the address of a page"),
    "links": (["http://b", "http:///"], "is not possible: give the address of a page"),
    "words": ([1], "[1] is not possible: give a text, or a list of texts"),
    "mode": ("pic", "'pic' is not possible: give one of text, picture"),
    "level": (True, "True is not possible: give one of 1, 2"),
    "kind": ("2", "'2' is not possible: give one of a, 2"),
    "out": (3, "3 is not possible: give a path, as a text"),
    "wait": ("x", "'x' is not possible: give a duration"),
    "limit": (0, "0 is not possible: 'limit' must be >= 1"),
    "threshold": ("3", "'3' is not possible: give a number"),
    "whole": ("no", "'no' is not possible: give true or false"),
    "ignore": (["a", "a("], "[1]: 'a(' is not possible: give a regular expression: "),
    "tags": ("x", "'x' is not possible: give a list, each a text"),
    "size": ([1], "[1] is not possible: give a list of 2"),
    "since": ("today", "'today' is not possible: give a date"),
    "login": ({"usr": "a"}, ".usr: no such key; did you mean 'user'?"),
    "pass_phrase": (5, "*** is not possible: give a text"),
    "api_key": (5, "*** is not possible: give a text"),
    "interval": ("often", "'often' is not possible: give a duration"),
    "urll": ("u", "no such key; did you mean 'url'?"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_value_is_named_with_file_key_and_remedy(name):
    """Nothing is turned into what it is not: a text that looks like a number is none."""
    value, told = WRONG[name]
    with pytest.raises(ConfigError) as caught:
        page(**{name: value})
    problem = caught.value.problems[0]
    assert f"{problem.key}: {problem.message}".startswith(f"plugins.watch.page[0].{name}")
    assert told in f"{problem.key}: {problem.message}"
    assert problem.source == str(FILE)


def test_all_that_is_wrong_is_told_at_once():
    """Every item, every key, unknown and missing ones, in one error; items by their names."""
    values = {
        "page": [{"url": 1}, {"name": "news", "whole": 1}, 3],
        "headers": {"A": 1},
        "heders": {},
    }
    with pytest.raises(ConfigError) as caught:
        section(values, "wat.ch").structure(Site)
    assert sorted(problem.key for problem in caught.value.problems) == sorted(
        f'plugins."wat.ch".{key}'
        for key in (
            "headers.A",
            "heders",
            "page[0].url",
            "page[2]",
            "page[news].url",
            "page[news].whole",
        )
    )


def test_what_must_be_given_and_is_not_is_told_without_a_file():
    """A plugin that needs something says so to a user who has no section, or no file at all."""
    with pytest.raises(
        ConfigError, match=r"muxd\.toml: plugins\.shop\.user: it is missing: give a"
    ):
        Section("shop").structure(Login)


def test_a_plugin_can_say_what_is_wrong():
    """`wrong` makes the error for what no class can see, with the same keys."""
    values = section({"page": [{"name": "news"}, {}]})
    told = [str(values.wrong(key, "no")) for key in ("page[0].url", "page[1].url", "")]
    assert told == [
        f"{FILE}: plugins.watch.page[news].url: no",
        f"{FILE}: plugins.watch.page[1].url: no",
        f"{FILE}: plugins.watch: no",
    ]
    assert values.path("x.txt") == Path("/etc/muxd/x.txt")
    with pytest.raises(
        ConfigError, match=r"plugins\.watch: '~nobody-here/x': there is no such home"
    ):
        values.path("~nobody-here/x")


async def body(run):
    """Do nothing."""


def test_tables_have_a_place_and_a_name_each():
    """Each comes with the key where it stands; a name that is there twice is a mistake at the second."""
    values = section({"page": [{"url": "u", "name": "a"}, {"url": "u", "name": "b"}]})
    pages = values.structure(Site).page
    assert list(values.each("page", pages)) == [("page[0]", pages[0]), ("page[1]", pages[1])]
    with pytest.raises(ConfigError, match=r"plugins\.watch\.page.*name: 'a' is there twice: give"):
        list(values.each("page", [pages[0], pages[1], pages[0]]))


def test_a_table_makes_a_job():
    """Keys of a job in a plugin's table go before the plugin's defaults; what does not fit is the table's."""
    values = section({})
    one = page(interval="10m", priority="high")
    job = one.as_job("x", body, section=values, at="page[0]", interval="1h", retries=2, config=one)
    assert (job.interval, job.priority, job.retries, job.config) == (600, 75, 2, one)
    with pytest.raises(ConfigError, match=r"plugins\.watch\.page\[0\]\.duration: '20m' is not"):
        page(interval="10m", duration="20m").as_job("x", body, section=values, at="page[0]")
    keys = {one.name for one in attrs.fields(muxd.JobKeys)}
    jobs = {one.name for one in attrs.fields(muxd.Job)}
    assert keys == jobs - {"name", "body", "config", "plugin"}


def test_a_class_that_can_not_be_read_is_its_authors_mistake():
    """An annotation that only type checkers see is told as such, not as the user's mistake."""
    kind = attrs.make_class("Odd", {"a": attrs.field(type="Nowhere")})
    with pytest.raises(TypeError, match="the annotations of Odd can't be read"):
        section({}).structure(kind)
    for none in (dict, 5, kind(a=1)):
        with pytest.raises(TypeError, match="give a class of attrs, or a dataclass"):
            section({}).structure(none)


def test_the_fields_are_checked_by_hand_too():
    """What a test or a plugin makes itself is checked like what stands in a file."""
    assert Page(url="u", every="2m").every == 120
    with pytest.raises(ValueError, match="give from 1s to 1d"):
        Page(url="u", every=0)


def test_reading_configuration_is_not_paid_for_by_who_has_none():
    """`muxd.Job` does without cattrs."""
    import subprocess

    code = "import sys, muxd.job, muxd.config; print('cattrs' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == "False\n", done.stderr


@dataclass
class Mutable:
    """It has no hash."""

    items: list[str] = field(default_factory=list)


def test_a_job_with_any_configuration_can_be_compared_and_hashed():
    """What a configuration can't do, its job can."""
    one, two = (muxd.Job("x", body, interval="1h", config=Mutable(["a"])) for _ in range(2))
    assert one == two
    assert hash(one) == hash(two)
    assert one != one.replace(config=Mutable())


@attrs.frozen
class Ticket:
    seats: dict[str, str | Seat] = attrs.field(converter=lambda seats: _only_seats(seats))
    best: str = attrs.field(default="")
    least: int = 1

    @best.validator
    def _check_best(self, attribute, value):
        if value not in self.seats or self.least > 1:
            raise ValueError("give one of the seats")


@attrs.frozen
class Seat:
    row: int


def _only_seats(seats):
    made = {name: Seat(int(s)) if isinstance(s, str) else s for name, s in seats.items()}
    if not all(isinstance(seat, Seat) for seat in made.values()):
        raise ValueError("give seats")
    return made


def test_a_converter_loses_no_key_and_a_validator_sees_defaults():
    """What is wrong deep within what a converter makes is told where it is; a validator that looks at a
    field which isn't given sees its default."""
    made = Section("hall", {"seats": {"a": "3", "b": {"row": 1}}, "best": "a"}).structure(Ticket)
    assert made.seats == {"a": Seat(3), "b": Seat(1)}
    for values, key in (
        ({"seats": {"b": {"row": "x"}}}, "plugins.hall.seats.b.row"),
        ({"seats": {"b": "1"}, "best": "c"}, "plugins.hall.best"),
    ):
        with pytest.raises(ConfigError) as caught:
            Section("hall", values).structure(Ticket)
        assert [problem.key for problem in caught.value.problems] == [key]


def test_a_class_that_was_loaded_anew_is_known_by_its_name():
    """A service that goes on as it was begun finds the configurations of its plugin as it is now."""
    newer = attrs.make_class("Seat", ["row", "colour"])
    newer.__module__, newer.__qualname__ = __name__, "Seat"
    other = attrs.make_class("Bench", ["row"])
    assert is_of_class(Seat(1), Seat)
    assert is_of_class(newer(1, "red"), Seat)
    assert is_of_class(attrs.make_class("Red", [], bases=(newer,))(1, "red"), Seat)
    for strange in (other(1), None, Seat, "Seat"):
        assert not is_of_class(strange, Seat)
