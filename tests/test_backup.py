"""Backups: whole or not there, checked before anything is changed, and no old state is lost by one."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import json
import shutil
import tarfile
from pathlib import Path

import pytest
import trio

from muxd.backup import swap
from muxd.backup.archive import unpack
from muxd.backup.making import Making
from muxd.backup.manifest import LARGEST, MANIFEST, Manifest
from muxd.backup.restoring import Restoring
from muxd.body.data import Data
from muxd.body.reading import DataReader
from muxd.body.saving import Saving
from muxd.builtin import _ledger_schema as schema
from muxd.builtin.ledger import FILE_NAME, Ledger
from muxd.errors import AlreadyRunning, UserError
from muxd.record import Outcome, Record
from muxd.state import StateDir

NOON = 1_795_521_600.0
ROOM = 1 << 30


def ended(number):
    return Record(
        id=f"{number:04}", job="a", released_at=NOON + number, started_at=NOON + number,
        ended_at=NOON + number + 1, outcome=Outcome.ok,
    )  # fmt: skip


def write(path, text):
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.write_text(text)


def fill(root, word, runs):
    """A state directory in which everything says `word`."""
    StateDir(root).prepare()

    async def records():
        async with Ledger(root).open() as ledger:
            await ledger.write(*map(ended, range(runs)))

    trio.run(records)
    for name in (
        "sessions/shop.json", "profile/Local State", "profile/Default/Cookies",
        "profile/Default/Local Storage/leveldb/CURRENT", "profile/Default/Cache/data_0",
        "profile/SingletonLock", "artifacts/0001/error.txt", "token", "logs/muxd.log",
        "disabled-plugins",
    ):  # fmt: skip
        write(root / name, word)

    async def rows():
        async with Data(root, real_now=lambda: NOON) as data:
            await data.save(
                Saving(
                    job="a", table="", run="0001", key=(), complete=False, at=NOON,
                    items=[{"word": word}],
                )
            )  # fmt: skip

    trio.run(rows)


def tree(root):
    """Each file with its content, but for the ledger's, of which it is how many runs there are."""
    found = {}
    for path in root.rglob("*"):
        name = str(path.relative_to(root))
        if path.is_file() and not path.name.startswith(("ledger", "data.db")):
            found[name] = path.read_text()
    if saved := DataReader(root).rows("a"):
        found["saved"] = saved[0]["word"]
    if (root / FILE_NAME).exists():

        async def count():
            async with Ledger(root).open() as ledger:
                return len(await ledger.history(limit=1000))

        found["runs"] = trio.run(count)
    return found


@pytest.fixture
def home(tmp_path):
    """A state with seven runs, in which everything says "then"."""
    root = tmp_path / "then"
    fill(root, "then", 7)
    write(tmp_path / "muxd.toml", "# then\n")
    return root


def making(root, **fields):
    wanted = {"config": root.with_name("muxd.toml"), "version": "1.2.3"} | fields
    return Making(state=StateDir(root), store=Ledger(root), **wanted)


def restoring(file, **fields):
    return Restoring(file=file, store=Ledger, **({"config": None} | fields))


@pytest.fixture
def backup(home, tmp_path):
    file = tmp_path / "muxd.tar.gz"
    making(home).make(file)
    return file


def test_what_is_in_it(home, backup, tmp_path):
    """Ledger, data file, sessions, what of the profile matters, disabled plugins, configuration; no secrets of
    this machine's dashboard, no caches, no locks. Only its owner can read it."""
    manifest = unpack(backup, tmp_path / "x", room=ROOM)
    assert {part.name for part in manifest.parts} == {
        "state/ledger.sqlite3", "state/sessions/shop.json", "state/profile/Local State",
        "state/profile/Default/Cookies", "state/profile/Default/Local Storage/leveldb/CURRENT",
        "state/disabled-plugins", "state/data.db", "config/muxd.toml",
    }  # fmt: skip
    assert manifest.muxd == "1.2.3"
    assert manifest.store == "muxd.builtin.ledger.Ledger"
    assert backup.stat().st_mode & 0o777 == 0o600
    assert tree(tmp_path / "x" / "state")["runs"] == 7
    for path in (tmp_path / "x").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0
    assert {path.name for path in tmp_path.iterdir()} == {"then", "muxd.toml", "muxd.tar.gz", "x"}


def test_with_and_without(home, tmp_path):
    """Sessions and what jobs have saved can be left out, evidence taken in."""
    file = tmp_path / "b"
    making(home, sessions=False, data=False, evidence=True, config=None).make(file)
    manifest = unpack(file, tmp_path / "x", room=ROOM)
    assert {part.name for part in manifest.parts} == {
        "state/ledger.sqlite3", "state/disabled-plugins", "state/artifacts/0001/error.txt",
    }  # fmt: skip


def test_a_backup_of_nothing(tmp_path):
    """A state directory that has nothing yet gives one that can be restored."""
    root = tmp_path / "state"
    StateDir(root).prepare()
    making(root, config=None).make(tmp_path / "b")
    with StateDir(root).hold("restore"):
        restoring(tmp_path / "b").restore(root)


def test_one_that_fails_leaves_the_last(home, backup, tmp_path, monkeypatch):
    """A full disk, say: what was there is still there, and nothing is left over."""
    before = backup.read_bytes()

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tarfile.TarFile, "addfile", full)
    with pytest.raises(OSError, match="No space"):
        making(home).make(backup)
    assert backup.read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {"then", "muxd.toml", "muxd.tar.gz"}


def test_what_a_killed_one_left_is_removed_by_the_next(home, backup, tmp_path):
    """But not what one that runs at the same time is working in."""
    stale, busy = tmp_path / ".muxd.tar.gz.stale", tmp_path / ".muxd.tar.gz.busy"
    write(stale / "content" / "x", "")
    with contextlib.ExitStack() as stack:
        from muxd.backup.making import _workshop

        stack.enter_context(_workshop(backup))
        (folder,) = (p for p in tmp_path.glob(".muxd.tar.gz.*") if p != stale)
        folder.rename(busy)
        making(home).make(backup)
        assert not stale.exists()
        assert busy.exists()
    shutil.rmtree(busy)


def test_restored_everything_is_as_it_was(home, backup, tmp_path):
    """What is there is kept aside, whole; what a backup never holds stays where it is."""
    root, config = tmp_path / "now", tmp_path / "config" / "muxd.toml"
    fill(root, "now", 3)
    write(config, "# now\n")
    (root / "ledger-set-aside").write_text("ledger-damaged-1.sqlite3\n")
    before, was = tree(root), tree(home)
    with StateDir(root).hold("restore"):
        manifest, aside = restoring(backup, config=config).restore(root)
    assert manifest.muxd == "1.2.3"
    assert aside.parent == root
    assert not (root / swap.PLACE).exists()
    assert not (root / "ledger-set-aside").exists()
    assert config.read_text() == "# then\n"
    kept = tree(aside)
    shutil.rmtree(aside)
    assert kept.pop("muxd.toml") == "# now\n"
    stays = ("token", "logs/muxd.log", "artifacts/0001/error.txt")
    assert kept == {name: word for name, word in before.items() if name not in stays}
    gone = ("profile/Default/Cache/data_0", "profile/SingletonLock")
    expected = {name: word for name, word in was.items() if name not in gone}
    assert tree(root) == expected | dict.fromkeys(stays, "now")
    assert [p for p in root.rglob("*") if p.stat().st_mode & 0o077 and p.is_file()] == [
        p for p in root.rglob("*") if p.is_file() and str(p.relative_to(root)) in stays
    ]


def test_sessions_and_configuration_can_stay(home, backup, tmp_path):
    """Then they are neither replaced nor moved."""
    root = tmp_path / "now"
    fill(root, "now", 3)
    with StateDir(root).hold("restore"):
        _, aside = restoring(backup, sessions=False).restore(root)
    assert (root / "sessions/shop.json").read_text() == "now"
    assert (root / "profile/Default/Cache/data_0").read_text() == "now"
    assert {path.name for path in aside.iterdir()} == {FILE_NAME, "disabled-plugins", "data.db"}
    assert tree(root)["runs"] == 7


def test_a_directory_in_use_is_refused(home, backup):
    """Whoever holds it, and who restores is named to others."""
    with StateDir(home).hold("restore"):
        owner = StateDir(home).owner()
        assert owner.role == "restore"
        with pytest.raises(AlreadyRunning, match="is restoring a backup"):
            StateDir(home).hold().__enter__()


# What anybody may have written


def packed(file, *members, manifest=None, level=9):
    """An archive of these: (TarInfo, content). A manifest of them goes first, changed as is said."""
    parts = [
        {"name": i.name, "size": len(c), "sha256": hashlib.sha256(c).hexdigest()}
        for i, c in members
    ]
    raw = {
        "format": 1, "made_at": "then", "muxd": "9", "store": "muxd.builtin.ledger.Ledger",
        "ledger": ["ledger.sqlite3"], "config": None, "parts": parts,
        "kinds": ["ledger", "sessions", "profile", "plugins", "evidence"],
    } | (manifest or {})  # fmt: skip
    text = json.dumps(raw).encode()
    with tarfile.open(file, "w:gz", compresslevel=level) as archive:
        for member, content in [(plain(MANIFEST, text)), *members]:
            archive.addfile(member, io.BytesIO(content))
    return file


def plain(name, content, **fields):
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for field, value in fields.items():
        setattr(info, field, value)
    return info, content


def refused(file, folder, room=ROOM):
    with pytest.raises(UserError) as caught:
        unpack(file, folder / "x", room=room)
    return str(caught.value)


@pytest.mark.parametrize(
    "name",
    [
        "state/../../evil", "/etc/passwd", "state/sessions/../../../evil.json", "state/",
        "state/sessions//a.json", "state/sessions/./a.json", "state/token", "state/muxd.lock",
        "state/sessions/a/b.json", "config/other.toml", "state/.restore/ready.json",
        "state/profile", "state/profile/a\nb", "state/ledger.sqlite3/x", "manifest.json", "",
    ],
)  # fmt: skip
def test_no_name_leads_anywhere_else(tmp_path, name):
    """Names are those of a backup's files: nothing is written for any other."""
    file = packed(tmp_path / "b", plain(name, b"x"))
    assert "can't be used" in refused(file, tmp_path)
    assert [p for p in (tmp_path / "x").rglob("*") if p.is_file()] == []
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize(
    "kind",
    [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE],
)
def test_links_and_devices_are_refused(tmp_path, kind):
    """Whatever they point to, and also where their names are a backup's."""
    member = plain("state/sessions/a.json", b"", type=kind, linkname="/etc/passwd")
    file = packed(tmp_path / "b", member)
    refused(file, tmp_path)
    assert list((tmp_path / "x").rglob("*.json")) == []


def test_holes_are_refused(tmp_path):
    """A sparse file may be larger than the archive by any number."""
    member, content = plain("state/sessions/a.json", b"x" * 512)
    member.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0",
                          "GNU.sparse.name": "state/sessions/a.json",
                          "GNU.sparse.realsize": "1000000000000"}  # fmt: skip
    refused(packed(tmp_path / "b", (member, content)), tmp_path)


def test_bombs_are_refused(tmp_path):
    """What is too large is refused by what it says, and what says less by what it is."""
    zeros = bytes(50 << 20)
    said = packed(tmp_path / "said", plain("state/profile/a", zeros))
    assert said.stat().st_size < 100_000
    assert "there is room for" in refused(said, tmp_path, room=10 << 20)
    shutil.rmtree(tmp_path / "x")
    parts = [{"name": "state/profile/a", "size": 5, "sha256": "0" * 64}]
    less = packed(tmp_path / "less", plain("state/profile/a", zeros), manifest={"parts": parts})
    refused(less, tmp_path)
    assert sum(p.stat().st_size for p in (tmp_path / "x").rglob("*") if p.is_file()) == 0
    shutil.rmtree(tmp_path / "x")
    more = tmp_path / "more"
    with gzip.open(more, "wb", 1) as file:
        header, _ = plain(MANIFEST, b"")
        header.size = LARGEST * 100
        file.write(header.tobuf())
        file.write(zeros)
    refused(more, tmp_path)


def test_what_was_changed_or_cut_off_is_refused(backup, tmp_path):
    """A bit that flipped, an end that is missing, something that was added."""
    whole = backup.read_bytes()
    for number, damaged in enumerate(
        (whole[:-2000], whole[:100], b"", b"no archive", whole[: len(whole) // 2] + bytes(9))
    ):
        backup.write_bytes(damaged)
        folder = tmp_path / str(number)
        folder.mkdir()
        refused(backup, folder)
    content = b"session"
    parts = [{"name": "state/sessions/a.json", "size": 7, "sha256": "0" * 64}]
    member = plain("state/sessions/a.json", content)
    file = packed(tmp_path / "b", member, manifest={"parts": parts})
    assert "checksum" in refused(file, tmp_path)
    shutil.rmtree(tmp_path / "x")
    assert "more than its manifest" in refused(
        packed(tmp_path / "b", member, manifest={"parts": []}), tmp_path
    )
    shutil.rmtree(tmp_path / "x")
    parts = [{"name": "state/sessions/a.json", "size": 7, "sha256": "0" * 64}]
    assert "not whole" in refused(packed(tmp_path / "b", manifest={"parts": parts}), tmp_path)


@pytest.mark.parametrize(
    "wrong",
    [
        {"format": 2}, {"format": None}, {"parts": 7}, {"parts": [7]}, {"ledger": ["../x"]},
        {"ledger": ["token/x"]}, {"kinds": None}, {"made_at": 7}, {"store": "a\0b"},
        {"parts": [{"name": "state/sessions/a.json", "size": -1, "sha256": "0" * 64}]},
        {"parts": [{"name": "state/sessions/a.json", "size": 1, "sha256": "0"}]},
        {"parts": [{"name": "state/sessions/a.json", "size": 1, "sha256": "0" * 64}] * 2},
    ],
)  # fmt: skip
def test_a_manifest_that_can_not_be_is_refused(tmp_path, wrong):
    """Whatever stands in it; one of a newer muxd says so."""
    said = refused(packed(tmp_path / "b", manifest=wrong), tmp_path)
    if wrong == {"format": 2}:
        assert "use the muxd that made it" in said


def test_a_ledger_that_can_not_be_used_changes_nothing(home, tmp_path):
    """A newer muxd's, a damaged one, another program's: refused before anything is moved."""
    before = tree(home)
    source = tmp_path / "source"
    for number, ledger in enumerate(("newer", "damaged", "other store")):
        fill(source, "x", 200)
        file = tmp_path / f"{number}.tar.gz"
        if ledger == "newer":
            schema_file(source, schema.VERSION + 1)
        made = making(source, config=None)
        made.make(file)
        if ledger == "damaged":
            content = bytearray((source / FILE_NAME).read_bytes())
            content[4096 * 2 : 4096 * 4] = b"\xff" * 8192
            packed(file, plain(f"state/{FILE_NAME}", bytes(content)))
        if ledger == "other store":
            packed(file, plain(f"state/{FILE_NAME}", b"x"), manifest={"store": "other.Store"})
        with StateDir(home).hold("restore"), pytest.raises(UserError) as caught:
            restoring(file).restore(home)
        assert str(file) in str(caught.value)
        assert tree(home) == before
        assert not (home / swap.PLACE).exists()
        shutil.rmtree(source)


def schema_file(root, version):
    import sqlite3

    with contextlib.closing(sqlite3.connect(root / FILE_NAME, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA user_version = {version}")


def test_manifests_come_back():
    """What is written is what is read."""
    manifest = Manifest(
        made_at="then", muxd="1", store="a.B", ledger=("x.db",), config="/a/ü", kinds=("ledger",)
    )
    assert Manifest.of(manifest.as_bytes()) == manifest
    assert Path(MANIFEST).suffix == ".json"
