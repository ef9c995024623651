"""Files as they are saved: the system tells of them, and what doesn't matter is passed over."""

from __future__ import annotations

import trio

from muxd.saves import Saves

BOUND = 30
"""How long a machine that is busy may take to tell, seconds."""


async def test_saves_are_told_and_nothing_else(tmp_path):
    """Written, replaced or new, below a directory or a file that was not there; what is no code, is
    hidden or not wanted is nobody's business.
    """
    tree, alone = tmp_path / "tree", tmp_path / "alone" / "muxd.toml"
    (tree / "kit").mkdir(parents=True)
    alone.parent.mkdir()
    unwanted = tree / "unwanted.py"
    saves = Saves([tree, alone], lambda path: path != unwanted and path.parent != tmp_path)

    seen = set()

    async def told(file):
        # What is saved may be told in parts, and again: only what is never told is to be nobody's.
        new = set()
        with trio.fail_after(BOUND):
            while file not in new:
                await saves.wait()
                assert saves.pending
                new |= saves.take()
        seen.update(new)

    async with trio.open_nursery() as nursery:
        with trio.fail_after(BOUND):
            await nursery.start(saves.watch)
        assert not saves.pending
        (tree / "tea.py").write_text("")
        await told(tree / "tea.py")
        for name in ("shot.png", "data.db", ".hidden.swp", "unwanted.py", "__pycache__"):
            (tree / name).write_text("")
        (alone.parent / "rows.csv").write_text("")
        (tree / ".coffee.py.new").write_text("1")
        (tree / ".coffee.py.new").rename(tree / "coffee.py")  # as many editors save
        await told(tree / "coffee.py")
        (tree / "tea.py").unlink()
        (tree / "kit" / "new.py").write_text("")
        await told(tree / "kit" / "new.py")
        alone.write_text("")
        await told(alone)
        nursery.cancel_scope.cancel()
    assert seen == {tree / "tea.py", tree / "coffee.py", tree / "kit" / "new.py", alone}
