"""The screen of `muxd top`."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from rich.text import Text
from textual.app import App
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.message import Message
from textual.screen import ModalScreen, Screen
from textual.widgets import DataTable, Footer, Static

from muxd.cli import topview as view
from muxd.cli.toldclock import ToldClock
from muxd.cli.topfeed import Feed, Seen, in_background

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.console import JustifyMethod
    from textual.app import ComposeResult

    from muxd.cli.topfeed import Client, Told

    Past = Callable[[str], Sequence[dict[str, Any]]]

__all__ = ["TopApp"]

EVERY = 1.0
"""How often the daemon is asked, seconds."""
SILENT = 5.0
"""After how long without an answer that is said, seconds."""
LOW = 30
"""A screen of fewer lines shows less of what is not the table."""


class _Heard(Message):
    """The feed has told something."""

    def __init__(self, told: Told) -> None:
        super().__init__()
        self.told = told


class _Done(Message):
    """What was asked for in the background has come to its end."""

    def __init__(self, then: Callable[[], object]) -> None:
        super().__init__()
        self.then = then


class _Question(ModalScreen[bool]):
    """Asks before something that can't be undone."""

    BINDINGS: ClassVar = [("y", "answer(True)", "yes"), ("n,escape,q", "answer(False)", "no")]

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text

    def compose(self) -> ComposeResult:
        """The question."""
        with Vertical(classes="box"):
            yield Static(Text(f"{self._text}\n\ny: yes    n: no"))

    def action_answer(self, answer: bool) -> None:
        """Yes or no."""
        self.dismiss(answer)


class _Details(ModalScreen[None]):
    """All that is known of a job."""

    BINDINGS: ClassVar = [("escape,enter,q", "dismiss", "close")]

    def __init__(self, lines: Sequence[Text]) -> None:
        super().__init__()
        self._lines = lines

    def compose(self) -> ComposeResult:
        """A line each."""
        with VerticalScroll(classes="box"):
            yield Static(Text("\n").join([*self._lines, Text("\nescape: close", "dim")]))


class _PastScreen(Screen[None]):
    """The runs of a job, once they have been read."""

    BINDINGS: ClassVar = [("escape,q,h", "dismiss", "back")]

    def __init__(self, job: str) -> None:
        super().__init__()
        self._job = job

    def compose(self) -> ComposeResult:
        """The table, empty."""
        yield Static(Text(f"runs of {self._job}: being read ...", "bold"), id="title")
        table: DataTable[Text] = DataTable(cursor_type="row")
        table.add_columns(*view.PAST_COLUMNS)
        yield table
        yield Footer(show_command_palette=False)

    def show(self, runs: Sequence[dict[str, Any]] | None, told: str, clock: ToldClock) -> None:
        """The runs, newest end first; None: `told` says why there are none to be had."""
        if not self.is_attached:
            return
        self.query_one("#title", Static).update(Text(f"runs of {self._job}: {told}", "bold"))
        table = self.query_one(DataTable)
        for row in view.past_rows(runs or (), clock):
            table.add_row(*row)
        table.focus()


class _Jobs(DataTable[Text]):
    """The jobs, a row each; enter shows what is known of one."""

    BINDINGS: ClassVar = [Binding("enter", "select_cursor", "details", key_display="enter")]


class TopApp(App[None]):
    """The status, live, and the jobs in a table.

    It keeps the terminal's own colours, dark or light.
    """

    TITLE = "muxd top"
    ENABLE_COMMAND_PALETTE = False
    CSS = """
    Screen { background: ansi_default; }
    #head, #queue, #failures { height: auto; text-wrap: nowrap; text-overflow: ellipsis; }
    DataTable { height: 1fr; background: ansi_default; scrollbar-size: 1 1; }
    DataTable > .datatable--header { background: ansi_default; text-style: bold underline; }
    DataTable > .datatable--cursor { background: ansi_blue; color: ansi_bright_white; }
    DataTable > .datatable--hover { background: ansi_default; }
    .box { width: 76; max-width: 100%; height: auto; max-height: 100%; border: round ansi_blue;
           padding: 0 1; background: ansi_default; }
    ModalScreen { align: center middle; background: transparent; }
    """
    BINDINGS: ClassVar = [
        Binding("r", "run", "run"),
        Binding("p", "pause", "pause/resume"),
        Binding("c", "cancel", "cancel"),
        Binding("h", "past", "history"),
        Binding("s", "sort", "sort"),
        Binding("right_square_bracket", "page(1)", "more jobs", show=False),
        Binding("left_square_bracket", "page(-1)", "back", show=False),
        Binding("q", "quit", "quit"),
        Binding("ctrl+c", "leave", show=False, priority=True),
    ]

    def __init__(self, client: Client, past: Past, *, every: float = EVERY) -> None:
        """Show what `client` says.

        Args:
          client: the daemon's.
          past: gives the runs of a job as `muxd history --json` has them. It may block, and raise.
          every: how often the daemon is asked, seconds.
        """
        super().__init__(ansi_color=True)
        self._client, self._past = client, past
        self._feed = Feed(client, lambda told: self.post_message(_Heard(told)), every=every)
        self._seen: Seen | None = None
        self._away = ""
        self._heard_at = time.monotonic()
        self._by_name = False
        self._chosen = ""  # the name of the job that the cursor was on last
        self._before: list[str] = []  # the pages of jobs before this one

    def compose(self) -> ComposeResult:
        """Head, queue, table, failures, keys."""
        yield Static(id="head")
        yield Static(id="queue")
        yield _Jobs(cursor_type="row", id="jobs")
        yield Static(id="failures")
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Begin."""
        self.theme = "ansi-dark"
        self._table.focus()
        self._fit()
        self.set_interval(1.0, self._look_for_silence)
        self._feed.start()

    def on_unmount(self) -> None:
        """End."""
        self._feed.stop()

    def on_resize(self) -> None:
        """The table's first column takes what is left."""
        self._fit()
        self._show()

    @property
    def _table(self) -> DataTable[Text]:
        return self.screen_stack[0].query_one("#jobs", DataTable)

    @property
    def _selected(self) -> dict[str, Any] | None:
        """The job that the cursor is on."""
        if self._seen is None or not self._table.row_count:
            return None
        name = self._table.coordinate_to_cell_key(self._table.cursor_coordinate).row_key.value
        return next((job for job in self._seen.jobs["jobs"] if job["name"] == name), None)

    # What the daemon says

    def on__heard(self, message: _Heard) -> None:
        """The feed has told something."""
        self._heard_at = time.monotonic()
        if isinstance(message.told, Seen):
            before, self._seen = self._seen, message.told
            if self._away and before is not None:
                self.notify(f"muxd is there again: process {self._seen.status['pid']}")
            self._away = ""
        else:
            self._away = f"waiting for muxd to come back: {message.told.reason}"
        self._show()

    def _look_for_silence(self) -> None:
        if not self._away and time.monotonic() - self._heard_at > SILENT:
            self._away = "muxd does not answer at the moment"
            self._show()

    @property
    def _now(self) -> float:
        """By the daemon's clock."""
        assert self._seen is not None
        told = self._seen.status.get("now")
        return datetime.fromisoformat(told).timestamp() if told else time.time()

    def _show(self) -> None:
        if self._seen is None:
            return
        if not self.screen_stack or not self.screen_stack[0].query("#failures"):
            return  # it has not begun yet, or has come to its end
        told, low = self._seen.status, self.size.height < LOW
        head = view.head(told, self._now, self._away)
        self._put("head", head[: 4 + (2 if low else 6)])
        self._put("queue", view.queue(told, self._now, 3 if low else 8))
        self._put("failures", view.failures(told, self._now, 2 if low else 5))
        self._put_jobs()

    def _put(self, name: str, lines: Sequence[Text]) -> None:
        part = self.screen_stack[0].query_one(f"#{name}", Static)
        part.display = bool(lines)
        part.update(Text("\n", no_wrap=True, overflow="ellipsis").join(lines))

    def _fit(self) -> None:
        table = self._table
        if self._selected is not None:
            self._chosen = self._selected["name"]
        table.clear(columns=True)
        for name, wide in view.columns(self.size.width).items():
            side: JustifyMethod = "right" if name in view.TO_THE_RIGHT else "left"
            table.add_column(Text(name, justify=side), width=wide, key=name)

    def _put_jobs(self) -> None:
        """Show the rows; the cursor stays on its job."""
        assert self._seen is not None
        table = self._table
        if self._selected is not None:
            self._chosen = self._selected["name"]
        rows = view.job_rows(
            self._seen.jobs["jobs"], self._seen.status, self._now, by_name=self._by_name
        )
        shown = [str(column.value) for column in table.columns]
        if list(rows) != [row.value for row in table.rows]:
            at, top = table.cursor_row, table.scroll_y
            table.clear()
            for name, cells in rows.items():
                table.add_row(*(cells[column] for column in shown), key=name)
            names = list(rows)
            if self._chosen in rows:
                at = names.index(self._chosen)
            table.move_cursor(row=max(0, min(at, len(names) - 1)), animate=False, scroll=False)
            table.scroll_to(y=top, animate=False)
            return
        for name, cells in rows.items():
            for column, old in zip(shown, table.get_row(name), strict=True):
                if cells[column] != old:
                    table.update_cell(name, column, cells[column])

    # Keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The keys of jobs are for the main screen, not for those over it."""
        of_main = ("run", "pause", "cancel", "past", "sort", "page", "quit")
        return action not in of_main or len(self.screen_stack) == 1

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        """Enter, or a click on the row that is chosen."""
        if event.data_table.id == "jobs":
            self._show_details()

    def action_run(self) -> None:
        """Ask for a run of the job."""
        if job := self._selected:
            name = job["name"]
            self._do(lambda: self._client.run(name, wait=False), f"{name} runs as soon as it can")

    def action_pause(self) -> None:
        """Pause the job, or end its pause."""
        if (job := self._selected) is None:
            return
        name = job["name"]
        if job["paused"] is None:
            self._do(
                lambda: self._client.pause(name, note="from muxd top", seconds=None),
                f"{name} is paused; p again resumes it",
            )
        else:
            self._do(lambda: self._client.resume(name), f"{name} is resumed")

    def action_cancel(self) -> None:
        """End the run of the job that is in progress, or else the one that waits; ask before."""
        if (job := self._selected) is None:
            return
        assert self._seen is not None
        told, name = self._seen.status, job["name"]
        running = [told["running"]] if told["running"] else []
        found = [item["id"] for item in (*running, *told["waiting"]) if item["job"] == name]
        if not found:
            self.notify(f"{name} neither runs nor waits", severity="warning")
            return
        run = found[0]
        what = "in progress" if running and running[0]["id"] == run else "that waits"

        def answered(yes: bool | None) -> None:
            if yes:
                self._do(lambda: self._client.cancel(run), f"run {run} of {name} is cancelled")

        self.push_screen(_Question(f"Cancel the run {what} of {name} ({run})?"), answered)

    def _show_details(self) -> None:
        if job := self._selected:
            assert self._seen is not None
            self.push_screen(_Details(view.details(job, self._seen.status, self._now)))

    def action_past(self) -> None:
        """The runs of the job."""
        if (job := self._selected) is None:
            return
        assert self._seen is not None
        name, clock = job["name"], ToldClock(self._seen.status, self._now)
        screen = _PastScreen(name)
        self.push_screen(screen)

        def done(runs: Sequence[dict[str, Any]] | None, error: Exception | None) -> None:
            told = str(error) if error else f"the newest {len(runs or ())}"
            self.post_message(_Done(lambda: screen.show(runs, told, clock)))

        in_background(lambda: self._past(name), done)

    def action_sort(self) -> None:
        """By the next release, or by name."""
        self._by_name = not self._by_name
        self._show()

    def action_page(self, step: int) -> None:
        """Other jobs, where there are very many."""
        if self._seen is None:
            return
        following = self._seen.jobs["next"]
        if step > 0 and following is not None:
            self._before.append(self._feed.after)
            self._feed.after = following
        elif step < 0 and self._before:
            self._feed.after = self._before.pop()
        self._feed.soon()

    def action_leave(self) -> None:
        """Ctrl-C ends it from anywhere, as it ends any command."""
        self.exit()

    def _do(self, work: Callable[[], object], told: str) -> None:
        """Ask the daemon for something; say what came of it."""

        def done(_result: object, error: Exception | None) -> None:
            self.post_message(_Done(lambda: self._tell(told, error)))

        in_background(work, done)

    def on__done(self, message: _Done) -> None:
        """What was asked for has come to its end."""
        message.then()

    def _tell(self, told: str, error: Exception | None) -> None:
        self.notify(
            str(error) if error else told,
            severity="error" if error else "information",
            markup=False,
        )
        self._feed.soon()
