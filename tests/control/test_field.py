"""What requests give is checked before anybody sees it."""

from __future__ import annotations

import json

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from muxd.control.field import Field, read_fields
from muxd.errors import UserError

FIELDS = [
    Field("count", "count", "How many.", 10, 1, 100),
    Field("seconds", "number", "How long.", None, 0, 1e9),
    Field("flag", "flag", "Whether.", False),
    Field("text", "text", "What.", "", 0, 5),
    Field("kind", "text", "Which.", None, choices=["a", "b"]),
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(field=st.sampled_from(FIELDS), value=JSON)
def test_what_is_taken_is_what_is_described(field, value):
    """A value is refused exactly if it breaks the field's JSON Schema; null is as if not given."""
    if value is None:
        assert field.read(value) == field.default
        return
    try:
        text = json.dumps(value, allow_nan=False)
    except ValueError:
        with pytest.raises(UserError):
            field.read(value)
        return
    valid = jsonschema_rs.validator_for(field.schema).is_valid(json.loads(text))
    if isinstance(value, float) and value.is_integer() and field.kind == "count":
        return  # JSON Schema takes 3.0 for a whole number; muxd need not
    if valid:
        assert field.read(value) == value
    else:
        with pytest.raises(UserError, match=f"^{field.name}="):
            field.read(value)


@given(st.text())
def test_no_text_of_a_query_raises_anything_else(text):
    """Whatever stands in an address: a value that can be, or an error for people, of bounded length."""
    for field in FIELDS:
        try:
            value = field.read_text(text)
        except UserError as error:
            told = str(error)
        else:
            told = ""
            assert field.read(value) == value
        assert len(told) < 300


def test_a_misspelt_name_is_not_passed_over():
    """It is named, and so is what there is."""
    with pytest.raises(UserError, match=r"'secnods' is not known here: give count, seconds"):
        read_fields(FIELDS, {"secnods": 3}, as_text=False)


def test_all_that_was_not_given_is_there():
    """By its default."""
    found = read_fields(FIELDS, {"seconds": "2.5", "flag": "1"}, as_text=True)
    assert found == {"count": 10, "seconds": 2.5, "flag": True, "text": "", "kind": None}
