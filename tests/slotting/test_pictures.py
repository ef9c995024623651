"""Pictures and pages of timetables."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from sets import demand, statement

from muxd.learned import Learned
from muxd.slotting import Slot, Timetable, solve
from muxd.slotting.account import Known, accounts, response_words
from muxd.slotting.jobsfile import read_jobs_file
from muxd.slotting.page import page
from muxd.slotting.svg import draw

IMAGES = Path(__file__).parent.parent.parent / "docs" / "images"
SVG = "{http://www.w3.org/2000/svg}"
EMPTY = {"meta", "br", "path", "rect", "line"}


def test_the_picture_in_the_docs_is_what_muxd_draws():
    """docs/images/timetable.svg is the timetable of docs/images/jobs.json, to the letter."""
    demands = read_jobs_file(IMAGES / "jobs.json")
    drawn = draw(solve(demands), demands, start=0, hours=4)
    assert (IMAGES / "timetable.svg").read_text("utf-8") == drawn, (
        "run `muxd plan --jobs-file docs/images/jobs.json --hours 4 --svg docs/images/timetable.svg`"
    )


def boxes(document, colour):
    """The runs in one colour, as (left, width, top, height); the tails are not among them."""
    found = []
    for path in ET.fromstring(document).iter(f"{SVG}path"):
        if path.get("fill") == colour and path.get("class") != "tail":
            boxes = re.finditer(r"M([\d.]+) ([\d.]+)h([\d.]+)v([\d.]+)", path.get("d"))
            found += [tuple(float(box[k]) for k in (1, 3, 2, 4)) for box in boxes]
    return found


def test_runs_are_where_they_are_in_time():
    """A run's box begins and ends at its seconds, by the scale of the grid; so does its tail."""
    demands = [demand("a", 3600, 600), demand("b", 7200, 300)]
    table = Timetable(slots=(Slot.of(demands[0], 900), Slot.of(demands[1], 2700)))
    document = draw(table, demands, start=0, hours=2)
    scale = (1200 - 206 - 28) / 7200
    lane = [box for box in boxes(document, "#4e79a7") if box[3] == 13][:2]
    assert [box[0] for box in lane] == pytest.approx(
        [206 + s * scale for s in (900, 4500)], abs=0.1
    )
    assert [box[1] for box in lane] == pytest.approx([600 * scale] * 2, abs=0.1)
    later = draw(table, demands, start=1200, hours=1)
    assert boxes(later, "#4e79a7")[0][:2] == pytest.approx((206, 300 * 966 / 3600), abs=0.1)


def test_what_collides_is_seen_to():
    """Where runs meet the headline says so, and the crowd under muxd is as high as it is."""
    demands = [demand("a", 420, 50), demand("b", 600, 20)]
    document = draw(solve(demands), demands, start=0, hours=2)
    assert "1 pairs of them can&#x27;t avoid each other" in document
    assert document.count('class="crowd"') == 2
    assert document.count("2 browsers at once") == 2


@pytest.mark.parametrize("hours", [0.1, 1, 24, 168])
def test_any_part_of_the_timetable_can_be_drawn(hours):
    """The grid has a few labels whatever is shown, and all is on the page."""
    demands = [*statement(), demand("short", 30, 1)]
    root = ET.fromstring(draw(solve(demands), demands, start=0, hours=hours))
    labels = [t for t in root.iter(f"{SVG}text") if re.fullmatch(r"\d\d:\d\d", t.text)]
    assert 2 <= len(labels) <= 14
    lines = [float(line.get("x1")) for line in root.iter(f"{SVG}line")]
    assert 206 <= min(lines) <= max(lines) <= 1172


class Reader(HTMLParser):
    """Checks that tags are closed in order, and collects what is fetched and what is said."""

    def __init__(self):
        super().__init__()
        self.open, self.seen, self.text, self.attributes = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        self.attributes += [name for name, _ in attrs]
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in EMPTY:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def read(document):
    reader = Reader()
    reader.feed(document)
    reader.close()
    assert reader.open == []
    return reader


def told(demands, table, **known):
    return accounts(table, demands, Known(**known))


def test_a_page_has_all_of_it_and_fetches_nothing():
    """Picture, proof, jobs and comparison are in one document without scripts, links or images;
    markup in names is harmless."""
    demands = [*statement(), demand("<script>&", 86_400, 30)]
    table = solve(demands)
    document = page(table, demands, told(demands, table), start=0, hours=2)
    reader = read(document)
    assert {"svg", "table", "dl"} <= set(reader.seen)
    assert not {"script", "link", "img", "iframe"} & set(reader.seen)
    assert not {"src", "href"} & set(reader.attributes)
    assert "url(" not in document
    assert "@import" not in document
    assert "prefers-color-scheme:dark" in document
    words = " ".join(reader.text)
    assert all(words.count(d.name) >= 2 for d in demands)
    assert f"checked for all {17 * 16 // 2} pairs" in words
    assert "Jenkins H" in words
    assert "taken by" in words
    assert "p95" not in words[: words.index("The same jobs")]


def test_a_page_of_what_was_learned_and_what_collides():
    """Learned durations have columns once there are any; reasons that it can't fit are there."""
    demands = [demand("a", 420, 50), demand("b", 600, 20)]
    table = solve(demands)
    learned = {"a": Learned(runs=20, p50=31, p95=4.96, spread=0.25, drift=-0.1)}
    document = page(
        table, demands, told(demands, table, learned=learned, declared={"a": 40}), start=0, hours=2
    )
    words = [text for text in read(document).text if text.strip()]
    row = words[words.index("Jobs") :]
    row = row[row.index("a") :]
    assert row[4:9] == ["40s", "31s", "5s", "25%", "-10%"]
    assert "1 of 1 pairs of jobs" in words
    assert any("can't avoid each other" in w for w in words)


def test_what_is_said_of_all_responses():
    """Nobody waits; or some do, and the longest is named; or nothing could be bounded."""
    free = [demand("a", 600, 20), demand("b", 600, 30)]
    assert response_words(told(free, solve(free))).startswith("no run waits: each ends within")
    crowd = [demand("a", 420, 50), demand("b", 600, 20)]
    words = response_words(told(crowd, solve(crowd)))
    assert words.startswith("every run ends within 1m")
    starved = Timetable(
        slots=(Slot.of(demand("a", 10, 10, priority=2), 0), Slot.of(demand("b", 7, 2), 3))
    )
    unbounded = told([demand("a", 10, 10, priority=2), demand("b", 7, 2)], starved)
    assert response_words([]) == "there are no jobs"
    assert response_words(unbounded) == "not bounded for every job"


def test_a_page_of_no_jobs():
    """Nothing to draw is no mistake."""
    table = solve([])
    document = page(table, [], [], start=0, hours=24)
    assert "there are no jobs" in " ".join(read(document).text)
