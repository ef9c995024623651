"""Pages that misbehave: each costs its own run at most, and the browser is free in time."""

from __future__ import annotations

import pytest

from muxd.record import Outcome
from tests.variants import nightly

from . import pages

TIMED_OUT = Outcome.timed_out


@pytest.mark.parametrize(
    ("body", "session"),
    [
        (pages.loop, "main"),
        (pages.loop_in_the_page, "fresh"),
        nightly(pages.loop, "fresh"),
        nightly(pages.loop_in_the_page, "main"),
    ],
)
def test_loop_in_a_page(house, body, session):
    """A page that computes for ever is closed at the deadline; the browser lives on."""
    house.survives(body, TIMED_OUT, session=session)


def test_loop_in_a_popup(house):
    """A popup shares its opener's process: both are closed."""
    house.survives(pages.loop_in_a_popup, TIMED_OUT)


@pytest.mark.parametrize("body", [pages.loop_in_beforeunload, nightly(pages.loop_on_leaving)])
def test_loop_in_beforeunload(house, body):
    """A page that computes for ever when it is to be left is closed all the same."""
    house.survives(body, TIMED_OUT)


@pytest.mark.parametrize("body", [pages.alerts, nightly(pages.confirms), nightly(pages.prompts)])
def test_dialogs_without_end(house, body):
    """Dialog after dialog: Playwright answers them, and the deadline ends it."""
    house.survives(body, TIMED_OUT)


@pytest.mark.parametrize("body", [pages.dialog_left_open, pages.beforeunload_dialog])
def test_dialog_left_open(house, body):
    """A dialog that the body took upon itself, and doesn't answer, goes with its page."""
    house.survives(body, TIMED_OUT)


def test_print_dialog(house):
    """Printing opens no window that anybody would have to close."""
    house.survives(pages.print_dialog, Outcome.ok, timeout=10.0)


def test_file_chooser(house):
    """A file chooser that nobody answers goes with its page."""
    house.survives(pages.file_chooser, TIMED_OUT)


def test_permission_prompts(house):
    """What nobody grants is refused; no prompt is left for the next page."""
    house.survives(pages.asks_permissions, Outcome.failed, TIMED_OUT)


def test_pdf_viewer(house):
    """A document that the browser shows by a viewer of its own is closed like any page."""
    house.survives(pages.pdf_viewer, TIMED_OUT, Outcome.failed)


def test_full_screen(house):
    """Full screen and the pointer are given back with the page."""
    house.survives(pages.full_screen, TIMED_OUT)


def test_popup_storm(house):
    """200 popups are closed, those too that come up after the deadline, and are counted."""
    record = house.survives(pages.popup_storm, TIMED_OUT, timeout=4.0)
    assert "page" in record.left


def test_popups_after_the_end(house):
    """A page that goes on opening popups when its body has ended opens none in the next run."""
    house.survives(pages.popups_for_ever, Outcome.ok, timeout=10.0)


def test_timers_after_the_end(house):
    """A page that goes on working when its body has ended is closed."""
    house.survives(pages.timers_left, Outcome.ok, timeout=10.0)


def test_frame_bomb(house):
    """Frames in frames in frames are gone with their page."""
    house.survives(pages.frame_bomb, TIMED_OUT, Outcome.ok)


def test_million_nodes(house):
    """A page of a million nodes is closed as quickly as any."""
    house.survives(pages.million_nodes, TIMED_OUT, Outcome.ok, timeout=3.0)


def test_memory_of_the_page(house):
    """A page that takes all memory it can get loses its own process, and the run is `crashed`."""
    record = house.survives(pages.memory, Outcome.crashed, timeout=30.0)
    # Whoever is told first: who watches the page, or the body's call.
    assert record.error_type in ("muxd.errors.PageCrashed", "playwright._impl._errors.Error")


def test_console_flood(house):
    """Ten thousand lines, each told to a listener, are nothing special."""
    house.survives(pages.console_flood, Outcome.ok, timeout=40.0)


def test_console_without_end(house):
    """A page that never stops talking is closed at the deadline."""
    house.survives(pages.console_without_end, TIMED_OUT, kept=None)


def test_requests_without_end(house):
    """A page that asks for more and more is closed at the deadline."""
    house.survives(pages.requests_without_end, TIMED_OUT, Outcome.crashed, kept=None)


def test_navigation_during_a_call(house):
    """A page that goes elsewhere under a call fails that call, and closes at once all the same."""
    record = house.survives(pages.navigates_during_evaluate, Outcome.failed, timeout=10.0)
    assert "navigation" in record.error


def test_page_closes_itself(house):
    """A page that closes itself fails what its body asks of it."""
    house.survives(pages.closes_itself, Outcome.failed, timeout=15.0)


def test_service_worker(house):
    """A service worker that answers for ever goes with its session, and is in nobody's way."""
    house.survives(pages.service_worker, TIMED_OUT, timeout=2.0)


def test_websocket_left_open(house):
    """A socket that talks for ever goes with its page."""
    house.survives(pages.websocket_left_open, Outcome.ok, timeout=15.0)


@pytest.mark.parametrize(
    ("body", "outcome", "timeout"),
    [(pages.download_left_running, Outcome.ok, 15.0), (pages.download_awaited, TIMED_OUT, 4.0)],
)
def test_download_left_running(house, body, outcome, timeout):
    """A download that does not end is cancelled, counted, and leaves no file."""
    record = house.survives(body, outcome, timeout=timeout)
    assert "download" in record.left


def test_listener_that_raises(house):
    """It fails its own run, not the next call of somebody else's."""
    record = house.survives(pages.listener_raises, Outcome.failed, timeout=15.0)
    assert "bang" in record.error


def test_route_handler_that_raises(house):
    """What it should have answered hangs until the deadline, and the record tells of its error."""
    record = house.survives(pages.route_raises, TIMED_OUT, timeout=4.0)
    assert "bang" in record.error


@pytest.mark.parametrize("body", [pages.route_never_fulfils, pages.binding_never_returns])
def test_handler_that_never_answers(house, body):
    """The page waits for it until the deadline; in the shared session it is taken off again."""
    house.survives(body, TIMED_OUT)
