"""Jobs that need a login, and logins, in a town on virtual time."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import trio

from muxd import LoggedOut
from muxd.audit import AuditTrail
from muxd.errors import RunError, UserError
from muxd.events import JobResumed, LoginNeeded
from muxd.login import login_job, login_note
from muxd.logins import Login, Logins
from muxd.record import Outcome
from tests.upkeep.town import Town, a_job

NOTE = "logged out: log in again with `muxd login shop`"


class Shops(Town):
    """A town whose jobs are logged in to their shop, or not."""

    def __init__(self, **options):
        self.inside = False

        async def check(run):
            await trio.sleep(0.1)
            return self.inside

        super().__init__(
            a_job("checks", "10m", session="shop", needs_login=check),
            a_job("signs", "10m", "2m", session="shop", needs_login="/login*"),
            a_job("raises", "10m", "4m", session="shop", retries=3),
            a_job("needs_nothing", "10m", "6m", session="shop"),
            a_job("elsewhere", "10m", "8m", session="bank", needs_login="/login*"),
            **options,
        )

    def _bodied(self, job):
        made = super()._bodied(job)
        if job["name"] != "raises":
            return made

        async def body(run):
            async with trio.open_nursery(strict_exception_groups=True):
                if not self.inside:
                    raise LoggedOut("who are you?")
            await made.body(run)

        return made.replace(body=body)

    def paused(self):
        return {name: pause.note for name, pause in self.core.pauses.all.items()}

    async def log_in(self, *, works=True):
        """The record of a login."""

        async def body(run):
            await trio.sleep(60)
            if not works:
                raise RunError("no")
            self.inside = True

        return await finished(self, login_job("shop", body, seconds=1800))


async def finished(town, job):
    """The record of a run that a person asks for, by its job's name; or of a login."""
    login = not isinstance(job, str)
    release = await (town.core.request_login(job) if login else town.core.request(job))
    record = await town.core.book.wait_ended(release.id)
    await trio.sleep(1)  # all are told
    return record


async def test_those_of_a_session_that_is_logged_out_are_paused_together(autojump_clock):
    """The first run that finds it out ends as `failed` with `LoggedOut` before its body, and pauses all
    that need a login to its session, told once; others go on. A finished login resumes exactly those,
    and all is as before."""
    town = Shops()
    async with town.alive():
        await trio.sleep(5 * 60)  # not `raises`, which does not say that it needs one
        assert town.paused() == {"checks": NOTE, "signs": NOTE, "raises": NOTE}
        town.core.pauses.pause("elsewhere", "a person's own")
        await trio.sleep(30 * 60)
        first = town.records("checks")[0]
        assert (first.outcome, first.error_type) == (Outcome.failed, "muxd.errors.LoggedOut")
        assert "`muxd login shop`" in first.error
        assert {record.outcome for record in town.records("checks")[1:]} == {Outcome.missed}
        assert {record.outcome for record in town.records("needs_nothing")} == {Outcome.ok}
        told = town.told(LoginNeeded)
        assert [(event.job, event.session, event.paused) for event in told] == [
            ("checks", "shop", ("checks", "signs")),
            ("raises", "shop", ("raises",)),
        ]
        assert len(town.records("raises")) <= 4  # a logged out run is not tried again

        record = await town.log_in()
        assert (record.outcome, record.job) == (Outcome.ok, "login:shop")
        assert town.paused() == {"elsewhere": "a person's own"}
        assert [event.by for event in town.told(JobResumed)] == [
            "a login to the session 'shop'"
        ] * 3
        before = len(town.records("checks"))
        await trio.sleep(20 * 60)
        assert {r.outcome for r in town.records("checks")[before:]} == {Outcome.ok}
    assert town.core.book.most_at_once == 1


async def test_what_waits_for_a_login_survives_muxd(autojump_clock):
    """The pauses are kept; a login that fails resumes nothing; a run of such a job which a person
    asked for, and that is logged in, resumes those of its session."""
    town = Shops()
    await town.live(5 * 60)
    again = Shops(store=town.store)
    async with again.alive():
        assert again.paused() == {"checks": NOTE, "signs": NOTE, "raises": NOTE}
        assert (await again.log_in(works=False)).outcome is Outcome.failed
        assert len(again.paused()) == 3
        assert (await finished(again, "checks")).outcome is Outcome.failed
        assert again.told(LoginNeeded) == []  # people know
        again.inside = True
        assert (await finished(again, "checks")).outcome is Outcome.ok
        assert again.paused() == {}


async def test_others_wait_for_a_login_and_coalesce(autojump_clock):
    """A login has the browser alone and goes before what waits; releases meanwhile wait, one of a job,
    and run when it has ended."""
    town = Town(a_job("often", "1m", duration="5s"), a_job("busy", "30m", "30s", duration="20s"))

    async def body(run):
        await trio.sleep(600)

    async with town.alive():
        await trio.sleep(31)  # `busy` runs
        login = await finished(town, login_job("shop", body, seconds=1800))
        assert login.outcome is Outcome.ok
        await trio.sleep(30)
        often = town.records("often")
        during = [r for r in often if login.started_at < r.released_at < login.ended_at]
        assert [r.outcome for r in during].count(Outcome.coalesced) == len(during) - 1 == 9
        begun = [r.started_at for r in often if r.started_at is not None]
        assert not [at for at in begun if login.started_at <= at < login.ended_at]
    assert town.core.book.most_at_once == 1


@pytest.fixture
def bench(tmp_path):
    """A town, its logins, and who asks for one."""
    town = Town(a_job("often", "1h", duration="5s", session="shop"))
    trail = AuditTrail(tmp_path, town.bus, real_now=town.clock.now)
    town.obstacle = None
    return town, Logins(town.core, trail, obstacle=lambda: town.obstacle, idle=600)


async def test_a_login_that_waits(bench, autojump_clock):
    """Who asks for the session again gets the login that there is; one that waits can be cancelled, and
    says what it waits for; what can't be is refused with the remedy."""
    town, logins = bench
    async with town.alive(), trio.open_nursery() as nursery:
        nursery.start_soon(logins.run)
        town.took["often"] = 30
        await trio.sleep(5)
        login = await logins.ask("shop", "", seconds=1800, by="ann")
        assert (login.state()["state"], login.state()["waits_for"]) == ("waiting", "often")
        assert await logins.ask("shop", "https://a.example", seconds=60, by="bob") is login
        with pytest.raises(UserError, match="it waits, or has ended"):
            logins.finish(login, by="ann")
        await logins.cancel(login, by="ann")
        await logins.wait_ended(login)
        told = login.state()
        assert (told["state"], told["outcome"]) == ("ended", "cancelled")
        assert told["said"] == "It was cancelled. The session is as it was."
        for session, url, words in (
            ("fresh", "", "nothing is kept of a fresh session"),
            ("a b", "", "session='a b' is not possible"),
            ("shop", "file:///etc/passwd", "is no address of a page"),
        ):
            with pytest.raises(UserError, match=words):
                await logins.ask(session, url, seconds=60, by="ann")
        town.obstacle = "there is no dashboard"
        with pytest.raises(UserError, match="there is no dashboard"):
            await logins.ask("shop", "", seconds=60, by="ann")
        nursery.cancel_scope.cancel()
    assert login_note("shop") == NOTE


class Tab:
    """A page, its context too, of which only matters that it is there."""

    url = "https://shop.example/"
    pages = ()

    def on(self, event, listener):
        pass

    remove_listener = on

    async def cookies(self):
        return [{"expires": -1}, {"expires": 1e10}]


async def test_a_login_that_nobody_looks_at_is_ended(bench, autojump_clock):
    """After ten minutes without anybody who looks, counted from the last one on; one that is looked at
    has as long as it was given."""
    town, _ = bench
    login = Login("main", "about:blank", 1800, idle=600, core=town.core)
    run = SimpleNamespace(context=Tab(), page=Tab())
    begun = trio.current_time()

    async def looks():
        await trio.sleep(500)
        with login.looked_at():
            await trio.sleep(1000)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(looks)
        with pytest.raises(RunError, match="nobody has looked at it for 10m"):
            await login.body(run)
    assert trio.current_time() - begun == pytest.approx(500 + 1000 + 600)
    with pytest.raises(UserError, match="it waits, or has ended"):
        login.do([])


async def test_a_login_to_main_tells_what_will_not_last(bench, autojump_clock):
    """Cookies that go with the browser are counted, so that people can be told."""
    town, _ = bench
    login = Login("main", "about:blank", 1800, idle=600, core=town.core)
    async with trio.open_nursery() as nursery:

        async def finish():
            await trio.sleep(5)
            login.finish()

        nursery.start_soon(finish)
        assert (
            await login.body(SimpleNamespace(context=Tab(), page=Tab())) == "a person has logged in"
        )
    assert login.passing == 1
