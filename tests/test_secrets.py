"""No secret stays in a text that was masked, in whatever form and place it was there."""

from __future__ import annotations

import base64
import html
import json
import time
from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muxd.secrets import MASK, SHORTEST, Secrets, is_telling, secrets_in

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
secret = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=SHORTEST, max_size=30
).filter(lambda value: len(value.splitlines()) == 1)

FORMS = {
    "plain": lambda value: value,
    "URL": lambda value: quote(value, safe=""),
    "form": quote_plus,
    "JSON": lambda value: json.dumps(value)[1:-1],
    "JSON, not ASCII": lambda value: json.dumps(value, ensure_ascii=False)[1:-1],
    "HTML": html.escape,
    "repr": lambda value: repr(value)[1:-1],
    "base64": lambda value: base64.b64encode(value.encode()).decode(),
}


@given(values=st.lists(secret, min_size=1, max_size=4), data=st.data())
def test_no_secret_stays(values, data):
    """However secrets are written, joined, nested and repeated, none of their forms is left."""
    pieces = st.one_of(
        text,
        st.just(MASK),
        st.builds(
            lambda value, form: FORMS[form](value), *map(st.sampled_from, (values, [*FORMS]))
        ),
        st.builds(lambda value, at: value[:at], st.sampled_from(values), st.integers(0, 8)),
    )
    written = "".join(data.draw(st.lists(pieces, max_size=12)))
    masked = Secrets(values).mask(written)
    for value in values:
        for form in FORMS.values():
            assert form(value) not in masked


@given(before=text, user=text, value=secret, after=text)
def test_none_stays_within_base64(before, user, value, after):
    """At each of the three offsets that it can have in what is encoded, as in basic auth."""
    whole = f"{before}{user}:{value}{after}".encode()
    masked = Secrets([value]).mask(base64.b64encode(whole).decode())
    try:
        decoded = base64.b64decode(masked.replace(MASK, ""), validate=True)
    except ValueError:
        return
    assert value.encode() not in decoded


@given(written=text)
def test_masking_nothing_changes_nothing(written):
    """Without secrets, and without a place for one, a text stays as it is."""
    plain = "".join(c for c in written if c.isalpha() or c == " ")
    assert Secrets().mask(plain) == plain
    assert Secrets(["short", ""]).mask("short, and so it stays") == "short, and so it stays"


@pytest.mark.parametrize(
    ("written", "masked"),
    [
        ("https://me:pa@shop.example/x", "https://***@shop.example/x"),
        ("GET /x?token=abc&page=2", "GET /x?token=***&page=2"),
        ("/x?page=2&amp;api_key=abc#top", "/x?page=2&amp;api_key=***#top"),
        ("/x?X-Amz-Signature=0f0f&a=b", "/x?X-Amz-Signature=***&a=b"),
        ("next=%2Fx%3Ftoken%3Dabc", "next=%2Fx%3Ftoken%3D***"),
        ("password=abc&user=me", "password=***&user=me"),
        ('{"user": "me", "password": "a\\"b"}', '{"user": "me", "password": "***"}'),
        (
            '"{\\"access_token\\":\\"abc\\",\\"n\\":1}"',
            '"{\\"access_token\\":\\"***\\",\\"n\\":1}"',
        ),
        ('{"name":"Set-Cookie","value":"a=b; Path=/"}', '{"name":"Set-Cookie","value":"***"}'),
        ("> Cookie: a=b; c=d\n> Accept: x", "> Cookie: ***\n> Accept: x"),
        ("'authorization': 'Basic bWU6cHc='", "'authorization': '***'"),
        ("sent Bearer abcdef0123 to it", "sent Bearer *** to it"),
        ("jwt eyJhbGciOiJIUzI1.eyJzdWIiOiIxMjM0.c2lnbmF0dXJl!", "jwt ***!"),
        ('<input type="password" value="a b">', '<input type="password" value="***">'),
        ("<INPUT value='x>y' type=password><b>", '<INPUT value="***" type=password><b>'),
        ('<input type="text" value="a">', '<input type="text" value="a">'),
        ("/x?monkey=tree&keyboard=us", "/x?monkey=tree&keyboard=us"),
    ],
)
def test_places_of_secrets(written, masked):
    """What is secret by its place is masked, and what is beside it is kept."""
    assert Secrets().mask(written) == masked


def test_what_is_known_is_frozen():
    """`with_more` leaves the one that it was asked of as it was."""
    few = Secrets(["first-secret"])
    more = few.with_more(["second-secret"])
    assert more.mask("first-secret second-secret") == "*** ***"
    assert few.mask("first-secret second-secret") == "*** second-secret"


def test_each_line_of_a_key_is_a_secret():
    """A private key in a variable is masked when only lines of it are told."""
    key = "-----BEGIN KEY-----\nMIIEpAIBAAKCAQEAx0\nshort\n-----END KEY-----"
    assert Secrets([key]).mask("line: MIIEpAIBAAKCAQEAx0.") == "line: ***."


HOSTILE = {
    "colons and slashes": "://" * 300_000,
    "questions": "?token=" * 150_000,
    "inputs that never end": "<input '" * 150_000,
    "inputs in quotes": '<input "' * 150_000,
    "names": "a" * 1_000_000,
    "dots": "a.-" * 300_000,
    "tokens": "eyJ-" * 250_000,
    "tokens with dots": "eyJaaaaaaaaaaaa." * 60_000,
    "escapes": '"password":"' + "\\" * 1_000_001,
    "headers": '"name":"cookie","value":"' * 40_000,
    "ampersands": "&" * 1_000_000,
    "snapshots": '"INPUT",{' * 100_000,
    "selectors": '"selector":"password"' * 40_000,
    "the secret itself": "secret" * 150_000,
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_no_text_takes_long(kind):
    """A page may be made to keep a pattern busy: a megabyte of it takes a bounded time."""
    began = time.process_time()
    Secrets(["secret-1", "secretsecret"]).mask(HOSTILE[kind])
    secrets_in(HOSTILE[kind])
    assert time.process_time() - began < 5


def test_secrets_are_found_by_their_places():
    """A log of a browser tells them: headers, cookies in them, password fields, what was typed."""
    log = "\n".join(
        json.dumps(line, separators=(",", ":"))
        for line in (
            {"headers": [{"name": "Cookie", "value": "sid=cookie-1; lang=en"}]},
            {"headers": [{"name": "set-cookie", "value": "sid=cookie-2; Path=/\nb=cookie-3"}]},
            {"headers": [{"name": "Authorization", "value": "Basic bWU6cGFzcyJ3b3Jk"}]},
            {"html": ["INPUT", {"type": "password", "__playwright_value_": 'typed"1'}]},
            {"html": ["INPUT", {"type": "text", "__playwright_value_": "harmless"}]},
            {"method": "fill", "params": {"selector": "#pwd", "strict": True, "value": "typed-2"}},
            {"params": {"selector": 'internal:label="Your PIN"s', "value": "typed-3"}},
            {"params": {"selector": "#pine", "value": "harmless"}},
            {"url": "https://x.example/?" + urlencode({"token": "token 123", "key": "word"})},
            {"postData": '{"password": "posted-99"}'},
        )
    )
    found = secrets_in(log)
    assert found >= {
        "cookie-1",
        "cookie-2",
        "cookie-3",
        'pass"word',
        'typed"1',
        "typed-2",
        "typed-3",
    }
    assert found >= {"token 123", "posted-99"}
    assert not found & {"harmless", "word"}


def test_a_key_that_names_a_column_is_no_secret():
    """What is called ``password`` is one whatever it is; ``key`` may be of a table, and is shown then."""
    assert is_telling("api_key", "id")
    assert is_telling("Password", "")
    assert is_telling("key")
    assert is_telling("key", "AIzaSyA1234567890")
    assert not is_telling("key", "id")
    assert not is_telling("key", ["id", "name"])
