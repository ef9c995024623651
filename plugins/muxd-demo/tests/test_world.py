"""The site's state, without serving it."""

from __future__ import annotations

import pytest
from muxd_demo.site import World
from muxd_demo.site.numbers import RANGES, breakdown, daily, measure
from muxd_demo.site.world import PASSWORD, USER


@pytest.fixture
def clock():
    """A clock that is moved by hand."""

    def read():
        return read.now

    read.now = 1000.0
    return read


@pytest.fixture
def world(clock):
    return World(clock)


def test_numbers_grow_and_never_fall(world, clock):
    """Two looks a second apart differ, and a counter never goes back."""
    post = world.publish("birds", "A wren.")
    before = measure(post, clock.now)
    assert before["impressions"] == 0
    for _ in range(300):
        clock.now += 1
        now = measure(post, clock.now)
        assert now["impressions"] >= before["impressions"] + 12
        assert all(now[name] >= before[name] for name in now)
        before = now


def test_sources_add_up(world, clock):
    """Where readers came from adds up to how many there were."""
    for post in world.posts():
        whole = measure(post, clock.now)["impressions"]
        assert sum(breakdown(post, clock.now).values()) == whole


@pytest.mark.parametrize("name", RANGES)
def test_a_curve_has_a_value_for_each_day(name):
    """Each range gives as many positive numbers as it has days."""
    curve = daily(RANGES[name], 12345.0)
    assert len(curve) == RANGES[name]
    assert min(curve) > 0


def test_the_queue_is_posted_in_order_and_runs_dry(world):
    """Ideas come out first in, first out; an empty queue says so."""
    expected = [idea.text for idea in world.queue()]
    assert len(expected) == 6
    assert [world.publish_next().text for _ in expected] == expected
    with pytest.raises(KeyError):
        world.publish_next()


def test_readers_write_as_time_goes_by_and_the_inbox_stays_bounded(world, clock):
    """A message comes every 12 s; a week of them is kept as its newest 48."""
    assert len(world.conversations()) == 5
    clock.now += 25
    assert len(world.conversations()) == 7
    clock.now += 7 * 86400
    newest = world.conversations()
    assert len(newest) == 48
    assert [each.id for each in newest] == sorted((each.id for each in newest), reverse=True)


def test_a_reply_is_kept_and_marks_as_read(world):
    """An answered conversation is read and holds the answer; the others are untouched."""
    first, *others = world.conversations()
    changed = world.reply(first.id, "  Thank you!  ")
    assert changed.read
    assert changed.replies == ("Thank you!",)
    assert world.conversations()[1:] == others
    assert world.read_all() == len(others)
    assert world.read_all() == 0


def test_a_year_of_posts_is_bounded(world):
    """However long the demo runs, it keeps 240 posts, 40 ideas and 200 sessions."""
    for number in range(600):
        world.publish("maps", f"Sheet {number}")
        world.add_idea("maps", f"Idea {number}")
        world.sign_in(USER, PASSWORD)
    assert len(world.posts()) == 240
    assert world.posts()[0].text == "Sheet 599"
    assert len(world.queue()) == 40
    assert len(world.sessions()) == 200


def test_followers_are_all_different(world, clock):
    """However many there are, no two have the same handle."""
    assert len(world.followers()) == 44
    clock.now += 86400
    handles = {follower.handle for follower in world.followers()}
    assert len(handles) == len(world.followers()) == 260


def test_news_moves_on_without_losing_any(world, clock):
    """Each minute another piece leads; all twenty stay readable under their own addresses."""
    slugs = [article.slug for article in world.news()]
    assert len(set(slugs)) == 20
    clock.now += 61
    later = [article.slug for article in world.news()]
    assert later[0] == slugs[-1]
    assert sorted(later) == sorted(slugs)
    assert world.article(slugs[3]).slug == slugs[3]


def test_only_the_right_password_opens(world):
    """A wrong password gives no session; a right one gives a new one, which can be ended."""
    assert world.sign_in(USER, "open sesame") is None
    assert world.sign_in("eve@perch.example", PASSWORD) is None
    one, two = world.sign_in(USER, PASSWORD), world.sign_in(USER, PASSWORD)
    assert one != two
    assert world.knows(one)
    world.sign_out(one)
    assert not world.knows(one)
    assert world.knows(two)


def test_outcomes_are_for_posts_that_have_settled(world, clock):
    """A post of this minute has no outcome yet; a confirmed one stays confirmed."""
    new = world.publish("trains", "On time.")
    assert new.id not in [outcome.post for outcome in world.outcomes()]
    clock.now += 60
    assert world.outcomes()[0].post == new.id
    world.confirm(new.id)
    assert [outcome.post for outcome in world.outcomes() if outcome.confirmed] == [new.id]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"display_name": " "}, "display name"),
        ({"focus": "cats"}, "focus"),
        ({"best_hour": 24}, "best hour"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(world, change, named):
    """A wrong value is refused, named, and changes nothing."""
    before = world.settings
    good = {"display_name": "The Hedge", "focus": "maps", "best_hour": 7}
    with pytest.raises(ValueError, match=named):
        world.change_settings(**good | change)
    assert world.settings == before
    assert world.change_settings(**good).focus == "maps"


@pytest.mark.parametrize("text", ["", "   ", "x" * 281])
def test_a_text_has_a_length(world, text):
    """Nothing empty and nothing above 280 characters can be posted, queued or sent."""
    [first, *_] = world.conversations()
    for refused in (
        lambda: world.publish("birds", text),
        lambda: world.add_idea("birds", text),
        lambda: world.reply(first.id, text),
    ):
        with pytest.raises(ValueError, match="280"):
            refused()
