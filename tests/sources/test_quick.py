"""What is read a column at once is exact or left alone."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finops_kit.fields import MONEY, QUANTITY, TIME
from finops_kit.normalize.entries import entries_map
from finops_kit.normalize.exact import prepare
from finops_kit.sources.control import EXACT
from finops_kit.sources.quick import QuickColumn, QuickEntries, QuickTags

written = st.one_of(
    st.decimals(allow_nan=False, allow_infinity=False, places=24, min_value=-(10**15), max_value=10**15).map(str),
    st.from_regex(r"[-+]?[0-9]{0,16}\.?[0-9]{0,27}([eE][-+]?[0-9]{1,3})?", fullmatch=True),
    st.text(alphabet="0123456789.eE+-_, ", max_size=8),
)


@settings(max_examples=300, deadline=None)
@given(text=written, kind=st.sampled_from([MONEY, QUANTITY]))
def test_a_number_read_at_once_is_the_number_that_is_written(text, kind):
    found = QuickColumn("c0", kind).read(pa.array([text]))[0].as_py()
    if found is not None:
        assert EXACT.compare(found, EXACT.create_decimal(text)) == 0


def test_one_odd_value_leaves_the_whole_batch_to_the_engine_and_the_next_is_tried_again():
    column = QuickColumn("c0", MONEY)
    assert column.read(pa.array(["1", "0.0000000000000000000000001"])).null_count == 2
    assert column.read(pa.array(["1", None])).to_pylist() == [Decimal(1), None]


@pytest.mark.parametrize(
    "written",
    [
        "7E20",
        "1.00000E-58",
        "1E-400",
        "6397815136479.00013130033020330222120212",
        "0.00000000000000000000000000000000000001e24",
    ],
)
def test_exponents_that_the_quick_way_would_get_wrong_are_left_to_the_engine(written):
    assert QuickColumn("c0", MONEY).read(pa.array([written])).null_count == 1


@pytest.mark.parametrize("written", ["2026-09-01T02:00:00+02:00", "2026-09-01T00:00:00Z", "2026-09-01 00:00:00"])
def test_a_time_is_the_same_instant_however_it_is_written(written):
    column = QuickColumn("c0", TIME)
    for _ in range(2):
        assert column.read(pa.array([written])).to_pylist() == [datetime(2026, 9, 1, tzinfo=UTC)]


@pytest.mark.parametrize("written", ["0001-01-01", "2400-01-01", "9/1/2026", "infinity"])
def test_a_time_that_no_bill_has_is_left_to_the_engine(written):
    assert QuickColumn("c0", TIME).read(pa.array([written])).null_count == 1


words = st.text(alphabet='ab "\\\t\x00\u00e9=;:', max_size=3)
objects = st.dictionaries(words, st.one_of(words, st.none(), st.integers(), st.floats(), st.lists(words)), max_size=3)
tag_texts = st.one_of(
    st.builds(json.dumps, objects, ensure_ascii=st.booleans()),
    st.sampled_from(
        ['{"a": "1", "a": "2"}', '{"a": "1", " a": "2"}', " {}", "{}", '"a": "b"', "a=b", "[]", "{a}", '{"a"}']
    ),
    words,
)


@settings(max_examples=60, deadline=None)
@given(texts=st.lists(st.one_of(tag_texts, st.none()), min_size=1, max_size=20))
def test_tags_read_at_once_are_those_that_the_engine_reads(texts):
    connection = duckdb.connect()
    prepare(connection)
    for text, found in zip(texts, QuickTags("c0").read(pa.array(texts, pa.string())).to_pylist(), strict=True):
        if found is not None:
            assert connection.execute("SELECT quick_tags_map(?)", [text]).fetchone() == (dict(found),)


def test_tags_of_which_each_is_another_are_left_to_the_engine():
    column = QuickTags("c0")
    assert column.read(pa.array([f'{{"id": "{i}"}}' for i in range(5_000)])).null_count == 5_000
    assert column.read(pa.array(['{"id": "1"}', None])).to_pylist() == [[("id", "1")], None]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(*[st.sampled_from([None, "", "a", 'say "b"', "é", "\\", "7"])] * 3), min_size=1, max_size=12),
    st.booleans(),
)
def test_entries_read_at_once_are_those_that_the_engine_makes(rows, sliced):
    keys = [("x_A", "c0"), ('say "b"', "c1"), ("x_C", "c2")]
    texts = [pa.array([row[place] for row in rows], pa.string()) for place in range(3)]
    if sliced:
        texts = [pa.concat_arrays([pa.array(["z"]), column]).slice(1) for column in texts]
    found = QuickEntries(keys).read(texts).to_pylist()
    engine = duckdb.connect()
    made = engine.execute(
        f"SELECT {entries_map(keys)} FROM (VALUES {', '.join('(?, ?, ?, ' + str(i) + ')' for i in range(len(rows)))}) "
        "t(c0, c1, c2, n) ORDER BY n",
        [value for row in rows for value in row],
    ).fetchall()
    assert [dict(one) if one is not None else None for one in found] == [one for (one,) in made]


def test_rows_that_are_never_the_same_are_left_to_the_engine():
    entries = QuickEntries([("x_Id", "c0")])
    assert entries.read([pa.array([str(n) for n in range(5000)])]).null_count == 5000
    assert entries.read([pa.array(["1", "1"])]).to_pylist() == [[("x_Id", "1")]] * 2


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["a", " a", "a ", "  a ", "b", " b", "c d", " c d", "\ta", " "]),
        st.sampled_from(["1", "2", None]),
        min_size=1,
    )
)
def test_tags_with_blanks_around_their_keys_are_read_as_the_engine_reads_them(tags):
    text = json.dumps(tags)
    found = QuickTags("c0").read(pa.array([text])).to_pylist()[0]
    engine = duckdb.connect()
    prepare(engine)
    for macro in ("quick_tags_map", "tags_map"):
        ((made,),) = engine.execute(f"SELECT {macro}(?)", [text]).fetchall()
        assert found is None or dict(found) == made
        assert set(tags.values()) == set(made.values())
