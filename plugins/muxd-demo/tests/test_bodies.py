"""Every job for real: on a Chromium, against the site, with a look at what it left there."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

import muxd


@pytest.mark.nightly
@pytest.mark.browser
@pytest.mark.trio(run=muxd.run)
async def test_jobs_that_change_something(in_browser, site):
    """Each of the six does its work on the page, and the site shows it afterwards."""

    async def scenario(play):
        world, now = site.world, site.world.clock()
        world.clock = lambda: now  # else readers may write meanwhile

        planned = await play("plan")
        assert len(planned) == 2
        assert [idea.text for idea in world.queue()][-2:] == planned

        following = world.queue()[0].text
        posted = await play("posting_queue")
        assert posted["text"] == following == world.posts()[0].text
        assert posted["id"] == world.posts()[0].id

        sent = await play("reply")
        [answered] = [each for each in world.conversations() if each.replies]
        assert (answered.sender, answered.replies) == (sent["to"], (sent["text"],))

        counted = await play("inbox")
        assert counted == {"conversations": 5, "unread": 4}
        assert all(each.read for each in world.conversations())

        learned = await play("learn")
        assert learned["before"] == "birds"
        assert world.settings.focus == learned["focus"] != "birds"

        compared = await play("real_outcomes")
        [confirmed] = [each for each in world.outcomes() if each.confirmed]
        assert compared == {"compared": 8, "confirmed": confirmed.text}

    await in_browser(scenario)


@pytest.mark.nightly
@pytest.mark.browser
@pytest.mark.trio(run=muxd.run)
async def test_jobs_that_measure(in_browser, site):
    """Each of the six brings back the numbers that the site has."""

    async def scenario(play):
        world = site.world
        newest = world.posts()

        rows = await play("metrics_scraper")
        assert [row["post"] for row in rows] == [post.id for post in newest[:8]]
        assert all(row["views"] > row["likes"] > 0 for row in rows)

        totals = await play("analytics")
        assert totals["days"] == 90
        assert totals["impressions"] >= sum(row["views"] for row in rows)
        assert totals["followers"] == len(world.followers())

        speed = await play("velocity_tracker")
        assert speed["impressions"] > rows[0]["views"]
        assert speed["per_second"] > 0

        best = await play("enhanced_metrics")
        assert [each["post"] for each in best] == [post.id for post in world.top_posts(2)]
        assert all(len(each["sources"]) == 4 for each in best)

        kept = await play("data_collection")
        assert [row["text"] for row in kept] == [post.text for post in newest]
        assert all(row["impressions"] > 0 for row in kept)

        report = await play("attribution")
        assert report["posts"] == 6
        assert report["best"] in [post.id for post in world.top_posts(6)]

    await in_browser(scenario)


@pytest.mark.browser
@pytest.mark.trio(run=muxd.run)
async def test_jobs_that_listen(in_browser, site):
    """Each of the four brings back what there is to be read."""

    async def scenario(play):
        world = site.world

        news = await play("news_scraping")
        assert len(news["headlines"]) == len(set(news["headlines"])) == 20
        assert len(news["lead"]) == 4
        assert not world.sessions(), "the news is read without signing in"

        trends = await play("trends")
        assert all(len(order) == 6 for order in trends["orders"].values())
        assert len(trends["said"]) == 4

        followers = await play("sync_follower")
        assert [each["handle"] for each in followers] == [
            each.handle for each in world.followers()
        ][:48]

        state = await play("session_check")
        assert state == {"account": world.settings.display_name, "days_left": 29, "sessions": 1}

    await in_browser(scenario)


@pytest.mark.browser
@pytest.mark.trio(run=muxd.run)
async def test_one_run_signs_in_for_all(in_browser, site):
    """The profile keeps the cookie: after the first run no other signs in, nor after a restart."""

    async def scenario(play):
        for name in ("inbox", "metrics_scraper", "session_check"):
            await play(name)

    with capture_logs() as logs:
        await in_browser(scenario)
        await in_browser(scenario)
    assert [(entry["event"], entry["job"]) for entry in logs] == [("signed in", "inbox")]
    assert len(site.world.sessions()) == 1


@pytest.mark.browser
@pytest.mark.trio(run=muxd.run)
async def test_a_session_that_ended_is_opened_again(in_browser, site):
    """A cookie that the site no longer knows (it was restarted) costs one sign-in, not a run."""

    async def scenario(play):
        await play("inbox")
        for cookie in list(site.world._sessions):
            site.world.sign_out(cookie)
        state = await play("session_check")
        assert state["sessions"] == 1

    with capture_logs() as logs:
        await in_browser(scenario)
    assert [entry["job"] for entry in logs] == ["inbox", "session_check"]


@pytest.mark.browser
@pytest.mark.trio(run=muxd.run)
async def test_nothing_to_do_is_no_failure(in_browser, site):
    """With an empty queue a word on the day is posted; with nobody waiting, nobody is answered."""

    async def scenario(play):
        world, now = site.world, site.world.clock()
        world.clock = lambda: now  # nobody writes meanwhile
        for _ in world.queue():
            world.publish_next()
        posted = await play("posting_queue")
        assert posted["text"].startswith("Quiet day")
        assert posted["id"] == world.posts()[0].id

        for each in world.conversations():
            world.reply(each.id, "Thank you!")
        assert await play("reply") is None

        for outcome in world.outcomes():
            world.confirm(outcome.post)
        assert (await play("real_outcomes"))["confirmed"] is None

    await in_browser(scenario)
