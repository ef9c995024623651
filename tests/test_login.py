"""The words of logins: addresses, signs, and what a person does, as it is sent."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muxd import Job, LoggedIn
from muxd.errors import JobError, UserError
from muxd.login import is_login, login_job, login_name, login_note, login_session, login_url
from muxd.logincheck import first_page, is_address, sign_matches
from muxd.logininput import read_actions

MOVE = {
    "do": "mouse",
    "type": "move",
    "x": 1.5,
    "y": 2,
    "button": "none",
    "buttons": 0,
    "count": 0,
    "modifiers": 0,
}


async def body(run):
    """Does nothing."""


@pytest.mark.parametrize(
    ("typed", "url"),
    [
        ("shop.example", "https://shop.example"),
        (" shop.example/a?b=c#d ", "https://shop.example/a?b=c#d"),
        ("localhost:8000/x", "https://localhost:8000/x"),
        ("http://127.0.0.1:80", "http://127.0.0.1:80"),
        ("", "about:blank"),
    ],
)
def test_an_address_as_a_person_types_it(typed, url):
    """Without a scheme it is https; a port is no scheme."""
    assert login_url(typed) == url


@pytest.mark.parametrize(
    "typed",
    ["file:///etc/passwd", "javascript:alert(1)", "chrome://version", "a b", "https://", "x:y"],
)
def test_no_login_shows_what_is_not_the_webs(typed):
    """Files of the machine, scripts and the browser's own pages are refused."""
    with pytest.raises(UserError, match="is no address of a page"):
        login_url(typed)


def test_the_job_of_a_login():
    """It has a name that no plugin's job can have, its session and its time; a fresh session has none."""
    job = login_job("shop", body, seconds=60)
    assert (job.name, job.session, job.timeout) == (login_name("shop"), "shop", 60)
    assert is_login(job.name)
    assert login_session(login_note("shop")) == "shop"
    assert login_session("by a person: `muxd login shop`") is None
    with pytest.raises(JobError):
        Job(job.name, body, interval=60)
    with pytest.raises(UserError, match="fresh session"):
        login_job("fresh", body, seconds=60)


@pytest.mark.parametrize(
    ("sign", "url", "matches"),
    [
        ("/login*", "https://shop.example/login", True),
        ("/login*", "https://shop.example/login/step?next=/", True),
        ("/login", "https://shop.example/login?next=/", True),
        ("/login", "https://shop.example/", False),
        ("/", "https://shop.example", True),
        ("**/signin", "https://id.example/a/signin#x", True),
        ("https://*.example/login", "https://id.example/login", True),
        ("https://id.example/*", "https://shop.example/?to=https://id.example/", False),
        ("/login*", "about:blank", False),
    ],
)
def test_signs_that_are_addresses(sign, url, matches):
    """``*`` stands for anything, queries and fragments don't count, a path is of any host."""
    assert is_address(sign)
    assert sign_matches(sign, url) is matches


def test_signs_that_are_selectors():
    """What does not look like an address is a selector."""
    assert not any(map(is_address, ("#login", "form >> text=Sign in", "[href='/login']")))


def test_where_a_login_begins():
    """Where a job of the session looks whether it is logged in, else nowhere."""
    check = LoggedIn("https://shop.example/account", shows="#logout", within="3s")
    jobs = (
        Job("a", body, interval=60, session="shop", needs_login="/login"),
        Job("b", body, interval=60, session="shop", needs_login=check),
    )
    assert check.within == 3
    assert first_page("shop", jobs) == "https://shop.example/account"
    assert first_page("main", jobs) == ""


def test_actions_are_read_whole_or_not_at_all():
    """Each has exactly its values, in their ranges; a message does not repeat what was typed."""
    text = {"do": "text", "text": "geheim \ud83d"}
    choose = {"do": "choose", "option": -1}
    assert read_actions({"actions": [MOVE, text, choose]}) == [
        MOVE,
        {"do": "text", "text": "geheim "},
        choose,
    ]
    for wrong in (
        MOVE | {"x": float("nan")},
        MOVE | {"y": True},
        MOVE | {"more": 1},
        {"do": "text"},
        {"do": "_act"},
        {"do": "text", "text": "geheim" * 10_000},
        {"do": "go", "url": "file:///geheim"} | {"more": "geheim"},
        {"do": "touch", "type": "start", "points": [{"x": 1}]},
        "geheim",
    ):
        with pytest.raises(UserError) as caught:
            read_actions({"actions": [wrong]})
        assert "geheim" not in str(caught.value)


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from([*MOVE, "text", "points"]), inner)
    ),
    max_leaves=10,
)


@given(json_like | st.fixed_dictionaries({"actions": st.lists(json_like)}))
def test_nothing_that_is_sent_is_a_mistake_of_ours(sent):
    """Whatever it is, it is read or refused."""
    with contextlib.suppress(UserError):
        read_actions(sent)
