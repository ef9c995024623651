"""The token: made once, whole or not at all, its owner's alone."""

from __future__ import annotations

import pytest

from muxd.control.token import TOKEN_NAME, find_token, link_to, make_token


def test_it_is_made_once(tmp_path):
    """The next start finds it: links that people keep go on working."""
    assert find_token(tmp_path) is None
    token = make_token(tmp_path)
    assert len(token) > 40
    assert (tmp_path / TOKEN_NAME).stat().st_mode & 0o777 == 0o600
    assert make_token(tmp_path) == find_token(tmp_path) == token
    assert [path.name for path in tmp_path.iterdir()] == [TOKEN_NAME]


@pytest.mark.parametrize("left", ["", "\n", "short\n", "x" * 40 + "é", "x" * 40 + "\0"])
def test_what_is_no_secret_is_replaced(tmp_path, left):
    """An empty or mangled file lets nobody in, and the next start makes a token."""
    (tmp_path / TOKEN_NAME).write_text(left)
    assert find_token(tmp_path) is None
    assert find_token(tmp_path) != make_token(tmp_path)


def test_one_that_was_half_made_is_no_obstacle(tmp_path):
    """A start that was killed between making and naming it."""
    (tmp_path / f"{TOKEN_NAME}.new").write_text("half")
    assert make_token(tmp_path) == find_token(tmp_path)


def test_one_that_others_could_read_is_closed(tmp_path):
    """A copy by hand may have opened it."""
    token = make_token(tmp_path)
    (tmp_path / TOKEN_NAME).chmod(0o644)
    assert make_token(tmp_path) == token
    assert (tmp_path / TOKEN_NAME).stat().st_mode & 0o777 == 0o600


def test_the_link_has_it(tmp_path):
    """The address and the token, once there is one."""
    assert link_to(tmp_path, "http://h:1/") == "http://h:1/"
    assert link_to(tmp_path, "http://h:1/") + f"?token={make_token(tmp_path)}" == link_to(
        tmp_path, "http://h:1/"
    )
