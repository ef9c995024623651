"""The contract suite for sinks: it knows all events, and finds what is wrong."""

from __future__ import annotations

import time

import pytest
import trio

from muxd import events
from muxd.abc import Sink
from muxd.testing import contracts, sink_contract
from muxd.testing.sink_contract import EVENTS


class Journal(Sink):
    """A good one; parts of it are spoilt below."""

    name = "journal"

    def __init__(self, folder):
        self.file = folder / "journal.txt"

    async def handle(self, event):
        await trio.lowlevel.checkpoint()
        with self.file.open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(f"{event.as_dict()}\n")


class TestJournal(contracts.SinkContract):
    def make_sink(self, directory):
        return Journal(directory)


def test_all_kinds_of_events_are_tried():
    """A sink that passes has seen each kind there is."""
    kinds = {getattr(events, name) for name in events.__all__} - {events.Event}
    assert {type(event) for event in EVENTS} == kinds


class Nameless(Journal):
    name = " "


class Choosy(Journal):
    async def handle(self, event):
        event.record.outcome.value  # noqa: B018 - it takes all events for ends of runs


class Strict(Journal):
    async def handle(self, event):
        if type(event) not in {type(each) for each in EVENTS}:
            raise KeyError(type(event))
        if len(str(event.as_dict())) > 50_000:
            raise ValueError("too long")


class Stubborn(Journal):
    async def handle(self, event):
        try:
            await trio.sleep_forever()
        except trio.Cancelled:
            raise RuntimeError("not now") from None


class Slow(Journal):
    async def handle(self, event):
        time.sleep(0.05)  # noqa: ASYNC251 - that is what is wrong with it


@pytest.mark.parametrize(
    ("kind", "test", "error"),
    [
        (Nameless, "test_it_has_a_name", AssertionError),
        (Choosy, "test_every_event_is_taken", AttributeError),
        (Strict, "test_events_to_come_are_taken", KeyError),
        (Strict, "test_any_text_is_taken", ValueError),
        (Stubborn, "test_cancelled_it_ends", RuntimeError),
        (Slow, "test_cancelled_it_ends", AssertionError),
    ],
)
def test_what_is_wrong_is_found(tmp_path, kind, test, error):
    """Each of its tests fails for a sink that breaks its law."""
    suite = contracts.SinkContract()
    suite.deadline = 0.01 if kind is Slow else 30.0
    check = getattr(suite, test)

    async def tried():
        if (waits := check(kind(tmp_path))) is not None:
            await waits

    with pytest.raises(error):
        trio.run(tried)


def test_the_contracts_are_in_one_place():
    """What plugins may subclass is in `muxd.testing.contracts`."""
    assert set(contracts.__all__) == {
        "PageSourceContract",
        "SinkContract",
        "SlotterContract",
        "StoreContract",
    }
    assert contracts.SinkContract is sink_contract.SinkContract
