"""Bodies that are written in a way that can't work: one clear error in the record, with the remedy."""

from __future__ import annotations

import gc
import json
import re
import warnings

import pytest
import trio

import muxd
from muxd.artifacts import Artifacts
from muxd.body.mistakes import mistake_in
from muxd.book import RunBook
from muxd.bus import Bus
from muxd.errors import BodyMistake, JobError
from muxd.job import Job
from muxd.record import Outcome
from muxd.runner import Runner
from muxd.testing import FakePages, MemoryStore
from muxd.workplace import Workplace


def perform(body, tmp_path):
    """Run a body once on a fake page, under muxd.run as in the daemon; gives the record."""

    async def main():
        store = MemoryStore()
        async with store.open(), trio.open_nursery() as nursery:
            book = RunBook(store, Bus(), real_now=trio.current_time)
            workplace = Workplace(artifacts=Artifacts(tmp_path))
            runner = Runner(book, nursery, real_now=trio.current_time, workplace=workplace)
            job = Job("job", body, interval="1h", timeout="20s")
            release = await book.release(job, released_at=trio.current_time())
            with trio.fail_after(60):
                record = await runner.run(release, FakePages())
            nursery.cancel_scope.cancel()
        return record

    return muxd.run(main)


def check(record, *words):
    assert record.outcome is Outcome.failed, record
    assert record.error_type == "muxd.errors.BodyMistake"
    for each in words:
        assert each in record.error, record.error


async def fetch():
    """A call of the body's own."""
    await trio.lowlevel.checkpoint()
    return "title"


def test_a_call_that_is_not_awaited(tmp_path):
    """A run that else ends well is failed, with file, line, call and remedy: nothing was done."""

    async def body(run):
        fetch()
        await trio.lowlevel.checkpoint()

    line = body.__code__.co_firstlineno + 1
    record = perform(body, tmp_path)
    words = f"test_mistakes.py, line {line}: the call of fetch() is not awaited"
    check(record, words, "write `await ...fetch(...)`")


def test_what_comes_of_it_is_told_with_it(tmp_path):
    """An error that follows is named, but the mistake comes first."""

    async def body(run):
        fetch()
        raise LookupError("no title there")

    check(perform(body, tmp_path), "is not awaited", "it then raised LookupError: no title there")


def test_a_child_that_forgets_it(tmp_path):
    """The same in a child of a nursery of the body's."""

    async def child():
        fetch()

    async def body(run):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(child)

    check(perform(body, tmp_path), "the call of fetch() is not awaited")


def test_a_coroutine_that_is_returned(tmp_path):
    """`return fetch()`: the record says so, and Python's warning is not needed beside it."""

    async def body(run):
        return fetch()

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        record = perform(body, tmp_path)
        gc.collect()
    check(record, "the body returned a coroutine of fetch()", "`return await ...fetch(...)`")
    assert record.result is None


def test_a_coroutine_that_is_used_as_what_it_would_give(tmp_path):
    """Its variable is named, and there is no second complaint when it is collected."""

    async def body(run):
        title = fetch()
        return title.upper()

    async def other(run):
        rows = fetch()
        return rows[0]

    async def at_once(run):
        return fetch().upper()

    for body_, name in (
        (body, "`title`"),
        (other, "`rows`"),
        (at_once, "in place of what fetch() gives"),
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            record = perform(body_, tmp_path)
            gc.collect()
        check(record, "a call is not awaited", name, "write `await` before it")


@pytest.mark.parametrize(
    "use",
    [
        len,
        float,
        iter,
        json.dumps,
        lambda title: title + "x",
        lambda title: "x" + title,
        lambda title: title < 3,
        lambda title: "x" in title,
        lambda title: re.match("x", title),
    ],
)
def test_however_it_is_used(tmp_path, use):
    """Whatever Python says of it: it is the same mistake."""

    async def body(run):
        title = fetch()
        return use(title)

    check(perform(body, tmp_path), "in place of", "write `await` before it")


def test_a_child_that_is_called_too_early(tmp_path):
    """`start_soon(f(x))` for `start_soon(f, x)` is told by its own words."""

    async def body(run):
        async with muxd.open_nursery() as nursery:
            nursery.start_soon(fetch())

    record = perform(body, tmp_path)
    assert record.outcome is Outcome.failed
    assert "write start_soon(f, x) for start_soon(f(x))" in record.error, record


def test_the_run_taken_for_its_page(tmp_path):
    """`async def body(page)` that calls `page.hang()` is told that it is `run.page`."""

    async def body(page):
        await page.hang()

    check(
        perform(body, tmp_path),
        "a body is given the run, not its page",
        "`await run.page.hang(...)`",
    )


def test_an_error_that_is_no_such_mistake_stays_as_it_is(tmp_path):
    """The body's own errors are not touched, nor is a good run."""

    async def raises(run):
        raise AttributeError("'NoneType' object has no attribute 'text'")

    async def fine(run):
        return await fetch()

    record = perform(raises, tmp_path)
    assert (record.error_type, record.error) == (
        "AttributeError",
        "'NoneType' object has no attribute 'text'",
    )
    assert perform(fine, tmp_path).outcome is Outcome.ok
    assert mistake_in(None, "title") is None
    assert mistake_in(LookupError("no"), None) is None


def test_what_others_forget_is_warned_of_as_ever(tmp_path):
    """Outside of runs Python's own warning comes; nobody is charged."""

    async def fine(run):
        return 1

    perform(fine, tmp_path)
    with pytest.warns(RuntimeWarning, match="coroutine 'fetch' was never awaited"):
        fetch()


def test_a_plain_function_is_no_body():
    """`def body(page)` is refused where it is declared, with the async form."""

    def body(page):
        page.goto("https://shop.example")

    with pytest.raises(JobError, match=r"give an `async def` function .* `await run\.page\.goto"):
        muxd.job(interval="1h")(body)


def test_the_error_is_public_and_a_runs():
    """It is one of the errors of runs, so that `retry_on` and people can name it."""
    assert issubclass(BodyMistake, muxd.MuxdError)
