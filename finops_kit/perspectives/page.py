"""What all six pages have in common: the same total, the same caveats, the figures everybody reads first."""

from __future__ import annotations

from collections.abc import Sequence

from finops_kit.decide.roles import ROLES
from finops_kit.errors import ReconciliationFailed
from finops_kit.perspectives.basis import Basis
from finops_kit.perspectives.cost import share, unallocated_share
from finops_kit.perspectives.reading import Figure, NextStep, Reading, ResultTable
from finops_kit.perspectives.tables import ensure_adds_up
from finops_kit.perspectives.trust import data_ages
from finops_kit.perspectives.words import change, count, day_name, money, month_name
from finops_kit.store.heads import seen_head

#: the share of cost without an owner that is still good, and the one that is bad
UNALLOCATED_GOOD, UNALLOCATED_BAD = 0.05, 0.15
#: a reader is asked for at most so many things
MOST_STEPS = 4


def total_figure(basis: Basis) -> Figure:
    """The grand total, the first figure of every page."""
    if not basis.totals["charges"]:
        return Figure(
            "grand_total", "Effective cost", None, basis.currency,
            why_missing=f"The store holds no charges for {month_name(basis.start)} in this scope.",
        )  # fmt: skip
    moved = share(basis.grand_total - (basis.previous_total or 0), basis.previous_total)
    compared = "" if moved is None or abs(moved) < 0.0005 else f"; {change(moved)} than the month before"
    if basis.billed_until:
        compared = f"; billed up to {day_name(basis.billed_until)}"
    return Figure(
        "grand_total", "Effective cost", basis.grand_total, basis.currency,
        f"All charges of {month_name(basis.start)}, amortised and after discounts{compared}.",
        measure="effective_cost",
    )  # fmt: skip


def unallocated_figure(basis: Basis) -> Figure:
    """Cost that no service owns, as a share (M3)."""
    ratio, why = unallocated_share(basis)
    if ratio is None:
        return Figure("unallocated", "Unallocated", None, "%", target="< 5 %", why_missing=why)
    status = "good" if ratio < UNALLOCATED_GOOD else "bad" if ratio > UNALLOCATED_BAD else "watch"
    return Figure(
        "unallocated", "Unallocated", 100 * ratio, "%",
        f"{money(basis.totals['unallocated'], basis.currency)} that neither a tag nor the CMDB gives to a service.",
        "< 5 %", status, measure="unallocated_cost",
    )  # fmt: skip


def common_caveats(basis: Basis) -> list[str]:
    """What a reader must know about the total: what is not in it, and what stands in for what."""
    notes = []
    if basis.open_month is not None:
        notes.append(
            f"{month_name(basis.open_month)} is still being billed; this page reads the latest complete month. "
            f"Ask for it with the period {basis.open_month:%Y-%m}."
        )
    if basis.billed_until:
        notes.append(
            f"{month_name(basis.start)} is still being billed, so far up to {day_name(basis.billed_until)}: its total, "
            "its forecast and its comparisons with whole months are of a part of a month."
        )
    if basis.totals["without_effective"]:
        notes.append(
            f"{count(basis.totals['without_effective'], 'charge')} came without EffectiveCost; BilledCost stands in."
        )
    if basis.currency != basis.reader.currency:
        why = "as was asked" if basis.currency in basis.convertible else "for no exchange rate leads there"
        notes.append(f"The workspace reports in {basis.reader.currency}; amounts are in {basis.currency}, {why}.")
    if basis.totals["corrections"]:
        notes.append(
            f"The total holds corrections of {money(basis.totals['corrections'], basis.currency)}; "
            "the forecast does not."
        )
    notes.append("A charge counts in the month in which its charge period starts (UTC), whenever it was invoiced.")
    return notes


def page(
    basis: Basis,
    name: str,
    answer: str,
    figures: Sequence[Figure],
    tables: Sequence[ResultTable],
    main: str,
    caveats: Sequence[str] = (),
    next_steps: Sequence[NextStep] = (),
) -> Reading:
    """One page from its parts; its main breakdown must sum to the grand total to the cent.

    Raises
    ------
    ReconciliationFailed : the main table or the total figure says something else than the grand total
    """
    role = ROLES[name]
    by_key = {table.key: table for table in tables}
    if basis.totals["charges"]:
        ensure_adds_up(name, by_key[main], "EffectiveCost", basis.grand_total, basis.currency)
        shown = figures[0].value
        if shown != basis.grand_total:
            raise ReconciliationFailed(
                f"The {name} page shows {basis.currency} {shown} as its total, but the period's grand total is "
                f"{basis.currency} {basis.grand_total}. Nothing was published."
            )
    else:
        where = f" in the scope {basis.scope}" if basis.scope else ""
        answer = f"The store holds no charges for {month_name(basis.start)}{where} yet, so there is nothing to say."
    head = basis.once("seen_head", lambda own: seen_head(own.reader))
    return Reading(
        perspective=name, title=role.title, audience=role.audience, question=role.question, answer=answer,
        owns=role.owns, does_not_own=role.does_not_own, period_start=basis.start, period_end=basis.end,
        scope=basis.scope, currency=basis.currency, grand_total=basis.grand_total,
        store_version=basis.reader.version, version_time=basis.reader.version_time,
        ledger_head=basis.reader.ledger_head, ages=data_ages(basis), figures=tuple(figures), tables=by_key,
        caveats=(*common_caveats(basis), *caveats),
        next_steps=tuple(next_steps)[:MOST_STEPS] if basis.totals["charges"] else (),
        ledger_size=head.tree_size, ledger_root=head.root, ledger_signed_by=head.signed_by,
    )  # fmt: skip
