"""From a figure to its lines: the sum of what is listed is the figure, exactly."""

from __future__ import annotations

from decimal import Decimal

import pytest

from finops_kit.errors import UsageError
from finops_kit.perspectives import MEASURES, PERSPECTIVES, read_perspective, trace_measure
from finops_kit.store import open_reader


@pytest.fixture(scope="module")
def reader(house):
    with open_reader(house) as reader:
        yield reader


def test_the_total_is_the_sum_of_its_lines(house, reader):
    trace = trace_measure(reader, "effective_cost", "2025-03")
    assert trace.total == read_perspective("finance", house.root, period="2025-03").grand_total
    assert sum(trace.rows.column("amount").to_pylist(), Decimal(0)) == trace.total and trace.count == 6 * 31
    assert set(trace.rows.column("source_file").to_pylist()) == {"bill.csv"}
    assert len(set(trace.rows.column("source_row").to_pylist())) == trace.count


@pytest.mark.parametrize("name", PERSPECTIVES)
def test_every_figure_that_names_a_measure_is_its_trace(house, reader, name):
    reading = read_perspective(name, house.root, period="2025-03")
    for figure in reading.figures:
        if figure.measure and figure.unit == reading.currency:
            assert trace_measure(reader, figure.measure, "2025-03", filters=figure.filters).total == figure.value


def test_a_row_of_a_breakdown_is_its_trace(house, reader):
    table = read_perspective("finance", house.root, period="2025-03").tables["cost_by_service"]
    for row in table.frame.iloc[[0, -1]].to_dict("records"):
        filters = {column: row[column] for column in table.trace_by}
        assert abs(
            trace_measure(reader, table.measure, "2025-03", filters=filters).total - row["EffectiveCost"]
        ) < Decimal("0.01")


def test_a_limit_shortens_the_list_not_the_total(reader):
    trace = trace_measure(reader, "effective_cost", "2025-03", limit=3)
    assert len(trace.rows) == 3 and trace.count == 186 and trace.rows.column("amount").to_pylist()[0] > 900


def test_filters_and_scope_work_together(reader):
    trace = trace_measure(reader, "effective_cost", "2025-03", scope="provider=AWS", filters={"service": "unallocated"})
    assert trace.count == 31 and set(trace.rows.column("ResourceId").to_pylist()) == {"vol-old"}


@pytest.mark.parametrize("measure", sorted(MEASURES))
def test_every_measure_can_be_traced(reader, measure):
    trace = trace_measure(reader, measure, "2025-03", limit=2)
    assert trace.total == sum(trace_measure(reader, measure, "2025-03").rows.column("amount").to_pylist(), Decimal(0))


def test_what_is_not_known_is_refused(reader):
    with pytest.raises(UsageError):
        trace_measure(reader, "profit")
    with pytest.raises(UsageError):
        trace_measure(reader, "effective_cost", filters={"colour": "red"})
