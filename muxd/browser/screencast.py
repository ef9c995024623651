"""Pages that a person sees and drives from afar: pictures out, mouse, keys and touches in.

By Chromium's own protocol. A page that hangs costs the person a word, and nobody anything else: each
call has its bound, and what was done too late is dropped.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, final

import attrs
import trio

from muxd.bridge import open_nursery
from muxd.browser.choices import choice_at
from muxd.browser.inputs import command_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from playwright.async_api import BrowserContext, CDPSession, Dialog, Page

    from muxd.bridge import BridgedNursery
    from muxd.browser.choices import Choice
    from muxd.logininput import Action

__all__ = ["Frame", "Screen"]

BOUND = 3.0
"""How long one action, or one picture, may take, seconds."""
GO_BOUND = 30.0
"""How long an address may take to begin to show."""
TITLE_BOUND = 1.0
PAUSE = 0.1
"""How long after a picture the next may come, seconds."""
AGAIN = 0.5
"""How long after a page that could not be shown it is tried again, seconds."""
WAITING = 1_000
"""How many actions may wait; further ones are dropped."""
QUALITY, SIDE = 70, 1_600
"""Of the pictures: JPEG's, and pixels in width and height at most."""
_HANGS = "the page does not answer: wait, reload it, or go elsewhere"


@attrs.frozen(eq=False)
class Frame:
    """One picture."""

    number: int
    data: str
    """JPEG, in base64."""
    width: float
    height: float
    """What it shows, in the page's own pixels."""


@attrs.define(eq=False)
class _Tab:
    number: int
    page: Page
    opener: int | None
    title: str = ""
    stale: bool = True
    """Its title is to be asked for."""
    session: CDPSession | None = None


@final
class Screen:
    """The pages of one run, one of them in sight."""

    def __init__(
        self,
        context: BrowserContext,
        page: Page,
        *,
        looked_at: Callable[[], bool],
        tell: Callable[[], object],
    ) -> None:
        """See `page`, and all that opens in its context from now on.

        Args:
          context: the run's.
          page: the run's.
          looked_at: whether anybody looks now: only then are there pictures. `looks` is to be called when
            that changes.
          tell: is called whenever there is another picture, or something else to be told.
        """
        self._context, self._looked_at, self._tell = context, looked_at, tell
        self.frame: Frame | None = None
        """The newest picture of the tab in sight."""
        self.trouble: str | None = None
        """What is in the way, for people."""
        self.over = False
        """All its pages are closed."""
        self._dialog: Dialog | None = None
        self._choice: Choice | None = None
        self._tabs: dict[int, _Tab] = {}
        self._current = self._made = self._frames = 0
        self._news = trio.Event()
        self._send, self._receive = trio.open_memory_channel[Any](WAITING)
        self._acting: trio.CancelScope | None = None
        self._going: trio.CancelScope | None = None
        self._turn = trio.Lock()
        self._add(page, None)
        context.on("page", self._opened)

    def close(self) -> None:
        """Take notice of nothing any more."""
        with contextlib.suppress(Exception):
            self._context.remove_listener("page", self._opened)
        self._tell = lambda: None

    async def run(self) -> None:
        """Show and act, until cancelled. To be bridged."""
        async with open_nursery() as nursery:
            nursery.start_soon(self._show)
            nursery.start_soon(self._name)
            await self._act(nursery)

    def looks(self) -> None:
        """Whether anybody looks may have changed. Never blocks."""
        self._wake()

    def state(self) -> dict[str, Any]:
        """What there is beside the picture, for JSON."""
        tab = self._tabs.get(self._current)
        dialog = self._dialog
        return {
            "url": tab.page.url if tab else "",
            "tabs": [
                {
                    "tab": each.number,
                    "title": each.title or each.page.url,
                    "current": each.number == self._current,
                }
                for each in self._tabs.values()
            ],
            "trouble": self.trouble,
            "choice": self._choice.told if self._choice else None,
            "dialog": None
            if dialog is None
            else {
                "kind": dialog.type,
                "message": dialog.message[:1000],
                "text": dialog.default_value,
            },
        }

    def do(self, actions: Sequence[Action]) -> None:
        """Have these done, in order, after those that wait. Never blocks."""
        for action in actions:
            if action["do"] in ("answer", "tab", "close") and self._acting is not None:
                self._acting.cancel()  # what is being done may wait for just that
            with contextlib.suppress(trio.WouldBlock):
                self._send.send_nowait(action)

    # The tabs

    def _opened(self, page: Page) -> None:
        self._add(page, self._current)

    def _add(self, page: Page, opener: int | None) -> None:
        self._made += 1
        tab = self._tabs[self._made] = _Tab(self._made, page, opener)
        page.on("close", lambda _: self._closed(tab))
        page.on("dialog", self._asked)
        for event in ("domcontentloaded", "load"):
            page.on(event, lambda _: self._renamed(tab))
        page.on("framenavigated", lambda _: self._renamed(tab))
        self._select(tab.number)

    def _renamed(self, tab: _Tab) -> None:
        tab.stale = True
        self._choice = None
        self._changed()

    def _closed(self, tab: _Tab) -> None:
        self._tabs.pop(tab.number, None)
        self._dialog = self._choice = None
        self.over = not self._tabs
        if tab.number == self._current and self._tabs:
            back = tab.opener if tab.opener in self._tabs else max(self._tabs)
            self._select(back if back is not None else max(self._tabs))
        self._changed()

    def _select(self, number: int) -> None:
        if number in self._tabs:
            self._current, self.frame, self.trouble = number, None, None
            self._choice = None
            self._changed()

    def _asked(self, dialog: Dialog) -> None:
        self._dialog = dialog
        if self._acting is not None:
            self._acting.cancel()  # it waits for the answer
        self._changed()

    def _changed(self) -> None:
        self._wake()
        self._tell()

    def _wake(self) -> None:
        self._news.set()
        self._news = trio.Event()

    async def _session(self, tab: _Tab) -> CDPSession:
        async with self._turn:
            if tab.session is None:
                tab.session = await self._context.new_cdp_session(tab.page)
            return tab.session

    # Out

    async def _show(self) -> None:
        while True:
            tab, news = self._tabs.get(self._current), self._news
            if tab is None or not self._looked_at():
                await news.wait()
                continue
            try:
                await self._cast(tab)
            except Exception:  # it is closed, or hangs, or a listener of its site's raised
                await trio.sleep(AGAIN)

    async def _cast(self, tab: _Tab) -> None:
        """Show this tab as long as it is in sight and somebody looks."""
        came: dict[str, Any] = {}
        arrived = trio.Event()

        def on_frame(frame: dict[str, Any]) -> None:
            came.update(frame)
            arrived.set()

        with trio.fail_after(BOUND):
            session = await self._session(tab)
        session.on("Page.screencastFrame", on_frame)
        try:
            with trio.fail_after(BOUND):
                await session.send(
                    "Page.startScreencast",
                    {"format": "jpeg", "quality": QUALITY, "maxWidth": SIDE, "maxHeight": SIDE},
                )
            while tab.number == self._current and tab.number in self._tabs and self._looked_at():
                news = self._news
                await _either(arrived, news)
                if not arrived.is_set():
                    continue
                arrived = trio.Event()
                self._take(came)
                await trio.sleep(PAUSE)
                with trio.fail_after(BOUND):
                    await session.send("Page.screencastFrameAck", {"sessionId": came["sessionId"]})
        finally:
            session.remove_listener("Page.screencastFrame", on_frame)
            if tab.number in self._tabs:
                with trio.move_on_after(BOUND) as scope, contextlib.suppress(Exception):
                    scope.shield = True
                    await session.send("Page.stopScreencast")

    def _take(self, came: dict[str, Any]) -> None:
        self._frames += 1
        about = came.get("metadata", {})
        self.frame = Frame(
            self._frames,
            came["data"],
            float(about.get("deviceWidth") or 0) or 1.0,
            float(about.get("deviceHeight") or 0) or 1.0,
        )
        self._tell()

    async def _name(self) -> None:
        """Keep the titles up to date."""
        while True:
            news = self._news
            for tab in list(self._tabs.values()):
                if tab.stale:
                    tab.stale = False
                    with trio.move_on_after(TITLE_BOUND), contextlib.suppress(Exception):
                        title = (await tab.page.title())[:200]
                        if title != tab.title:
                            tab.title = title
                            self._tell()
            await news.wait()

    # In

    async def _act(self, nursery: BridgedNursery) -> None:
        async for action in self._receive:
            how = getattr(self, f"_do_{action['do']}")
            if action["do"] in ("go", "back", "forward", "reload"):
                if self._going is not None:
                    self._going.cancel()
                nursery.start_soon(self._go, how, action)
                continue
            with trio.move_on_after(BOUND) as self._acting:
                with contextlib.suppress(Exception):  # the page is closed, or went elsewhere
                    await how(action)
            acting, self._acting = self._acting, None
            late = acting.cancelled_caught and trio.current_time() >= acting.deadline
            if late:
                self._drop_waiting()
            if late or self.trouble == _HANGS:
                self.trouble = _HANGS if late else None
                self._tell()

    def _drop_waiting(self) -> None:
        """What was done to a page that hangs, in the belief that it does not."""
        kept = []
        with contextlib.suppress(trio.WouldBlock):
            while True:
                action = self._receive.receive_nowait()
                if action["do"] not in ("mouse", "wheel", "touch", "key", "text"):
                    kept.append(action)
        for action in kept:
            self._send.send_nowait(action)

    async def _go(self, how: Callable[[Action], Awaitable[object]], action: Action) -> None:
        hung, self.trouble = self.trouble == _HANGS, None
        said = None
        with trio.move_on_after(GO_BOUND) as self._going:
            try:
                if hung:  # its process would take no other page of its site either
                    action = {"do": "go", "url": await self._leave()} | action
                    how = self._do_go
                await how(action)
            except Exception as error:
                said = str(error).strip().partition("\n")[0]
                said = said.partition(": ")[2] or said
                if "ERR_ABORTED" in said or "interrupted" in said:
                    said = None  # a download, or the person was quicker
        if said is not None:
            self.trouble = f"the page could not be opened: {said[:300]}"
        self._changed()

    async def _leave(self) -> str:
        """Have an empty page in sight, and close the one that hangs; where that was."""
        page = self._page
        await self._context.new_page()  # is told, and so in sight
        with trio.move_on_after(BOUND):
            await page.close()
        return page.url

    @property
    def _page(self) -> Page:
        return self._tabs[self._current].page

    async def _tell_browser(self, method: str, **values: Any) -> None:
        session = await self._session(self._tabs[self._current])
        await session.send(method, values)

    async def _do_input(self, action: Action) -> None:
        method, values = command_of(action)
        await self._tell_browser(method, **values)

    _do_wheel = _do_key = _do_text = _do_input

    async def _do_mouse(self, action: Action) -> None:
        if action["type"] == "down" and action["button"] == "left":
            self._offer(await choice_at(self._page, action["x"], action["y"]))
        if self._choice is None:
            await self._do_input(action)

    async def _do_touch(self, action: Action) -> None:
        if action["type"] == "start" and len(action["points"]) == 1:
            where = action["points"][0]
            self._offer(await choice_at(self._page, where["x"], where["y"]))
        if self._choice is None:
            await self._do_input(action)

    def _offer(self, choice: Choice | None) -> None:
        """Have the person choose from a list, or from none any more."""
        if choice is not self._choice:
            self._choice = choice
            self._tell()

    async def _do_choose(self, action: Action) -> None:
        choice = self._choice
        self._offer(None)
        if choice is not None and 0 <= action["option"] < len(choice.told["options"]):
            await choice.take(action["option"])

    async def _do_go(self, action: Action) -> None:
        await self._page.goto(action["url"], wait_until="commit", timeout=GO_BOUND * 1000)

    async def _do_back(self, _action: Action) -> None:
        await self._page.go_back(wait_until="commit", timeout=GO_BOUND * 1000)

    async def _do_forward(self, _action: Action) -> None:
        await self._page.go_forward(wait_until="commit", timeout=GO_BOUND * 1000)

    async def _do_reload(self, _action: Action) -> None:
        await self._page.reload(wait_until="commit", timeout=GO_BOUND * 1000)

    async def _do_tab(self, action: Action) -> None:
        self._select(action["tab"])
        await self._page.bring_to_front()

    async def _do_close(self, action: Action) -> None:
        tab = self._tabs.get(action["tab"])
        if tab is not None and len(self._tabs) > 1:  # the last one stays
            await tab.page.close()

    async def _do_answer(self, action: Action) -> None:
        dialog, self._dialog = self._dialog, None
        self._changed()
        if dialog is not None and action["accept"]:
            await dialog.accept(action["text"] if dialog.type == "prompt" else None)
        elif dialog is not None:
            await dialog.dismiss()

    async def _do_size(self, action: Action) -> None:
        await self._page.set_viewport_size({"width": action["width"], "height": action["height"]})


async def _either(*events: trio.Event) -> None:
    async with trio.open_nursery() as nursery:

        async def wait(event: trio.Event) -> None:
            await event.wait()
            nursery.cancel_scope.cancel()

        for event in events:
            nursery.start_soon(wait, event)
