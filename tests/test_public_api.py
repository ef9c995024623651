"""The public API stays what it is."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

import muxd

SIGNATURES = {
    "Job": "name body *interval *preferred_phase *pinned *duration *priority *timeout *session "
    "*retries *retry_on *on_interrupt *overlap *misfire *expects_result *idempotent *block *needs_login *config *description *plugin",
    "JobError": "*job *field *value *allowed *plugin",
    "Record": "*id *job *plugin *cause *attempt *first_id *released_at *started_at *ended_at "
    "*outcome *error_type *error *result *left *harm *session *browser_generation *speed",
    "Run": "*id *job *attempt *released_at *deadline *page *context *browser *log *workspace",
    "LoggedIn": "url *shows *within",
    "Change": "key before after",
    "Last": "*good *failure",
    "Saved": "*new *changed *same *gone",
    "Section": "plugin values file",
    "bridged": "async_fn",
    "duration_field": "default *at_least *at_most",
    "find_browser": "configured *engine *configured_by *environ",
    "job": "*interval *name **fields",
    "open_nursery": "strict_exception_groups",
    "open_priority_channel": "capacity key *overtakes",
    "number_field": "default *at_least *at_most",
    "size_field": "default *at_least *at_most",
    "texts_field": "default *validator",
    "url_field": "default",
    "urls_field": "default *validator",
    "whole_field": "default *at_least *at_most",
    "run": "async_fn *args *clock *instruments *restrict_keyboard_interrupt_to_checkpoints "
    "*strict_exception_groups",
}
ENUMS = {
    "Misfire": "run_once skip all",
    "Outcome": "ok empty failed timed_out crashed interrupted cancelled missed coalesced",
    "OnInterrupt": "retry leave",
    "Overlap": "coalesce skip queue_one",
    "Priority": "critical high normal low background",
}


def shape(function) -> str:
    """The parameters in order; ``*`` marks those that are given by name."""
    marks = {
        inspect.Parameter.KEYWORD_ONLY: "*",
        inspect.Parameter.VAR_POSITIONAL: "*",
        inspect.Parameter.VAR_KEYWORD: "**",
    }
    parameters = inspect.signature(function).parameters.values()
    return " ".join(marks.get(p.kind, "") + p.name for p in parameters)


@pytest.mark.parametrize("name", muxd.__all__)
def test_every_public_name_is_there(name):
    """All that ``__all__`` promises can be imported."""
    assert getattr(muxd, name) is not None


def test_dir_shows_what_is_public():
    """Completion offers the public names, no others."""
    assert dir(muxd) == sorted(muxd.__all__)


def test_a_name_that_is_not_public_is_an_attribute_error():
    """A misspelt name fails as in any module."""
    with pytest.raises(AttributeError, match="'muxd' has no attribute 'Jbo'"):
        _ = muxd.Jbo


@pytest.mark.parametrize("name", SIGNATURES)
def test_signatures_stay(name):
    """A parameter that goes, comes or moves is a decision, made here too."""
    assert shape(getattr(muxd, name)) == SIGNATURES[name]


@pytest.mark.parametrize("name", ENUMS)
def test_words_stay(name):
    """The words of an enumeration are written in configurations and ledgers."""
    assert " ".join(getattr(muxd, name).__members__) == ENUMS[name]


def test_importing_every_module_leaves_the_decorator_alone():
    """``muxd.job`` is the decorator, whatever was imported before; and every module imports."""
    code = """
import importlib, pkgutil, muxd
import muxd.job
names = [m.name for m in pkgutil.walk_packages(muxd.__path__, "muxd.") if "__main__" not in m.name]
for name in names:
    importlib.import_module(name)
from muxd import job
assert job is muxd.job and callable(job), job
assert muxd.job(interval=60).__name__ == "declare"
print(len(names))
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 20


def test_importing_muxd_is_cheap():
    """A job author's ``import muxd`` brings neither trio nor a browser library."""
    code = "import sys, muxd; print({'trio', 'playwright', 'rich', 'pluggy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == "set()\n", done.stderr
