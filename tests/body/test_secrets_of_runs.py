"""`Run.secret`: found where it is kept, and masked everywhere from then on."""

from __future__ import annotations

import io
import logging
import sys
import threading
import time
from types import ModuleType

import attrs
import pytest
import structlog
import trio
from structlog.testing import capture_logs

from muxd import logs
from muxd.body.secret import Keyring, find_secret
from muxd.config import Config, DaemonConfig, EvidenceConfig
from muxd.errors import SecretMissing
from muxd.events import JobNews, RunProgress
from muxd.job import Job
from muxd.keeping import evidence_of, log_file_of, secrets_of
from muxd.record import Outcome
from muxd.runner import Runner
from muxd.state import StateDir
from muxd.workplace import Workplace

VALUE = "Tr0ub4dor&3 <x>"


def no_keyring():
    return Keyring(lambda service, name: None)


@pytest.fixture
def credentials(tmp_path):
    """Systemd's: a folder, and the environment that names it."""
    folder = tmp_path / "credentials"
    folder.mkdir()
    return folder, {"CREDENTIALS_DIRECTORY": str(folder)}


def test_it_is_looked_for_in_one_place_after_the_other(credentials):
    """The environment goes before systemd, systemd before the keyring; what is empty is not there."""
    folder, environ = credentials
    keyring = Keyring(lambda service, name: f"{service}/{name}")
    assert find_secret("shop.key", keyring, environ) == "muxd/shop.key"
    (folder / "shop.key").write_text(" of systemd \n")
    assert find_secret("shop.key", keyring, environ) == " of systemd "
    assert find_secret("shop.key", keyring, environ | {"SHOP_KEY": ""}) == " of systemd "
    assert find_secret("shop.key", keyring, environ | {"SHOP_KEY": "a"}) == "a"
    assert find_secret("shop.key", keyring, environ | {"SHOP_KEY": "a", "shop.key": "b"}) == "b"


def test_one_that_is_nowhere_says_where_it_was_looked_for(credentials):
    """Each place, and what to do there; a slip gets a guess."""
    folder, environ = credentials
    with pytest.raises(SecretMissing) as caught:
        find_secret("shop-pasword", no_keyring(), {"shop-password": "x"})
    assert str(caught.value) == (
        "there is no secret 'shop-pasword' (did you mean 'shop-password'?): the environment has no "
        "shop-pasword or SHOP_PASWORD; systemd gives muxd no credentials (LoadCredential="
        "shop-pasword:FILE in its unit); the keyring has none (keyring set muxd shop-pasword)"
    )
    (folder / "other_key").write_bytes(b"\xff\xfe")
    with pytest.raises(SecretMissing, match=r"did you mean 'other_key'.*none of systemd's cred"):
        find_secret("other-key", no_keyring(), environ)
    for content, why in ((b"\xff\xfe", "is no text"), (b"", "is empty"), (b"a" * 10**7, "larger")):
        (folder / "key").write_bytes(content)
        with pytest.raises(SecretMissing, match=why):
            find_secret("key", no_keyring(), environ)


@pytest.mark.parametrize("name", ["", "../etc/passwd", "a/b", "a b", ".x", 3, None, "x" * 101])
def test_a_name_is_no_path(name):
    """Nothing outside of systemd's folder can be read by it."""
    with pytest.raises(ValueError, match="give 1 to 100 letters"):
        find_secret(name, no_keyring(), {})


def test_a_keyring_that_hangs_costs_one_bounded_wait():
    """A locked keyring may ask somebody for its password: nobody else waits for that."""
    begun, answer, asked = threading.Event(), threading.Event(), []

    def hang(service, name):
        asked.append(name)
        begun.set()
        answer.wait(60)

    keyring = Keyring(hang, bound=0.05)
    began = time.monotonic()
    with pytest.raises(SecretMissing, match=r"has not answered within 0\.05 s"):
        find_secret("one", keyring, {})
    with pytest.raises(SecretMissing, match="a moment ago"):
        find_secret("two", keyring, {})
    assert time.monotonic() - began < 20
    assert begun.wait(20)
    assert asked == ["one"]
    answer.set()


def test_the_library_is_imported_when_it_is_asked(monkeypatch):
    """Without the extra the message says how to get it; what the library raises is told."""
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(SecretMissing, match=r"pip install 'muxd\[keyring\]'"):
        find_secret("key", Keyring(bound=30), {})
    library = ModuleType("keyring")
    library.get_password = lambda service, name: f"{name} of {service}"
    monkeypatch.setitem(sys.modules, "keyring", library)
    assert find_secret("key", Keyring(bound=30), {}) == "key of muxd"
    library.get_password = lambda service, name: 1 / 0
    with pytest.raises(SecretMissing, match="the keyring can't be used: division by zero"):
        find_secret("key", Keyring(bound=30), {})


async def test_it_is_in_nothing_that_is_kept_or_told(autojump_clock, bench, monkeypatch):
    """Not in the record, its evidence, news, how far it is; nor in those of later runs of other jobs."""
    monkeypatch.setenv("SHOP_KEY", VALUE)
    bench.pages.shows = attrs.evolve(bench.pages.shows, html=f"<p>{VALUE}</p>", console=(VALUE,))
    seen = []

    async def asks(run):
        seen.append(run.secret("shop-key"))
        run.progress(1, 2, f"with {VALUE}")
        run.tell(f"it is {VALUE}", f"text {VALUE}")
        raise LookupError(f"no {VALUE} here")

    async def gives(run):
        return [VALUE]

    async def fails(run):
        raise LookupError(f"no {VALUE} here")

    with bench.bus.subscribe("test", only=(JobNews, RunProgress)) as events:
        records = [await bench.run(body) for body in (asks, gives, fails)]
        told = []
        while events.statistics().waiting:
            told.append(str(await events.receive()))
    assert seen == [VALUE]
    assert len(told) == 2
    first, second, third = records
    assert (first.error, third.error) == ("no *** here",) * 2
    assert second.result == "1 items: ['***']"
    kept = [bench.files(record) for record in records]
    assert {"page.html", "console.txt", "traceback.txt"} <= set(kept[0])
    texts = [
        *told,
        *map(str, records),
        *(repr(content) for files in kept for content in files.values()),
    ]
    for text in texts:
        assert "Tr0ub4dor" not in text


async def test_it_is_masked_where_no_evidence_is_kept(autojump_clock, bench, monkeypatch):
    """What is masked does not depend on what else is kept."""
    monkeypatch.setenv("SHOP_KEY", VALUE)
    workplace = Workplace(real_now=trio.current_time)

    async def body(run):
        raise LookupError(run.secret("SHOP_KEY"))

    async with trio.open_nursery() as nursery:
        bench.runner = Runner(bench.book, nursery, real_now=trio.current_time, workplace=workplace)
        record = await bench.run(body)
        nursery.cancel_scope.cancel()
    assert (record.outcome, record.error) == (Outcome.failed, "***")


def test_it_is_masked_in_the_log_and_its_file_at_once(tmp_path, monkeypatch):
    """Logs that were set up before the secret was known mask it like those of the configuration."""
    monkeypatch.setenv("OTHER", "hunter2-of-old")
    config = Config(
        daemon=DaemonConfig(state_dir=tmp_path), evidence=EvidenceConfig(mask_env=("OTHER",))
    )
    state, secrets, out = StateDir(tmp_path), secrets_of(config), io.StringIO()
    file = log_file_of(config, state, secrets)
    root = logging.getLogger()
    before = root.handlers[:], root.level
    logs.configure("console", stream=out, also=file.write, mask=secrets.mask)
    try:
        log = structlog.get_logger()
        log.info("before", value="in sight")
        monkeypatch.setenv("SHOP_KEY", VALUE)
        assert Workplace(secrets=secrets).secret("SHOP_KEY") == VALUE
        log.info("after", value=VALUE, text=f"<{VALUE}>", other="hunter2-of-old")
    finally:
        structlog.reset_defaults()
        root.handlers, root.level = before
        file.close()
    told = out.getvalue() + (state.logs / "muxd.log").read_text()
    assert "in sight" in told
    assert "hunter2" not in told
    assert "Tr0ub4dor" not in told
    assert evidence_of(config, state, secrets).secrets is secrets


async def test_one_that_is_too_short_to_be_masked_is_told(autojump_clock, bench, monkeypatch):
    """Half of all texts have it somewhere: it is used all the same."""
    monkeypatch.setenv("PIN", "1234")

    async def body(run):
        return run.secret("PIN") == "1234"

    with capture_logs() as logged:
        assert (await bench.run(body)).result == "True"
    (line,) = [line for line in logged if "too short" in line["event"]]
    assert line["secret"] == "PIN"
    assert "1234" not in str(line)


async def test_without_it_the_run_fails_with_the_reason(autojump_clock, bench, monkeypatch):
    """The record says what is missing, and where it was looked for."""
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)

    async def body(run):
        run.secret("no-such-secret-at-all")

    record = await bench.run(body)
    assert record.error_type == "muxd.errors.SecretMissing"
    assert "the environment has no no-such-secret-at-all or NO_SUCH_SECRET_AT_ALL" in record.error


def test_a_run_shows_none(monkeypatch):
    """Neither a job's configuration nor a secret is in what a run or a job says of itself."""

    @attrs.frozen
    class Shop:
        token: str

    async def body(run): ...

    assert VALUE not in repr(Job("x", body, interval="1h", config=Shop(VALUE)))
