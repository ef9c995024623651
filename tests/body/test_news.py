"""`Run.tell`: what a body wants people to know, within bounds."""

from __future__ import annotations

import pytest
import trio
from structlog.testing import capture_logs

from muxd.body.news import MOST, News
from muxd.events import JobNews, RunEnded


async def told(bench, body, **fields):
    """What is published while the body runs, and its record."""
    with bench.bus.subscribe("test", only=(JobNews, RunEnded)) as events:
        record = await bench.run(body, **fields)
        found = []
        while events.statistics().waiting:
            found.append(await events.receive())
    return found, record


async def test_news_are_told_at_once_and_those_with_files_when_they_are_kept(autojump_clock, bench):
    """What names files comes once they can be had, before the run's end; the rest in its moment; whether
    the run ends well or not. A file that is not there is left out, and the log says so."""
    seen = []

    async def body(run):
        run.artifact("a.txt").write_text("a")
        (run.artifact("c.txt").parent / "d.txt").write_text("d")
        run.tell("later", files=[run.artifact("a.txt"), "b.txt", str(run.artifact("d.txt"))])
        await trio.sleep(3)
        run.tell(" at\nonce ", "-1\n+2", url="https://shop.example/")
        seen.append(bench.artifacts.files(run.id))
        raise ValueError

    with capture_logs() as logged:
        events, record = await told(bench, body)
    first, second, end = events
    assert seen == [{}]
    assert (first.title, first.text, first.url) == ("at once", "-1\n+2", "https://shop.example/")
    assert (first.at, first.job, first.run) == (record.started_at + 3, "job", record.id)
    assert (second.title, second.files) == ("later", ("a.txt", "d.txt"))
    assert isinstance(end, RunEnded)
    assert [line["event"] for line in logged if line["event"].startswith("news")] == [
        "news: later",
        "news: at once",
    ]
    (warning,) = [line for line in logged if line["log_level"] == "warning"]
    assert (warning["event"], warning["files"]) == ("files of news are not kept", ["b.txt"])


async def test_too_many_news_are_one_summary(autojump_clock, bench):
    """A body in a loop fills nobody's mailbox: so many one by one, the others by number."""

    async def body(run):
        for n in range(1000):
            run.tell(f"price {n}")

    (*singly, summary, end), record = await told(bench, body)
    assert [each.title for each in singly] == [f"price {n}" for n in range(MOST)]
    assert summary.title == f"{1000 - MOST} more of job"
    assert summary.text.splitlines() == [
        *(f"price {n}" for n in range(MOST, MOST + 10)),
        f"and {1000 - MOST - 10} more",
    ]
    assert end.record.outcome == record.outcome == "ok"


async def test_what_is_too_long_is_cut(autojump_clock, bench):
    """A whole page in a title, or half a surrogate pair of one, costs nobody anything."""

    async def body(run):
        run.tell("x" * 100_000, "y\ud800" * 100_000, url="https://a.example/" + "z" * 100_000)

    (news, _end), _record = await told(bench, body)
    assert (len(news.title), len(news.text), len(news.url)) == (200, 4_000, 2_000)
    news.title.encode()
    news.text.encode()
    looked_at = []
    News(
        "job",
        "1",
        publish=lambda _news: None,
        real_now=lambda: 0.0,
        mask=lambda text: looked_at.append(len(text)) or text,
    ).tell("x" * 10**7, "y" * 10**7)
    assert max(looked_at) < 10**5


def test_who_prints_news_has_no_log_of_them():
    """They would be there twice."""
    printed = []
    with capture_logs() as logged:
        for is_logged in (False, True):
            News(
                "job", "1", publish=printed.append, real_now=lambda: 0.0, is_logged=is_logged
            ).tell("tea")
    assert len(printed) == 2
    assert [line["event"] for line in logged] == ["news: tea"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((5,), "title is a text, not int"),
        (("",), "needs a title"),
        ((" \n",), "needs a title"),
        (("a", None), "text is a text, not NoneType"),
        (("a", "", "", "a.png"), "files are several"),
        (("a", "", "", [5]), "a name or a path"),
        (("a", "", "", ["a"] * 11), "11 files are too many"),
    ],
)
async def test_what_is_no_news_is_an_error_of_the_body(autojump_clock, bench, arguments, words):
    """It says what is wrong, and nothing is told."""

    async def body(run):
        run.tell(*arguments)

    (end,), record = await told(bench, body)
    assert record.outcome == "failed"
    assert words in record.error
    assert end.record is not None


async def test_nothing_is_told_by_a_run_that_is_over(autojump_clock, bench):
    """A task that a body has left behind gets an error, and people get nothing."""
    runs = []

    async def body(run):
        runs.append(run)

    await told(bench, body)
    with pytest.raises(RuntimeError, match="the run is over"):
        runs[0].tell("late")
