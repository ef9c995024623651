"""What is news, of texts, numbers, elements and pictures; and the pages of it. No browser."""

from __future__ import annotations

import io
import itertools
import re
from types import SimpleNamespace

import pytest
from muxd_watch.judging import difference
from muxd_watch.looking import Seen, _of_part
from muxd_watch.options import WatchOptions
from muxd_watch.pictures import picture_difference
from muxd_watch.texts import normal, text_difference
from PIL import Image
from playwright.async_api import Error

URL = "http://x/"


def judged(before, now, told=None, **options):
    found = difference(before, now, told, WatchOptions(name="it", url=URL, **options))
    return found and found.title


def numbers(*values, **options):
    """What is told of these numbers, one after another, as the body remembers them."""
    watch = {"what": "number", "select": "b", **options}
    told, news = values[0], []
    for before, now in itertools.pairwise(values):
        found = judged(Seen(number=before), Seen(number=now), told, **watch)
        news.append(found)
        told = now if found else told
    return news


def test_numbers_are_news_when_they_cross_a_line():
    """Below and above their lines, once for each crossing, and not while they stay there."""
    below = numbers(120, 90, 80, 110, 100, 99.5, below=100)
    assert below == ["90, below 100 (was 120)", None, None, None, "99.5, below 100 (was 100)"]
    assert numbers(1, 3, 4, 1, below=0.5, above=2) == ["3, above 2 (was 1)", None, None]


def test_numbers_are_news_when_they_change_by_so_much():
    """By a share or an amount, since they were last told: many small steps are one large one."""
    assert numbers(100, 103, 106, 103, change="5%") == [None, "106 (was 100, +6%)", None]
    assert numbers(100, 98, 97.5, change=2.5) == [None, "97.5 (was 100, -2.5%)"]
    assert numbers(0, 1, change="5%") == ["1 (was 0)"]
    assert numbers(5, 5, 6) == [None, "6 (was 5)"]


def test_elements_are_news_as_they_come_and_go():
    """Both, or only the one that is asked for."""
    gone, there = Seen(is_there=False), Seen()
    watch = {"what": "element", "select": "b"}
    assert judged(gone, there, **watch) == "b has appeared"
    assert judged(there, gone, **watch) == "b has gone"
    assert judged(there, there, **watch) is None
    assert judged(there, gone, when="appears", **watch) is None
    assert judged(gone, there, when="goes", **watch) is None


def test_a_part_that_goes_is_news_of_its_own():
    """Where it may be empty, that what is watched is not there any more is told, and that it is back."""
    gone, there = Seen(is_there=False), Seen(text="a")
    watch = {"select": "p", "missing": "empty"}
    assert judged(there, gone, **watch) == "p is not there any more"
    assert judged(gone, there, **watch) == "p is there again"
    assert judged(gone, gone, **watch) is None


def test_what_does_not_count_in_a_text():
    """Blank space, empty lines, and whatever the patterns match."""
    text = "  a \n\n b\u00a0c \n12 views\nseen 5 times\n"
    assert normal(text, [re.compile(r"^\d+ views$"), re.compile(r"\d+")]) == "a\nb c\nseen times"
    assert normal("half a smile: \ud83d") == "half a smile: \\ud83d"


def test_a_difference_of_texts_can_be_read():
    """Only what differs, with what is around it; in words how much; of a long line the part that differs;
    and never more than can be shown."""
    before = "\n".join(f"line {n}" for n in range(50))
    found = text_difference(before, before.replace("line 20", "other") + "\nmore")
    assert found.summary == "2 lines added, 1 line removed"
    assert "-line 20\n+other" in found.unified
    assert "line 30" not in found.unified
    long = text_difference("x" * 5000, "x" * 4500 + "y" * 500)
    assert len(long.unified) < 4000
    huge = text_difference("a", "\n".join("b" * 90 for _ in range(1000)))
    assert len(huge.unified) < 20_010
    assert huge.unified.endswith("\n...")


def png(width=100, height=100, *boxes, colour="white"):
    image = Image.new("RGB", (width, height), colour)
    for box, other in boxes:
        image.paste(other, box)
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def test_texts_of_many_lines_are_compared_all_the_same():
    """One other line among many is shown as it is; of texts that differ all over, each line of a hostile
    page's, how many do is counted, and the beginning shown: line by line it would take minutes."""
    lines = [f"line {n}" for n in range(20_000)]
    found = text_difference("\n".join(lines), "\n".join([*lines[:9000], "new", *lines[9001:]]))
    assert found.unified.splitlines()[1:] == [
        *(" line 8998", " line 8999", "-line 9000", "+new", " line 9001", " line 9002")
    ]
    repeated = [f"{n * n % 151}" for n in range(20_000)]
    mixed = [*reversed(repeated), "a", "b", "b"]
    found = text_difference("\n".join(repeated), "\n".join(mixed))
    assert (found.added, found.removed) == (3, 0)
    assert found.unified.endswith("\n...")
    assert text_difference("\n".join(repeated), "\n".join(mixed[:-3])).summary == "changed"


def test_pictures_are_compared_pixel_by_pixel():
    """By the share of the pixels that differ by more than the tolerance, outside the regions that don't
    count; a page that has grown differs there, and where it differs is marked."""
    plain, box = png(), png(100, 100, ((10, 10, 30, 30), "black"))
    assert picture_difference(plain, plain, tolerance=0).share == 0
    found = picture_difference(plain, box, tolerance=0.1)
    assert found.share == 0.04
    with Image.open(io.BytesIO(found.marked)) as marked:
        assert marked.getpixel((20, 20)) == (214, 39, 40)
        assert marked.getpixel((60, 60)) == (255, 255, 255)
    assert picture_difference(plain, box, tolerance=0.1, regions=[(10, 10, 20, 20)]).share == 0
    grey = png(colour=(240, 240, 240))
    assert picture_difference(plain, grey, tolerance=0.1).share == 0
    assert picture_difference(plain, grey, tolerance=0.05).share == 1
    assert picture_difference(plain, png(100, 125), tolerance=0).share == 0.2
    watch = {"what": "visual", "threshold": "5%"}
    assert judged(Seen(picture=plain), Seen(picture=box), **watch) is None
    watch["threshold"] = "3%"
    assert judged(Seen(picture=plain), Seen(picture=box), **watch) == "4% of the picture is other"


EVIL = "<script>alert(1)</script>"


@pytest.fixture
def pages():
    """Pages of two watches, one of which has changed."""
    from muxd_watch.service import WatchPages

    change = {
        "at": 1772359200.0, "title": "2 lines added", "difference": f"@@ -1 +1 @@\n-a\n+{EVIL}",
        "before": "1", "after": "2", "run_id": "r1", "pictures": [],
    }  # fmt: skip
    picture = change | {
        "difference": "",
        "pictures": ["after.png", "before.png"],
        "at": 1772362800.0,
    }
    tables = {
        ("texts", "changes"): [change, picture],
        ("price", "values"): [{"value": value} for value in (3, 5, 4)],
    }

    async def get(run):
        return SimpleNamespace(result=f"nothing new: {EVIL}")

    options = {
        "texts": WatchOptions(name="texts", url=URL),
        "price": WatchOptions(name="price", url=URL, what="number", select=EVIL),
    }

    class Daemon:
        store = SimpleNamespace(get=get)

        def configured(self, kind):
            assert kind is WatchOptions
            return options

        def jobs(self, *, limit):
            last = {"id": "r2", "outcome": "ok"}
            jobs = [{"name": name, "last": last} for name in ("texts", "price", "other")]
            return {"jobs": jobs, "timezone": "Europe/Berlin"}

        def data(self, job):
            async def rows(table=None, *, limit):
                return list(tables.get((job, table), []))

            return SimpleNamespace(rows=rows)

        def evidence(self, run):
            return {"after.png": None}

        async def page(self, title, body, *, path, status=200):
            return title, body, status

    return WatchPages(Daemon())


async def test_pages_show_what_was_news_and_escape_it(pages):
    """All watches with what they saw last, the newest changes first; whatever a site said is text there,
    and pictures are shown as long as they are kept."""
    title, body, _ = await pages._all(None)
    assert title == "Watches"
    assert body.count("<tr>") == 3  # the head, and the two
    assert body.count('class="curve"') == 1
    assert body.count("nothing new: &lt;script&gt;") == 2
    assert body.index("2026-03-01 12:00") < body.index('<span class="minus">-a</span>')
    assert "/v1/runs/r1/files/after.png" in body
    assert "before.png" not in body
    for name in ("texts", "price"):
        title, one, status = await pages._one(SimpleNamespace(path_params={"name": name}))
        assert (title, status) == (name, 200)
        assert "<script" not in body + one
        assert "style=" not in body + one
    assert "It has not changed" in one
    _, _, status = await pages._one(SimpleNamespace(path_params={"name": EVIL}))
    assert status == 404
    style = await pages._style(None)
    assert b".diff" in style.body


async def test_an_element_that_is_replaced_meanwhile_has_its_picture_taken(autojump_clock):
    """As long as it is to be waited for; any other failure is one at once."""
    told = []

    class Part:
        async def screenshot(self, **how):
            told.append(how)
            if len(told) < 3:
                raise Error("Locator.screenshot: Element is not attached to the DOM")
            if len(told) > 3:
                raise Error("Target crashed")
            return b"picture"

    assert await _of_part(Part(), {"timeout": 1}, 60) == b"picture"
    with pytest.raises(Error, match="crashed"):
        await _of_part(Part(), {}, 60)
    told.clear()
    with pytest.raises(Error, match="not attached"):
        await _of_part(Part(), {}, 0)
