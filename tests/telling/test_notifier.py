"""The notifier beside a whole core, on virtual time: what people are told of what happens."""

from __future__ import annotations

import attrs
import pytest
import structlog
import trio
from town import MONDAY, Town, a_job
from townhall import Hall, at_once

from muxd.builtin import notifier
from muxd.builtin._notifier_memory import FILE_NAME, Memory
from muxd.builtin._notifier_message import SHOWN, compose
from muxd.builtin._notifier_post import MOST, WAITS, Post
from muxd.builtin._notifier_service import Notifier
from muxd.builtin._notifier_trouble import Trouble
from muxd.builtin._notifier_ways import NotSent, Way
from muxd.config import Config, NotifyConfig
from muxd.events import (
    BrowserDown,
    BrowserUp,
    JobNews,
    LoginNeeded,
    Notified,
    PlanMade,
    Reloaded,
    ResourcesFine,
    ResourcesLow,
    Steered,
)
from muxd.floors import Shortage
from muxd.job import Job
from muxd.login import login_note
from muxd.reload import in_force, needs_restart

MINUTE, HOUR = 60.0, 3600.0


class Pigeon(Way):
    """Keeps what it is to carry; while it is ill it carries nothing."""

    name = "pigeon"

    def __init__(self):
        self.got, self.tries = [], 0
        self.ill: Exception | None = None

    async def try_once(self, message):
        self.tries += 1
        if self.ill:
            raise self.ill
        self.got.append(message)


class World(Town):
    """A town whose jobs need a network."""

    away = False

    def _bodied(self, job):
        plain = super()._bodied(job)

        async def body(run):
            await trio.sleep(1)
            if self.away:
                raise ConnectionError("the network is away: https://me:hunter2hunter2@x.example")

        fields = {f.name: getattr(plain, f.name) for f in attrs.fields(Job) if f.init}
        return Job(fields.pop("name"), body, **{k: v for k, v in job.items() if k != "name"})


class House:
    """A town, its hall, and a notifier with a pigeon."""

    def __init__(self, folder, *jobs, **notify):
        self.town = World(*jobs)
        self.pigeon = Pigeon()
        self.hall = Hall(self.town, notify=notify, daemon={"state_dir": folder, "timezone": "UTC"})
        self.notifier = Notifier(
            self.hall,
            make_ways=lambda settings: [self.pigeon],
            now=self.town.clock.now,
            in_thread=at_once,
        )

    @property
    def got(self):
        return [(message.type, message.title.partition(": ")[2]) for message in self.pigeon.got]

    def alive(self):
        return self.hall.with_service(self.notifier)


def hourly(count, minutes=1):
    return [a_job(f"job-{n}", "1h", f"{n * minutes}m", duration="10s") for n in range(count)]


@pytest.fixture
def house(tmp_path):
    return House(tmp_path, *hourly(2, 30))


async def test_fifty_jobs_that_fail_within_an_hour_are_one_message(autojump_clock, tmp_path):
    """The network is away for an hour, and all of them fail: one message, and one when all is well."""
    house = House(tmp_path, *hourly(50))
    async with house.alive():
        await trio.sleep(HOUR - 30)
        house.town.away = True
        await trio.sleep(HOUR)
        assert len(house.pigeon.got) == 1
        house.town.away = False
        await trio.sleep(3 * HOUR)
    assert [kind for kind, _ in house.got] == ["trouble", "recovery"]
    first, second = house.pigeon.got
    assert first.title.endswith("2 jobs fail")
    assert "job-0 failed: the network is away" in first.text
    assert "hunter2" not in first.text
    assert first.fresh[0].run
    assert len(second.recovered) == 2
    told = house.town.told(Notified)
    assert [(event.way, event.error) for event in told] == [("pigeon", None)] * 2


async def test_a_job_that_its_retry_mends_is_nothing_to_tell(autojump_clock, tmp_path):
    """The first try fails, the second does not: nobody is woken."""
    job = a_job("a", "1h", duration="10s", retries=1)
    house = House(tmp_path, job)
    async with house.alive():
        await trio.sleep(HOUR - 30)
        house.town.away = True
        await trio.sleep(35)
        house.town.away = False
        await trio.sleep(HOUR)
    outcomes = [record.outcome for record in house.town.records("a")]
    assert "failed" in outcomes
    assert house.got == []


async def test_pauses_are_told_but_those_that_a_person_made(autojump_clock, house):
    """muxd pauses a job: that is told, and its end. Who pauses one by hand knows already."""
    async with house.alive():
        await trio.sleep(10)
        house.town.core.pauses.pause("job-1", "crashed the browser 3x", interval=HOUR)
        house.town.core.pause("job-0", "by hand")
        house.hall.tell(Steered(at=0, by="ann", action="pause", target="job-0", result="paused"))
        await trio.sleep(5 * MINUTE)
        house.town.core.resume("job-1")
        await trio.sleep(5 * MINUTE)
    assert house.got == [
        ("trouble", "job-1 is paused: crashed the browser 3x"),
        ("recovery", "all is well again"),
    ]


async def test_a_login_is_one_trouble_with_the_jobs_that_wait_for_it(autojump_clock, tmp_path):
    """The jobs that are paused for it are not told one by one, whichever comes first; it is over when
    they wait no more, not when some other job does well in that session."""
    house = House(tmp_path, *hourly(4, 15))
    pause = house.town.core.pauses.pause
    async with house.alive():
        await trio.sleep(10)
        pause("job-0", login_note("main"))
        event = LoginNeeded(at=MONDAY, job="job-0", session="main", paused=("job-0", "job-1"))
        house.hall.tell(event)
        await trio.sleep(1)
        pause("job-1", login_note("main"))
        await trio.sleep(3 * HOUR)
        assert [kind for kind, _ in house.got] == ["trouble"]
        house.town.core.resume()  # of all: what waits for a login goes on waiting
        await trio.sleep(HOUR)
        assert [kind for kind, _ in house.got] == ["trouble"]
        for job in ("job-0", "job-1"):
            house.town.core.resume(job)
        await trio.sleep(HOUR)
    assert house.got == [
        ("trouble", "job-0 is logged out: log in again by `muxd login main`; 2 jobs wait for it"),
        ("recovery", "all is well again"),
    ]


async def test_silence_is_told_unless_people_want_it(autojump_clock, tmp_path):
    """Nothing runs for an hour more than the shortest interval: told. A pause of all is no trouble."""
    house = House(tmp_path, *hourly(2, 30), on=["silence", "recovery"])
    async with house.alive():
        await trio.sleep(10)
        house.town.core.pauses.pause_whole("holidays")
        await trio.sleep(3 * HOUR)
        assert house.got == []
        house.town.core.pauses.resume_whole(by="ann")
        house.town.core.pauses.pause("job-0", "no")
        house.town.core.pauses.pause("job-1", "no")
        await trio.sleep(3 * HOUR)
    assert house.got == []
    held = House(tmp_path / "held", *hourly(2, 30), on=["silence", "recovery"])
    (tmp_path / "held").mkdir()
    async with held.alive():
        await trio.sleep(10)

        # The releases come, and nobody takes them.
        async def stuck(*args, **kwargs):
            await trio.sleep_forever()

        held.town.core.holding.ask = stuck
        await trio.sleep(3 * HOUR)
    ((_, title),) = held.got
    assert title.startswith("nothing has run for 2h")


async def test_overload_is_told(autojump_clock, house):
    """Too little memory, and a timetable that asks for too much or can't be without collisions."""

    def plan(**fields):
        return PlanMade(at=MONDAY, min_gap=0, **fields)

    async with house.alive():
        await trio.sleep(10)
        house.town.core.holding.shortage = Shortage("memory", 10**8, 2 * 10**8)
        house.hall.tell(
            ResourcesLow(at=MONDAY, what="memory", free=10**8, floor=2 * 10**8, holding=("a",))
        )
        house.hall.tell(plan(feasible=False, utilisation=0.5, warnings=("a and b collide",)))
        await trio.sleep(3 * MINUTE)
        house.town.core.holding.shortage = None
        house.hall.tell(ResourcesFine(at=MONDAY))
        house.hall.tell(plan(feasible=True, utilisation=0.5, warnings=()))
        await trio.sleep(3 * HOUR)
        house.hall.tell(plan(feasible=True, utilisation=7.0, warnings=()))
        await trio.sleep(3 * MINUTE)
    (_, both), (_, well), (_, much) = house.got
    assert (both, well) == ("2 things are wrong", "all is well again")
    lines = house.pigeon.got[0].text
    assert "too little memory: 100 MB left, 1 job waits" in lines
    assert "the jobs can't avoid each other: a and b collide" in lines
    assert much == "the jobs ask for 700% of the browser's time"


async def test_a_browser_that_keeps_dying_is_told(autojump_clock, house):
    """One that dies once is bad luck, and what muxd does itself is no death."""

    def dies(reason="killed by signal 9"):
        house.hall.tell(BrowserDown(at=MONDAY, generation=1, reason=reason, retry_in=0))
        house.hall.tell(BrowserUp(at=MONDAY, generation=2, pid=1, version=""))

    async with house.alive():
        await trio.sleep(10)
        for reason in ("closed", "recycled: 9 runs", "recycled: 1 GB", "killed", "killed"):
            dies(reason)
        await trio.sleep(5 * MINUTE)
        assert house.got == []
        dies()
        await trio.sleep(HOUR)
    assert house.got == [
        ("trouble", "the browser keeps dying, last: killed by signal 9"),
        ("recovery", "all is well again"),
    ]


class Guarded:
    """A link to a guard that has started muxd again."""

    link = attrs.make_class("Link", {"restarts": attrs.field(default=2)})()


@pytest.mark.parametrize("wanted", [False, True])
async def test_a_start_after_a_death_is_told(autojump_clock, house, wanted, tmp_path):
    """The guard had to start muxd again: told once in a while. A restart that was wanted is not."""
    house.hall.pulse = Guarded
    Memory(restarting=wanted).save(tmp_path)
    async with house.alive():
        await trio.sleep(HOUR)
    assert len(house.got) == (not wanted)
    assert not Memory.load(tmp_path).restarting
    if not wanted:
        assert house.got[0][0] == "notice"


async def test_deaths_again_and_again_are_told_once_in_a_while(autojump_clock, tmp_path):
    """Each life tells of the one before it at most, and not within an hour of the last message."""
    Memory(recent={("muxd", "restarted"): MONDAY - 2 * HOUR}).save(tmp_path)
    told = []
    for life in range(5):
        house = House(tmp_path, *hourly(1))
        house.hall.pulse = Guarded
        house.town.clock.step(life * 10 * MINUTE)
        async with house.alive():
            await trio.sleep(5 * MINUTE)
        told.append(len(house.got))
    assert told == [1, 0, 0, 0, 0]


async def test_a_restart_that_is_asked_for_is_kept(autojump_clock, house, tmp_path):
    """It is written down before muxd ends."""
    async with house.alive():
        await trio.sleep(10)
        house.hall.tell(Steered(at=0, by="ann", action="restart", target="muxd", result="soon"))
        await trio.sleep(1)
        assert Memory.load(tmp_path).restarting


async def test_what_was_told_is_known_after_a_restart(autojump_clock, tmp_path):
    """A job that fails before and after a restart is told once; then that it is well again."""
    first = House(tmp_path, *hourly(1))
    first.town.away = True
    async with first.alive():
        await trio.sleep(HOUR + 10 * MINUTE)
    assert len(first.got) == 1
    assert (tmp_path / FILE_NAME).stat().st_mode & 0o777 == 0o600
    assert "hunter2" not in (tmp_path / FILE_NAME).read_text()
    second = House(tmp_path, *hourly(1))
    second.town.away = True
    async with second.alive():
        await trio.sleep(HOUR + 10 * MINUTE)
        assert second.got == []
        second.town.away = False
        await trio.sleep(HOUR)
    assert second.got == [("recovery", "all is well again")]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"told": 7}', '{"told": [{}], "recent": []}'])
def test_a_broken_memory_is_none(tmp_path, text):
    """It costs a message too much, and nothing else."""
    (tmp_path / FILE_NAME).write_text(text)
    assert Memory.load(tmp_path) == Memory()


async def test_a_message_that_can_not_be_sent_is_tried_again(autojump_clock):
    """With more and more time between; logged once, counted once; the order is kept."""
    pigeon, told = Pigeon(), []
    pigeon.ill = NotSent("no network")
    post = Post(pigeon, told.append, now=trio.current_time)
    with structlog.testing.capture_logs() as logs:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(post.run)
            post.put(message("one"))
            post.put(message("two"))
            await trio.sleep(HOUR)
            pigeon.ill = None
            await trio.sleep(HOUR)
            assert [each.title for each in pigeon.got] == ["one", "two"]
            assert [event.error for event in told] == [None, None]
            pigeon.ill = RuntimeError("a mistake, with a secret in it")
            post.put(message("three"))
            await trio.sleep(7 * HOUR)
            nursery.cancel_scope.cancel()
    assert told[2].error == "RuntimeError"
    assert 5 * HOUR < sum(WAITS) < 7 * HOUR
    assert [each["title"] for each in logs] == ["one", "three"]
    assert "secret" not in str(logs)


async def test_what_is_refused_is_not_tried_again(autojump_clock):
    """A wrong address stays wrong."""
    pigeon, told = Pigeon(), []
    pigeon.ill = NotSent("the server answered 404", again=False)
    post = Post(pigeon, told.append)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(post.run)
        post.put(message("one"))
        await trio.sleep(HOUR)
        nursery.cancel_scope.cancel()
    assert (pigeon.tries, told[0].error) == (1, "the server answered 404")


async def test_a_way_that_hangs_delays_nobody(autojump_clock):
    """A try has its bound; what waits behind it is bounded too, and the oldest is given up."""

    class Hangs(Way):
        name = "hangs"

        async def try_once(self, message):
            await trio.sleep_forever()

    told = []
    post = Post(Hangs(), told.append)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(post.run)
        await trio.sleep(1)
        for number in range(MOST + 5):
            post.put(message(str(number)))  # never blocks
        assert [event.title for event in told] == ["1", "2", "3", "4"]
        with pytest.raises(NotSent, match="longer than 30 s"):
            await Hangs().send(message("x"))
        nursery.cancel_scope.cancel()


def message(title):
    made = compose(id_="m", at=0.0, host="h", zone=None, mask=str)
    return attrs.evolve(made, title=title)


def test_a_long_list_is_cut():
    """Fifty jobs are told as a number and the first ten; all are in the webhook's JSON."""
    troubles = [
        Trouble(kind="failure", subject=f"j{n}", text=f"j{n} failed", since=0.0) for n in range(50)
    ]
    made = compose(id_="m", at=0.0, host="h", zone=None, mask=str, fresh=troubles)
    assert made.title == "muxd on h: 50 jobs fail"
    assert f"and {50 - SHOWN} more" in made.text
    assert len(made.as_dict()["fresh"]) == 50


async def test_a_reload_takes_over_new_settings(autojump_clock, house):
    """Whom to tell can be changed while muxd runs; what lacks something changes nothing."""
    given, second = [], Pigeon()

    def make(settings):
        given.append(settings)
        if settings["desktop"]:
            raise ValueError("no")
        return [second] if settings["gather"] == 5 else []

    house.notifier = Notifier(
        house.hall, make_ways=make, now=house.town.clock.now, in_thread=at_once
    )
    async with house.alive():
        await trio.sleep(1)
        house.hall.given["notify"] = {"desktop": True}
        house.hall.tell(Reloaded(at=0))
        await trio.sleep(1)
        house.hall.given["notify"] = {"gather": 5}
        house.hall.tell(Reloaded(at=0))
        house.hall.tell(Reloaded(at=0))
        await trio.sleep(1)
        house.town.core.pauses.pause("job-1", "why", interval=HOUR)
        await trio.sleep(10)
    assert len(given) == 3
    assert [each.type for each in second.got] == ["trouble"]


def test_there_is_nobody_to_tell_without_a_daemon(house):
    """`muxd run` alone tells nobody."""
    assert list(notifier.muxd_services(daemon=None)) == []
    assert len(list(notifier.muxd_services(daemon=house.hall))) == 1


def test_a_reload_has_it_all_in_force():
    """No setting of ``[notify]`` needs a restart."""
    before = Config()
    after = Config(notify=NotifyConfig(urls=["json://x"], webhook_secret="x" * 16, quiet="5m"))
    assert needs_restart(before, after) == []
    assert in_force(before, after).notify == after.notify


async def test_news_of_jobs_are_told_soon_whatever_else_is_wrong(autojump_clock, tmp_path):
    """Neither the outage that is on nor what was told an hour ago keeps them: what comes at one time is
    one message, with the files that are kept of the runs."""
    house = House(tmp_path, *hourly(2, 30))
    picture = tmp_path / "diff.png"
    picture.write_bytes(b"png")
    house.hall.evidence = lambda run: {"diff.png": picture} if run == "r1" else {}

    def tell(**news):
        house.hall.tell(JobNews(**{"at": MONDAY, "job": "shop", "run": "r1"} | news))

    async with house.alive():
        house.town.away = True
        await trio.sleep(HOUR)
        assert [kind for kind, _ in house.got] == ["trouble"]
        tell(title="12 EUR", text="-13 EUR\n+12 EUR", url="https://x.example/?token=hunter2hunter2",
             files=["diff.png", "gone.png"])  # fmt: skip
        await trio.sleep(5)
        assert len(house.pigeon.got) == 1
        await trio.sleep(6)
        first = house.pigeon.got[1]
        tell(title="one")
        tell(job="news", run="r2", title="two", text="x" * 4000, files=["diff.png"])
        for n in range(200):
            tell(job=f"job-{n % 4}", run=None, title=f"more {n}")
        await trio.sleep(11)
        assert len(house.pigeon.got) == 3
    second = house.pigeon.got[2]
    assert (first.type, first.title) == ("news", "shop: 12 EUR")
    assert first.text == "-13 EUR\n+12 EUR\n\nhttps://x.example/?token=***"
    assert first.files == [picture]
    assert first.as_dict()["news"] == [
        {"at": "2024-01-01T00:00:00.000000Z", "job": "shop", "run": "r1", "title": "12 EUR",
         "text": "-13 EUR\n+12 EUR", "url": "https://x.example/?token=***",
         "files": ["diff.png", "gone.png"]}
    ]  # fmt: skip
    assert second.title == "202 news of shop, news, job-0 and 3 more jobs"
    assert second.text.startswith("shop: one\n\nnews: two\nxxx")
    assert second.text.endswith("job-1: more 97\n\nand 102 more")
    assert len(second.text) < 5000
    assert not second.files


async def test_who_wants_no_news_gets_none(autojump_clock, tmp_path):
    """`notify.on` without `news`."""
    house = House(tmp_path, *hourly(1), on=("failure",))
    async with house.alive():
        house.hall.tell(JobNews(at=MONDAY, job="shop", title="12 EUR"))
        await trio.sleep(HOUR)
    assert not house.pigeon.got
