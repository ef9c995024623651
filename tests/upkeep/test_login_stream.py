"""What a login's page is told, and what is left when it is closed."""

from __future__ import annotations

from contextlib import contextmanager
from types import SimpleNamespace

import trio

from muxd.builtin._takeover.stream import login_stream


class Login:
    """As much of one as the stream asks: a picture, and who looks."""

    news, lookers = 1, 0
    frame = SimpleNamespace(width=2, height=1, data="jpeg")

    def state(self):
        """It goes on."""
        return {"state": "running", "now": 0}

    @contextmanager
    def looked_at(self):
        """Counts who looks."""
        self.lookers += 1
        try:
            yield
        finally:
            self.lookers -= 1

    async def wait_news(self, seen):
        """There are none."""
        await trio.sleep_forever()


async def test_who_goes_in_the_middle_of_a_picture_looks_no_more(autojump_clock):
    """So a login that nobody looks at is known as such at once, and nobody's place is taken."""
    login, sent, reading = Login(), [], trio.Event()

    async def receive():
        await reading.wait()
        return {"type": "http.disconnect"}

    async def send(message):
        sent.append(message.get("body", b""))
        if b"jpeg" in sent[-1]:  # it is as far as this, and reads no more
            assert login.lookers == 1
            reading.set()
            await trio.sleep_forever()

    with trio.fail_after(60):
        await login_stream(login)({"type": "http", "asgi": {}}, receive, send)
    assert b"event: frame" in sent[-1]
    assert login.lookers == 0
