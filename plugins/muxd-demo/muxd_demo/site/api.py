"""What the site's scripts fetch: JSON in, JSON out, for who is signed in."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import attrs
import trio
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

from muxd_demo.site.body import read_body
from muxd_demo.site.numbers import RANGES, breakdown, daily, measure, totals

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from muxd_demo.site.items import Post
    from muxd_demo.site.pace import Pace
    from muxd_demo.site.world import World

    Answer = dict[str, Any] | list[Any] | Response
    Handler = Callable[[Request], Awaitable[Answer]]

__all__ = ["SESSION_COOKIE", "Api"]

SESSION_COOKIE = "perch_session"
_ARTICLE = (
    "It was a quiet morning until somebody looked twice.",
    "Those who were there say that it had been coming for years.",
    "The council will hear more on Thursday; tea is provided.",
)


@attrs.frozen
class Api:
    """The routes under ``/api``. Each handler may be cancelled at its pauses, before it changes
    anything: a change is one synchronous call of the world's."""

    world: World
    pace: Pace

    def routes(self) -> list[Route]:
        """All of them, for the application to mount."""
        of_account: list[tuple[str, str, Handler]] = [
            ("GET", "/posts", self.posts),
            ("POST", "/posts", self.publish),
            ("GET", "/posts/{id:int}", self.post),
            ("GET", "/queue", self.queue),
            ("POST", "/queue", self.add_idea),
            ("POST", "/queue/publish", self.publish_next),
            ("GET", "/inbox", self.inbox),
            ("POST", "/inbox/read", self.read_all),
            ("GET", "/inbox/{id:int}", self.conversation),
            ("POST", "/inbox/{id:int}/replies", self.reply),
            ("GET", "/followers", self.followers),
            ("GET", "/analytics", self.analytics),
            ("GET", "/trends", self.trends),
            ("GET", "/outcomes", self.outcomes),
            ("POST", "/outcomes/{id:int}/confirm", self.confirm),
            ("POST", "/reports", self.report),
            ("GET", "/reports/attribution.csv", self.report_file),
            ("GET", "/settings", self.settings),
            ("POST", "/settings", self.change_settings),
        ]
        for_all: list[tuple[str, str, Handler]] = [
            ("GET", "/news", self.news),
            ("GET", "/news/{slug}", self.article),
        ]
        return [
            *(self._route(*each, open_to_all=False) for each in of_account),
            *(self._route(*each, open_to_all=True) for each in for_all),
        ]

    def _route(self, method: str, path: str, handler: Handler, *, open_to_all: bool) -> Route:
        async def endpoint(request: Request) -> Response:
            if not open_to_all and not self.world.knows(request.cookies.get(SESSION_COOKIE, "")):
                return JSONResponse({"error": "sign in first"}, 401)
            try:
                answer = await handler(request)
            except KeyError:
                return JSONResponse({"error": "there is no such thing"}, 404)
            except ValueError as error:
                return JSONResponse({"error": str(error)}, 422)
            if isinstance(answer, dict | list):
                return JSONResponse(answer, headers={"Cache-Control": "no-store"})
            return answer

        return Route(path, endpoint, methods=[method], name=f"{method} {path}")

    # Posts and the queue

    async def posts(self, request: Request) -> Answer:
        """A piece of the timeline: ``offset``, ``limit`` (at most 50), ``topic``, ``sort=top``."""
        await trio.sleep(self.pace.list)
        posts = self.world.posts()
        if topic := request.query_params.get("topic"):
            posts = [post for post in posts if post.topic == topic]
        if request.query_params.get("sort") == "top":
            now = self.world.clock()
            posts.sort(key=lambda post: -measure(post, now)["impressions"])
        return _piece(request, [self._with_numbers(post) for post in posts])

    async def publish(self, request: Request) -> Answer:
        """Post ``{topic, text}``."""
        given = await _given(request)
        return self._with_numbers(self.world.publish(_text(given, "topic"), _text(given, "text")))

    async def post(self, request: Request) -> Answer:
        """One post with its numbers of this instant."""
        post = self.world.post(request.path_params["id"])
        return self._with_numbers(post) | {"sources": breakdown(post, self.world.clock())}

    async def queue(self, request: Request) -> Answer:
        """What waits to be posted."""
        await trio.sleep(self.pace.list)
        return _piece(request, [attrs.asdict(idea) for idea in self.world.queue()])

    async def add_idea(self, request: Request) -> Answer:
        """Queue ``{topic, text}``."""
        given = await _given(request)
        return attrs.asdict(self.world.add_idea(_text(given, "topic"), _text(given, "text")))

    async def publish_next(self, request: Request) -> Answer:
        """Post the first idea of the queue."""
        return self._with_numbers(self.world.publish_next())

    # The inbox

    async def inbox(self, request: Request) -> Answer:
        """Conversations, ``filter=unanswered`` for those that wait for a reply."""
        await trio.sleep(self.pace.list)
        found = self.world.conversations()
        unread = sum(not each.read for each in found)
        if request.query_params.get("filter") == "unanswered":
            found = [each for each in found if not each.replies]
        return _piece(request, [attrs.asdict(each) for each in found]) | {"unread": unread}

    async def conversation(self, request: Request) -> Answer:
        """One conversation."""
        return attrs.asdict(self.world.conversation(request.path_params["id"]))

    async def reply(self, request: Request) -> Answer:
        """Answer with ``{text}``."""
        given = await _given(request)
        return attrs.asdict(self.world.reply(request.path_params["id"], _text(given, "text")))

    async def read_all(self, request: Request) -> Answer:
        """Mark everything read."""
        return {"marked": self.world.read_all()}

    # What is looked at

    async def followers(self, request: Request) -> Answer:
        """A page of followers: ``offset``, ``limit``."""
        await trio.sleep(self.pace.list)
        return _piece(request, [attrs.asdict(each) for each in self.world.followers()])

    async def analytics(self, request: Request) -> Answer:
        """The totals of this instant and a curve for ``range=7d|28d|90d``."""
        name = request.query_params.get("range", "7d")
        if name not in RANGES:
            raise ValueError(f"give a range that is one of {', '.join(RANGES)}")
        now = self.world.clock()
        return {
            "range": name,
            "totals": totals(self.world.posts(), now) | {"followers": len(self.world.followers())},
            "daily": daily(RANGES[name], now),
            "top": [self._with_numbers(post) for post in self.world.top_posts(5)],
        }

    async def trends(self, request: Request) -> Answer:
        """All topics, ``sort=seen|rate|posts``."""
        await trio.sleep(self.pace.list)
        key = request.query_params.get("sort", "seen")
        if key not in {"seen", "rate", "posts"}:
            raise ValueError("give a sort that is one of seen, rate, posts")
        return sorted(self.world.trends(), key=lambda row: -int(row[key]))

    async def outcomes(self, request: Request) -> Answer:
        """What was expected of the last posts, and what came of them."""
        await trio.sleep(self.pace.list)
        return [attrs.asdict(each) for each in self.world.outcomes()]

    async def confirm(self, request: Request) -> Answer:
        """Take an outcome as it is."""
        self.world.confirm(request.path_params["id"])
        return {"confirmed": request.path_params["id"]}

    async def report(self, request: Request) -> Answer:
        """Work out which posts brought followers: slow."""
        await trio.sleep(self.pace.report)
        return self._attribution()

    async def report_file(self, request: Request) -> Answer:
        """The same as a file."""
        rows = self._attribution()
        lines = ["post,topic,clicks,followers", *(",".join(map(str, r.values())) for r in rows)]
        return PlainTextResponse(
            "\n".join(lines) + "\n",
            media_type="text/csv",
            headers={"Content-Disposition": 'attachment; filename="attribution.csv"'},
        )

    async def news(self, request: Request) -> Answer:
        """A piece of the town's news."""
        await trio.sleep(self.pace.list)
        return _piece(request, [attrs.asdict(each) for each in self.world.news()])

    async def article(self, request: Request) -> Answer:
        """One piece of news, whole."""
        await trio.sleep(self.pace.list)
        article = self.world.article(request.path_params["slug"])
        return attrs.asdict(article) | {"paragraphs": list(_ARTICLE)}

    async def settings(self, request: Request) -> Answer:
        """The account's choices and the sessions in force."""
        return attrs.asdict(self.world.settings) | {"sessions": self.world.sessions()[:5]}

    async def change_settings(self, request: Request) -> Answer:
        """Save ``{display_name, focus, best_hour}``."""
        given = await _given(request)
        hour = given.get("best_hour")
        if not isinstance(hour, int) or isinstance(hour, bool):
            raise ValueError("give a best hour from 0 to 23")
        changed = self.world.change_settings(
            display_name=_text(given, "display_name"), focus=_text(given, "focus"), best_hour=hour
        )
        return attrs.asdict(changed)

    def _with_numbers(self, post: Post) -> dict[str, Any]:
        now = self.world.clock()
        return {
            "id": post.id,
            "topic": post.topic,
            "text": post.text,
            "age": max(0.0, now - post.created_at),
            **measure(post, now),
        }

    def _attribution(self) -> list[dict[str, Any]]:
        now = self.world.clock()
        rows = []
        for post in self.world.top_posts(6):
            clicks = measure(post, now)["clicks"]
            rows.append(
                {"post": post.id, "topic": post.topic, "clicks": clicks, "followers": clicks // 40}
            )
        return rows


def _piece(request: Request, items: list[dict[str, Any]]) -> dict[str, Any]:
    offset = _number(request, "offset", 0, 10_000)
    limit = _number(request, "limit", 10, 50)
    return {"total": len(items), "offset": offset, "items": items[offset : offset + limit]}


def _number(request: Request, name: str, default: int, most: int) -> int:
    given = request.query_params.get(name, str(default))
    if not given.isdecimal() or int(given[:9]) > most:
        raise ValueError(f"give a {name} from 0 to {most}")
    return int(given)


async def _given(request: Request) -> dict[str, Any]:
    given = json.loads(await read_body(request))  # a JSONDecodeError is a ValueError
    if not isinstance(given, dict):
        raise ValueError("give a JSON object")  # the client's mistake, a 422
    return given


def _text(given: dict[str, Any], name: str) -> str:
    value = given.get(name)
    if not isinstance(value, str):
        raise ValueError(f"give a {name} that is a text")  # a 422, as above
    return value
