"""The laws of `muxd.abc.Store` about copies, as tests: a part of `StoreContract`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio

from muxd.abc import Store
from muxd.errors import LedgerError
from muxd.pause import Pause
from muxd.testing.prune_contract import NOON, ended, ids, record

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["CopyContract"]


class CopyContract:
    """What `inspect` and `backup` do."""

    deadline: float
    make_store: Callable[[Path], Store]

    @pytest.mark.trio
    async def test_it_can_be_looked_into(self, store: Store) -> None:
        """Before it is opened, beside who has it open, and afterwards."""
        with trio.fail_after(self.deadline):
            assert isinstance(await store.inspect(), str)
            async with store.open() as opened:
                await opened.write(ended("1"))
                assert isinstance(await opened.inspect(), str)
            assert isinstance(await store.inspect(), str)

    @pytest.mark.trio
    async def test_a_copy_has_all_of_one_moment(self, store: Store, tmp_path: Path) -> None:
        """Made beside who writes, it has what was written before and keeps its distance later."""
        folder = tmp_path / "copy"
        folder.mkdir()
        pause = Pause(job="headlines", note="a note", since=NOON)
        with trio.fail_after(self.deadline):
            async with store.open() as opened:
                await opened.write(ended("1"), record("2"))
                await opened.set_phases({"headlines": (3600, 60)}, at=NOON)
                await opened.set_pauses({"headlines": pause})
                if type(store).backup is Store.backup:  # it makes none
                    with pytest.raises(LedgerError):
                        await opened.backup(folder)
                    return
                await self.make_store(tmp_path).backup(folder)
                await opened.write(ended("2"), ended("3"))
            async with self.make_store(folder).open() as copied:
                assert ids(await copied.history()) == ["1"]
                assert ids(await copied.unfinished()) == ["2"]
                assert dict(await copied.phases()) == {"headlines": (3600, 60)}
                assert dict(await copied.placed()) == {"headlines": NOON}
                assert dict(await copied.pauses()) == {"headlines": pause}
                await copied.write(ended("4"))
            async with store.open() as opened:
                assert await opened.get("4") is None
