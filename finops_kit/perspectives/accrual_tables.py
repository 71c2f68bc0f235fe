"""What the finance page shows of accruals: the open month three ways, and an accrual of the period against its bill."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import ibis

from finops_kit.perspectives.accruals import accruals
from finops_kit.perspectives.basis import Basis
from finops_kit.perspectives.cost import LABELS, no_charges
from finops_kit.perspectives.period import next_month
from finops_kit.perspectives.reading import Figure, ResultTable
from finops_kit.perspectives.tables import Row, result
from finops_kit.perspectives.words import count, day_name, money, month_name, percent, signed
from finops_kit.value.reconciliation import PARTS

#: differences told line by line
TOP_LINES = 40
_COLUMNS = ("billed", "chain_ladder", "bornhuetter_ferguson", "accrued", "accrued_so_far", "completeness_pct",
            "state_pct", "billed_until", "chain_ladder_why")  # fmt: skip
_LABELS = {
    **LABELS, "billed": "Billed so far", "billed_until": "Billed until", "completeness_pct": "Completeness",
    "chain_ladder": "Chain-ladder", "bornhuetter_ferguson": "Bornhuetter-Ferguson", "accrued_so_far": "Accrued so far",
    "accrued": "Accrued", "state_pct": "By state",
}  # fmt: skip
_BASIS = {
    "state": "State x price: hours that a resource was seen (or registered as an asset), at the price of its last bill",
    "sku": "State x price of its SKU: the resource itself was never billed",
    "run rate": "Run rate: billed every day, no state known; weekday pattern of the last four weeks",
    "calendar": "Calendar: fees, support, tax and credits, as in the last billed month",
    "unknown": "No price known: observed, but no bill and no price list says what it costs",
}
_STEPS = {
    "price": "Price: other than known",
    "quantity": "Quantity: other units than accrued",
    "not_billed": "Not billed, but accrued",
    "not_observed": "Not observed, but billed",
}


def open_month_figures(basis: Basis) -> tuple[Figure, ...]:
    """The open month as billed, as completed and as accrued, each saying what it is."""
    month = accruals(basis).open_month
    if month is None:
        why = "No month is open: bills reach the end of the newest one."
        return (Figure("open_month", "Open month", None, basis.currency, why_missing=why),)
    rows = _by_provider(basis)
    sums = {name: _sum(rows, name) for name in ("billed", "chain_ladder", "bornhuetter_ferguson", "accrued_so_far",
                                                "accrued")}  # fmt: skip
    name, until = month_name(month), accruals(basis).known_until
    state = share_from_states(rows)
    return (
        Figure(
            "open_accrued", f"{name}, accrued", sums["accrued"], basis.currency,
            f"By states and known prices, without any bill of it; {percent(state, 0)} from states. Up to "
            f"{day_name(until)} it is {money(sums['accrued_so_far'], basis.currency)}.",
            why_missing="" if sums["accrued"] is not None else "No earlier bill says a price.",
        ),
        Figure(
            "open_completed", f"{name}, completed", sums["chain_ladder"], basis.currency,
            f"{money(sums['billed'], basis.currency)} billed so far, filled up as past months were (chain-ladder); by "
            f"Bornhuetter-Ferguson {money(sums['bornhuetter_ferguson'], basis.currency)}.",
            why_missing="" if sums["chain_ladder"] is not None else "No past month shows how bills fill up.",
        ),
    )  # fmt: skip


def completed_total(basis: Basis, month: date) -> Decimal | None:
    """What the bills of a month come to when completed by the chain-ladder; None unless it is the open one."""
    return _sum(_by_provider(basis), "chain_ladder") if accruals(basis).open_month == month else None


def share_from_states(rows: list[Row]) -> float | None:
    """The part of the accrual that rests on observed states, 0-1."""
    whole = sum((abs(row["accrued"]) for row in rows if row["accrued"]), Decimal(0))
    part = sum((float(row["accrued"]) * (row["state_pct"] or 0) / 100 for row in rows if row["accrued"]), 0.0)
    return part / float(whole) if whole else None


def _sum(rows: list[Row], name: str) -> Decimal | None:
    known = [row[name] for row in rows if row[name] is not None]
    return sum(known, Decimal(0)) if known else None


def _by_provider(basis: Basis) -> list[Row]:
    found: list[Row] = basis.once("open_by_provider", lambda b: accruals(b).completed(("provider",)))
    return found


def open_month_tables(basis: Basis) -> tuple[ResultTable, ...]:
    """The open month by provider, by provider's service, and what its accrual rests on."""
    month = accruals(basis).open_month
    name = month_name(month) if month else "The open month"
    why = "No month is open: bills reach the end of the newest one."
    units = {**dict.fromkeys(("billed", "chain_ladder", "bornhuetter_ferguson", "accrued_so_far", "accrued"),
                             basis.currency), "completeness_pct": "%", "state_pct": "%"}  # fmt: skip
    where = "Where will it land? Chain-ladder and Bornhuetter-Ferguson complete the bill; accrued needs none of it."
    by_provider = _by_provider(basis) if month else []
    by_service = accruals(basis).completed(("provider", "ServiceName")) if month else []
    return (
        result("open_month", f"{name}: billed, completed, accrued",
               where, by_provider,
               ("provider", *_COLUMNS), units=units, labels=_LABELS, empty_because=why,
               answer=_accrue_words(basis, name)),
        result("open_month_by_service", f"{name} by provider's service", "Which service is behind, which ahead?",
               by_service, ("provider", "ServiceName", *_COLUMNS), units=units, labels=_LABELS, empty_because=why),
        _basis_table(basis, name, why),
    )  # fmt: skip


def _accrue_words(basis: Basis, name: str) -> str:
    """What to book for the open month, and how much of it is billed."""
    rows = _by_provider(basis) if accruals(basis).open_month else []
    accrued, billed = _sum(rows, "accrued"), _sum(rows, "billed")
    if accrued is None:
        return ""
    done = f"{money(billed, basis.currency)} of it is billed so far" if billed else "none of it is billed yet"
    return f"Accrue {money(accrued, basis.currency)} for {name}; {done}."


def _basis_table(basis: Basis, name: str, why: str) -> ResultTable:
    rows: list[Row] = []
    made = accruals(basis)
    if made.open_month:
        lines = made.lines(made.open_month, next_month(made.open_month))
        sums = lines.group_by("basis").agg(
            lines=lines.count(), accrued=lines.accrued.sum(), without=lines.accrued.isnull().sum(),
            example=lines.why.max(), carried_pct=100 * lines.carried_share.mean(),
        )  # fmt: skip
        rows = basis.rows(sums.order_by([ibis.desc("accrued"), "basis"]))
        for row in rows:
            row["what"] = _BASIS[row["basis"]]
            row["accrued_why"] = row["example"] if row["accrued"] is None else ""
    return result(
        "accrual_basis", f"{name}: what the accrual rests on", "How much of it was observed, how much is carried on?",
        rows, ("basis", "what", "lines", "accrued", "without", "carried_pct", "accrued_why"),
        units={"accrued": basis.currency, "carried_pct": "%"},
        labels={**_LABELS, "basis": "Basis", "what": "What it is", "lines": "Lines", "without": "Without a price",
                "carried_pct": "Hours carried beyond the last look"},
        empty_because=why,
        answer=f"{percent(share_from_states(_by_provider(basis)), 0)} of the accrual rests on observed states."
        if rows else "",
    )  # fmt: skip


def reconciliation_steps(basis: Basis) -> ResultTable:
    """From what was accrued of the period to its bill: price, quantity, not billed, not observed."""
    sums = _reconciled_sums(basis)
    rows: list[Row] = []
    if sums:
        rows.append({"step": "Accrued without the bill", "amount": sums["accrued"], "total": True})
        rows += [{"step": text, "amount": sums[name], "total": False} for name, text in _STEPS.items()]
        rows.append({"step": "Billed", "amount": sums["billed"], "total": True})
    return result(
        "accrued_against_billed", f"{month_name(basis.start)}: accrued against billed",
        "What did the accrual miss, and why?", rows, ("step", "amount", "total"), units={"amount": basis.currency},
        labels={"step": "Step", "amount": "Amount", "total": "Is a total"},
        empty_because=_nothing_to_hold(basis), answer=_missed_words(basis, sums) if sums else "",
    )  # fmt: skip


def _missed_words(basis: Basis, sums: Row) -> str:
    """How far the accrual was off, and which part made most of it."""
    off = sums["accrued"] - sums["billed"]
    said = f"The accrual was {money(abs(off), basis.currency)} {'above' if off > 0 else 'below'} the bill"
    largest = max(PARTS, key=lambda name: abs(sums[name]))
    return f"{said}, most by {_STEPS[largest].partition(':')[0].lower()}." if abs(sums[largest]) >= 1 else f"{said}."


def _nothing_to_hold(basis: Basis) -> str:
    if accruals(basis).open_month == basis.start:
        return (
            f"{month_name(basis.start)} is still being billed; its accrual is held against the bill when it is closed."
        )
    if not basis.totals["charges"]:
        return no_charges(basis)
    return f"No bill of a month before {month_name(basis.start)} says a price to accrue at."


def _reconciled_sums(basis: Basis) -> Row | None:
    def make(b: Basis) -> Row | None:
        made = accruals(b)
        if made.open_month == b.start or not b.totals["charges"] or b.previous_total is None:
            return None
        table = made.reconciled
        names = ("accrued", "billed", *PARTS)
        return b.rows(table.agg(**{name: table[name].sum().fill_null(0) for name in names}))[0]

    found: Row | None = basis.once("reconciled_sums", make)
    return found


def accrual_figure(basis: Basis) -> Figure:
    """How far the accrual was from the bill."""
    sums = _reconciled_sums(basis)
    if not sums or not sums["billed"]:
        return Figure("accrual_accuracy", "Accrual against bill", None, "%", why_missing=_nothing_to_hold(basis))
    off = 100 * float((sums["accrued"] - sums["billed"]) / sums["billed"])
    return Figure(
        "accrual_accuracy", "Accrual against bill", off, "%",
        f"States and prices known before said {money(sums['accrued'], basis.currency)} for {month_name(basis.start)}.",
        "within 3 %", "good" if abs(off) <= 3 else "bad",
    )  # fmt: skip


def reconciliation_lines(basis: Basis) -> ResultTable:
    """The lines with the greatest difference between accrued and billed, each with its four parts."""
    rows: list[Row] = []
    more = 0
    if _reconciled_sums(basis):
        table = accruals(basis).reconciled
        table = table.filter(table["difference"].abs() >= 0.005)
        more = basis.rows(table.agg(n=table.count()))[0]["n"] - TOP_LINES
        rows = basis.rows(
            table.order_by([table["difference"].abs().desc(), "provider", "resource", "sku"]).limit(TOP_LINES)
        )
    said = f"{count(more, 'further line')} with smaller differences." if more > 0 else ""
    amounts = ("billed", "accrued", "difference", *PARTS)
    return result(
        "accrual_differences", "Where accrual and bill differ most",
        f"Which line, and was it the price or the quantity? {said}".strip(), rows,
        ("provider", "ServiceName", "ResourceName", "billed", "accrued", "difference", *PARTS, "basis", "ResourceId"),
        units=dict.fromkeys(amounts, basis.currency),
        labels={**LABELS, "ResourceId": "Resource id", "ResourceName": "Resource", "billed": "Billed",
                "accrued": "Accrued", "price": "Price",
                "quantity": "Quantity", "not_billed": "Not billed", "not_observed": "Not observed", "basis": "Basis"},
        answer=f"{rows[0]['ResourceName'] or rows[0]['ServiceName']} is furthest off: "
        f"{signed(rows[0]['difference'], basis.currency)}." if rows else "",
        empty_because="Accrual and bill agree on every line." if _reconciled_sums(basis) else _nothing_to_hold(basis),
        measure="effective_cost", trace_by=("provider", "ServiceName", "ResourceId"),
    )  # fmt: skip
