"""A shop on loopback that lets in who has a password, passes a captcha and says yes in a popup."""

from __future__ import annotations

import contextlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

USER, PASSWORD = "ann", "correct horse ✓"

# Everything has its place, so that it can be clicked in a picture.
LOGIN = """<!doctype html><meta charset=utf-8><title>Sign in</title>
<style>input,canvas,button,select{position:absolute;left:40px;width:300px;height:40px}</style>
<form method=post action=/login>
<input name=user style="top:20px"><input name=password type=password style="top:80px">
<input name=human type=hidden>
<canvas width=300 height=200 style="top:140px;height:200px"></canvas>
<button style="top:360px">Sign in</button>
<select name=town style="top:420px" onchange="location.hash = value"><option>north<option>south</select></form>
<script>
const canvas = document.querySelector("canvas"), ink = canvas.getContext("2d");
ink.beginPath(); ink.arc(220, 150, 25, 0, 7); ink.fill();
canvas.onclick = event => {
  if (Math.hypot(event.offsetX - 220, event.offsetY - 150) > 25) return;
  document.querySelector("[name=human]").value = "yes";
  location.hash = "human";
};
location.hash = "ready";
</script>"""
CODE = """<!doctype html><title>One more thing</title>
<button style="position:absolute;left:40px;top:40px;width:300px;height:60px"
 onclick="window.open('/allow', '', 'width=400,height=300')">It was me</button><script>location.hash = "ready"</script>"""
ALLOW = """<!doctype html><title>Was it you?</title>
<button style="position:absolute;left:20px;top:20px;width:200px;height:60px"
 onclick="document.cookie='shop=%s; path=/; max-age=100000'; opener.location='/'; window.close()">Yes</button>"""
HANG = "<!doctype html><title>Hang</title><h1>hang</h1><script>onmousedown = () => {while (true);}; location.hash = 'ready'</script>"


class Shop(ThreadingHTTPServer):
    """Who comes with its cookie is in."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Visitor)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.secret = "a1b2c3d4"
        self.visitors: list[str] = []


class _Visitor(BaseHTTPRequestHandler):
    server: Shop

    def log_message(self, *_args):
        pass

    def answer(self, text="", status=200, **headers):
        body = text.encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(ConnectionError):
            self.wfile.write(body)

    def do_GET(self):
        path = self.path.partition("?")[0]
        inside = f"shop={self.server.secret}" in self.headers.get("Cookie", "")
        pages = {
            "/login": LOGIN,
            "/code": CODE,
            "/allow": ALLOW % self.server.secret,
            "/hang": HANG,
        }
        if path in pages:
            self.answer(pages[path])
        elif path != "/":
            self.answer("nothing", 404)
        elif inside:
            self.server.visitors.append("ann")
            self.answer("<!doctype html><title>Shop</title><h1 id=hello>Hello ann</h1>")
        else:
            self.server.visitors.append("nobody")
            self.answer(status=302, Location="/login?next=/")

    def do_POST(self):
        sent = self.rfile.read(int(self.headers["Content-Length"])).decode()
        given = {name: values[0] for name, values in parse_qs(sent).items()}
        good = given == {"user": USER, "password": PASSWORD, "human": "yes", "town": "south"}
        self.answer(status=302, Location="/code" if good else "/login?wrong")


@contextlib.contextmanager
def open_shop():
    with Shop() as shop:
        thread = threading.Thread(target=shop.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield shop
        finally:
            shop.shutdown()
            thread.join()
