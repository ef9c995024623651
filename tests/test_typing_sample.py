"""What type checkers look at, `tests/typing`: all of the public API is in it. They run by `make types`."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

import muxd
from muxd import hookspecs
from muxd.jobfields import JobFields

SAMPLE = (Path(__file__).parent / "typing" / "sample_plugin.py").read_text()
HOOKS = [name for name in vars(hookspecs) if name.startswith("muxd_")]
OF_RUNS = [
    name
    for name in (*vars(muxd.Run), *(field.name for field in muxd.Run.__attrs_attrs__))
    if not name.startswith("_")
]


@pytest.mark.parametrize("name", sorted({*muxd.__all__} - {"__version__"}))
def test_each_public_name_is_in_the_sample(name):
    """Each is used as a plugin would."""
    assert re.search(rf"\bmuxd\.{name}\b", SAMPLE)


@pytest.mark.parametrize("name", sorted(set(OF_RUNS)))
def test_all_that_a_run_has_is_in_the_sample(name):
    """Each attribute and method, in a body."""
    assert re.search(rf"\brun\.{name}\b", SAMPLE)


@pytest.mark.parametrize("name", HOOKS)
def test_each_hook_is_in_the_sample(name):
    """Each implemented, with its types."""
    assert re.search(rf"^@muxd\.hookimpl.*\ndef {name}\(", SAMPLE, re.MULTILINE)


def test_the_decorator_takes_the_fields_of_a_job():
    """For type checkers too: those of `Job`, one by one, and every one is in the sample."""
    fields = {*inspect.signature(muxd.Job).parameters} - {"name", "body", "interval"}
    assert set(JobFields.__annotations__) == fields
    for name in fields - {"plugin", "description", "pinned"}:
        assert re.search(rf"^    {name}=", SAMPLE, re.MULTILINE)
