"""`run.save`: rows of a job, compared with what was there."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum

import attrs
import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from muxd.body import plain
from muxd.body.data import Data, items_of
from muxd.body.reading import DataReader
from muxd.body.saving import Saving
from muxd.errors import ItemError
from muxd.saved import Change, Saved

OURS = ("first_seen", "last_seen", "run", "gone_at")


class House:
    """A data file, and what is saved into it: each time another run, a second later."""

    def __init__(self, folder):
        self.data = Data(folder, real_now=lambda: 1000.0 + self.runs)
        self.reader = DataReader(folder)
        self.runs = 0

    async def save(self, items, key=None, *, table="", job="shop", run=None, **how):
        self.runs += 1
        columns = (key,) if isinstance(key, str) else tuple(key or ())
        return await self.data.save(
            Saving(
                job=job,
                table=table,
                run=run or f"run-{self.runs}",
                key=columns,
                at=1000.0 + self.runs,
                items=await items_of(items),
                **{"complete": False, **how},
            )
        )

    def rows(self, job="shop", table=None, **wanted):
        """The rows without what is muxd's own."""
        return [
            {name: value for name, value in row.items() if name not in OURS}
            for row in self.reader.rows(job, table, **wanted)
        ]


@pytest.fixture
async def house(tmp_path):
    made = House(tmp_path)
    async with made.data:
        yield made


async def test_what_is_new_changed_and_the_same_is_told(house):
    """Each row is compared with the one that has its key; a column that lacks stays as it is."""
    first = [{"url": "/a", "price": 1}, {"url": "/b", "price": 2, "stock": True}]
    saved = await house.save(first, key="url")
    assert saved.new == [{"url": "/a", "price": 1, "stock": None}, first[1]]
    assert (saved.changed, saved.same, saved.gone) == ([], 0, [])
    assert saved

    saved = await house.save([{"url": "/b", "price": 3}, {"url": "/a", "price": 1}], key="url")
    before, after = first[1], first[1] | {"price": 3}
    assert saved == Saved(changed=[Change("/b", before, after)], same=1)
    assert house.rows() == [{"url": "/a", "price": 1, "stock": None}, after]
    [a, b] = house.reader.rows("shop")
    assert (a["first_seen"], a["last_seen"], a["run"]) == (1001.0, 1002.0, "run-2")
    assert (b["first_seen"], b["last_seen"], b["run"]) == (1001.0, 1002.0, "run-2")

    saved = await house.save([{"url": "/b", "price": None}], key="url")
    assert saved.changed[0].after == {"url": "/b", "price": None, "stock": True}
    assert not await house.save([{"url": "/b", "price": None}], key="url")


async def test_without_a_key_all_columns_are_the_key(house):
    """A row is there just so or it is new; one without a value is one with None."""
    assert len((await house.save([{"a": 1, "b": [1]}, {"a": 1}, {"a": 1.0}])).new) == 2
    saved = await house.save([{"b": [1], "a": True}, {"a": 1, "b": None, "c": None}, {"a": 2}])
    assert saved == Saved(new=[{"a": 2, "b": None, "c": None}], same=2)


async def test_what_is_gone_is_told_once(house):
    """Only a save that is complete tells of it; what comes back is new, first seen when it was."""
    await house.save([{"n": 1}, {"n": 2}, {"n": 3}], key="n")
    assert (await house.save([{"n": 1}], key="n")).gone == []
    # A run may save page by page: what it has seen in any of its calls is not gone.
    await house.save([{"n": 2}], key="n", run="of-two-pages")
    saved = await house.save([{"n": 3}], key="n", run="of-two-pages", complete=True)
    assert saved.gone == [{"n": 1}]
    assert [row["gone_at"] for row in house.reader.rows("shop")] == [1004.0, None, None]
    saved = await house.save([{"n": 2}, {"n": 3}], key="n", complete=True)
    assert saved == Saved(same=2)
    saved = await house.save([{"n": 1}], key="n")
    assert saved == Saved(new=[{"n": 1}])
    assert house.reader.rows("shop")[0] | {"run": ""} == {
        "n": 1,
        "first_seen": 1001.0,
        "last_seen": 1006.0,
        "run": "",
        "gone_at": None,
    }
    saved = await house.save([], complete=True, may_be_empty=True)
    assert len(saved.gone) == 3


async def test_a_page_that_could_not_be_read_is_not_taken_for_an_empty_one(house):
    """No items and `complete` is refused where rows would be gone by it, and none is; a run that has found
    some in an earlier call may end with none."""
    await house.save([{"n": 1}, {"n": 2}], key="n")
    with pytest.raises(ItemError, match=r"all 2 rows .* would be gone.*may_be_empty=True"):
        await house.save([], key="n", complete=True)
    assert [row["gone_at"] for row in house.reader.rows("shop")] == [None, None]
    await house.save([{"n": 2}], key="n", run="of-two-pages")
    saved = await house.save([], key="n", run="of-two-pages", complete=True)
    assert saved.gone == [{"n": 1}]
    assert (await house.save([], complete=True, may_be_empty=True)).gone == [{"n": 2}]
    assert await house.save([], complete=True) == Saved()  # there is nothing that could go


async def test_of_nothing_no_table_is_made(house, tmp_path):
    """An empty list is no error, and leaves nothing to be looked at."""
    assert await house.save([], key="a", complete=True) == Saved()
    assert house.reader.tables() == []
    assert DataReader(tmp_path / "elsewhere").rows("shop") == []


async def test_items_come_in_many_forms(house):
    """Mappings, attrs objects, dataclasses, named tuples; one or many; by any iterator."""

    @attrs.frozen
    class Price:
        url: str
        at: datetime

    @dataclass
    class Pair:
        url: str
        of: Price

    class Colour(Enum):
        red = "#f00"

    moment = datetime(2026, 1, 31, 9, 15, tzinfo=UTC)

    async def found():
        yield {"url": "c", "tags": {"y", "x"}, "day": date(2026, 1, 31), "paid": Decimal("1.10")}
        yield {"url": Colour.red, "raw": bytearray(b"\0x")}

    await house.save(Price("a", moment), key="url")
    await house.save(iter([Pair("b", Price("x", moment))]), key="url")
    await house.save(found(), key="url")
    assert [{n: v for n, v in row.items() if v is not None} for row in house.rows()] == [
        {"url": "a", "at": "2026-01-31T09:15:00+00:00"},
        {"url": "b", "of": {"url": "x", "at": "2026-01-31T09:15:00+00:00"}},
        {"url": "c", "tags": ["x", "y"], "day": "2026-01-31", "paid": "1.10"},
        {"url": "#f00", "raw": b"\0x"},
    ]


async def missing_await():
    return []


class Sulky:
    def __repr__(self):
        raise OSError("no")


LISTED = [1]
LISTED.append(LISTED)


@pytest.mark.parametrize(
    ("items", "key", "said"),
    [
        ("text", None, "items is str 'text'"),
        (5, None, "items is int 5: give a list of mappings"),
        (missing_await, None, r"coroutine .*\(is an `await` missing\?\)"),
        ([["a"]], None, r"items\[0\] is a list: give a mapping of columns"),
        ([{}], None, r"items\[0\] is empty"),
        ([{1: 2}], None, r"items\[0\] has a column 1: the name of a column is a str"),
        ([{"": 2}], None, "give it 1 to 200 characters"),
        ([{"a\0": 2}], None, "give it 1 to 200 characters"),
        ([{"run": 2}], None, r"items\[0\] has 'run': that column is muxd's own"),
        ([{"First_Seen": 2}], None, "that column is muxd's own"),
        ([{"_muxd_key": 2}], None, "that column is muxd's own"),
        ([{"A": 1, "a": 2}], None, "'A' and 'a': the names of columns are the same"),
        (
            [{"a": math.nan}],
            None,
            r"items\[0\]\['a'\] is nan, which is no value to keep: give None",
        ),
        ([{"a": [1, math.inf]}], None, r"items\[0\]\['a'\]\[1\] is inf"),
        ([{"a": 2**63}], None, r"items\[0\]\['a'\] is an integer of more than 64 bits: give it as"),
        ([{"a": [b"x"]}], None, "bytes within a list or mapping: decode it"),
        ([{"a": {1: 2}}], None, "has the key 1: keys within a value are str"),
        ([{"a": object()}], None, r"items\[0\]\['a'\] is object .* can't be kept: give None, bool"),
        ([{"a": Sulky()}], None, r"items\[0\]\['a'\] is Sulky <Sulky that can't be shown>, which"),
        ([{"a": LISTED}], None, "nested more than 50 deep"),
        ([{"a": missing_await}], None, r"\['a'\] is coroutine \(is an `await` missing\?\)"),
        ([{"a": 1}, {"b": 1}], "a", r"items\[1\] has no 'a', which is the key: it has b"),
        ([{"a": None}], "a", r"items\[0\] has None as its key, 'a'"),
        ([{f"c{n}": n for n in range(501)}], None, "would have 501 columns, at most 500 can be"),
    ],
)
async def test_what_can_t_be_kept_is_told(house, items, key, said):
    """The message names the item and the column, and says what to give; nothing is kept."""
    if items is missing_await:
        items = missing_await()
    elif isinstance(items, list) and items and items[0] == {"a": missing_await}:
        items = [{"a": missing_await()}]
    with pytest.raises(ItemError, match=said):
        await house.save(items, key=key)
    assert house.reader.tables() == []


async def test_keys_and_tables_that_are_none_are_told(autojump_clock, bench):
    """Each with what would be right."""

    async def body(run):
        for key in ((), "", 5, {"a"}, ("a", "a"), ["a", None]):
            with pytest.raises(ItemError, match="is not possible: give the name of a column, or a"):
                await run.save([{"a": 1}], key=key)
        for table in ("", "a/b", "x" * 101, 5):
            with pytest.raises(ItemError, match="is not possible: give 1 to 100 letters, digits"):
                await run.save([{"a": 1}], table=table)

    record = await bench.run(body)
    assert record.outcome == "ok", record.error


async def test_columns_that_differ_in_capitals_are_told(house):
    """Also where the other one is in the table already."""
    await house.save([{"Price": 1}])
    with pytest.raises(ItemError, match="has a column 'Price', and these items have 'price'"):
        await house.save([{"price": 1}])
    assert house.rows() == [{"Price": 1}]


async def test_half_a_surrogate_pair_is_kept_as_what_it_is(house):
    """Pages have half emojis: they are no reason to lose the rest."""
    await house.save([{"a": "x\ud83d", "\udc00": ["\ud83d"]}])
    assert house.rows() == [{"a": "x\\ud83d", "\\udc00": ["\\ud83d"]}]


async def test_any_name_of_a_job_table_or_column_will_do(house):
    """Names that are SQLite's, muxd's, or the same but for capitals, are tables of their own."""
    jobs = ["shop", "Shop", "sqlite_master", "a.b", "-".join("x" * 50), "select"]
    columns = {name: name for name in ('"; DROP TABLE _tables', "rowid", "select", "a'b", "_key")}
    for job in jobs:
        for table in ("", "Reviews", "reviews", "_state".lstrip("_")):
            await house.save([columns | {"job": job, "table": table}], job=job, table=table)
    for job in jobs:
        tables = {table.name: table for table in house.reader.tables(job)}
        assert list(tables) == ["", "Reviews", "reviews", "state"]
        for table in tables:
            assert house.rows(job, table) == [columns | {"job": job, "table": table}]
    assert len(house.reader.tables()) == 4 * len(jobs)


async def test_another_key_takes_what_was_saved_with_it(house):
    """Rows that are one by it are put together: the one that was seen last stays."""
    await house.save(
        [{"url": "/a", "id": 1}, {"url": "/b", "id": 1}, {"url": "/c", "id": 2}], "url"
    )
    await house.save([{"url": "/a", "id": 1}], key="url")
    saved = await house.save([{"id": 1, "url": "/z"}, {"id": 3, "url": "/y"}], key=("id",))
    assert saved.changed == [Change(1, {"url": "/a", "id": 1}, {"id": 1, "url": "/z"})]
    assert [row["id"] for row in house.rows()] == [1, 2, 3]
    assert house.reader.tables("shop")[0].key == ("id",)
    # To all columns, and back: nobody is another's on the way.
    assert (await house.save([{"id": 2, "url": "/c"}])).same == 1
    assert (await house.save([{"id": n, "url": "/c"} for n in (1, 2, 3)], key="id")).same == 1


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT
    | st.sampled_from(["[1]", "true", "1", '{"a": 1}', "null", "\0"])
)
NESTED = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3)
)
COLUMN = st.sampled_from(["a", "b", "c d", "select", "ä", "0"])
ROWS = st.lists(
    st.dictionaries(COLUMN, NESTED | st.binary(max_size=4), min_size=1, max_size=4), max_size=6
)


def exactly(value):
    """With what is equal in Python and is not the same kept apart."""
    if isinstance(value, list):
        return [exactly(each) for each in value]
    if isinstance(value, dict):
        return {name: exactly(each) for name, each in value.items()}
    return type(value), value


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(batches=st.lists(ROWS, max_size=3), keyed=st.booleans())
def test_rows_come_back_as_they_were(tmp_path_factory, batches, keyed):
    """Whatever is saved in whatever order, a model in memory has the same rows and differences."""
    batches = [[{"id": n % 4} | row for n, row in enumerate(batch)] for batch in batches]
    key = ("id",) if keyed else ()
    model = {}  # {key: row}

    async def main():
        house = House(tmp_path_factory.mktemp("data"))
        house.data = Data(house.data.path.parent, real_now=lambda: 0.0, in_thread=at_once)
        async with house.data:
            for batch in batches:
                rows = {plain.key_of(row, key): row for row in batch}
                saved = await house.save(batch, key=key)
                new = [k for k in rows if k not in model]
                after = {k: model.get(k, {}) | row for k, row in rows.items()}
                changed = [k for k in rows if k in model and filled(model[k]) != filled(after[k])]
                assert [filled(row) for row in saved.new] == [filled(after[k]) for k in new]
                assert [filled(c.before) for c in saved.changed] == [
                    filled(model[k]) for k in changed
                ]
                assert saved.same == len(rows) - len(new) - len(changed)
                model.update({k: after[k] for k in (*new, *changed)})
            found = [exactly(filled(row)) for row in house.rows()]
            assert found == [exactly(filled(row)) for row in model.values()]

    trio.run(main)


def filled(row):
    return {name: value for name, value in row.items() if value is not None}


async def at_once(call, *args, **_options):
    await trio.lowlevel.checkpoint()
    return call(*args)
